"""The noun `log`: what the nodes write down of packets that groups let pass or drop."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Bool, Enum, Text, Uuid
from cumulet.services.network import rbac
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.errors import (
    InvalidLogResourceType,
    InvalidResourceConstraint,
    LogResourceNotFound,
    ResourceNotFound,
    TargetResourceNotFound,
)
from cumulet.services.network.security_groups.log_row import SECURITY_GROUP, LogRow, stir_logged
from cumulet.services.network.security_groups.row import SecurityGroupRow
from cumulet.services.network.standard import NEWER, standard

logs = Noun(
    "/log/logs",
    "log",
    "logs",
    LogRow,
    [
        *NEWER,
        Facet(
            "logging",
            "Logs of what security groups do",
            (
                Field("resource_type", Text(255, 1), create=REQUIRED),
                Field("resource_id", Uuid.or_null(), create=OPTIONAL, source=OrNull("group_id")),
                Field("target_id", Uuid.or_null(), create=OPTIONAL, source=OrNull("port_id")),
                Field("event", Enum("ACCEPT", "ALL", "DROP"), create="ALL"),
                Field("enabled", Bool, create=True, update=OPTIONAL),
            ),
        ),
    ],
    missing=LogResourceNotFound,
)
logs.reads()


@logs.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> LogRow:
    if wish["resource_type"] != SECURITY_GROUP:
        raise InvalidLogResourceType(f"Invalid log resource_type: {wish['resource_type']}.")
    row = LogRow(
        **standard(wish, room.clock),
        resource_type=SECURITY_GROUP,
        group_id=wish.get("resource_id") or "",
        port_id=wish.get("target_id") or "",
        event=wish["event"],
        enabled=wish["enabled"],
    )
    await _refuse_unseen(tx, call, row)
    await tx.insert(row)
    await stir_logged(tx, row)
    return row


async def _refuse_unseen(tx: Transaction, call: Call, row: LogRow) -> None:
    """Raise for a group or a port that the caller does not see, or that have nothing to do with each other."""
    group = await tx.get(SecurityGroupRow, id=row.group_id) if row.group_id else None
    if row.group_id and not (
        group
        and (
            rbac.sees_all(call)
            or group.project_id == call.caller.project_id
            or rbac.shared_with(group.shared_with, call.caller.project_id)
        )
    ):
        raise ResourceNotFound(f"Resource {row.group_id} could not be found.")
    if not row.port_id:
        return
    port = await tx.get(PortRow, id=row.port_id)
    if port is None or not (port.project_id == call.caller.project_id or rbac.sees_all(call)):
        raise TargetResourceNotFound(f"Target resource {row.port_id} could not be found.")
    if row.group_id and row.group_id not in msgspec.json.decode(port.groups):
        raise InvalidResourceConstraint(
            f"Invalid resource constraint between resource (security_group {row.group_id}) and target resource (port "
            f"{row.port_id})."
        )


@logs.updating
async def update(room: Network, call: Call, tx: Transaction, row: LogRow, wish: dict[str, Any]) -> LogRow:
    changed: LogRow = await logs.save(room, tx, row, **wish)
    if changed.enabled != row.enabled:
        await stir_logged(tx, changed)
    return changed


@logs.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: LogRow) -> None:
    await stir_logged(tx, row)


async def _list_loggable(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_loggable_resource")
    return {"loggable_resources": [{"type": SECURITY_GROUP}]}


def endpoints() -> list[Endpoint]:
    return [Endpoint("GET", "/log/loggable-resources", _list_loggable, name="list_loggable_resources")]
