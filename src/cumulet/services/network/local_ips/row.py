"""What is remembered of local IPs and of the ports they lead to, and what happens to both when ports change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Name, Ref, Row, Short, Transaction, stored
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.standard import Standard
from cumulet.services.network.stirring import stir

PASSTHROUGH = "passthrough"


@stored(
    "network_local_ips",
    sa.Index("network_local_ips_project", "project_id"),
    sa.Index("network_local_ips_port", "port_id"),
)
class LocalIpRow(Standard):
    """A local IP. The address is that of a port, which was made for it or given."""

    network_id: Ref
    port_id: Ref
    address: Short
    mode: Short


@stored("network_local_ip_ports", sa.Index("network_local_ip_ports_port", "id"))
class AssociationRow(Row):
    """A port that a local IP leads to on the node where the port lives. Its id is the port's."""

    local_ip_id: Annotated[str, sa.String(36), PRIMARY]
    id: Annotated[str, sa.String(36), PRIMARY]
    project_id: Ref
    address: Short
    """The local IP's."""
    fixed: Short
    host: Name


async def led_to(tx: Transaction, port_id: str) -> list[tuple[str, str, bool]]:
    """(local address, address of the port, whether one becomes the other) for all that lead to a port."""
    found = await tx.find(AssociationRow, id=port_id, order_by="local_ip_id")
    locals_ = await tx.find(LocalIpRow, id=[row.local_ip_id for row in found]) if found else []
    modes = {local.id: local.mode for local in locals_}
    ways = [(row.address, row.fixed, modes[row.local_ip_id] != PASSTHROUGH) for row in found]
    return list(dict.fromkeys(ways))


async def forget_port(tx: Transaction, port_id: str, kept: Collection[str] = ()) -> None:
    """A port goes, or has only these addresses from now on: others may be given to somebody else."""
    for row in await tx.find(AssociationRow, id=port_id):
        if row.fixed not in kept:
            await tx.delete(AssociationRow, local_ip_id=row.local_ip_id, id=port_id)
    for local in await tx.find(LocalIpRow, port_id=port_id):
        if local.address not in kept:
            others = [row.id for row in await tx.find(AssociationRow, local_ip_id=local.id)]
            await tx.delete(AssociationRow, local_ip_id=local.id)
            await tx.delete(LocalIpRow, id=local.id)
            await stir(tx, PortRow, "port", others)


async def follow_port(tx: Transaction, port: PortRow) -> None:
    """A port lives somewhere else now."""
    await tx.update(AssociationRow, {"id": port.id}, host=port.host)
