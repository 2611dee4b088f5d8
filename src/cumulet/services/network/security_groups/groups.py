"""The noun `security_group`, and the default group that every project has from its first need on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.core.db.engine import Collision
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text
from cumulet.lib.ids import is_uuid
from cumulet.services.network import rbac
from cumulet.services.network.facets import Facet, Passed
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import PortGroupRow
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups import rule_rows
from cumulet.services.network.security_groups.default_statefulness import is_stateful
from cumulet.services.network.security_groups.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupConflict,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from cumulet.services.network.security_groups.log_row import LogRow
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.standard import STANDARD, standard
from cumulet.services.network.stirring import depart, stir

DEFAULT = "default"

security_groups = Noun(
    "/security-groups",
    "security_group",
    "security_groups",
    SecurityGroupRow,
    [
        *STANDARD,
        Facet(
            "security-group",
            "Security groups",
            (Field("security_group_rules", Text(), source=Passed("rules")),),
        ),
        Facet(
            "stateful-security-group",
            "Stateful and stateless groups",
            (Field("stateful", Bool, create=OPTIONAL, update=OPTIONAL),),
        ),
        Facet(
            "security-groups-shared-filtering",
            "Whether a group is shared",
            (
                Field(
                    "shared",
                    Bool,
                    source=lambda row, call: rbac.shared_with(row.shared_with, call.caller.project_id),
                ),
            ),
        ),
        Facet("rbac-security-groups", "Shares of security groups"),
    ],
    missing=SecurityGroupNotFound,
    quota="security_group",
    sees=lambda call: None if rbac.sees_all(call) else rbac.own_or_shared(SecurityGroupRow, "security_group"),
)


async def _list(room: Network, call: Call) -> Any:
    """A project sees its default group even before anything needed it, and so does who asks for that project's."""
    asked = call.request.one("project_id") or call.request.one("tenant_id") or ""
    project = asked if is_uuid(asked) else call.caller.project_id
    security_groups.question(call)  # what cannot be answered changes nothing
    if project and call.may("create_default_security_group", {"project_id": project}):
        async with room.database.read() as tx:
            has = await tx.get(SecurityGroupRow, default_of=project)
        if has is None:
            await room.database.write(lambda tx: default_group(room, tx, project))
    return await security_groups.listed(room, call)


security_groups.reads(_list)


@security_groups.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> SecurityGroupRow:
    if wish["name"].lower() == DEFAULT:
        raise SecurityGroupCannotRemoveDefault(
            "Default security group already exists.", type_name="SecurityGroupDefaultAlreadyExists"
        )
    await default_group(room, tx, wish["project_id"])
    return await make(room, tx, wish)


async def make(room: Network, tx: Transaction, wish: dict[str, Any], default_of: str | None = None) -> SecurityGroupRow:
    """Insert a group with the rules that new groups get."""
    stateful = wish["stateful"] if "stateful" in wish else await is_stateful(tx, wish["project_id"])
    row = SecurityGroupRow(
        **standard(wish, room.clock),
        stateful=stateful,
        shared_with="",
        default_of=default_of,
        rules="[]",
        generation=1,
        unsettled=False,
    )
    await tx.insert(row)
    rules = await rule_rows.first_rules(room, tx, row)
    await tx.insert_all(rules)
    row.rules = rule_rows.text_of(rules)
    await tx.update(SecurityGroupRow, {"id": row.id}, rules=row.rules)
    await room.quota.take(tx, row.project_id, security_group_rule=len(rules))
    return row


async def default_group(room: Network, tx: Transaction, project_id: str) -> SecurityGroupRow:
    """The project's default group, made now if this is its first need."""
    found = await tx.get(SecurityGroupRow, default_of=project_id)
    if found:
        return found
    await room.quota.take(tx, project_id, security_group=1)
    wish = {"project_id": project_id, "name": DEFAULT, "description": "Default security group"}
    try:
        return await make(room, tx, wish, default_of=project_id)
    except Duplicate as race:  # another request was the first to need it
        raise Collision("default group") from race


_SEEN = Query(
    sa.select(SecurityGroupRow.c.id).where(
        SecurityGroupRow.c.id.in_(sa.bindparam("groups", expanding=True)),
        rbac.own_or_shared(SecurityGroupRow, "security_group"),
    )
)
_THERE = Query(
    sa.select(SecurityGroupRow.c.id).where(SecurityGroupRow.c.id.in_(sa.bindparam("groups", expanding=True)))
)


async def usable_groups(tx: Transaction, call: Call, ids: Sequence[str], has: str = "[]") -> list[str]:
    """These groups, if the caller may use each or the port has it already. Raises SecurityGroupNotFound."""
    wanted = sorted(set(ids))
    fresh = [id for id in wanted if id not in msgspec.json.decode(has)]
    if fresh:
        query = _THERE if rbac.sees_all(call) else _SEEN
        found = await tx.tuples(query, {"groups": fresh, "caller_project": call.caller.project_id})
        missing = set(fresh) - {id for (id,) in found}
        if missing:
            raise SecurityGroupNotFound(f"Security group {min(missing)} does not exist")
    if len({group.stateful for group in await tx.find(SecurityGroupRow, id=wanted)} if wanted else ()) > 1:
        raise SecurityGroupConflict(
            "Cannot apply both stateful and stateless security groups on the same port at the same time"
        )
    return wanted


@security_groups.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: SecurityGroupRow, wish: dict[str, Any]
) -> SecurityGroupRow:
    renamed = wish.get("name", row.name) != row.name
    if renamed and wish["name"].lower() == DEFAULT:
        raise SecurityGroupCannotUpdateDefault(
            "Default security group already exists.", type_name="SecurityGroupDefaultAlreadyExists"
        )
    if row.default_of and renamed:
        raise SecurityGroupCannotUpdateDefault("Updating default security group not allowed.")
    if wish.get("stateful", row.stateful) != row.stateful and await tx.count(PortGroupRow, group_id=row.id):
        raise SecurityGroupInUse(
            f"Security Group {row.id} cannot be made stateful or stateless while ports are its members."
        )
    changed: SecurityGroupRow = await security_groups.save(room, tx, row, **wish)
    if changed.stateful != row.stateful:
        await stir(tx, SecurityGroupRow, "group", [row.id])
    return changed


@security_groups.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: SecurityGroupRow) -> None:
    if row.default_of and not call.may("context_is_admin"):
        raise SecurityGroupCannotRemoveDefault("Insufficient rights for removing default security group.")
    await erase_parts(room, tx, row)


async def erase_parts(room: Network, tx: Transaction, row: SecurityGroupRow) -> None:
    """Remove what hangs on a group that is to go. Raises SecurityGroupInUse."""
    if await tx.count(PortGroupRow, group_id=row.id):
        raise SecurityGroupInUse(f"Security Group {row.id} in use.")
    await tx.delete(LogRow, group_id=row.id)
    rules = await tx.find(RuleRow, group_id=row.id)
    await tx.delete(RuleRow, group_id=row.id)
    await room.quota.give_back(tx, row.project_id, security_group_rule=len(rules))
    for other in await tx.find(RuleRow, remote_group_id=row.id):
        await tx.delete(RuleRow, id=other.id)
        await room.quota.give_back(tx, other.project_id, security_group_rule=1)
        await rule_rows.show_in_group(room, tx, other.group_id)
    await rbac.unshare(room, tx, row.id)
    await depart(tx, "group", row.id)
