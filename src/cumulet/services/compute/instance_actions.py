"""The history of a server, as its pages show it."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.listing import parse_limit
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.lib.clock import iso_micros, parse_iso
from cumulet.services.compute.history import ActionRow, Event, closed, events_of
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-instance-actions:"
PAGES = version("2.58")
_history = Query(
    sa.select(ActionRow.table)
    .where(
        ActionRow.c.server_id == sa.bindparam("server", type_=sa.String),
        ActionRow.c.updated_at >= sa.bindparam("since", type_=sa.BigInteger),
        ActionRow.c.updated_at <= sa.bindparam("before", type_=sa.BigInteger),
    )
    .order_by(ActionRow.c.started_at.desc(), ActionRow.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
MOST = 5000
FOREVER = 2**62


async def _load(room: Any, call: Call, key: str) -> ServerRow | None:
    """A server also after its end: what happened to it may still be asked."""
    async with room.database.read() as tx:
        row: ServerRow | None = await tx.get(ServerRow, id=key)
    mine = row is not None and (row.project_id == call.caller.project_id or call.may("context_is_admin"))
    return row if mine else None


async def _server(room: Compute, call: Call, rule: str) -> ServerRow:
    key = call.path["server_id"]
    row = await _load(room, call, key)
    if row is None or (row.deleted_at and call.version < version("2.21")):
        raise NotFound(f"Instance {key[:64]} could not be found.")
    call.allow(rule, servers.target(row))
    return row


def shown(call: Call, row: ActionRow) -> dict[str, Any]:
    found = closed(row) | {"start_time": iso_micros(row.started_at)}
    if call.version >= PAGES:
        found["updated_at"] = iso_micros(row.updated_at)
    return found


def event_shown(call: Call, row: ServerRow, event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {
        "event": event.event,
        "start_time": iso_micros(event.start),
        "finish_time": iso_micros(event.finish) if event.finish else None,
        "result": event.result or None,
    }
    admin = call.may(RULE + "events")
    if admin:
        found["traceback"] = event.traceback or event.details or None
    if call.version >= version("2.62"):
        found["hostId"] = hashlib.sha224((row.project_id + event.host).encode()).hexdigest() if event.host else ""
        if admin:
            found["host"] = event.host
    if call.version >= version("2.84"):
        found["details"] = event.details or None
    return found


def _moment(call: Call, name: str, default: int, since: str) -> int:
    given = call.request.one(name)
    if not given or call.version < version(since):
        return default
    try:
        return parse_iso(given.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"Invalid input for query parameter {name}: {given[:60]!r} is not a date-time") from error


async def index(room: Compute, call: Call) -> dict[str, Any]:
    row = await _server(room, call, RULE + "list")
    values = {
        "server": row.id,
        "since": _moment(call, "changes-since", 0, "2.58"),
        "before": _moment(call, "changes-before", FOREVER, "2.66"),
        "most": MOST,
    }
    async with room.database.read() as tx:
        found = await tx.rows(ActionRow, _history, values)
    if call.version < PAGES:
        return {"instanceActions": [shown(call, action) for action in found]}
    limit, marker = parse_limit(call.request.one("limit"), 1000), call.request.one("marker")
    if marker:
        places = [place for place, action in enumerate(found) if action.request_id == marker]
        if not places:
            raise BadRequest(f"Marker {marker[:64]} could not be found.")
        found = found[places[0] + 1 :]
    page = found[:limit]
    body: dict[str, Any] = {"instanceActions": [shown(call, action) for action in page]}
    if len(found) > len(page) and page:
        url = f"{call.base}/servers/{row.id}/os-instance-actions"
        body["links"] = [{"rel": "next", "href": with_marker(url, call.request.query, page[-1].request_id)}]
    return body


async def show(room: Compute, call: Call) -> dict[str, Any]:
    row = await _server(room, call, RULE + "show")
    async with room.database.read() as tx:
        action = await tx.get(ActionRow, server_id=row.id, request_id=call.path["request_id"])
    if action is None:
        raise NotFound(f"Action {call.path['request_id'][:64]} not found")
    found = shown(call, action)
    if call.version >= version("2.51") or call.may(RULE + "events"):
        found["events"] = [event_shown(call, row, event) for event in events_of(action)]
    return {"instanceAction": found}


ROUTES = (
    Endpoint("GET", "/servers/{server_id}/os-instance-actions", index, name="instance_actions"),
    Endpoint("GET", "/servers/{server_id}/os-instance-actions/{request_id}", show, name="instance_action"),
)
