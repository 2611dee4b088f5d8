"""Protocols: the ways in which an identity provider vouches, each with its mapping."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import Text
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken
from cumulet.services.identity.federation import identity_providers as providers
from cumulet.services.identity.federation.identities import forget
from cumulet.services.identity.federation.naming import chosen_id
from cumulet.services.identity.federation.rows import IdentityProviderRow, MappingRow, ProtocolRow
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"
PATH = f"{providers.PATH}/{{idp_id}}/protocols"


async def _of_provider(room: Identity, call: Call, id_: str) -> ProtocolRow | None:
    async with room.database.read() as tx:
        return await tx.get(ProtocolRow, idp_id=call.path["idp_id"], id=id_)


def _links(row: ProtocolRow, call: Call) -> dict[str, str]:
    provider = f"{call.base}{providers.PATH}/{row.idp_id}"
    return {"self": f"{provider}/protocols/{row.id}", "identity_provider": provider}


protocols = Noun(
    PATH,
    "protocol",
    "protocols",
    ProtocolRow,
    [
        Field("id", Id),
        Field("mapping_id", Text(64, 1), create=REQUIRED, update=REQUIRED),
        Field(
            "remote_id_attribute",
            Text(64).or_null(),
            create=OPTIONAL,
            update=OPTIONAL,
            source=or_null("remote_id_attribute"),
        ),
    ],
    target=lambda row: {"target": {"protocol": {"id": row.id}, "identity_provider": {"id": row.idp_id}}},
    missing=Missing,
    extra=False,
    load=_of_provider,
    links=_links,
)
_OWN = ProtocolRow.c.idp_id == sa.bindparam("provider", type_=sa.String)


@protocols.collection(
    "PUT", RULE + "create_protocol", suffix="/{protocol_id}", status=201, body=protocols.body("create")
)
async def create(room: Identity, call: Call) -> ProtocolRow:
    row = ProtocolRow(
        call.path["idp_id"],
        chosen_id(call.path["protocol_id"]),
        call.wish["mapping_id"],
        call.wish.get("remote_id_attribute") or "",
        room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        await _check_provider(tx, row.idp_id)
        await _check_mapping(tx, row.mapping_id)
        await tx.insert(row)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise NameTaken(f"The identity provider {row.idp_id} has a protocol {row.id} already.") from taken
    return row


async def _check_provider(tx: Transaction, id_: str) -> None:
    if not await tx.get(IdentityProviderRow, id=id_):
        raise Missing(f"Could not find identity provider: {id_[:64]}.")


async def _check_mapping(tx: Transaction, id_: str) -> None:
    if not await tx.get(MappingRow, id=id_):
        raise InvalidValue(f"mapping_id: there is no mapping {id_}.")


@protocols.list(RULE + "list_protocols")
async def index(room: Identity, call: Call) -> dict[str, Any]:
    question = ask(protocols.listing, ProtocolRow, call)
    question.where("provider", _OWN, {"provider": call.path["idp_id"]})
    async with room.database.read() as tx:
        await _check_provider(tx, call.path["idp_id"])
        rows, _ = await protocols.page(tx, call, question)
    # Only in a list is it told whose they are.
    shown = [{**protocols.show_row(call, row), "idp_id": row.idp_id} for row in rows]
    url = f"{call.base}{providers.PATH}/{call.path['idp_id']}/protocols"
    return call.dialect.page("protocols", shown, url=url, query=call.request.query, marker="")


protocols.shown(RULE + "get_protocol")


@protocols.update(RULE + "update_protocol", method="PATCH")
async def update(room: Identity, call: Call, row: ProtocolRow) -> ProtocolRow:
    wish = call.wish
    changes: dict[str, Any] = {"mapping_id": wish["mapping_id"]}
    if "remote_id_attribute" in wish:
        changes["remote_id_attribute"] = wish["remote_id_attribute"] or ""

    async def write(tx: Transaction) -> ProtocolRow:
        await _check_mapping(tx, wish["mapping_id"])
        await tx.update(ProtocolRow, {"idp_id": row.idp_id, "id": row.id}, **changes)
        changed = await tx.get(ProtocolRow, idp_id=row.idp_id, id=row.id)
        if changed is None:
            raise Missing(f"Could not find protocol: {row.id}.")
        return changed

    return await room.database.write(write)


@protocols.delete(RULE + "delete_protocol")
async def delete(room: Identity, call: Call, row: ProtocolRow) -> None:
    """Remove a way of vouching; tokens that came by it are void from then on."""

    async def write(tx: Transaction) -> None:
        await tx.delete(ProtocolRow, idp_id=row.idp_id, id=row.id)
        await forget(tx, idp_id=row.idp_id, protocol_id=row.id)

    await room.change(write)
