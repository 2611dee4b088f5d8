"""PostgreSQL by asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from cumulet.core.db.engine import Collision, Connection, Duplicate

CONNECTIONS = 10
STATEMENTS = 1000
"""Kept prepared in each session."""
SECONDS = 30
"""That one statement may take."""

T = TypeVar("T")


class PostgresqlConnection:
    """A session, lent."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = await _answered(self.raw, self.raw.fetch(text, *values))
        return found

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        tag: str = await _answered(self.raw, self.raw.execute(text, *values))
        last = tag.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        await _answered(self.raw, self.raw.executemany(text, rows))


class Sessions:
    """Sessions with one server, each lent to one borrower at a time; he who waits longest is next.

    They come back as they went: a session that holds a transaction or was cut short in a statement is thrown away. So
    none needs to be asked for a clean start, and lending costs next to nothing.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._resting: list[Any] = []
        self._closed = False

    async def connect(self) -> Any:
        return await asyncpg.connect(self._url, statement_cache_size=STATEMENTS, command_timeout=SECONDS)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        async with self._turns:
            raw = self._rested() or await self.connect()
            try:
                yield raw
            finally:
                self.take_back(raw)

    def _rested(self) -> Any:
        """The one that rested last, which has the most statements prepared; None when there is none."""
        while self._resting:
            raw = self._resting.pop()
            if not raw.is_closed():
                return raw
        return None

    def take_back(self, raw: Any) -> None:
        if raw.is_closed():
            return
        if self._closed or raw.is_in_transaction():
            raw.terminate()
        else:
            self._resting.append(raw)

    async def close(self) -> None:
        """End those that rest; the others end when they come back."""
        self._closed = True
        while self._resting:
            await self._resting.pop().close()


class PostgresqlBackend:
    """A server."""

    dialect = "postgresql"

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @classmethod
    async def open(cls, url: str) -> PostgresqlBackend:
        sessions = Sessions(url)
        sessions.take_back(await sessions.connect())  # whoever starts learns at once that the server is not there
        return cls(sessions)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._sessions.lent() as raw:
            yield PostgresqlConnection(raw)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._sessions.lent() as raw:
            transaction = raw.transaction(isolation="read_committed")
            await _answered(raw, transaction.start())
            try:
                yield PostgresqlConnection(raw)
            except BaseException:
                if not raw.is_closed():
                    await _answered(raw, transaction.rollback())
                raise
            await _answered(raw, transaction.commit())

    async def close(self) -> None:
        await self._sessions.close()


async def _answered(raw: Any, asked: Awaitable[T]) -> T:
    """What the server answers. Raises Collision, Duplicate.

    A session that is left while a statement runs would give its answer to the next one who asks, so it is ended.
    """
    try:
        return await asked
    except asyncpg.PostgresError as error:
        raise _translated(error) from error
    except BaseException:
        raw.terminate()
        raise


def _translated(error: Exception) -> Exception:
    if isinstance(error, asyncpg.UniqueViolationError):
        return Duplicate(str(getattr(error, "constraint_name", "")))
    if isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError):
        return Collision(str(error))
    return error
