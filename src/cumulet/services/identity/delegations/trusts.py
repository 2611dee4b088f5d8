"""Trusts: a user lets another one act with some of his roles in one project."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import StrictBool, StrictInt, Text
from cumulet.lib.clock import iso_micros_z
from cumulet.lib.ids import new_hex
from cumulet.services.identity.delegations.application_credentials import NamedRoles, check_unrestricted
from cumulet.services.identity.delegations.granting import MOST_REDELEGATIONS, granted_roles, redelegation
from cumulet.services.identity.delegations.instants import future_instant
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.errors import InvalidValue, Missing, NotAllowed
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.roles.resource import roles as role_noun
from cumulet.services.identity.roles.row import RoleBook, RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import roles_known
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"


def target(trustor_id: str | None, trustee_id: str | None) -> dict[str, object]:
    return {"target": {"trust": {"trustor_user_id": trustor_id, "trustee_user_id": trustee_id}}}


async def _alive(room: Identity, call: Call, id_: str) -> TrustRow | None:
    """A trust that can still be used."""
    async with room.database.read() as tx:
        row = await tx.get(TrustRow, id=id_)
    if row is None or row.deleted_at or row.remaining_uses == 0:
        return None
    return None if row.expires_at and row.expires_at <= room.clock.now() else row


trusts = Noun(
    "/OS-TRUST/trusts",
    "trust",
    "trusts",
    TrustRow,
    [
        Field("id", Id),
        Field("trustor_user_id", Id, create=REQUIRED, source="trustor_id"),
        Field("trustee_user_id", Id, create=REQUIRED, source="trustee_id"),
        Field("project_id", Id.or_null(), create=OPTIONAL, source=or_null("project_id")),
        Field("impersonation", StrictBool, create=REQUIRED),
        Field("expires_at", Text(64).or_null(), create=OPTIONAL, source=written("expires_at", iso_micros_z)),
        Field("remaining_uses", StrictInt(1, 2**31 - 1).or_null(), create=OPTIONAL),
        Field("roles", NamedRoles, create=OPTIONAL, source=HIDDEN),
        Field("allow_redelegation", StrictBool.or_null(), create=OPTIONAL, source=HIDDEN),
        Field("redelegation_count", StrictInt(0, 2**31 - 1).or_null(), create=OPTIONAL),
        Field("redelegated_trust_id", Id.or_null(), create=OPTIONAL, source=or_null("redelegated_from")),
        Field("deleted_at", Text(), source=lambda row, call: None),
        Field(
            "roles_links",
            Text(),
            source=lambda row, call: {
                "self": f"{call.base}/OS-TRUST/trusts/{row.id}/roles",
                "next": None,
                "previous": None,
            },
        ),
    ],
    filters=[Filter("trustor_user_id", "trustor_id"), Filter("trustee_user_id", "trustee_id")],
    target=lambda row: target(row.trustor_id, row.trustee_id),
    missing=Missing,
    hidden=TrustRow.c.deleted_at == 0,
    load=_alive,
    guarded=False,  # clients rely on the 404 of a trust that has ended
)


@trusts.create("")
async def create(room: Identity, call: Call) -> dict[str, Any]:
    wish, caller = call.wish, call.caller
    call.allow(RULE + "create_trust", target(wish["trustor_user_id"], wish["trustee_user_id"]))
    check_unrestricted(call, "make trusts")
    if caller.system:
        raise NotAllowed("A trust lends roles in a project: use a token with a project as its scope.")
    if not wish.get("project_id"):
        raise InvalidValue("project_id: a trust is for a project.")
    book = await roles_known(room)
    now = room.clock.now()
    row = TrustRow(
        id=new_hex(),
        trustor_id=wish["trustor_user_id"],
        trustee_id=wish["trustee_user_id"],
        project_id=wish["project_id"],
        impersonation=wish["impersonation"],
        role_ids="[]",
        expires_at=future_instant("expires_at", wish.get("expires_at"), now),
        remaining_uses=wish.get("remaining_uses"),
        redelegated_from="",
        redelegation_count=_count(wish),
        deleted_at=0,
        extra=trusts.extras(call),
        created_at=now,
    )

    async def write(tx: Transaction) -> None:
        if not await tx.get(UserRow, id=row.trustee_id):
            raise Missing(f"Could not find user: {row.trustee_id}.")
        row.role_ids = msgspec.json.encode(await granted_roles(tx, wish, book, now)).decode()
        parent_id = caller.facts.get("trust_id")
        if parent_id:
            redelegation(await tx.get(TrustRow, id=parent_id), row, now)
        await tx.insert(row)

    await room.database.write(write)
    return {"trust": _shown(call, row, book)}


def _count(wish: dict[str, Any]) -> int:
    """How many times the trust may be handed on. Raises NotAllowed."""
    if not wish.get("allow_redelegation"):
        return 0
    if wish.get("remaining_uses") is not None:
        raise InvalidValue("remaining_uses: a trust that may be handed on cannot be counted.")
    count = wish.get("redelegation_count")
    if count is None:
        return MOST_REDELEGATIONS
    if count > MOST_REDELEGATIONS:
        raise NotAllowed(f"redelegation_count: at most {MOST_REDELEGATIONS}.")
    return int(count)


def _roles(row: TrustRow, book: RoleBook) -> list[RoleRow]:
    return [book.roles[id_] for id_ in msgspec.json.decode(row.role_ids) if id_ in book.roles]


def _shown(call: Call, row: TrustRow, book: RoleBook) -> dict[str, Any]:
    return {**trusts.show_row(call, row), "roles": [role_noun.show_row(call, role) for role in _roles(row, book)]}


@trusts.list("")
async def index(room: Identity, call: Call) -> Listed:
    one = call.request.one
    trustor, trustee = one("trustor_user_id"), one("trustee_user_id")
    if trustor:
        call.allow(RULE + "list_trusts_for_trustor", target(trustor, trustee))
    if trustee:
        call.allow(RULE + "list_trusts_for_trustee", target(trustor, trustee))
    if not trustor and not trustee:
        call.allow(RULE + "list_trusts", {})
    async with room.database.read() as tx:
        return Listed(*await trusts.page(tx, call, ask(trusts.listing, TrustRow, call)))


@trusts.show(RULE + "get_trust")
async def show(room: Identity, call: Call, row: TrustRow) -> dict[str, Any]:
    return {"trust": _shown(call, row, await roles_known(room))}


@trusts.delete(RULE + "delete_trust")
async def delete(room: Identity, call: Call, row: TrustRow) -> None:
    """End a trust, and those that were made from it."""

    async def write(tx: Transaction) -> None:
        open_ = [row.id]
        while open_:
            now = room.clock.now()
            await tx.update(TrustRow, {"id": open_, "deleted_at": 0}, deleted_at=now)
            open_ = [child.id for child in await tx.find(TrustRow, redelegated_from=open_, deleted_at=0)]

    await room.change(write)


@trusts.item("GET", RULE + "list_roles_for_trust", suffix="/roles")
async def roles_of(room: Identity, call: Call, row: TrustRow) -> dict[str, Any]:
    shown = [role_noun.show_row(call, role) for role in _roles(row, await roles_known(room))]
    url = f"{call.base}/OS-TRUST/trusts/{row.id}/roles"
    return call.dialect.page("roles", shown, url=url, query=call.request.query, marker="")


@trusts.item("GET", RULE + "get_role_for_trust", suffix="/roles/{role_id}")
async def role_of(room: Identity, call: Call, row: TrustRow) -> dict[str, Any]:
    for role in _roles(row, await roles_known(room)):
        if role.id == call.path["role_id"]:
            return {"role": role_noun.show_row(call, role)}
    raise Missing(f"Could not find role: {call.path['role_id'][:64]}.")
