"""Brings queued images into this process's cache, and lets go of those that are deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.errors import CloudError
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.services.image.cache import tidying
from cumulet.services.image.cache.rows import CACHED, QUEUED, TOPIC, CacheRow, forget
from cumulet.services.image.images import operations
from cumulet.services.image.images.data import from_stores, put
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

log = logging.getLogger("cumulet.image")

RETRY_SECONDS = 30.0


class CacheReconciler:
    """Looks after the entries of this process one by one. Other processes look after theirs."""

    topic = TOPIC
    also = (operations.TOPIC,)

    def __init__(self, room: Image) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            row = await tx.get(CacheRow, image_id=key, place=room.place)
            image = await tx.get(ImageRow, id=key) if row is not None else None
        if row is None or room.cache is None:
            return Done()
        if image is None or not image.has_data or image.size > room.cache_limit:
            await forget(room, row)
        elif row.status == QUEUED:
            return await self._bring(row, image)
        return Done()

    async def _bring(self, row: CacheRow, image: ImageRow) -> Outcome:
        room = self._room
        if room.cache is None:
            return Done()
        try:
            await put(room, room.cache, row.key, from_stores(room, image))
        except CloudError as error:
            log.warning("image %s cannot be cached: %s", image.id, error)
            return Again(RETRY_SECONDS, str(error))
        where = {"image_id": row.image_id, "place": row.place, "key": row.key}
        values = {"status": CACHED, "size": image.size, "created_at": room.clock.now()}
        if not await room.database.write(lambda tx: tx.update(CacheRow, where, **values)):
            await room.cache.remove(row.key)  # nobody wishes for it any more
        await tidying.prune(room)
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return await self._keys(after, limit, (QUEUED,))

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self._keys(after, limit, (QUEUED, CACHED))

    async def _keys(self, after: str, limit: int, statuses: tuple[str, ...]) -> Sequence[str]:
        values = {"place": self._room.place, "after": after, "most": limit}
        async with self._room.database.read() as tx:
            return [str(row[0]) for row in await tx.tuples(_keys_query(statuses), values)]


@cache
def _keys_query(statuses: tuple[str, ...]) -> Query:
    columns = CacheRow.c
    return Query(
        sa.select(columns.image_id)
        .where(
            columns.place == sa.bindparam("place", type_=sa.String),
            columns.status.in_(statuses),
            columns.image_id > sa.bindparam("after", type_=sa.String),
        )
        .order_by(columns.image_id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
