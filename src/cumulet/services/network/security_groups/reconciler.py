"""Brings groups to the nodes on which their members live, and to those whose groups speak of them.

Which members they have is told by notices (`ports/reconciler.py`).
"""

from __future__ import annotations

from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.core.db import Query
from cumulet.core.reconcile.outcome import Done, Outcome
from cumulet.services.network.address_groups import AddressGroupRow
from cumulet.services.network.following import REST_SECONDS, TEXT_ONLY, Following, let_go, withdraw_beyond
from cumulet.services.network.ports.row import BindingRow, PortGroupRow, PortRow
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.specs import group_spec
from cumulet.services.network.stirring import settle


@cache
def _hosts_query() -> Query:
    """Nodes with members of the group, or of groups whose rules name it."""
    group = sa.bindparam("group", type_=sa.String)
    speaking = sa.select(RuleRow.c.group_id).where(RuleRow.c.remote_group_id == group)
    concerned = sa.or_(PortGroupRow.c.group_id == group, PortGroupRow.c.group_id.in_(speaking))
    membership = PortRow.table.join(PortGroupRow.table, PortGroupRow.c.port_id == PortRow.c.id)
    living = sa.select(PortRow.c.host).select_from(membership).where(PortRow.c.host != "", concerned)
    bindings = membership.join(BindingRow.table, BindingRow.c.port_id == PortRow.c.id)
    return Query(sa.union(living, sa.select(BindingRow.c.host).select_from(bindings).where(concerned)))


class GroupReconciler(Following):
    """One key is one security group."""

    topic = str(Kind.GROUP)
    row = SecurityGroupRow

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            group = await tx.get(SecurityGroupRow, id=key)
            if group:
                rules = await tx.find(RuleRow, group_id=key)
                hosts = {host for (host,) in await tx.tuples(_hosts_query(), {"group": key})}
                named = sorted({rule.remote_address_group_id for rule in rules} - {""})
                lists = await tx.find(AddressGroupRow, id=named) if named else []
        if group is None:
            await let_go(room, Kind.GROUP, key)
            await room.fleet.hush(Kind.GROUP, key)
            return Done()
        helds = await room.fleet.held(Kind.GROUP, key)
        wanted = await room.fleet.known(hosts)
        addresses: dict[str, list[str]] = {row.id: msgspec.json.decode(row.addresses) for row in lists}
        spec = group_spec(group, rules, addresses)
        await room.fleet.assign_all([(node, Kind.GROUP, key, spec, TEXT_ONLY) for node in sorted(wanted)])
        await withdraw_beyond(room, Kind.GROUP, key, helds, wanted)
        if not wanted:
            await room.fleet.hush(Kind.GROUP, key)
        seen = group.generation
        await room.database.write(lambda tx: settle(tx, SecurityGroupRow, key, seen))
        return Done(rest=REST_SECONDS)
