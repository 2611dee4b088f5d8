"""Brings ports to the nodes: an order where a port lives, a notice of its location for all that carry its network, and
one of its addresses for all that hold its groups.

A port that is bound to no node is on no node. Facts of the node on which it lives decide whether it is up. Where it is
prepared, as while its server moves, it is made too; all others send to the old node until it lives on the new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.record import Record
from cumulet.core.db import Transaction
from cumulet.core.reconcile.outcome import Again, Done, Outcome
from cumulet.services.fleet.public import Held
from cumulet.services.network.floating_ips.row import show_port
from cumulet.services.network.following import Following, in_force_on, is_up, let_go, withdraw_beyond
from cumulet.services.network.local_ips.row import led_to
from cumulet.services.network.ports.row import DHCP, OF_ROUTERS, BindingRow, PortRow
from cumulet.services.network.ports.status import status_of
from cumulet.services.network.qos.requests import rules_for
from cumulet.services.network.security_groups.log_row import logs_for
from cumulet.services.network.specs import location_spec, member_of, port_spec
from cumulet.services.network.stirring import settle
from cumulet.services.network.trunks.row import carried, show_trunk

HEARING_SECONDS = 10.0


class PortReconciler(Following):
    """One key is one port."""

    topic = str(Kind.PORT)
    row = PortRow

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            port = await tx.get(PortRow, id=key)
            prepared = {row.host for row in await tx.find(BindingRow, port_id=key)}
            limits = (
                await rules_for(tx, port.qos_policy_id, port.qos_network_policy_id, port.device_owner) if port else []
            )
            trunk_port, tag = await carried(tx, port) if port else ("", 0)
            ways = await led_to(tx, key)
            logs = await logs_for(tx, port) if port else []
        if port is None:
            await room.fleet.announce(key, {})
            await let_go(room, Kind.PORT, key)
            return Done()
        helds = await room.fleet.held(Kind.PORT, key)
        nodes = {name: await room.fleet.node(name) for name in {port.host, *prepared} - {""}}
        tunnels = {name: node.facts.tunnel_address for name, node in nodes.items() if node is not None}
        orders: list[tuple[str, Kind, str, Record, int]] = []
        for name, tunnel in sorted(tunnels.items()):
            spec = port_spec(msgspec.structs.replace(port, host=name), tunnel, limits, ways, logs, trunk_port, tag)
            orders.append((name, Kind.PORT, key, spec, port.generation))
        await room.fleet.assign_all(orders)
        await withdraw_beyond(room, Kind.PORT, key, helds, tunnels)
        await room.fleet.announce(key, _said(port, tunnels[port.host]) if port.host in tunnels else {})
        router = await room.fleet.held(Kind.ROUTER, port.device_id) if port.device_owner in OF_ROUTERS else []
        await self._note(key, [*helds, *router])
        # Whoever waits for the port must not wait for a wake-up that was lost. Of a dead node nothing is to be heard.
        alive = {name for name, node in nodes.items() if node is not None and node.alive}
        if alive - in_force_on(helds, port.generation):
            return Again(HEARING_SECONDS, "its node has not said yet that it is made")
        seen = port.generation
        await room.database.write(lambda tx: settle(tx, PortRow, key, seen))
        return Done()

    async def _note(self, key: str, helds: Sequence[Held]) -> None:
        """Turn what the port's node said into its status. A router's leg is up when it is wired or its router runs."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=key)
            if port is None or port.device_owner == DHCP:
                return  # up when its network is
            await note_up(tx, port, bool(port.host) and is_up(helds, port.host))
            for binding in await tx.find(BindingRow, port_id=key):
                ready = is_up(helds, binding.host)
                if ready != binding.ready:
                    await tx.update(BindingRow, {"port_id": key, "host": binding.host}, ready=ready)
                    tx.wake("device", port.device_id)

        await self._room.database.write(write)


def _said(port: PortRow, tunnel: str) -> dict[tuple[Kind, str], Record]:
    """What other nodes are told of a port that lives on a node."""
    member = member_of(port)
    groups: list[str] = msgspec.json.decode(port.groups)
    return {
        (Kind.NETWORK, port.network_id): location_spec(port, tunnel),
        **{(Kind.GROUP, group): member for group in groups},
    }


async def note_up(tx: Transaction, port: PortRow, up: bool) -> None:
    """Record whether a port is up, its status with it, and tell whom it concerns."""
    changed = msgspec.structs.replace(port, up=up)
    status = status_of(changed)
    if up == port.up and status == port.status:
        return
    await tx.update(PortRow, {"id": port.id}, up=up, status=status)
    await show_port(tx, msgspec.structs.replace(changed, status=status))
    if port.trunk_id:
        await show_trunk(tx, port.trunk_id)
    if port.device_id:
        tx.wake("device", port.device_id)
