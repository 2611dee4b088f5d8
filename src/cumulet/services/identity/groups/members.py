"""Who is in which group: `/groups/{id}/users` and `/users/{id}/groups`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask
from cumulet.core.web.resource import Endpoint, Listed
from cumulet.lib.clock import iso_micros_z
from cumulet.services.identity.directories.looking import look_at_members, look_at_user, refuse_change
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.groups.resource import GROUPS_OF_USER, RULE, groups
from cumulet.services.identity.groups.row import GroupRow, MembershipRow
from cumulet.services.identity.noun import of_domain
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.resource import users
from cumulet.services.identity.users.row import UserRow

MEMBERS = UserRow.c.id.in_(
    sa.select(MembershipRow.c.user_id).where(MembershipRow.c.group_id == sa.bindparam("group", type_=sa.String))
)


@groups.item("GET", RULE + "list_users_in_group", suffix="/users")
async def members(room: Identity, call: Call, row: GroupRow) -> object:
    await look_at_members(room, row.id)
    question = ask(users.listing, UserRow, call)
    question.where("members", MEMBERS, {"group": row.id})
    of_domain(call, question, UserRow)
    async with room.database.read() as tx:
        return users.present_list(call, Listed(*await users.page(tx, call, question)))


async def _both(room: Identity, call: Call, rule: str) -> tuple[GroupRow, UserRow]:
    """The group and the user of the path, if the rule allows it for both."""
    await look_at_user(room, call.path["user_id"])
    async with room.database.read() as tx:
        group = await tx.get(GroupRow, id=call.path["group_id"])
        user = await tx.get(UserRow, id=call.path["user_id"])
    about: dict[str, object] = {}
    if group:
        about["group"] = {"id": group.id, "domain_id": group.domain_id}
    if user:
        about["user"] = {"id": user.id, "domain_id": user.domain_id}
    call.allow(rule, {"target": about})
    if group is None:
        raise Missing(f"Could not find group: {call.path['group_id'][:64]}.")
    if user is None:
        raise Missing(f"Could not find user: {call.path['user_id'][:64]}.")
    return group, user


async def _refuse_change(room: Identity, group: GroupRow, user: UserRow) -> None:
    """A directory says itself who is in its groups, and its users are in no others."""
    await refuse_change(room, group.domain_id, "groups")
    await refuse_change(room, user.domain_id, "users and their groups")


async def add(room: Identity, call: Call) -> None:
    group, user = await _both(room, call, RULE + "add_user_to_group")
    await _refuse_change(room, group, user)

    async def write(tx: Transaction) -> None:
        if not await tx.get(MembershipRow, group_id=group.id, user_id=user.id):
            await tx.insert(MembershipRow(group.id, user.id, room.clock.now()))

    try:
        await room.change(write)
    except Duplicate:
        return  # somebody else added him at the same moment


async def check(room: Identity, call: Call) -> None:
    group, user = await _both(room, call, RULE + "check_user_in_group")
    async with room.database.read() as tx:
        if not await tx.get(MembershipRow, group_id=group.id, user_id=user.id):
            raise Missing(f"User '{user.id}' not found in group '{group.id}'.")


async def remove(room: Identity, call: Call) -> None:
    group, user = await _both(room, call, RULE + "remove_user_from_group")
    await _refuse_change(room, group, user)

    async def write(tx: Transaction) -> None:
        if not await tx.delete(MembershipRow, group_id=group.id, user_id=user.id):
            raise Missing(f"User '{user.id}' not found in group '{group.id}'.")

    await room.change(write)


@users.item("GET", RULE + "list_groups_for_user", suffix="/groups")
async def groups_of(room: Identity, call: Call, row: UserRow) -> object:
    question = ask(groups.listing, GroupRow, call)
    async with room.database.read() as tx:
        brought = await lasting(tx, row.id, room.clock.now())
        question.where("groups of", GROUPS_OF_USER, {"member": row.id, "brought": [*brought]})
        of_domain(call, question, GroupRow)
        listed = Listed(*await groups.page(tx, call, question))
    shown: dict[str, Any] = groups.present_list(call, listed)
    for group in shown["groups"]:
        ends = brought.get(group["id"])
        group["membership_expires_at"] = iso_micros_z(ends) if ends else None
    return shown


_MEMBER = "/groups/{group_id}/users/{user_id}"
ROUTES = (
    Endpoint("PUT", _MEMBER, add, 204, name="add_user_to_group"),
    Endpoint("GET", _MEMBER, check, 204, name="check_user_in_group"),
    Endpoint("DELETE", _MEMBER, remove, 204, name="remove_user_from_group"),
)
