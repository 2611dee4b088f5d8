"""The compute services of the nodes: up or down, enabled or disabled. And those of the control plane, always up."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest, Conflict, NotFound
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Bool, Enum, Text
from cumulet.lib.clock import iso_micros
from cumulet.services.compute.errors import HostNotFound
from cumulet.services.compute.hosts import ComputeServiceRow, services, zones
from cumulet.services.compute.room import ZONE, Compute
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.public import NodeView

RULE = "os_compute_api:os-services:"
BINARY = "nova-compute"
BY_UUID = version("2.53")
CONTROL = (
    # binary, number and id: what the control plane's one process does in the place of these.
    ("nova-conductor", 1_000_001, "00000000-0000-4000-8000-000000000001"),
    ("nova-scheduler", 1_000_002, "00000000-0000-4000-8000-000000000002"),
)


def shown(call: Call, row: ComputeServiceRow, node: NodeView, zone: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row.id if call.version >= BY_UUID else row.number,
        "binary": BINARY,
        "host": row.host,
        "zone": zone,
        "state": "up" if node.alive else "down",
        "status": "disabled" if node.disabled else "enabled",
        "disabled_reason": (node.disabled_reason or None) if node.disabled else None,
        "updated_at": iso_micros(node.last_seen),
    }
    if call.version >= version("2.11"):
        found["forced_down"] = node.forced_down
    return found


def control(room: Compute, call: Call, binary: str, number: int, uuid: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": uuid if call.version >= BY_UUID else number,
        "binary": binary,
        "host": "control",
        "zone": "internal",
        "state": "up",
        "status": "enabled",
        "disabled_reason": None,
        "updated_at": iso_micros(room.clock.now()),
    }
    if call.version >= version("2.11"):
        found["forced_down"] = False
    return found


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    host, binary = call.request.one("host"), call.request.one("binary")
    known, zone_by_host = await services(room), await zones(room)
    found = [control(room, call, *one) for one in CONTROL]
    for node in await room.fleet.nodes():
        if node.name in known:
            found.append(shown(call, known[node.name], node, zone_by_host.get(node.name, ZONE)))
    return {"services": [one for one in found if host in (None, one["host"]) and binary in (None, one["binary"])]}


async def _found(room: Compute, key: str) -> tuple[ComputeServiceRow, NodeView]:
    for row in (await services(room)).values():
        if key in (row.id, str(row.number)):
            node = await room.fleet.node(row.host)
            if node is not None:
                return row, node
    raise NotFound(f"Service {key[:64]} not found.")


Update = Body(
    "",
    (
        Field("status", Enum("enabled", "disabled"), create=OPTIONAL),
        Field("disabled_reason", Text(255, 1), create=OPTIONAL),
        Field("forced_down", Bool, create=OPTIONAL),
    ),
)


async def update(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "update")
    row, node = await _found(room, call.path["service_id"])
    wish = call.wish
    if not wish:
        raise BadRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    reason = wish.get("disabled_reason", "")
    if reason and wish.get("status") != "disabled":
        raise BadRequest("Specifying disabled_reason requires that status is disabled.")
    if "status" in wish:
        await room.fleet.set_disabled(row.host, wish["status"] == "disabled", reason)
    if "forced_down" in wish:
        await room.fleet.set_forced_down(row.host, wish["forced_down"])
    row, node = await _found(room, row.id)
    return {"service": shown(call, row, node, (await zones(room)).get(row.host, ZONE))}


async def delete(room: Compute, call: Call) -> None:
    """A service whose node is gone for good. While servers are there it stays."""
    call.allow(RULE + "delete")
    row, node = await _found(room, call.path["service_id"])
    async with room.database.read() as tx:
        if await tx.find(ServerRow, host=row.host, deleted_at=0, limit=1):
            raise Conflict("Unable to delete compute service that is hosting instances. Migrate or delete them first.")
    if node.alive:
        raise Conflict(f"The node {row.host} is alive and would come back at once. Stop its agent first.")

    async def write(tx: Transaction) -> None:
        await tx.delete(ComputeServiceRow, id=row.id)

    await room.database.write(write)


# ---- the older verbs, until 2.52 --------------------------------------------------------------------------------


def _verb_body(*more: Field) -> Body:
    return Body(
        "", (Field("host", Text(255, 1), create=REQUIRED), Field("binary", Text(255, 1), create=REQUIRED), *more)
    )


async def _node(room: Compute, call: Call) -> str:
    call.allow(RULE + "update")
    host: str = call.wish["host"]
    if call.wish["binary"] != BINARY or host not in await services(room):
        raise HostNotFound(f"Could not find binary {call.wish['binary']} on host {host}.")
    return host


async def enable(room: Compute, call: Call) -> dict[str, Any]:
    host = await _node(room, call)
    await room.fleet.set_disabled(host, False, "")
    return {"service": {"host": host, "binary": BINARY, "status": "enabled"}}


async def disable(room: Compute, call: Call) -> dict[str, Any]:
    host = await _node(room, call)
    await room.fleet.set_disabled(host, True, "")
    return {"service": {"host": host, "binary": BINARY, "status": "disabled"}}


async def disable_log_reason(room: Compute, call: Call) -> dict[str, Any]:
    host, reason = await _node(room, call), call.wish["disabled_reason"]
    await room.fleet.set_disabled(host, True, reason)
    return {"service": {"host": host, "binary": BINARY, "status": "disabled", "disabled_reason": reason}}


async def force_down(room: Compute, call: Call) -> dict[str, Any]:
    host, down = await _node(room, call), call.wish["forced_down"]
    await room.fleet.set_forced_down(host, down)
    return {"service": {"host": host, "binary": BINARY, "forced_down": down}}


_Plain = _verb_body()
_Reason = _verb_body(Field("disabled_reason", Text(255, 1), create=REQUIRED))
_Forced = _verb_body(Field("forced_down", Bool, create=REQUIRED))
ROUTES = (
    Endpoint("GET", "/os-services", index, name="services"),
    Endpoint("PUT", "/os-services/enable", enable, until="2.52", body=_Plain, name="service_enable"),
    Endpoint("PUT", "/os-services/disable", disable, until="2.52", body=_Plain, name="service_disable"),
    Endpoint(
        "PUT", "/os-services/disable-log-reason", disable_log_reason, until="2.52", body=_Reason, name="service_reason"
    ),
    Endpoint(
        "PUT",
        "/os-services/force-down",
        force_down,
        since="2.11",
        until="2.52",
        body=_Forced,
        name="service_force_down",
    ),
    Endpoint("PUT", "/os-services/{service_id}", update, since="2.53", body=Update, name="service_update"),
    Endpoint("DELETE", "/os-services/{service_id}", delete, 204, name="service_delete"),
)
