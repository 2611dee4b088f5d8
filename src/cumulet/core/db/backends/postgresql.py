"""PostgreSQL by asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from cumulet.core.db.engine import Collision, Connection, Duplicate

CONNECTIONS = 10
STATEMENTS = 1000
"""Kept prepared in each session."""
SECONDS = 30
"""That one statement may take."""
SECONDS_TO_CLOSE = 2.0
REST_SECONDS = 300
"""What stands between us and the server may forget a session that rested longer, and tells nobody."""

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

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._now = now
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._resting: list[tuple[float, Any]] = []
        self._closed = False

    async def connect(self) -> Any:
        return await asyncpg.connect(self._url, statement_cache_size=STATEMENTS, command_timeout=SECONDS)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        async with self._turns:
            raw = self._rested() or await self.connect()
            try:
                yield raw
            except TimeoutError:
                # A server that lost power is silent to the others, too: they are not to find out one by one.
                for _, other in self._resting:
                    other.terminate()
                raise
            finally:
                self.take_back(raw)

    def _rested(self) -> Any:
        """The one that rested last, which has the most statements prepared; None when there is none."""
        while self._resting:
            since, raw = self._resting.pop()
            if raw.is_closed():
                continue
            if self._now() - since <= REST_SECONDS:
                return raw
            raw.terminate()
        return None

    def take_back(self, raw: Any) -> None:
        if raw.is_closed():
            return
        if self._closed or raw.is_in_transaction():
            raw.terminate()
        else:
            self._resting.append((self._now(), raw))

    async def close(self) -> None:
        """End those that rest; the others end when they come back."""
        self._closed = True
        while self._resting:
            with contextlib.suppress(TimeoutError):  # then it is broken off
                await self._resting.pop()[1].close(timeout=SECONDS_TO_CLOSE)


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
    # The last one: a migration changed what a prepared statement answers. By now the session has forgotten it.
    again = asyncpg.SerializationError | asyncpg.DeadlockDetectedError | asyncpg.InvalidCachedStatementError
    if isinstance(error, again):
        return Collision(str(error))
    return error
