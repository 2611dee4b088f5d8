"""Brings networks to the nodes that have ports on them, and takes them away when the last port has left.

Nodes that hold a network are told where its ports are by notices (`ports/reconciler.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.contracts.assignments import Kind
from cumulet.contracts.record import Record
from cumulet.core.db import Transaction
from cumulet.core.reconcile.outcome import Done, Outcome
from cumulet.services.fleet.public import Held
from cumulet.services.network.agents.exclusions import excluded_hosts
from cumulet.services.network.following import (
    REST_SECONDS,
    TEXT_ONLY,
    Following,
    facts_of,
    hosts_of,
    let_go,
    withdraw_beyond,
)
from cumulet.services.network.networks.carrying import reached, segments_of, wires_of
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.reconciler import note_up
from cumulet.services.network.ports.row import DHCP, PortRow
from cumulet.services.network.specs import network_spec, without_dhcp
from cumulet.services.network.stirring import settle
from cumulet.services.network.subnets.row import SubnetRow


class NetworkReconciler(Following):
    """One key is one network."""

    topic = str(Kind.NETWORK)
    row = NetworkRow

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            network = await tx.get(NetworkRow, id=key)
            if network:
                subnets = await tx.find(SubnetRow, network_id=key)
                dhcp = await tx.find(PortRow, network_id=key, device_owner=DHCP)
                hosts = await hosts_of(tx, key)
                silent = await excluded_hosts(tx, key)
                segments = await segments_of(tx, key)
                wires = await wires_of(tx, hosts) if len(segments) > 1 else {}
        if network is None:
            await let_go(room, Kind.NETWORK, key)
            await room.fleet.hush(Kind.NETWORK, key)
            return Done()
        helds = await room.fleet.held(Kind.NETWORK, key)
        wanted = await room.fleet.known(hosts)
        orders: list[tuple[str, Kind, str, Record, int]] = []
        for node in sorted(wanted):
            here = next(iter(reached(segments, wires.get(node, []))), segments[0])
            spec = network_spec(network, here, subnets, dhcp[0] if dhcp else None)
            orders.append((node, Kind.NETWORK, key, without_dhcp(spec) if node in silent else spec, TEXT_ONLY))
        await room.fleet.assign_all(orders)
        await withdraw_beyond(room, Kind.NETWORK, key, helds, wanted)
        if not wanted:
            await room.fleet.hush(Kind.NETWORK, key)
        seen = network.generation
        await room.database.write(lambda tx: settle(tx, NetworkRow, key, seen))
        if dhcp:
            await self._note_dhcp(dhcp[0].id, helds, carried=bool(wanted))
        return Done(rest=REST_SECONDS)

    async def _note_dhcp(self, port_id: str, helds: Sequence[Held], *, carried: bool) -> None:
        """DHCP answers wherever the network is in force; where there are no guests yet, nothing is missing."""
        up = not carried or any(fact is not None and fact.up for fact in map(facts_of, helds))

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port:
                await note_up(tx, port, up)

        await self._room.database.write(write)
