"""A network's DHCP port: it keeps the addresses at which DHCP answers on every node."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.core.db import Transaction
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.addresses import Wanted
from cumulet.services.network.ports.operations import NewPort, change, erase, make
from cumulet.services.network.ports.row import DHCP, PortRow
from cumulet.services.network.room import Network

_AGENT = "6d0c8a3e-1f0b-5c7e-9a44-7b1f5f7d2c10"
"""Stands where the real service has the id of a DHCP agent's host; here every node answers for its own guests."""


async def ensure_dhcp_port(room: Network, tx: Transaction, network: NetworkRow, subnet_ids: Sequence[str]) -> None:
    """Give the network's DHCP port an address in each of these subnets; without any, the port goes."""
    device = f"dhcp{_AGENT}-{network.id}"
    port = await tx.get(PortRow, network_id=network.id, device_id=device)
    wanted = [Wanted(subnet_id) for subnet_id in subnet_ids]
    if port is None:
        if wanted:
            new = NewPort(
                project_id=network.project_id,
                device_id=device,
                device_owner=DHCP,
                addresses=wanted,
                port_security=False,
                counted=False,
            )
            port = await make(room, tx, network, new)
            await tx.update(NetworkRow, {"id": network.id}, dhcp_mac=port.mac)
    elif wanted:
        await change(room, tx, port, addresses=wanted)
    else:
        await erase(room, tx, port)
        await tx.update(NetworkRow, {"id": network.id}, dhcp_mac="")
