"""SQLite, called in the event loop: its queries cost less than handing them to a thread."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cumulet.core.db.engine import Collision, Connection, Duplicate
from cumulet.core.db.schema import METADATA

_BROKEN = re.compile(r"UNIQUE constraint failed: (.+)")


class SqliteConnection:
    """A session with a file."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            return self.raw.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        try:
            return self.raw.execute(text, values).rowcount
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self.raw.executemany(text, rows)
        except sqlite3.Error as error:
            raise _translated(error) from error


class SqliteBackend:
    """One file, one writer, in one process. A second session reads, so that readers never wait for the writer."""

    dialect = "sqlite"

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._writer = _connect(self.path)
        # A database in memory belongs to one session; there the writer reads as well.
        self._reader = self._writer if self.path == ":memory:" else _connect(self.path)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        yield SqliteConnection(self._reader)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._turn:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise Collision(str(error)) from error
            try:
                yield SqliteConnection(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    async def close(self) -> None:
        self._reader.close()
        self._writer.close()


def _connect(path: str) -> sqlite3.Connection:
    raw = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=512, check_same_thread=False)
    raw.execute("PRAGMA journal_mode=WAL")
    # With a write-ahead log this survives the death of the process; a power cut may cost the last moments, never order.
    raw.execute("PRAGMA synchronous=NORMAL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA temp_store=MEMORY")
    return raw


def _translated(error: sqlite3.Error) -> Exception:
    broken = _BROKEN.search(str(error))
    if broken:
        return Duplicate(_index_over(broken[1].split(", ")))
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return Collision(str(error))
    return error


def _index_over(columns: list[str]) -> str:
    """SQLite names the columns, not the index; find the index over just these columns."""
    table_name = columns[0].split(".")[0]
    names = {column.split(".")[1] for column in columns}
    table = METADATA.tables[table_name]
    for index in table.indexes:
        if index.unique and {column.name for column in index.columns} == names:
            return str(index.name)
    return f"{table_name}_pkey"
