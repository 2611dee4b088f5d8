"""Events that other services report about servers. Here they only wake: whoever is woken looks for himself."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import NotFound
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Enum, ListOf, Obj, Text, Uuid
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow

NAMES = (
    "network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", "volume-extended",
    "power-update", "accelerator-request-bound", "volume-reimaged",
)  # fmt: skip
Events = Body(
    "events",
    (),
    kind=ListOf(
        Obj(
            Field("name", Enum(*NAMES), create=REQUIRED),
            Field("server_uuid", Uuid, create=REQUIRED),
            Field("status", Enum("failed", "completed", "in-progress"), create=OPTIONAL),
            Field("tag", Text(255), create=OPTIONAL),
        ),
        least=1,
        most=1000,
    ),
)


async def create(room: Compute, call: Call) -> Response:
    call.allow("os_compute_api:os-server-external-events:create")
    events = call.wish["events"]
    async with room.database.read() as tx:
        known = await tx.find(ServerRow, id=sorted({event["server_uuid"] for event in events}), deleted_at=0)
    alive = {row.id: row for row in known}
    answers: list[dict[str, Any]] = []
    for event in events:
        row = alive.get(event["server_uuid"])
        code, status = (404, "failed") if row is None else (422, "failed") if not row.host else (200, "completed")
        answers.append({**event, "status": event.get("status", "completed") if code == 200 else status, "code": code})
        if row is not None:
            room.bus.wake("server", row.id)
    if not alive:
        raise NotFound("No instances found for any event")
    partly = any(answer["code"] != 200 for answer in answers)
    return Response.json(207 if partly else 200, {"events": answers})


ROUTES = (Endpoint("POST", "/os-server-external-events", create, body=Events, name="external_events"),)
