"""Which process looks after which keys. Keys fall into shards; a shard is leased to one process at a time."""

from __future__ import annotations

import asyncio
import zlib
from functools import cache
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Database, Duplicate, Instant, Query, Row, Short, Transaction, stored
from cumulet.lib.clock import SECOND, Clock

SHARDS = 64
TERM = 15 * SECOND
RENEW_SECONDS = 5.0


def shard_of(key: str) -> int:
    return zlib.crc32(key.encode()) % SHARDS


@stored("core_leases")
class LeaseRow(Row):
    """Who holds a shard, until when. `fence` rises with each change of hands."""

    shard: Annotated[int, sa.Integer, PRIMARY]
    holder: Short
    expires_at: Instant
    fence: int


class Leases:
    """The shards that this process holds of a database which several processes share.

    A process that cannot renew stops acting on its own before another one may begin: it counts its term from before the
    write, the others from after it.
    """

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._held: frozenset[int] = frozenset()
        self._until = 0

    def owns(self, key: str) -> bool:
        return shard_of(key) in self._held and self._clock.now() < self._until

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            try:
                await self.renew()
            finally:
                await asyncio.sleep(0)
            await self._clock.sleep(RENEW_SECONDS)

    async def renew(self) -> None:
        """Take what is free and due to us, keep what we hold."""
        began = self._clock.now()
        self._held = frozenset(await self._database.write(self._take))
        self._until = began + TERM - 2 * SECOND

    async def release(self) -> None:
        """Hand back everything, so that others need not wait for the term's end."""
        self._held = frozenset()
        await self._database.write(lambda tx: tx.update(LeaseRow, {"holder": self._holder}, holder="", expires_at=0))

    async def _take(self, tx: Transaction) -> list[int]:
        now = self._clock.now()
        rows = {row.shard: row for row in await tx.find(LeaseRow)}
        for shard in range(SHARDS):
            if shard not in rows:
                rows[shard] = LeaseRow(shard, "", 0, 0)
                try:
                    await tx.insert(rows[shard])
                except Duplicate:
                    return []  # another process is filling the table at this moment; look again next time
        alive = {row.holder for row in rows.values() if row.holder and row.expires_at > now} | {self._holder}
        fair = -(-SHARDS // len(alive))
        mine = [row.shard for row in rows.values() if row.holder == self._holder and row.expires_at > now]
        free = [row.shard for row in rows.values() if row.expires_at <= now]
        wanted = (mine + free)[:fair]
        values = {"holder": self._holder, "until": now + TERM, "now": now}
        taken = []
        for shard in wanted:
            if await tx.execute(_take_query(), {**values, "w_shard": shard}):
                taken.append(shard)
        for shard in mine[fair:]:
            await tx.update(LeaseRow, {"shard": shard, "holder": self._holder}, holder="", expires_at=0)
        return taken


@cache
def _take_query() -> Query:
    changes_hands = sa.case((LeaseRow.c.holder == sa.bindparam("holder"), 0), else_=1)
    return Query(
        sa.update(LeaseRow.table)
        .where(
            LeaseRow.c.shard == sa.bindparam("w_shard"),
            sa.or_(LeaseRow.c.holder == sa.bindparam("holder"), LeaseRow.c.expires_at <= sa.bindparam("now")),
        )
        .values(holder=sa.bindparam("holder"), expires_at=sa.bindparam("until"), fence=LeaseRow.c.fence + changes_hands)
    )
