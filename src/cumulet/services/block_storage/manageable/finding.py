"""Asking a node what it has, and the names by which clients speak of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.contracts.volumes import VolumeFacts
from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.lib.ids import is_uuid
from cumulet.lib.numbers import whole_or_none
from cumulet.services.block_storage.backends import Pool, pools
from cumulet.services.block_storage.errors import InvalidInput, ServiceNotFound
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


def host_asked(call: Call) -> str:
    host = call.request.one("host") or call.request.one("cluster")
    if not host:
        raise BadRequest("Either the parameter 'host' or 'cluster' must be given.")
    return host


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


def brief(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what only the detailed list tells."""
    hidden = ("reason_not_safe", "cinder_id", "extra_info")
    return [{name: value for name, value in one.items() if name not in hidden} for one in found]
