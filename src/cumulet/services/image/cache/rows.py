"""What the caches keep and shall keep, and how it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Duplicate, Id, Instant, Ref, Row, Short, Transaction, stored
from cumulet.drivers.image_store.base import ImageStore, NotStored
from cumulet.lib.ids import new_uuid
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

TOPIC = "image_cache"
QUEUED, CACHED = "queued", "cached"


@stored(
    "image_cache",
    sa.Index("image_cache_status", "place", "status", "image_id"),
    sa.Index("image_cache_key", "key"),
)
class CacheRow(Row):
    """An image in one process's cache, or on its way there."""

    image_id: Id
    place: Annotated[str, sa.String(255), PRIMARY]
    """The address of that process."""
    status: Short
    key: Ref
    """The name of the bytes."""
    created_at: Instant
    size: BigInt = 0
    hits: BigInt = 0
    used_at: Instant = 0
    """0: nobody has read it yet."""


async def queue(room: Image, image_id: str) -> None:
    """Wish for an image in this process's cache. Asking again changes nothing."""
    row = CacheRow(image_id, room.place, QUEUED, new_uuid(), room.clock.now())

    async def write(tx: Transaction) -> None:
        await tx.insert(row)
        tx.wake(TOPIC, image_id)

    try:
        await room.database.write(write)
    except Duplicate:
        return


async def forget(room: Image, row: CacheRow) -> bool:
    """Drop an entry and its bytes; whether it was there."""
    gone = await room.database.write(
        lambda tx: tx.delete(CacheRow, image_id=row.image_id, place=row.place, key=row.key)
    )
    if room.cache is not None:
        await room.cache.remove(row.key)
    return bool(gone)


async def kept(room: Image) -> list[CacheRow]:
    """What is in this process's cache, and what is queued for it."""
    async with room.database.read() as tx:
        return await tx.find(CacheRow, order_by="created_at", place=room.place)


async def hit(room: Image, image: ImageRow) -> CacheRow | None:
    """The entry of an image that can be read, counted as read once more."""
    if room.cache is None:
        return None
    async with room.database.read() as tx:
        row = await tx.get(CacheRow, image_id=image.id, place=room.place)
    if row is None or row.status != CACHED:
        return None
    now, hits = room.clock.now(), row.hits + 1
    where = {"image_id": row.image_id, "place": row.place, "key": row.key}
    await room.database.write(lambda tx: tx.update(CacheRow, where, used_at=now, hits=hits))
    return row


async def read(store: ImageStore, row: CacheRow, start: int, length: int | None) -> AsyncIterator[bytes] | None:
    """The bytes of an entry; None when they are not there after all."""
    chunks = store.get(row.key, start, length)
    try:
        first = await anext(chunks, b"")
    except NotStored:
        return None

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()
