"""What both kinds of manageable things share: asking a node what it has, the names by which clients speak of that, and
the routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from cumulet.contracts.volumes import VolumeFacts
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject, Text
from cumulet.lib.ids import is_uuid
from cumulet.lib.numbers import whole_or_none
from cumulet.services.block_storage.backends import Pool, pools
from cumulet.services.block_storage.errors import InvalidInput, ServiceNotFound
from cumulet.services.block_storage.metadata import Metadata
from cumulet.services.block_storage.room import BlockStorage

VOLUME, SNAPSHOT = "volume-", "_snapshot-"
"""How the names of what lies on a backend begin; the id follows."""
MOST = 1000
_SORTS = ("reference", "size")


async def pool_of(room: BlockStorage, host: str) -> tuple[Pool, str]:
    """The pool of a host's name, with its backend and pool or without, and the node to ask. Raises ServiceNotFound."""
    for pool in await pools(room):
        if pool.is_called(host):
            meant = next((one for one in pool.services if one.is_called(host)), pool.speaker)
            return pool, meant.node.name
    raise ServiceNotFound(f"Service cinder-volume could not be found on host {host[:64]}.")


async def found_on(room: BlockStorage, node: str, backend: str) -> Sequence[VolumeFacts]:
    """All volumes of a node's backend. Raises NodeSilent."""
    found = await room.fleet.ask(node, "volumes_found", backend=backend)
    return msgspec.json.decode(found, type=list[VolumeFacts])


def reference(prefix: str, id: str) -> dict[str, str]:
    return {"source-name": prefix + id}


def meant(prefix: str, ref: Any) -> str:
    """The id in a reference: by its name on the backend, or alone. Raises InvalidInput."""
    if isinstance(ref, dict) and len(ref) == 1:
        ((kind, value),) = ref.items()
        if isinstance(value, str) and kind in ("source-name", "source-id"):
            id = value.removeprefix(prefix)
            if is_uuid(id):
                return id
    raise InvalidInput(f"ref: give {{'source-name': '{prefix}ID'}} or {{'source-id': 'ID'}}, as the list shows it")


async def found_where_asked(room: BlockStorage, call: Call) -> Sequence[VolumeFacts]:
    """All volumes on the host or in the cluster that a list was asked for. Raises ServiceNotFound, NodeSilent."""
    host = call.request.one("host") or call.request.one("cluster")
    if not host:
        raise BadRequest("Either the parameter 'host' or 'cluster' must be given.")
    pool, node = await pool_of(room, host)
    return await found_on(room, node, pool.backend)


def page(call: Call, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was asked of a list: its order, and a part of it."""
    request = call.request
    key, _, direction = (request.one("sort") or "reference:asc").partition(":")
    if key not in _SORTS or direction not in ("", "asc", "desc"):
        raise BadRequest(f"sort: give one of {', '.join(_SORTS)}, with :asc or :desc")

    def rank(one: dict[str, Any]) -> tuple[Any, str]:
        name: str = one["reference"]["source-name"]
        return (one["size"], name) if key == "size" else ("", name)

    found = sorted(found, key=rank, reverse=direction == "desc")
    if marker := request.one("marker"):
        names = [one["reference"]["source-name"] for one in found]
        if marker not in names:
            raise BadRequest(f"marker: there is no {marker[:64]!r} in this list")
        found = found[names.index(marker) + 1 :]
    start, most = _number(call, "offset", 0), _number(call, "limit", MOST)
    return found[start : start + most]


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.one(name)
    if text is None:
        return default
    number = whole_or_none(text)
    if number is None or number > MOST:
        raise BadRequest(f"{name}: give a number from 0 to {MOST}")
    return number


# ---- routes ----------------------------------------------------------------------------------------------------------

MEANT = (
    Field("ref", AnyObject, create=REQUIRED),
    Field("name", Text().or_null(), create=OPTIONAL),
    Field("description", Text().or_null(), create=OPTIONAL),
    Field("metadata", Metadata.or_null(), create=OPTIONAL),
)
"""What is said of a thing that becomes somebody's."""
_DETAILS = ("reason_not_safe", "cinder_id", "extra_info")

Listed = Callable[[BlockStorage, Call], Awaitable[list[dict[str, Any]]]]
Managed = Callable[[BlockStorage, Call], Awaitable[dict[str, Any]]]


def routes(noun: str, listed: Listed, manage: Managed, *fields: Field) -> tuple[Endpoint, ...]:
    """The lists of one kind, brief and in detail, and taking over: at the paths of now and of before."""

    async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
        found = await listed(room, call)
        brief = [{name: value for name, value in one.items() if name not in _DETAILS} for one in found]
        return {f"manageable-{noun}s": brief}

    async def detail(room: BlockStorage, call: Call) -> dict[str, Any]:
        return {f"manageable-{noun}s": await listed(room, call)}

    body = Body(noun, (*fields, *MEANT))
    return tuple(
        endpoint
        for path, since in ((f"/manageable_{noun}s", "3.8"), (f"/os-{noun}-manage", ""))
        for endpoint in (
            Endpoint("GET", path, index, since=since, name=f"manageable_{noun}s"),
            Endpoint("GET", f"{path}/detail", detail, since=since, name=f"manageable_{noun}s_detail"),
            Endpoint("POST", path, manage, 202, body=body, since=since, name=f"{noun}_manage"),
        )
    )
