"""MariaDB and MySQL by asyncmy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy
from asyncmy import errors
from asyncmy.constants.CLIENT import FOUND_ROWS

from cumulet.core.db.engine import Collision, Connection, Duplicate

CONNECTIONS = 10
_DUPLICATE_ENTRY, _LOCK_WAIT_TIMEOUT, _DEADLOCK, _RECORD_CHANGED = 1062, 1205, 1213, 1020
_KEY = re.compile(r"for key '(?:[^'.]*\.)?([^']+)'")


class MariadbConnection:
    """A session from the pool."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            async with self.raw.cursor() as cursor:
                await cursor.execute(text, tuple(values) or None)
                return await cursor.fetchall()  # type: ignore[no-any-return]
        except errors.MySQLError as error:
            raise _translated(error) from error

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        try:
            async with self.raw.cursor() as cursor:
                await cursor.execute(text, tuple(values) or None)
                return int(cursor.rowcount)
        except errors.MySQLError as error:
            raise _translated(error) from error

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            async with self.raw.cursor() as cursor:
                await cursor.executemany(text, [tuple(row) for row in rows])
        except errors.MySQLError as error:
            raise _translated(error) from error


class MariadbBackend:
    """A pool of sessions with one server."""

    dialect = "mysql"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> MariadbBackend:
        parts = urlsplit(url)
        pool = await asyncmy.create_pool(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            db=parts.path.lstrip("/"),
            charset="utf8mb4",
            minsize=1,
            maxsize=CONNECTIONS,
            autocommit=True,
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            sql_mode="STRICT_ALL_TABLES",
            # An update that changes nothing still counts the rows it matched, as the other databases count.
            client_flag=FOUND_ROWS,
        )
        return cls(pool)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as raw:
            yield MariadbConnection(raw)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as raw:
            await raw.begin()
            try:
                yield MariadbConnection(raw)
            except BaseException:
                if raw.connected:  # not where a statement was broken off: the session went with it, and so all it did
                    await raw.rollback()
                raise
            try:
                await raw.commit()
            except errors.MySQLError as error:
                raise _translated(error) from error

    async def close(self) -> None:
        self._pool.close()
        await self._pool.wait_closed()


def _translated(error: Any) -> Exception:
    code = error.args[0] if error.args else 0
    if code == _DUPLICATE_ENTRY:
        key = _KEY.search(str(error.args[1]))
        return Duplicate(key[1] if key else "")
    if code in (_DEADLOCK, _LOCK_WAIT_TIMEOUT, _RECORD_CHANGED):
        return Collision(str(error))
    return error  # type: ignore[no-any-return]
