"""What is remembered of trunks and their sub-ports, and what both they and their ports show of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Json, Number, Ref, Row, Short, Transaction, stored
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.standard import Standard, json_text


@stored(
    "network_trunks",
    sa.Index("network_trunks_project", "project_id"),
    sa.Index("network_trunks_port", "port_id", unique=True),
)
class TrunkRow(Standard):
    """A trunk. Its parent is a port that a machine opens; the others come with it wherever it goes."""

    admin_up: bool
    status: Short
    port_id: Ref
    sub_ports: Json
    """The sub-ports as the view shows them."""


@stored("network_sub_ports", sa.Index("network_sub_ports_tag", "trunk_id", "tag", unique=True))
class SubPortRow(Row):
    """A port that a trunk carries."""

    port_id: Annotated[str, sa.String(36), PRIMARY]
    trunk_id: Ref
    tag: Number


def status_of(parent: PortRow, subs: Sequence[PortRow]) -> str:
    """From the statuses of its ports. Pure."""
    if parent.status != "ACTIVE":
        return "BUILD" if parent.status == "BUILD" else "DOWN"
    statuses = {port.status for port in subs} - {"ACTIVE"}
    if not statuses:
        return "ACTIVE"
    return "BUILD" if statuses == {"BUILD"} else "DEGRADED"


def shown(sub: SubPortRow) -> dict[str, Any]:
    return {"port_id": sub.port_id, "segmentation_type": "vlan", "segmentation_id": sub.tag}


async def show_trunk(tx: Transaction, trunk_id: str) -> None:
    """One of a trunk's ports changed: bring the trunk, and what its parent shows of it, in line."""
    trunk = await tx.get(TrunkRow, id=trunk_id)
    if trunk is None:
        return
    subs = await tx.find(SubPortRow, trunk_id=trunk_id, order_by="tag")
    ports = {port.id: port for port in await tx.find(PortRow, id=[trunk.port_id, *(sub.port_id for sub in subs)])}
    parent = ports[trunk.port_id]
    status, text = status_of(parent, [ports[sub.port_id] for sub in subs]), json_text([shown(sub) for sub in subs])
    if (status, text) != (trunk.status, trunk.sub_ports):
        await tx.update(TrunkRow, {"id": trunk_id}, status=status, sub_ports=text)
    detailed = [shown(sub) | {"mac_address": ports[sub.port_id].mac} for sub in subs]
    details = json_text({"trunk_id": trunk_id, "sub_ports": detailed})
    if details != parent.trunk:
        await tx.update(PortRow, {"id": parent.id}, trunk=details)


async def carried(tx: Transaction, port: PortRow) -> tuple[str, int]:
    """(the trunk's own port, tag) of a sub-port; nothing of others."""
    sub = await tx.get(SubPortRow, port_id=port.id) if port.trunk_id else None
    trunk = await tx.get(TrunkRow, id=sub.trunk_id) if sub else None
    return (trunk.port_id, sub.tag) if sub and trunk else ("", 0)


async def sub_ports_of(tx: Transaction, trunk_id: str) -> list[PortRow]:
    subs = await tx.find(SubPortRow, trunk_id=trunk_id)
    return await tx.find(PortRow, id=[sub.port_id for sub in subs]) if subs else []
