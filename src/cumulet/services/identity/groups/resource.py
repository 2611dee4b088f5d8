"""What a client sees and sends of a group, and what may be done with one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.resource import Listed
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import AssignmentRow
from cumulet.services.identity.directories.looking import look_at_group, look_at_groups, refuse_change
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken
from cumulet.services.identity.federation.rows import ExpiringMembershipRow
from cumulet.services.identity.fields import AnyName, Description, Id
from cumulet.services.identity.groups.row import GroupRow, MembershipRow
from cumulet.services.identity.noun import Noun, exact, known, of_domain, token_domain
from cumulet.services.identity.projects.row import domain_of
from cumulet.services.identity.room import Identity

RULE = "identity:"


def target(row: GroupRow) -> dict[str, object]:
    return {"target": {"group": {"id": row.id, "domain_id": row.domain_id, "name": row.name}}}


async def _current(room: Identity, call: Call, id_: str) -> GroupRow | None:
    """A group as it is now, wherever it is kept."""
    await look_at_group(room, id_)
    async with room.database.read() as tx:
        return await tx.get(GroupRow, id=id_)


groups = Noun(
    "/groups",
    "group",
    "groups",
    GroupRow,
    [
        Field("id", Id),
        Field("domain_id", Id, create=OPTIONAL, update=OPTIONAL),
        Field("name", AnyName, create=REQUIRED, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
    ],
    filters=[*exact(GroupRow, "name"), Filter("domain_id")],
    target=target,
    missing=Missing,
    load=_current,
)


@groups.create("")
async def create(room: Identity, call: Call) -> GroupRow:
    wish = call.wish
    domain_id = wish.get("domain_id") or token_domain(call)
    call.allow(RULE + "create_group", {"target": {"group": known(domain_id=domain_id)}})
    await refuse_change(room, domain_id, "groups")
    row = GroupRow(
        new_hex(),
        domain_id,
        wish["name"].strip(),
        wish.get("description") or "",
        groups.extras(call),
        room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        if not await domain_of(tx, domain_id):
            raise Missing(f"Could not find domain: {domain_id}.")
        await tx.insert(row)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise _taken(row.name) from taken
    return row


@groups.list("")
async def index(room: Identity, call: Call) -> Listed:
    call.allow(RULE + "list_groups", {"target": {"group": known(domain_id=call.caller.domain_id)}})
    question = ask(groups.listing, GroupRow, call)
    of_domain(call, question, GroupRow)
    one = call.request.one
    if not one("marker"):  # later pages go on with what the first one found
        await look_at_groups(room, call.caller.domain_id or one("domain_id"), one("name"))
    async with room.database.read() as tx:
        return Listed(*await groups.page(tx, call, question))


groups.shown(RULE + "get_group")


@groups.update(RULE + "update_group", method="PATCH")
async def update(room: Identity, call: Call, row: GroupRow) -> GroupRow:
    await refuse_change(room, row.domain_id, "groups")
    wish = call.wish
    if wish.get("domain_id", row.domain_id) != row.domain_id:
        raise InvalidValue("domain_id: a group cannot move to another domain.")
    changes: dict[str, Any] = {"extra": groups.extras(call, row)}
    if "name" in wish:
        changes["name"] = wish["name"].strip()
    if "description" in wish:
        changes["description"] = wish["description"] or ""

    async def write(tx: Transaction) -> GroupRow:
        await tx.update(GroupRow, {"id": row.id}, **changes)
        changed = await tx.get(GroupRow, id=row.id)
        if changed is None:
            raise Missing(f"Could not find group: {row.id}.")
        return changed

    try:
        return await room.database.write(write)
    except Duplicate as taken:
        raise _taken(changes["name"]) from taken


@groups.delete(RULE + "delete_group", guarded=False)
async def delete(room: Identity, call: Call, row: GroupRow) -> None:
    await refuse_change(room, row.domain_id, "groups")

    async def write(tx: Transaction) -> None:
        await tx.delete(GroupRow, id=row.id)
        await tx.delete(MembershipRow, group_id=row.id)
        await tx.delete(ExpiringMembershipRow, group_id=row.id)
        await tx.delete(AssignmentRow, actor_id=row.id)

    await room.change(write)


def _taken(name: str) -> NameTaken:
    return NameTaken(f"Conflict occurred attempting to store group - Duplicate entry found with name {name}.")


GROUPS_OF_USER = sa.or_(
    GroupRow.c.id.in_(
        sa.select(MembershipRow.c.group_id).where(MembershipRow.c.user_id == sa.bindparam("member", type_=sa.String))
    ),
    GroupRow.c.id.in_(sa.bindparam("brought", expanding=True)),
)
"""Those of which a user is a member, and those that logins `brought` to him for a while."""
