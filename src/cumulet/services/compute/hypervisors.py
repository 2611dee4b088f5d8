"""Hypervisors: the nodes as machines that hold others."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.listing import parse_limit
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import parse_bool
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import is_uuid
from cumulet.services.compute.hosts import ComputeServiceRow, services
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.public import NodeView
from cumulet.services.placement.public import HostRoom

RULE = "os_compute_api:os-hypervisors:"
BY_UUID, SLIM = version("2.53"), version("2.88")


def brief(call: Call, row: ComputeServiceRow, node: NodeView) -> dict[str, Any]:
    return {
        "id": row.hypervisor_id if call.version >= BY_UUID else row.number,
        "hypervisor_hostname": node.name,
        "state": "up" if node.alive else "down",
        "status": "disabled" if node.disabled else "enabled",
    }


def full(
    room: Compute,
    call: Call,
    row: ComputeServiceRow,
    node: NodeView,
    held: HostRoom | None,
    servers: list[ServerRow],
) -> dict[str, Any]:
    """All that is known of a node; since 2.88 without what placement tells better."""
    facts = node.facts
    found = brief(call, row, node) | {
        "host_ip": _address(facts.address) or facts.tunnel_address,
        "hypervisor_type": facts.hypervisor.upper(),
        "hypervisor_version": facts.hypervisor_version,
        "service": {
            "host": node.name,
            "id": row.id if call.version >= BY_UUID else row.number,
            "disabled_reason": (node.disabled_reason or None) if node.disabled else None,
        },
    }
    if call.version >= SLIM:
        found["uptime"] = _uptime(room, node) if node.alive else None
        return found
    used = held.used if held else {}
    cpu_info: Any = {"arch": facts.architecture, "model": facts.cpu_model, "topology": {}, "features": []}
    return found | {
        "vcpus": facts.vcpus,
        "vcpus_used": used.get("VCPU", 0),
        "memory_mb": facts.memory_mib,
        "memory_mb_used": used.get("MEMORY_MB", 0),
        "free_ram_mb": facts.memory_mib - used.get("MEMORY_MB", 0),
        "local_gb": facts.disk_gib,
        "local_gb_used": used.get("DISK_GB", 0),
        "free_disk_gb": facts.disk_gib - used.get("DISK_GB", 0),
        "disk_available_least": facts.disk_gib - used.get("DISK_GB", 0),
        "running_vms": sum(1 for server in servers if server.vm_state == "active"),
        "current_workload": sum(1 for server in servers if server.task_state),
        "cpu_info": cpu_info if call.version >= version("2.28") else msgspec.json.encode(cpu_info).decode(),
    }


def _address(address: str) -> str:
    """The IP part of a `host:port`; nothing of a socket on this machine."""
    return "" if ":" not in address or address.startswith(("unix:", "local:")) else address.rpartition(":")[0]


def _uptime(room: Compute, node: NodeView) -> str:
    joined = getattr(node, "joined_at", 0) or node.last_seen
    minutes = max(0, room.clock.now() - joined) // SECOND // 60
    return (
        f" up {minutes // 1440} days, {minutes // 60 % 24}:{minutes % 60:02}, 0 users, load average: 0.00, 0.00, 0.00"
    )


Found = tuple[ComputeServiceRow, NodeView]


async def everyone(room: Compute) -> list[Found]:
    known = await services(room)
    return sorted(
        ((known[node.name], node) for node in await room.fleet.nodes() if node.name in known),
        key=lambda found: found[0].number,
    )


async def on(room: Compute, host: str) -> list[ServerRow]:
    async with room.database.read() as tx:
        return await tx.find(ServerRow, host=host, deleted_at=0, order_by="created_at")


async def _shown(room: Compute, call: Call, found: Found, *, detailed: bool, with_servers: bool) -> dict[str, Any]:
    row, node = found
    servers = await on(room, node.name) if detailed or with_servers else []
    if detailed:
        rooms = {held.node: held for held in await room.placement.hosts()}
        shown = full(room, call, row, node, rooms.get(node.name), servers)
    else:
        shown = brief(call, row, node)
    if with_servers and (servers or call.version >= version("2.75")):
        shown["servers"] = [{"name": f"instance-{s.id[:8]}", "uuid": s.id} for s in servers]
    return shown


async def _listed(room: Compute, call: Call, *, detailed: bool) -> dict[str, Any]:
    request = call.request
    found = await everyone(room)
    pattern, with_servers = "", False
    if call.version >= BY_UUID:
        pattern, with_servers = request.one("hypervisor_hostname_pattern") or "", _wants_servers(call)
        if pattern:
            if request.one("limit") or request.one("marker"):
                raise BadRequest("Paging over hypervisors with the hypervisor_hostname_pattern is not supported.")
            found = [one for one in found if pattern.replace("%", "") in one[1].name]
            if not found:
                raise NotFound(f"No hypervisor matching '{pattern[:60]}' could be found.")
    more = False
    if call.version >= version("2.33"):
        limit, marker = parse_limit(request.one("limit"), 1000), request.one("marker")
        if marker:
            places = [n for n, (row, _) in enumerate(found) if marker in (row.hypervisor_id, str(row.number))]
            if not places:
                raise BadRequest(f"Marker {marker[:64]} could not be found.")
            found = found[places[0] + 1 :]
        more, found = len(found) > limit, found[:limit]
    shown = [await _shown(room, call, one, detailed=detailed, with_servers=with_servers) for one in found]
    body: dict[str, Any] = {"hypervisors": shown}
    if more:
        url = f"{call.base}/os-hypervisors" + ("/detail" if detailed else "")
        body["hypervisors_links"] = [{"rel": "next", "href": with_marker(url, request.query, str(shown[-1]["id"]))}]
    return body


def _wants_servers(call: Call) -> bool:
    given = call.request.one("with_servers")
    try:
        return parse_bool(given) if given is not None else False
    except ValueError as error:
        raise BadRequest(f"Invalid input for query parameter with_servers: {error}") from error


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    return await _listed(room, call, detailed=False)


async def detail(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list-detail")
    return await _listed(room, call, detailed=True)


async def one(room: Compute, call: Call) -> Found:
    key = call.path["hypervisor_id"]
    if call.version >= BY_UUID and not is_uuid(key):
        raise BadRequest(f"Invalid uuid {key[:64]}")
    for row, node in await everyone(room):
        if key == (row.hypervisor_id if call.version >= BY_UUID else str(row.number)):
            return row, node
    raise NotFound(f"Hypervisor with ID '{key[:64]}' could not be found.")


async def show(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "show")
    with_servers = call.version >= BY_UUID and _wants_servers(call)
    return {"hypervisor": await _shown(room, call, await one(room, call), detailed=True, with_servers=with_servers)}


async def uptime(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "uptime")
    row, node = await one(room, call)
    if not node.alive:
        raise BadRequest(f"Compute service of {node.name} is unavailable at this time.")
    return {"hypervisor": brief(call, row, node) | {"uptime": _uptime(room, node)}}


async def statistics(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "statistics")
    found = await everyone(room)
    shown = [await _shown(room, call, one, detailed=True, with_servers=False) for one in found]
    names = (
        "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used",
        "free_disk_gb", "disk_available_least", "running_vms", "current_workload",
    )  # fmt: skip
    sums = {name: sum(one[name] for one in shown) for name in names}
    return {"hypervisor_statistics": {"count": len(shown), **sums}}


async def search(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "search")
    found = await _matching(room, call)
    return {"hypervisors": [brief(call, row, node) for row, node in found]}


async def servers(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "servers")
    found = await _matching(room, call)
    return {"hypervisors": [await _shown(room, call, one, detailed=False, with_servers=True) for one in found]}


async def _matching(room: Compute, call: Call) -> list[Found]:
    pattern = call.path["hypervisor_id"]
    found = [one for one in await everyone(room) if pattern.replace("%", "") in one[1].name]
    if not found:
        raise NotFound(f"No hypervisor matching '{pattern[:60]}' could be found.")
    return found


ONE = "/os-hypervisors/{hypervisor_id}"
ROUTES = (
    Endpoint("GET", "/os-hypervisors", index, name="hypervisors"),
    Endpoint("GET", "/os-hypervisors/detail", detail, name="hypervisors_detail"),
    Endpoint("GET", "/os-hypervisors/statistics", statistics, until="2.87", name="hypervisor_statistics"),
    Endpoint("GET", ONE, show, name="hypervisor"),
    Endpoint("GET", ONE + "/uptime", uptime, until="2.87", name="hypervisor_uptime"),
    Endpoint("GET", ONE + "/search", search, until="2.52", name="hypervisor_search"),
    Endpoint("GET", ONE + "/servers", servers, until="2.52", name="hypervisor_servers"),
)
