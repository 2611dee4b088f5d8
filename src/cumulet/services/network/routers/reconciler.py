"""Brings each router to one living node, its legs with it, and moves it when that node dies. One that several nodes
hold is brought to all of them; where it runs they decide, and its legs are said to be there.

The node is written first, into the router's row and those of its leg ports; networks and ports follow by themselves,
because a leg bound to a node makes that node carry its network. Then the router's text is ordered there, and taken from
wherever else it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.core.db import Query, Transaction
from cumulet.core.reconcile.outcome import Again, Done, Outcome
from cumulet.services.fleet.public import Held
from cumulet.services.network.agents.agents import closed_hosts
from cumulet.services.network.agents.exclusions import excluded_hosts
from cumulet.services.network.floating_ips.row import FloatingIpRow, ForwardingRow
from cumulet.services.network.following import Following, facts_of, let_go, withdraw_beyond
from cumulet.services.network.metering.row import meters_of
from cumulet.services.network.networks.carrying import note_wires, off_the_wire
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.row import OF_ROUTERS, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.legs import led_out_by, legs_of
from cumulet.services.network.routers.placing import choose_node
from cumulet.services.network.routers.row import NdpProxyRow, RouterHostRow, RouterRow
from cumulet.services.network.routers.standby import choose_nodes, enroll, runs_on, standbys
from cumulet.services.network.specs import router_spec
from cumulet.services.network.stirring import settle, stir

NO_NODE_SECONDS = 10.0
WATCH_SECONDS = 15.0


@cache
def _load_query() -> Query:
    return Query(sa.select(RouterRow.c.host, sa.func.count()).where(RouterRow.c.host != "").group_by(RouterRow.c.host))


class RouterReconciler(Following):
    """One key is one router."""

    topic = str(Kind.ROUTER)
    row = RouterRow

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            router = await tx.get(RouterRow, id=key)
            if router:
                legs = await legs_of(tx, router)
                floating = await tx.find(FloatingIpRow, router_id=key)
                forwardings = (
                    await tx.find(ForwardingRow, floating_ip_id=[row.id for row in floating]) if floating else []
                )
                meters = await meters_of(tx, router)
                proxies = await tx.find(NdpProxyRow, router_id=key)
                together = await standbys(tx, router) if router.ha else {}
                closed = await closed_hosts(tx) | await excluded_hosts(tx, key)
                off = closed | await off_the_wire(tx, {leg.port.network_id for leg in legs if leg.is_gateway})
                load: dict[str, int] = {row[0]: row[1] for row in await tx.tuples(_load_query())}
        if router is None:
            await let_go(room, Kind.ROUTER, key)
            return Done()
        rests = router.rests_at == router.generation
        needed = not rests and (bool(legs) or router.by_hand)
        helds = await room.fleet.held(Kind.ROUTER, key)
        nodes = await room.fleet.nodes()
        alive = {node.name for node in nodes if node.alive}
        zones: list[str] = msgspec.json.decode(router.zone_hints)
        members: list[str] = []
        if router.ha:
            members = choose_nodes(nodes, load, list(together), zones, off, room.most_standbys) if needed else []
            if needed and not alive & set(members):  # so that at least its inner networks reach each other
                members = choose_nodes(nodes, load, list(together), zones, closed, room.most_standbys)
            if members != list(together):
                await room.database.write(lambda tx: enroll(room, tx, router, members))
                return Again(0, f"the router is held by {', '.join(members) or 'nobody'}")
            host = runs_on(members, router.host, helds, alive)
        else:
            host = choose_node(nodes, load, router.host, zones, off) if needed else ""
            if needed and not host:
                host = choose_node(nodes, load, router.host, zones, closed)
            members = [host] if host else []
        if needed and not host:
            return Again(NO_NODE_SECONDS, "no node lives on which the router could run")
        if host != router.host or any(leg.port.host != host for leg in legs):
            await self._move(key, host)
            return Again(0, f"the router goes to {host or 'nowhere'}")
        spec = router_spec(router, legs, floating, forwardings, meters, proxies)
        for member in members:
            mine = msgspec.structs.replace(spec, standby=together.get(member))
            await room.fleet.assign(member, Kind.ROUTER, key, mine, router.generation)
        await withdraw_beyond(room, Kind.ROUTER, key, helds, members)
        await self._note(router, helds)
        return Done()

    async def _move(self, key: str, host: str) -> None:
        """Write the node into the router and its legs. One that is nowhere is not stirred: it may rest."""
        room = self._room

        async def write(tx: Transaction) -> None:
            await tx.update(RouterRow, {"id": key}, host=host)
            if host:
                await stir(tx, RouterRow, str(Kind.ROUTER), [key])
            for port in await tx.find(PortRow, device_id=key):
                if port.device_owner in OF_ROUTERS and port.host != host:
                    await operations.change(room, tx, port, host=host)

        await room.database.write(write)

    async def _note(self, router: RouterRow, helds: Sequence[Held]) -> None:
        """Turn what the node said into the status of the router and its floating IPs; its legs look for themselves."""
        held = next((held for held in helds if held.node == router.host), None)
        facts = facts_of(held) if held else None
        up = facts is not None and facts.up
        current = up and held is not None and held.observed >= router.generation
        status = "ERROR" if facts is not None and facts.fault is not None else "ACTIVE"

        async def write(tx: Transaction) -> None:
            await settle(tx, RouterRow, router.id, router.generation)
            if status != router.status:
                await tx.update(RouterRow, {"id": router.id}, status=status)
            for port in await tx.find(PortRow, device_id=router.id):
                if port.device_owner in OF_ROUTERS and port.up != up:
                    tx.wake(str(Kind.PORT), port.id)
            for row in await tx.find(FloatingIpRow, router_id=router.id):
                # While a newer text is on its way, what was translated before still is.
                wanted = "ACTIVE" if up and (current or row.status == "ACTIVE") else "DOWN"
                if row.status != wanted:
                    await tx.update(FloatingIpRow, {"id": row.id}, status=wanted)

        await self._room.database.write(write)


class NodeWatcher:
    """Looks whether nodes live: the routers of a dead one are woken, and when one lives, those that have none.

    Nobody says that a node died, it only falls silent; so this looks again and again. What wires it has it notes, too.
    """

    topic = "node"
    also: tuple[str, ...] = ()

    def __init__(self, room: Network) -> None:
        self._room = room
        self._alive: dict[str, bool] = {}
        self._wires: dict[str, tuple[str, ...]] = {}

    async def step(self, key: str) -> Outcome:
        node = await self._room.fleet.node(key)
        alive = node is not None and node.alive
        if alive != self._alive.get(key):
            self._alive[key] = alive
            async with self._room.database.read() as tx:
                routers = {router.id for router in await tx.find(RouterRow, host="" if alive else key)}
                routers |= {member.router_id for member in await tx.find(RouterHostRow, host=key)}
                routers |= await led_out_by(tx, node.facts.physical_networks if node else ())
            for router in sorted(routers):
                self._room.bus.wake(str(Kind.ROUTER), router)
        if node is not None and self._wires.get(key) != node.facts.physical_networks:
            wires = node.facts.physical_networks
            await self._room.database.write(lambda tx: self._note_wires(tx, key, wires))
            self._wires[key] = wires
        return Again(WATCH_SECONDS) if node else Done()

    async def _note_wires(self, tx: Transaction, host: str, wires: Sequence[str]) -> None:
        """The node is better for some routers now, or worse."""
        changed = await note_wires(tx, host, wires)
        for router in sorted(await led_out_by(tx, changed)):
            tx.wake(str(Kind.ROUTER), router)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        """At start every node is to be watched."""
        known = [node.name for node in await self._room.fleet.nodes() if node.name > after]
        return [name for name in known if name not in self._alive][:limit]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return [node.name for node in await self._room.fleet.nodes() if node.name > after][:limit]
