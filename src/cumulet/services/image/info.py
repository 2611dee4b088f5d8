"""What a client may ask about the service itself: its stores, its ways of importing, what a project uses."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.image.imports.methods import IMPORT_METHODS
from cumulet.services.image.room import Image


async def imports(room: Image, call: Call) -> dict[str, Any]:
    described = "Import methods available."
    return {"import-methods": {"description": described, "type": "array", "value": list(IMPORT_METHODS)}}


async def stores(room: Image, call: Call) -> dict[str, Any]:
    weighted = any(offer.weight for offer in room.offers.values())
    return {
        "stores": [
            _store(room, name) | ({"weight": room.weight(name)} if weighted else {}) for name in _all_stores(room)
        ]
    }


async def stores_detail(room: Image, call: Call) -> dict[str, Any]:
    call.allow("stores_info_detail")
    detailed = [
        _store(room, name)
        | {
            "type": room.stores[name].name if name in room.stores else "http",
            "weight": room.weight(name),
            "properties": dict(room.offer(name).properties),
        }
        for name in _all_stores(room)
    ]
    return {"stores": detailed}


def _all_stores(room: Image) -> list[str]:
    return [*room.stores, *([room.web_store] if room.web_store else [])]


def _store(room: Image, name: str) -> dict[str, Any]:
    """Flags are texts on the wire, and there only when they are true."""
    told: dict[str, Any] = {"id": name}
    if room.offer(name).description:
        told["description"] = room.offer(name).description
    if name == room.default_store:
        told["default"] = "true"
    if name == room.web_store:
        told["read-only"] = "true"
    return told


async def usage(room: Image, call: Call) -> dict[str, Any]:
    """What the caller's project uses of each limit; sizes in MiB."""
    project_id = call.caller.project_id
    await room.quota.learn(project_id)
    async with room.database.read() as tx:
        limits = await room.quota.limits(tx, project_id)
        used = await room.quota.usage(tx, project_id)
    return {"usage": {name: {"limit": limits[name], "usage": used[name]} for name in limits}}


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/info/import", imports),
        Endpoint("GET", "/info/stores", stores),
        Endpoint("GET", "/info/stores/detail", stores_detail),
        Endpoint("GET", "/info/usage", usage),
    ]
