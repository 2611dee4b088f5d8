"""Shares: who else may use a thing that a project owns."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Id, Ref, Row, Short, Transaction, stored
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause
from cumulet.lib.ids import new_uuid
from cumulet.services.network.room import Network

SHARED = "access_as_shared"
EXTERNAL = "access_as_external"
EVERYBODY = "*"


@stored(
    "network_rbac_policies",
    sa.Index("network_rbac_policies_once", "object_id", "action", "target", unique=True),
    sa.Index("network_rbac_policies_target", "object_type", "target"),
)
class RbacRow(Row):
    """A project, or everybody, may use an object."""

    id: Id
    project_id: Ref
    object_type: Short
    object_id: Ref
    action: Short
    target: Ref
    counted: bool
    """It is counted in its owner's quota: he made it as a policy, not by a `shared` of the object."""


def sees_all(call: Call) -> bool:
    """Administrators and other services see every project's rows."""
    return call.may("context_is_admin") or call.may("service_api")


def caller_project() -> sa.BindParameter[str]:
    return sa.bindparam("caller_project", type_=sa.String)


@cache
def shared_ids(object_type: str) -> sa.Select[tuple[str]]:
    """The ids of a kind of object that the caller may use although another project owns them."""
    return sa.select(RbacRow.c.object_id).where(
        RbacRow.c.object_type == sa.literal_column(f"'{object_type}'"),
        RbacRow.c.target.in_([sa.literal_column("'*'"), caller_project()]),
    )


@cache
def fully_shared_networks() -> sa.Select[tuple[str]]:
    """The ids of networks that the caller may use, not only as a way out: their subnets he sees as well."""
    return shared_ids("network").where(RbacRow.c.action == sa.literal_column(f"'{SHARED}'"))


@cache
def own_or_shared(row: type[Row], object_type: str) -> Clause:
    return sa.or_(row.c.project_id == caller_project(), row.c.id.in_(shared_ids(object_type)))


async def share(tx: Transaction, object_type: str, row_id: str, owner: str, action: str, target: str) -> None:
    """Let `target` use an object; already so is well."""
    where = {"object_id": row_id, "action": action, "target": target}
    if not await tx.get(RbacRow, **where):
        await tx.insert(RbacRow(new_uuid(), owner, object_type, row_id, action, target, counted=False))


async def unshare(room: Network, tx: Transaction, object_id: str, action: str = "", target: str = "") -> None:
    """Take shares back; all of an object's when nothing else is said."""
    narrowed: dict[str, Any] = {**({"action": action} if action else {}), **({"target": target} if target else {})}
    for row in await tx.find(RbacRow, object_id=object_id, **narrowed):
        await end(room, tx, row)


async def end(room: Network, tx: Transaction, row: RbacRow) -> None:
    """End one share, and count it out."""
    if await tx.delete(RbacRow, id=row.id) and row.counted:
        await room.quota.give_back(tx, row.project_id, rbac_policy=1)


async def leads_out(tx: Transaction, network_id: str, project_id: str) -> bool:
    """May this project use a network as its way out?"""
    return bool(await tx.find(RbacRow, object_id=network_id, action=EXTERNAL, target=[EVERYBODY, project_id]))


async def targets(tx: Transaction, object_id: str, action: str = SHARED) -> str:
    """Those an object is shared with, as the text that its row keeps for the view."""
    return " ".join(sorted(row.target for row in await tx.find(RbacRow, object_id=object_id, action=action)))


def shared_with(text: str, project_id: str) -> bool:
    """Does a row's text name this project or everybody?"""
    return bool(text) and (EVERYBODY in text or project_id in text.split())
