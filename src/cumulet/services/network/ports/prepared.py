"""Where a port is made besides the node on which it lives, so that its server can go there at once."""

from __future__ import annotations

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.row import SUB_PORT, BindingRow, PortRow
from cumulet.services.network.security_groups.members import stir_groups
from cumulet.services.network.stirring import stir
from cumulet.services.network.trunks.row import sub_ports_of


async def prepare(tx: Transaction, port: PortRow, host: str, vnic_type: str = "", profile: str = "") -> None:
    """Have a port made on this node too, with all that its trunk carries. So already is well."""
    for one in await _with_sub_ports(tx, port):
        if not await tx.get(BindingRow, port_id=one.id, host=host):
            binding = BindingRow(one.id, host, vnic_type or one.vnic_type, profile or one.profile, ready=False)
            await tx.insert(binding)
            await _tell(tx, one)


async def give_up(tx: Transaction, port: PortRow, host: str) -> None:
    """Let the port be there no more."""
    for one in await _with_sub_ports(tx, port):
        if await tx.delete(BindingRow, port_id=one.id, host=host):
            await _tell(tx, one)


async def _with_sub_ports(tx: Transaction, port: PortRow) -> list[PortRow]:
    carries = port.trunk_id and port.device_owner != SUB_PORT
    return [port, *(await sub_ports_of(tx, port.trunk_id) if carries else [])]


async def _tell(tx: Transaction, port: PortRow) -> None:
    await stir(tx, PortRow, "port", [port.id])
    await stir(tx, NetworkRow, "network", [port.network_id])
    await stir_groups(tx, msgspec.json.decode(port.groups))
    if port.device_id:
        tx.wake("device", port.device_id)
