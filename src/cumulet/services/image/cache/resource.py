"""The cache on the wire, for administrators."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.image.cache import tidying
from cumulet.services.image.cache.rows import CACHED, QUEUED, CacheRow, forget, kept
from cumulet.services.image.cache.rows import queue as wish_for
from cumulet.services.image.errors import InvalidImage
from cumulet.services.image.images.operations import missing
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.images.sight import look
from cumulet.services.image.room import Image

_TARGETS = {"": (QUEUED, CACHED), "cache": (CACHED,), "queue": (QUEUED,)}


async def index(room: Image, call: Call) -> dict[str, Any]:
    _allow(room, call, "cache_list")
    rows = await kept(room)
    return {
        "cached_images": [_shown(row) for row in rows if row.status == CACHED],
        "queued_images": [row.image_id for row in rows if row.status == QUEUED],
    }


def _shown(row: CacheRow) -> dict[str, Any]:
    """Instants are seconds since 1970 here."""
    return {
        "image_id": row.image_id,
        "hits": row.hits,
        "last_accessed": row.used_at / 1e6,
        "last_modified": row.created_at / 1e6,
        "size": row.size,
    }


async def queue(room: Image, call: Call) -> None:
    _allow(room, call, "cache_image")
    image = await _image(room, call)
    if not image.has_data:
        raise InvalidImage(f"Only images with status active can be targeted for queueing; it is {image.status}.")
    if image.size > room.cache_limit:
        raise InvalidImage(f"The image has {image.size} bytes, more than the cache's {room.cache_limit}.")
    await wish_for(room, image.id)


async def delete(room: Image, call: Call) -> None:
    _allow(room, call, "cache_delete")
    image_id = call.path["image_id"]
    for row in await kept(room):
        if row.image_id == image_id:
            await forget(room, row)
            return
    raise missing(image_id)


async def clear(room: Image, call: Call) -> None:
    _allow(room, call, "cache_delete")
    target = call.request.headers.get("x-image-cache-clear-target", "").lower()
    if target not in _TARGETS:
        raise BadRequest("x-image-cache-clear-target must be 'cache' or 'queue'; without it both are cleared.")
    for row in await kept(room):
        if row.status in _TARGETS[target]:
            await forget(room, row)


async def clean(room: Image, call: Call) -> None:
    _allow(room, call, "cache_clean")
    await tidying.clean(room)


async def prune(room: Image, call: Call) -> dict[str, int]:
    _allow(room, call, "cache_prune")
    images, freed = await tidying.prune(room)
    return {"total_files_pruned": images, "total_bytes_pruned": freed}


async def nodes(room: Image, call: Call) -> list[str]:
    """The API processes that have an image in their caches."""
    _allow(room, call, "list_cached_nodes")
    image = await _image(room, call)
    async with room.database.read() as tx:
        return [row.place for row in await tx.find(CacheRow, order_by="place", image_id=image.id, status=CACHED)]


async def _image(room: Image, call: Call) -> ImageRow:
    return await look(room, call.caller, call.path["image_id"], sees_all=True)


def _allow(room: Image, call: Call, rule: str) -> None:
    call.allow(rule)
    if room.cache is None:
        raise NotFound("This cloud keeps no cache of images: image.cache_mib is 0 in its settings.")


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/cache", index),
        Endpoint("DELETE", "/cache", clear, 204),
        Endpoint("PUT", "/cache/{image_id}", queue, 202),
        Endpoint("DELETE", "/cache/{image_id}", delete, 204),
        Endpoint("POST", "/cache/clean", clean),
        Endpoint("POST", "/cache/prune", prune),
        Endpoint("GET", "/cache/nodes/{image_id}", nodes),
    ]
