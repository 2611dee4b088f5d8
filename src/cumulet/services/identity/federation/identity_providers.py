"""Identity providers: those who vouch for people."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Bool, ListOf, StrictInt, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken
from cumulet.services.identity.federation.identities import remove_provider
from cumulet.services.identity.federation.naming import chosen_id
from cumulet.services.identity.federation.rows import (
    UNSET,
    IdentityProviderRow,
    RemoteIdRow,
)
from cumulet.services.identity.fields import Description, Id
from cumulet.services.identity.noun import Noun, boolean
from cumulet.services.identity.projects.row import ProjectRow, domain_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.revocations import PROVIDER

RULE = "identity:"
PATH = "/OS-FEDERATION/identity_providers"
LONGEST_TTL = 10 * 365 * 24 * 60


def _links(row: IdentityProviderRow, call: Call) -> dict[str, str]:
    own = f"{call.base}{PATH}/{row.id}"
    return {"self": own, "protocols": f"{own}/protocols"}


def _ttl(row: IdentityProviderRow, call: Call) -> int | None:
    return None if row.authorization_ttl == UNSET else row.authorization_ttl


identity_providers = Noun(
    PATH,
    "identity_provider",
    "identity_providers",
    IdentityProviderRow,
    [
        Field("id", Id),
        Field("domain_id", Id.or_null(), create=OPTIONAL),
        Field("enabled", Bool.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field(
            "authorization_ttl",
            StrictInt(0, LONGEST_TTL).or_null(),
            create=OPTIONAL,
            update=OPTIONAL,
            source=_ttl,
        ),
        Field(
            "remote_ids",
            ListOf(Text(255, 1), most=1000, unique=True).or_null(),
            create=OPTIONAL,
            update=OPTIONAL,
            source=raw("remote_ids"),
        ),
    ],
    filters=[Filter("id"), boolean("enabled")],
    target=lambda row: {"target": {"identity_provider": {"id": row.id}}},
    missing=Missing,
    key="idp_id",
    extra=False,
    links=_links,
)


@identity_providers.collection(
    "PUT", RULE + "create_identity_provider", suffix="/{idp_id}", status=201, body=identity_providers.body("create")
)
async def create(room: Identity, call: Call) -> IdentityProviderRow:
    wish = call.wish
    ttl = wish.get("authorization_ttl")
    remote_ids = wish.get("remote_ids") or []
    own = not wish.get("domain_id")
    row = IdentityProviderRow(
        id=chosen_id(call.path["idp_id"]),
        domain_id=wish.get("domain_id") or new_hex(),
        enabled=bool(wish.get("enabled")),
        description=wish.get("description") or "",
        authorization_ttl=UNSET if ttl is None else ttl,
        remote_ids=msgspec.json.encode(remote_ids).decode(),
        created_at=room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        if own:
            await tx.insert(_own_domain(row))
        elif not await domain_of(tx, row.domain_id):
            raise Missing(f"Could not find domain: {row.domain_id}.")
        await tx.insert(row)
        await _name(tx, row.id, remote_ids)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise _taken(taken, row.id) from taken
    return row


def _own_domain(row: IdentityProviderRow) -> ProjectRow:
    """A new domain for the people of a provider who came without one. Its name is its id, which nobody has chosen."""
    id_, about = row.domain_id, f"The people for whom the identity provider {row.id} vouches"
    return ProjectRow(id_, id_, "", "", True, True, about, "", "[]", "{}", "{}", row.created_at)


async def _name(tx: Transaction, id_: str, remote_ids: list[str]) -> None:
    await tx.delete(RemoteIdRow, idp_id=id_)
    for remote_id in remote_ids:
        await tx.insert(RemoteIdRow(id_, remote_id))


identity_providers.listed(RULE + "list_identity_providers")
identity_providers.shown(RULE + "get_identity_provider")


@identity_providers.update(RULE + "update_identity_provider", method="PATCH")
async def update(room: Identity, call: Call, row: IdentityProviderRow) -> IdentityProviderRow:
    wish = call.wish
    if not wish:
        raise InvalidValue("identity_provider: name at least one attribute to change.")
    changes: dict[str, Any] = {}
    if "enabled" in wish:
        changes["enabled"] = bool(wish["enabled"])
    if "description" in wish:
        changes["description"] = wish["description"] or ""
    if "authorization_ttl" in wish:
        changes["authorization_ttl"] = UNSET if wish["authorization_ttl"] is None else wish["authorization_ttl"]
    if "remote_ids" in wish:
        changes["remote_ids"] = msgspec.json.encode(wish["remote_ids"] or []).decode()

    async def write(tx: Transaction) -> IdentityProviderRow:
        if not await tx.update(IdentityProviderRow, {"id": row.id}, **changes):
            raise Missing(f"Could not find identity provider: {row.id}.")
        if "remote_ids" in wish:
            await _name(tx, row.id, wish["remote_ids"] or [])
        if changes.get("enabled") is False:
            await room.revoke(tx, PROVIDER, row.id)
        changed = await tx.get(IdentityProviderRow, id=row.id)
        assert changed is not None
        return changed

    try:
        return await room.change(write)
    except Duplicate as taken:
        raise _taken(taken, row.id) from taken


@identity_providers.delete(RULE + "delete_identity_provider")
async def delete(room: Identity, call: Call, row: IdentityProviderRow) -> None:
    """Remove a provider with his ways of vouching. His domain stays, with the people in it, until it is deleted."""

    async def write(tx: Transaction) -> None:
        await remove_provider(tx, row.id)
        await room.revoke(tx, PROVIDER, row.id)

    await room.change(write)


def _taken(taken: Duplicate, id_: str) -> NameTaken:
    if taken.index == "identity_providers_domain":
        return NameTaken("domain_id: another identity provider has this domain; each needs one of his own.")
    if taken.index == "identity_remote_ids_name":
        return NameTaken("remote_ids: another identity provider has one of these names.")
    return NameTaken(f"There is an identity provider {id_} already.")
