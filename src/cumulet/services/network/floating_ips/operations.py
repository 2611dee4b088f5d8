"""What happens to floating IPs when their network goes."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.ports.operations import erase
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import TagRow


async def erase_idle(room: Network, tx: Transaction, network_id: str) -> None:
    """Delete the floating IPs of a network that lead nowhere; they do not keep the network from being deleted."""
    for row in await tx.find(FloatingIpRow, network_id=network_id, router_id=""):
        own = await tx.get(PortRow, id=row.own_port_id)
        if own:
            await erase(room, tx, own)
        await tx.delete(FloatingIpRow, id=row.id)
        await tx.delete(TagRow, resource_id=row.id)
        await room.quota.give_back(tx, row.project_id, floatingip=1)
