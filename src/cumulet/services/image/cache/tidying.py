"""Keeping a cache within its limit, and free of what is not whole."""

from __future__ import annotations

from cumulet.services.image.cache.rows import CACHED, forget, kept
from cumulet.services.image.room import Image


async def prune(room: Image) -> tuple[int, int]:
    """Let go of what was not read for longest until the cache fits; how many images and bytes went."""
    rows = sorted(
        (row for row in await kept(room) if row.status == CACHED), key=lambda row: row.used_at or row.created_at
    )
    left = sum(row.size for row in rows)
    images = freed = 0
    for row in rows:
        if left <= room.cache_limit:
            break
        if await forget(room, row):
            images, freed = images + 1, freed + row.size
        left -= row.size
    return images, freed


async def clean(room: Image) -> None:
    """Let go of entries whose bytes are missing, and of bytes without an entry."""
    if room.cache is None:
        return
    # First the bytes, then the rows: an entry that is made meanwhile is not taken for an orphan.
    found = set(await room.cache.found())
    rows = await kept(room)
    for row in rows:
        if row.status == CACHED and row.key not in found:
            await forget(room, row)
    for orphan in found - {row.key for row in rows}:
        await room.cache.remove(orphan)
