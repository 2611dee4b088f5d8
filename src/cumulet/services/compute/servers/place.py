"""Finding a host for a server: what it asks for, and the claim that holds the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Fault
from cumulet.core.db import Query
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.hosts import survey
from cumulet.services.compute.placing.choose import Refusal, choose
from cumulet.services.compute.placing.hosts import Host, Request
from cumulet.services.compute.room import Compute
from cumulet.services.compute.server_groups import group_of
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow
from cumulet.services.network.public import NicRequest
from cumulet.services.placement.public import Asks

NO_VALID_HOST = "No valid host was found. "


def ids_of(value: Any) -> frozenset[str]:
    return frozenset(value if isinstance(value, list) else [value] if value else [])


_placed = Query(
    sa.select(ServerRow.c.id).where(
        ServerRow.c.id.in_(sa.bindparam("ids", expanding=True)), ServerRow.c.host != "", ServerRow.c.deleted_at == 0
    )
)
_unplaced = Query(
    sa.select(ServerRow.c.id, ServerRow.c.created_at).where(
        ServerRow.c.id.in_(sa.bindparam("ids", expanding=True)),
        ServerRow.c.host == "",
        ServerRow.c.unsettled.is_(True),
        ServerRow.c.wanted.in_(("running", "intent")),
    )
)


async def placed_of(room: Compute, servers: frozenset[str]) -> frozenset[str]:
    """Those of these servers that have a host."""
    if not servers:
        return servers
    async with room.database.read() as tx:
        return frozenset(id for (id,) in await tx.tuples(_placed, {"ids": sorted(servers)}))


async def elders_wait(room: Compute, server: ServerRow) -> bool:
    """Whether an older server of its group is still to be placed. Members are placed one after the other, since two
    at once would not know of each other."""
    group = await group_of(room, server.group_id) if server.group_id else None
    others = group[1] - {server.id} if group else frozenset[str]()
    if not others:
        return False
    async with room.database.read() as tx:
        waiting = await tx.tuples(_unplaced, {"ids": sorted(others)})
    return any((created, id) < (server.created_at, server.id) for id, created in waiting)


async def request_for(
    room: Compute,
    server: ServerRow,
    flavor: Flavor,
    resources: Mapping[str, int],
    *,
    host: str = "",
    bound: frozenset[str] = frozenset(),
    avoid: frozenset[str] = frozenset(),
    disks: Sequence[DiskRow] = (),
    cards: Sequence[NicRow] = (),
) -> Request:
    """What this server asks of a host."""
    hints: dict[str, Any] = msgspec.json.decode(server.hints)
    policy, members, most = "", frozenset[str](), 1
    group = await group_of(room, server.group_id) if server.group_id else None
    if group:
        policy, members, most = (
            group[0].policy,
            await placed_of(room, group[1] - {server.id}),
            group[0].max_per_host or 1,
        )
    properties: dict[str, Any] = msgspec.json.decode(server.image)
    homes = await room.volumes.homes([disk.volume_id for disk in disks if not disk.local])
    return Request(
        resources=resources,
        project_id=server.project_id,
        zone=server.pinned_zone,
        host=host,
        bound=bound,
        avoid=avoid,
        volumes=Counter(chain.from_iterable(homes.values())),
        extra_specs=flavor.extra_specs,
        image_properties={name: str(value) for name, value in properties.items()},
        same_host=ids_of(hints.get("same_host")),
        different_host=ids_of(hints.get("different_host")),
        policy=policy,
        group_members=members,
        max_per_host=most,
        apart=await apart(room, cards),
    )


async def apart(room: Compute, cards: Sequence[NicRow]) -> dict[str, str]:
    """The hosts that do not reach the networks of these cards, and why."""
    requests = [
        NicRequest(network_id=nic.network_id, port_id=nic.port_id or nic.asked_port, fixed_ip=nic.fixed_ip)
        for nic in cards
    ]
    return await room.networks.unreached(requests) if requests else {}


async def claim_best(room: Compute, server: ServerRow, request: Request, asks: Asks) -> tuple[str, str] | Fault:
    """The name and zone of the best host, after a place there was claimed; or why there is none."""
    if asks.asks:
        request = replace(request, short=await room.placement.refusals(asks))
    of_interest = request.same_host | request.different_host | request.group_members
    remembered = () if of_interest else room.recent.best(request)
    place, _ = await _claim_first(room, server, request, asks, remembered)
    if place is not None:
        return place
    found = await room.recent.survey(lambda: survey(room, of_interest), shared=not of_interest)
    choice = choose(found, request)
    place, refusals = await _claim_first(room, server, request, asks, choice.hosts)
    if place is not None:
        return place
    choice = choice.without(refusals)
    return Fault(message=NO_VALID_HOST + choice.summary, code=500, details=choice.explanation)


async def _claim_first(
    room: Compute, server: ServerRow, request: Request, asks: Asks, hosts: Sequence[Host]
) -> tuple[tuple[str, str] | None, list[Refusal]]:
    """The first of these hosts at which placement lets it have a place, and why it did not at those before."""
    refusals: list[Refusal] = []
    for host in hosts:
        refused = await room.placement.claim(
            server.id,
            host.name,
            request.resources,
            project_id=server.project_id,
            user_id=server.user_id,
            asks=asks if asks.asks else None,
        )
        if not refused:
            room.recent.note_claim(host.name, request.resources)
            return (host.name, host.zone), refusals
        refusals.append(Refusal(host.name, "placement", refused))
    return None, refusals
