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
    return {"stores": [_store(room, name) for name in room.stores]}


async def stores_detail(room: Image, call: Call) -> dict[str, Any]:
    call.allow("stores_info_detail")
    detailed = [
        _store(room, name) | {"type": store.name, "weight": 0, "properties": {}} for name, store in room.stores.items()
    ]
    return {"stores": detailed}


def _store(room: Image, name: str) -> dict[str, Any]:
    return {"id": name} | ({"default": "true"} if name == room.default_store else {})


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
