"""The hosts of compute: what is remembered of each node's compute service, and how they look to placing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Duplicate, Instant, Name, Query, Row, Transaction, stored
from cumulet.core.room import Room
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.aggregates import AggregateHostRow, AggregateRow, aggregate_of
from cumulet.services.compute.placing.hosts import Aggregate, Host
from cumulet.services.compute.room import ZONE, Compute
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.public import NodeView
from cumulet.services.placement.public import HostRoom


@stored(
    "compute_services",
    sa.Index("compute_services_host", "host", unique=True),
    sa.Index("compute_services_number", "number", unique=True),
)
class ComputeServiceRow(Row):
    """The compute service of a node, as administrators see and disable it."""

    id: Annotated[str, sa.String(36), PRIMARY]
    number: BigInt
    host: Name
    hypervisor_id: Annotated[str, sa.String(36)]
    created_at: Instant
    updated_at: Instant


async def services(room: Room) -> dict[str, ComputeServiceRow]:
    """All of them, by host."""
    async with room.database.read() as tx:
        return {row.host: row for row in await tx.find(ComputeServiceRow, order_by="number")}


async def ensure_service(room: Room, host: str) -> ComputeServiceRow:
    """The service of a node, made when the node is first seen."""

    async def write(tx: Transaction) -> ComputeServiceRow:
        found = await tx.get(ComputeServiceRow, host=host)
        if found is not None:
            return found
        number = 1 + int(await tx.scalar(_last_number) or 0)
        row = ComputeServiceRow(new_uuid(), number, host, new_uuid(), room.clock.now(), room.clock.now())
        try:
            await tx.insert(row)
        except Duplicate as race:  # two processes saw the node at the same moment; the other one's row serves
            raise RuntimeError(f"the service of {host} was made by another process") from race
        return row

    return await room.database.write(write)


_last_number = Query(sa.select(sa.func.max(ComputeServiceRow.c.number)))
_counts = Query(
    sa.select(ServerRow.c.host, sa.func.count(), sa.func.sum(sa.case((ServerRow.c.launched_at == 0, 1), else_=0)))
    .where(ServerRow.c.deleted_at == 0, ServerRow.c.host != "")
    .group_by(ServerRow.c.host)
)
_where_are = Query(
    sa.select(ServerRow.c.id, ServerRow.c.host).where(
        ServerRow.c.id.in_(sa.bindparam("ids", expanding=True)), ServerRow.c.host != "", ServerRow.c.deleted_at == 0
    )
)


def status_of(node: NodeView | None) -> str:
    """A host's status as server pages show it."""
    if node is None or not node.alive:
        return "DOWN" if node is not None and node.forced_down else "UNKNOWN"
    return "MAINTENANCE" if node.disabled else "UP"


async def zones(room: Compute) -> dict[str, str]:
    """The zone of each host: an aggregate's, else its own, else the default one."""
    nodes = await room.fleet.nodes()
    async with room.database.read() as tx:
        return zones_of(nodes, await members_of(tx))


async def zone_of(room: Compute, host: str) -> str:
    """The zone of one host."""
    return (await zones(room)).get(host, ZONE)


async def members_of(tx: Transaction) -> dict[str, list[Aggregate]]:
    """The aggregates of each host that is in any."""
    aggregates = {row.id: aggregate_of(row) for row in await tx.find(AggregateRow)}
    found: dict[str, list[Aggregate]] = {}
    for member in await tx.find(AggregateHostRow) if aggregates else ():
        if member.aggregate_id in aggregates:
            found.setdefault(member.host, []).append(aggregates[member.aggregate_id])
    return found


def zones_of(nodes: Iterable[NodeView], members: Mapping[str, Sequence[Aggregate]]) -> dict[str, str]:
    found = {node.name: node.zone or ZONE for node in nodes}
    for host, aggregates in members.items():
        for aggregate in aggregates:
            zone = aggregate.metadata.get("availability_zone")
            if zone:
                found[host] = zone
    return found


def free_of(room: HostRoom) -> dict[str, float]:
    """What may still be claimed of each resource."""
    return {
        name: (total - room.reserved.get(name, 0)) * room.ratio.get(name, 1.0) - room.used.get(name, 0)
        for name, total in room.total.items()
    }


async def survey(room: Compute, of_interest: frozenset[str] = frozenset()) -> list[Host]:
    """All hosts at this moment. `of_interest`: the servers that the request will ask about."""
    nodes = await room.fleet.nodes()
    rooms = {found.node: found for found in await room.placement.hosts()}
    async with room.database.read() as tx:
        counts = {host: (n, building or 0) for host, n, building in await tx.tuples(_counts)}
        where = await tx.tuples(_where_are, {"ids": sorted(of_interest)}) if of_interest else ()
        members = await members_of(tx)
    zone_by_host = zones_of(nodes, members)
    servers: dict[str, set[str]] = {}
    for server, host in where:
        servers.setdefault(host, set()).add(server)
    hosts = []
    for node in nodes:
        own = rooms.get(node.name)
        hosts.append(
            Host(
                name=node.name,
                zone=zone_by_host.get(node.name, ZONE),
                alive=node.alive,
                disabled=node.disabled,
                free=free_of(own) if own else {},
                most=own.most if own else {},
                hypervisor=node.facts.hypervisor,
                architecture=node.facts.architecture,
                traits=frozenset(own.traits) if own else frozenset(),
                aggregates=tuple(members.get(node.name, ())),
                servers=frozenset(servers.get(node.name, ())),
                count=counts.get(node.name, (0, 0))[0],
                building=int(counts.get(node.name, (0, 0))[1]),
            )
        )
    return hosts
