"""What a client sees and sends of a role, and what may be done with one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.view import or_null, raw
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import AssignmentRow
from cumulet.services.identity.errors import Immutable, InvalidValue, Missing, NameTaken
from cumulet.services.identity.fields import AnyName, Description, Id, ImmutableOption
from cumulet.services.identity.noun import Noun, exact, given_options
from cumulet.services.identity.projects.row import domain_of
from cumulet.services.identity.roles.row import ImpliedRoleRow, RoleRow
from cumulet.services.identity.room import Identity

RULE = "identity:"
_DOMAIN = sa.bindparam("of_domain", type_=sa.String)


def target(row: RoleRow) -> dict[str, object]:
    return {"target": {"role": {"id": row.id, "name": row.name, "domain_id": row.domain_id or None}}}


roles = Noun(
    "/roles",
    "role",
    "roles",
    RoleRow,
    [
        Field("id", Id),
        Field("name", AnyName, create=REQUIRED, update=OPTIONAL),
        Field("domain_id", Id.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("domain_id")),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
        Field("options", ImmutableOption, create=OPTIONAL, update=OPTIONAL, source=raw("options")),
    ],
    filters=exact(RoleRow, "name"),
    target=target,
    missing=Missing,
)


def _of_kind(row: RoleRow | None, verb: str) -> str:
    """Roles of a domain have rules of their own."""
    return f"{RULE}{verb}_domain_role" if row and row.domain_id else f"{RULE}{verb}_role"


@roles.create("")
async def create(room: Identity, call: Call) -> RoleRow:
    wish = call.wish
    row = RoleRow(
        new_hex(),
        wish.get("domain_id") or "",
        wish["name"],
        wish.get("description") or "",
        given_options(None, wish),
        roles.extras(call),
        room.clock.now(),
    )
    call.allow(_of_kind(row, "create"), target(row))

    async def write(tx: Transaction) -> None:
        if row.domain_id and not await domain_of(tx, row.domain_id):
            raise Missing(f"Could not find domain: {row.domain_id}.")
        await tx.insert(row)

    try:
        await room.change(write)
    except Duplicate as taken:
        raise _taken(row.name) from taken
    return row


@roles.list("")
async def index(room: Identity, call: Call) -> Listed:
    domain_id = call.request.one("domain_id") or ""
    call.allow(RULE + ("list_domain_roles" if domain_id else "list_roles"), {"domain_id": domain_id or None})
    question = ask(roles.listing, RoleRow, call)
    question.where("domain", RoleRow.c.domain_id == _DOMAIN, {"of_domain": domain_id})
    async with room.database.read() as tx:
        return Listed(*await roles.page(tx, call, question))


@roles.show("")
async def show(room: Identity, call: Call, row: RoleRow) -> RoleRow:
    call.allow(_of_kind(row, "get"), target(row))
    return row


@roles.update("", method="PATCH")
async def update(room: Identity, call: Call, row: RoleRow) -> RoleRow:
    call.allow(_of_kind(row, "update"), target(row))
    wish = call.wish
    frees = (wish.get("options") or {}).get("immutable", True) in (False, None)
    if row.is_immutable and not frees:
        raise _immutable(row)
    if "domain_id" in wish and (wish["domain_id"] or "") != row.domain_id:
        raise InvalidValue("domain_id: a role cannot move to another domain.")
    changes: dict[str, Any] = {"extra": roles.extras(call, row), "options": given_options(row, wish)}
    changes |= {name: wish[name] or "" for name in ("name", "description") if name in wish}

    async def write(tx: Transaction) -> RoleRow:
        await tx.update(RoleRow, {"id": row.id}, **changes)
        changed = await tx.get(RoleRow, id=row.id)
        if changed is None:
            raise Missing(f"Could not find role: {row.id}.")
        return changed

    try:
        return await room.change(write)
    except Duplicate as taken:
        raise _taken(wish["name"]) from taken


@roles.delete("")
async def delete(room: Identity, call: Call, row: RoleRow) -> None:
    call.allow(_of_kind(row, "delete"), target(row))
    if row.is_immutable:
        raise _immutable(row)

    async def write(tx: Transaction) -> None:
        await tx.delete(RoleRow, id=row.id)
        await tx.delete(AssignmentRow, role_id=row.id)
        await tx.delete(ImpliedRoleRow, prior_id=row.id)
        await tx.delete(ImpliedRoleRow, implied_id=row.id)

    await room.change(write)


def _immutable(row: RoleRow) -> Immutable:
    return Immutable(f"The role {row.id} is immutable. Set its option immutable to false first.")


def _taken(name: str) -> NameTaken:
    return NameTaken(f"Conflict occurred attempting to store role - Duplicate entry found with name {name}.")
