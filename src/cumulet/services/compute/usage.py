"""How much projects have used: hours of servers, vCPUs, memory and disk, over a stretch of time."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.listing import parse_limit
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.lib.clock import SECOND, iso_micros, parse_iso
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-simple-tenant-usage:"
DAY = 24 * 3600 * SECOND
HOUR = 3600 * SECOND
PAGED = version("2.40")
MOST = 100_000

_living = (
    sa.select(ServerRow.table)
    .where(
        ServerRow.c.launched_at != 0,
        ServerRow.c.launched_at < sa.bindparam("stop", type_=sa.BigInteger),
        sa.or_(ServerRow.c.terminated_at == 0, ServerRow.c.terminated_at > sa.bindparam("start", type_=sa.BigInteger)),
    )
    .order_by(ServerRow.c.id)
    .limit(MOST)
)
_all = Query(_living)
_of_project = Query(_living.where(ServerRow.c.project_id == sa.bindparam("project", type_=sa.String)))


def _moment(call: Call, name: str, default: int) -> int:
    given = call.request.one(name)
    if not given:
        return default
    try:
        return parse_iso(given)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"Datetime is in invalid format: {given[:60]!r}") from error


def stretch(room: Compute, call: Call) -> tuple[int, int]:
    now = room.clock.now()
    start, stop = _moment(call, "start", now - 28 * DAY), _moment(call, "end", now)
    if start >= stop:
        raise BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return start, stop


def server_usage(row: ServerRow, start: int, stop: int, now: int) -> dict[str, Any]:
    """What one server used in this stretch."""
    flavor = flavor_of(row)
    began, ended = max(row.launched_at, start), min(row.terminated_at or stop, stop, max(now, start))
    hours = max(0, ended - began) / HOUR
    return {
        "instance_id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "flavor": flavor.name,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.ram,
        "local_gb": flavor.disk + flavor.ephemeral,
        "hours": hours,
        "started_at": iso_micros(row.launched_at),
        "ended_at": iso_micros(row.terminated_at) if row.terminated_at else None,
        "state": "terminated" if row.terminated_at else row.vm_state,
        "uptime": max(0, (row.terminated_at or now) - row.launched_at) // SECOND,
    }


def project_usage(
    project_id: str, used: list[dict[str, Any]], start: int, stop: int, *, detailed: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tenant_id": project_id,
        "start": iso_micros(start),
        "stop": iso_micros(stop),
        "total_hours": sum(one["hours"] for one in used),
        "total_vcpus_usage": sum(one["hours"] * one["vcpus"] for one in used),
        "total_memory_mb_usage": sum(one["hours"] * one["memory_mb"] for one in used),
        "total_local_gb_usage": sum(one["hours"] * one["local_gb"] for one in used),
    }
    if detailed:
        found["server_usages"] = used
    return found


def page(call: Call, rows: list[ServerRow]) -> tuple[list[ServerRow], str]:
    """From 2.40 in pages, by server; and the marker of the next."""
    if call.version < PAGED:
        return rows, ""
    limit, marker = parse_limit(call.request.one("limit"), 1000), call.request.one("marker")
    if marker:
        if marker not in {row.id for row in rows}:
            raise BadRequest(f"Marker {marker[:64]} could not be found.")
        rows = [row for row in rows if row.id > marker]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else ""


async def index(room: Compute, call: Call) -> dict[str, Any]:
    if call.request.path.endswith("/"):
        raise NotFound("The URL names no project: its last part is empty.")
    call.allow(RULE + "list")
    start, stop = stretch(room, call)
    async with room.database.read() as tx:
        rows, marker = page(call, await tx.rows(ServerRow, _all, {"start": start, "stop": stop}))
    detailed = call.request.one("detailed") == "1"
    now, by_project = room.clock.now(), dict[str, list[dict[str, Any]]]()
    for row in rows:
        by_project.setdefault(row.project_id, []).append(server_usage(row, start, stop, now))
    body: dict[str, Any] = {
        "tenant_usages": [
            project_usage(project, used, start, stop, detailed=detailed) for project, used in by_project.items()
        ]
    }
    return _linked(call, body, "tenant_usages", "/os-simple-tenant-usage", marker)


async def show(room: Compute, call: Call) -> dict[str, Any]:
    project = call.path["project_id"]
    call.allow(RULE + "show", {"project_id": project, "tenant_id": project})
    start, stop = stretch(room, call)
    async with room.database.read() as tx:
        found = await tx.rows(ServerRow, _of_project, {"start": start, "stop": stop, "project": project})
    rows, marker = page(call, found)
    now = room.clock.now()
    used = [server_usage(row, start, stop, now) for row in rows]
    body: dict[str, Any] = {"tenant_usage": project_usage(project, used, start, stop, detailed=True) if used else {}}
    return _linked(call, body, "tenant_usage", f"/os-simple-tenant-usage/{project}", marker)


def _linked(call: Call, body: dict[str, Any], name: str, path: str, marker: str) -> dict[str, Any]:
    if marker:
        href = with_marker(call.base + path, call.request.query, marker)
        body[f"{name}_links"] = [{"rel": "next", "href": href}]
    return body


ROUTES = (
    Endpoint("GET", "/os-simple-tenant-usage", index, name="usages"),
    Endpoint("GET", "/os-simple-tenant-usage/{project_id}", show, name="usage"),
)
