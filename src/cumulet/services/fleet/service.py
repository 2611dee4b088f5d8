"""The API that nodes speak: join, beat, fetch orders, report, fetch image bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from cumulet.contracts.assignments import NodeFacts, Reports
from cumulet.core.errors import BadRequest, NotFound, Unavailable
from cumulet.core.web.body import UNREADABLE
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import Dialect
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import Service
from cumulet.services.fleet import assignments, fetching, luggage, nodes
from cumulet.services.fleet.room import Fleet

LARGEST_BATCH = 16 << 20
LARGEST_FACTS = 256 << 10
BEAT_SECONDS = 10
T = TypeVar("T")
Needs = Callable[[Fleet, str, str], Awaitable[bool]]
"""Whether the orders of a node have to do with an id."""
_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")


async def join(room: Fleet, call: Call) -> Any:
    facts = await _read(call, NodeFacts, LARGEST_FACTS)  # read before anybody is known: small
    if not _NODE_NAME.match(facts.name):
        raise BadRequest("name: a node's name has letters, digits, dots and dashes, and at most 255 of them")
    token = call.request.headers.get("x-join-token", "")
    return {"secret": await nodes.join(room, token, facts)}


async def heartbeat(room: Fleet, call: Call) -> Any:
    row = await _node(room, call)
    facts = await _read(call, NodeFacts, LARGEST_FACTS)
    if facts.name != row.name:
        raise BadRequest("name: a node speaks for itself only")
    await nodes.note_heartbeat(room, row, facts)
    return {"beat_seconds": BEAT_SECONDS}


async def fetch(room: Fleet, call: Call) -> Response:
    row = await _node(room, call)
    try:
        since, noticed = int(call.request.one("since") or 0), int(call.request.one("noticed") or 0)
        wait = float(call.request.one("wait") or 0)
    except ValueError as error:
        raise BadRequest("since, noticed and wait: give numbers") from error
    answer = await fetching.fetch(room, row.name, since, noticed, wait)
    return Response(200, msgspec.json.encode(answer), {"content-type": "application/json"})


async def report(room: Fleet, call: Call) -> None:
    row = await _node(room, call)
    batch = await _read(call, Reports)
    await assignments.note_reports(room, row.name, batch.reports)


async def image(room: Fleet, call: Call) -> Response:
    refusal = "Nothing that this node was ordered to hold is made from image {}."
    image_id = await _ordered(room, call, "image_id", assignments.needs_image, refusal)
    return _streamed(_offered(room.image_bytes, "Images")(image_id))


async def volume_key(room: Fleet, call: Call) -> dict[str, str]:
    refusal = "Nothing that this node was ordered to hold has to do with volume {}."
    volume_id = await _ordered(room, call, "volume_id", assignments.needs_volume, refusal)
    return {"key": await _offered(room.volume_key, "Keys of volumes")(volume_id)}


async def volume_file(room: Fleet, call: Call) -> Response:
    refusal = "Volume {} is not to arrive on this node."
    volume_id = await _ordered(room, call, "volume_id", assignments.awaits_volume, refusal)
    return _streamed(_offered(room.volume_file, "Files of volumes")(volume_id))


async def backup(room: Fleet, call: Call) -> Response:
    refusal = "Nothing that this node was ordered to hold is restored from backup {}."
    backup_id = await _ordered(room, call, "backup_id", assignments.needs_backup, refusal)
    return _streamed(_offered(room.backup_bytes, "Backups")(backup_id))


async def machine_luggage(room: Fleet, call: Call) -> Response:
    row = await _node(room, call)
    found = await luggage.listed(room, row.name, call.path["machine_id"])
    return Response(200, msgspec.json.encode(found), {"content-type": "application/json"})


async def luggage_file(room: Fleet, call: Call) -> Response:
    row = await _node(room, call)
    offset = call.request.one("offset") or "0"
    if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
        raise BadRequest("offset: give the number of bytes that are there already")
    return _streamed(await luggage.opened(room, row.name, call.path["machine_id"], call.path["file"], int(offset)))


async def _ordered(room: Fleet, call: Call, name: str, needs: Needs, refusal: str) -> str:
    """The id of that name in the path, if the orders of the node that asks have to do with it."""
    row = await _node(room, call)
    id_ = call.path[name]
    if not await needs(room, row.name, id_):
        raise NotFound(refusal.format(id_[:64]))
    return id_


def _offered(source: T | None, what: str) -> T:
    if source is None:
        raise Unavailable(f"{what} are not served by this process.")
    return source


def _streamed(stream: AsyncIterator[bytes]) -> Response:
    return Response(200, headers={"content-type": "application/octet-stream"}, stream=stream)


async def _node(room: Fleet, call: Call) -> nodes.NodeRow:
    return await nodes.authenticate(room, call.path["node"], call.request.headers.get("x-node-secret", ""))


async def _read(call: Call, kind: Any, limit: int = LARGEST_BATCH) -> Any:
    try:
        return msgspec.json.decode(await call.request.body(limit), type=kind)
    except UNREADABLE as error:
        raise BadRequest(f"The body is not what a node sends: {error}") from error


def service() -> Service:
    def endpoint(method: str, path: str, run: Any) -> Endpoint:
        return Endpoint(method, path, run, open=True, raw=True)

    return Service(
        type="fleet",
        name="fleet",
        path="/fleet",
        prefix="/v1",
        dialect=Dialect(),
        routes=[
            endpoint("POST", "/nodes", join),
            endpoint("PUT", "/nodes/{node}", heartbeat),
            endpoint("GET", "/nodes/{node}/assignments", fetch),
            endpoint("POST", "/nodes/{node}/reports", report),
            endpoint("GET", "/nodes/{node}/images/{image_id}", image),
            endpoint("GET", "/nodes/{node}/volumes/{volume_id}/key", volume_key),
            endpoint("GET", "/nodes/{node}/volumes/{volume_id}/file", volume_file),
            endpoint("GET", "/nodes/{node}/backups/{backup_id}", backup),
            endpoint("GET", "/nodes/{node}/machines/{machine_id}/luggage", machine_luggage),
            endpoint("GET", "/nodes/{node}/machines/{machine_id}/luggage/{file}", luggage_file),
        ],
    )
