"""Which process looks after which keys. Keys fall into shards; a shard is leased to one process at a time."""

from __future__ import annotations

import logging
import zlib
from functools import cache
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Database, Duplicate, Instant, Query, Row, Short, Transaction, stored
from cumulet.lib.clock import SECOND, Clock

log = logging.getLogger("cumulet.reconcile")

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


@stored("core_processes")
class ProcessRow(Row):
    """A process that wants a share, whether it has one yet or not."""

    holder: Annotated[str, sa.String(64), PRIMARY]
    expires_at: Instant


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
        """Renew for ever. A database that does not answer costs the shards, not the process."""
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            try:
                await self.renew()
            except Exception as error:
                log.warning("the leases could not be renewed: %s", error)

    async def renew(self) -> None:
        """Take what is free and due to us, keep what we hold."""
        began = self._clock.now()
        self._held = frozenset(await self._database.write(self._take))
        self._until = began + TERM - 2 * SECOND

    async def release(self) -> None:
        """Hand back everything, so that others need not wait for the term's end."""
        self._held = frozenset()

        async def hand_back(tx: Transaction) -> None:
            await tx.update(LeaseRow, {"holder": self._holder}, holder="", expires_at=0)
            await tx.delete(ProcessRow, holder=self._holder)

        await self._database.write(hand_back)

    async def _take(self, tx: Transaction) -> list[int]:
        now = self._clock.now()
        rows = {row.shard: row for row in await tx.find(LeaseRow, order_by="shard")}
        if len(rows) < SHARDS:
            absent = [LeaseRow(shard, "", 0, 0) for shard in range(SHARDS) if shard not in rows]
            try:
                await tx.insert_all(absent)
            except Duplicate:
                return []  # another process is filling the table at this moment; look again next time
            rows |= {row.shard: row for row in absent}
        until = now + TERM
        fair = -(-SHARDS // await self._processes(tx, now, until))
        mine = [row.shard for row in rows.values() if row.holder == self._holder and row.expires_at > now]
        free = [row.shard for row in rows.values() if row.expires_at <= now]
        wanted = (mine + free)[:fair]
        await tx.execute(_take_query(), {"holder": self._holder, "until": until, "now": now, "shards": wanted})
        if mine[fair:]:
            await tx.update(LeaseRow, {"shard": mine[fair:], "holder": self._holder}, holder="", expires_at=0)
        # Of two that reach for the same free shard, the database lets one have it.
        return [row.shard for row in await tx.find(LeaseRow, holder=self._holder, expires_at=until)]

    async def _processes(self, tx: Transaction, now: int, until: int) -> int:
        """How many live processes there are, this one among them."""
        if not await tx.update(ProcessRow, {"holder": self._holder}, expires_at=until):
            await tx.insert(ProcessRow(self._holder, until))
        others = await tx.find(ProcessRow)
        dead = [row.holder for row in others if row.expires_at <= now]
        if dead:
            await tx.delete(ProcessRow, holder=dead)
        return len(others) - len(dead)


@cache
def _take_query() -> Query:
    changes_hands = sa.case((LeaseRow.c.holder == sa.bindparam("holder"), 0), else_=1)
    return Query(
        sa.update(LeaseRow.table)
        .where(
            LeaseRow.c.shard.in_(sa.bindparam("shards", expanding=True)),
            sa.or_(LeaseRow.c.holder == sa.bindparam("holder"), LeaseRow.c.expires_at <= sa.bindparam("now")),
        )
        # The fence first: MariaDB computes each value from those that were set before it.
        .ordered_values(
            (LeaseRow.c.fence, LeaseRow.c.fence + changes_hands),
            (LeaseRow.c.holder, sa.bindparam("holder")),
            (LeaseRow.c.expires_at, sa.bindparam("until")),
        )
    )
