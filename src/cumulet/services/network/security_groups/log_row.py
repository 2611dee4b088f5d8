"""What is remembered of logs, and which of them a port is concerned by."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Ref, Short, Transaction, stored
from cumulet.services.network.ports.row import PortGroupRow, PortRow
from cumulet.services.network.standard import Standard
from cumulet.services.network.stirring import stir

SECURITY_GROUP = "security_group"


@stored(
    "network_logs",
    sa.Index("network_logs_project", "project_id"),
    sa.Index("network_logs_group", "group_id"),
    sa.Index("network_logs_port", "port_id"),
)
class LogRow(Standard):
    """What is to be logged of a project's ports: of one or of all, by one group or by all."""

    resource_type: Short
    group_id: Ref
    port_id: Ref
    event: Short
    enabled: bool


async def logs_for(tx: Transaction, port: PortRow) -> list[LogRow]:
    """Those that concern a port: its own project's, for it or for all, about a group that it is in or about all."""
    groups: list[str] = msgspec.json.decode(port.groups)
    if not groups or not port.port_security:
        return []
    found = await tx.find(LogRow, project_id=port.project_id, enabled=True, port_id=["", port.id], order_by="id")
    return [log for log in found if not log.group_id or log.group_id in groups]


async def stir_logged(tx: Transaction, log: LogRow) -> None:
    """The nodes are to know of this log, or no longer."""
    where: dict[str, Any] = {"project_id": log.project_id}
    if log.group_id:
        members = [member.port_id for member in await tx.find(PortGroupRow, group_id=log.group_id)]
        where["id"] = [port_id for port_id in members if log.port_id in ("", port_id)]
    elif log.port_id:
        where["id"] = [log.port_id]
    ports = await tx.find(PortRow, **where) if where.get("id", ["any"]) else []
    await stir(tx, PortRow, "port", [port.id for port in ports if port.host])
