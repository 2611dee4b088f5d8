"""Brings rows and bytes together again after whatever interrupted them.

*An abandoned image* waits for bytes that nobody sends any more: its status says that a process receives them, and that
process was last heard of too long ago. It returns to the queue. *A deleted image* may still have bytes: they are
removed, then the row. *An orphan* is bytes that no row names, left by an attempt that was killed or overtaken. It is
removed; this is safe, because a row names its bytes before the first of them is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.drivers.image_store.base import ImageStore, Unreachable
from cumulet.lib.clock import SECOND
from cumulet.services.image.cache.rows import CacheRow
from cumulet.services.image.errors import UploadOvertaken
from cumulet.services.image.images import status
from cumulet.services.image.images.data import BEAT_SECONDS, remove_bytes
from cumulet.services.image.images.operations import TOPIC, change_receiving, forget
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

log = logging.getLogger("cumulet.image")

SILENT_SECONDS = 45
"""A receiver that was not heard of for so long is dead: it speaks every ten seconds."""
SWEEP_SECONDS = 600.0
STAGING, CACHE = "staging", "cache"
_BATCH = 500


class ImageReconciler:
    """Looks after images one by one."""

    topic = TOPIC
    also = ()

    def __init__(self, room: Image) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            row = await tx.get(ImageRow, id=key)
        if row is None:
            return Done()
        if row.status == "deleted":
            await remove_bytes(self._room, row)
            await forget(self._room, row.id)
            return Done()
        if row.status not in status.RECEIVING or not row.touched_at:
            return Done()
        if not self._is_abandoned(row):
            return Again(BEAT_SECONDS, "data is arriving")
        log.warning("image %s waits for data that nobody sends any more; it returns to the queue", row.id)
        try:
            await change_receiving(self._room, row.id, row.staged_key or row.data_key, status.return_to_queue)
        except UploadOvertaken:
            return Again(0, "it changed meanwhile")
        await remove_bytes(self._room, row)
        return Done()

    def _is_abandoned(self, row: ImageRow) -> bool:
        if row.data_key in self._room.receiving or row.staged_key in self._room.receiving:
            return False
        return row.touched_at < self._room.clock.now() - SILENT_SECONDS * SECOND

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            found = await tx.tuples(_unsettled_query(), {"after": after, "most": limit})
        return [str(row[0]) for row in found]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)  # images at rest need nothing; their bytes are swept by store


@cache
def _unsettled_query() -> Query:
    columns = ImageRow.c
    receiving = sa.and_(columns.status.in_(status.RECEIVING), columns.touched_at > 0)
    return Query(
        sa.select(columns.id)
        .where(columns.id > sa.bindparam("after", type_=sa.String), sa.or_(columns.status == "deleted", receiving))
        .order_by(columns.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


class StoreReconciler:
    """Sweeps each store for orphans, now and then."""

    also = ()

    def __init__(self, room: Image, stores: Mapping[str, ImageStore], topic: str = "image_store") -> None:
        self._room = room
        self._stores = stores
        self.topic = topic
        self._looked: set[str] = set()

    async def step(self, key: str) -> Outcome:
        self._looked.add(key)
        store = self._stores.get(key)
        if store is None:
            return Done()
        try:
            found = await store.found()
            for start in range(0, len(found), _BATCH):
                for orphan in await self._orphans(key, found[start : start + _BATCH]):
                    log.warning("removing data %s from the store %s: no image names it", orphan, key)
                    await store.remove(orphan)
        except Unreachable as error:
            log.warning("the store %s cannot be swept: %s", key, error)
        return Again(SWEEP_SECONDS)

    async def _orphans(self, store: str, keys: list[str]) -> list[str]:
        """Which of these bytes no row needs. The rows are read after the store, so that none is too new to be seen."""
        async with self._room.database.read() as tx:
            if store == STAGING:
                needed = {row.staged_key for row in await tx.find(ImageRow, staged_key=keys)}
            elif store == CACHE:
                needed = {row.key for row in await tx.find(CacheRow, key=keys)}
            else:
                needed = {row.data_key for row in await tx.find(ImageRow, data_key=keys) if needs(row, store)}
        return [key for key in keys if key not in needed]

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return [name for name in await self.every(after, limit) if name not in self._looked]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return sorted(name for name in self._stores if name > after)[:limit]


def needs(row: ImageRow, store: str) -> bool:
    """Whether an image's bytes belong in this store, or may be on their way there."""
    if row.status in ("saving", "importing") or store in row.store_list:
        return True
    return store in row.properties_dict.get("os_glance_importing_to_stores", "").split(",")
