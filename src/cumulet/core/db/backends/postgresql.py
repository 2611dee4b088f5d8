"""PostgreSQL by asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from cumulet.core.db.engine import Collision, Connection, Duplicate

CONNECTIONS = 10


class PostgresqlConnection:
    """A session from the pool."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            return await self.raw.fetch(text, *values)  # type: ignore[no-any-return]
        except asyncpg.PostgresError as error:
            raise _translated(error) from error

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        try:
            tag: str = await self.raw.execute(text, *values)
        except asyncpg.PostgresError as error:
            raise _translated(error) from error
        last = tag.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            await self.raw.executemany(text, rows)
        except asyncpg.PostgresError as error:
            raise _translated(error) from error


class PostgresqlBackend:
    """A pool of sessions with one server."""

    dialect = "postgresql"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> PostgresqlBackend:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=CONNECTIONS, statement_cache_size=1000, command_timeout=30, reset=_leave
        )
        return cls(pool)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as raw:
            yield PostgresqlConnection(raw)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as raw:
            transaction = raw.transaction(isolation="read_committed")
            await transaction.start()
            try:
                yield PostgresqlConnection(raw)
            except BaseException:
                await transaction.rollback()
                raise
            try:
                await transaction.commit()
            except asyncpg.PostgresError as error:
                raise _translated(error) from error

    async def close(self) -> None:
        await self._pool.close()


async def _leave(raw: object) -> None:
    """Back into the pool without a word to the server: no session keeps locks, listens or sets anything beyond its
    transaction, which the pool ends by itself. Asking for a clean session costs as much as reading a row."""


def _translated(error: Exception) -> Exception:
    if isinstance(error, asyncpg.UniqueViolationError):
        return Duplicate(str(getattr(error, "constraint_name", "")))
    if isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError):
        return Collision(str(error))
    return error
