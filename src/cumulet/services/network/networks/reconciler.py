"""Brings networks to the nodes that have ports on them, and takes them away when the last port has left.

A node that begins to carry a network is told in the same order where the ports of other nodes are. One that ceases to
carry it lets go of those texts first, of the network last: while it holds the network, the rest is looked for again.
"""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.contracts.assignments import Kind
from cumulet.contracts.record import Record
from cumulet.core.db import Transaction
from cumulet.core.reconcile.outcome import Done, Outcome
from cumulet.services.fleet.public import Held, NodeView
from cumulet.services.network.exclusions import excluded_hosts
from cumulet.services.network.following import facts_of, hosts_of, keys_of, known_nodes, let_go
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.reconciler import note_up
from cumulet.services.network.ports.row import DHCP, BindingRow, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.specs import location_spec, network_spec, without_dhcp
from cumulet.services.network.stirring import settle
from cumulet.services.network.subnets.row import SubnetRow

Orders = list[tuple[str, Kind, str, Record, int]]


class NetworkReconciler:
    """One key is one network."""

    topic = str(Kind.NETWORK)
    also: tuple[str, ...] = ()

    def __init__(self, room: Network) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            network = await tx.get(NetworkRow, id=key)
            if network:
                subnets = await tx.find(SubnetRow, network_id=key)
                dhcp = await tx.find(PortRow, network_id=key, device_owner=DHCP)
                hosts = await hosts_of(tx, key)
                silent = await excluded_hosts(tx, key)
        if network is None:
            await let_go(room, Kind.NETWORK, key)
            return Done()
        helds = await room.fleet.held(Kind.NETWORK, key)
        nodes = await known_nodes(room)
        wanted = hosts & set(nodes)
        spec = network_spec(network, subnets, dhcp[0] if dhcp else None)
        quiet = without_dhcp(spec)
        orders: Orders = [
            (node, Kind.NETWORK, key, quiet if node in silent else spec, network.generation) for node in sorted(wanted)
        ]
        fresh = wanted - {held.node for held in helds if not held.gone}
        if fresh:
            orders += await self._locations(key, fresh, nodes)
        await room.fleet.assign_all(orders)
        leaving = [held.node for held in helds if held.node not in wanted and not held.gone]
        for node in leaving:
            await self._leave(key, node)
        seen = network.generation
        await room.database.write(lambda tx: settle(tx, NetworkRow, key, seen))
        if dhcp:
            await self._note_dhcp(dhcp[0].id, helds, carried=bool(wanted))
        return Done()

    async def _locations(self, key: str, fresh: set[str], nodes: dict[str, NodeView]) -> Orders:
        """Where the network's ports are, for nodes that begin to carry it."""
        async with self._room.database.read() as tx:
            ports = await tx.find(PortRow, network_id=key)
            bindings = await tx.find(BindingRow, host=sorted(fresh))
        prepared = {(row.port_id, row.host) for row in bindings}
        return [
            (node, Kind.PORT, port.id, location_spec(port, nodes[port.host].facts.tunnel_address), 1)
            for port in ports
            if port.host in nodes
            for node in sorted(fresh - {port.host})
            if (port.id, node) not in prepared
        ]

    async def _leave(self, key: str, node: str) -> None:
        fleet = self._room.fleet
        async with self._room.database.read() as tx:
            ports = [port.id for port in await tx.find(PortRow, network_id=key)]
        for port_id, helds in (await fleet.held_many(Kind.PORT, ports)).items():
            if any(held.node == node and not held.gone for held in helds):
                await fleet.withdraw(node, Kind.PORT, port_id)
        await fleet.withdraw(node, Kind.NETWORK, key)

    async def _note_dhcp(self, port_id: str, helds: Sequence[Held], *, carried: bool) -> None:
        """DHCP answers wherever the network is in force; where there are no guests yet, nothing is missing."""
        up = not carried or any(fact is not None and fact.up for fact in map(facts_of, helds))

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port:
                await note_up(tx, port, up)

        await self._room.database.write(write)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return await keys_of(self._room, NetworkRow, Kind.NETWORK, after, limit, only_unsettled=True)

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await keys_of(self._room, NetworkRow, Kind.NETWORK, after, limit, only_unsettled=False)
