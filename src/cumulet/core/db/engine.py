"""Transactions over SQLite, PostgreSQL and MariaDB, with the same few verbs on each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from cumulet.core.db.query import DIALECTS, Query
from cumulet.core.db.schema import METADATA, Row
from cumulet.lib.clock import Clock, SystemClock

R = TypeVar("R", bound=Row)
T = TypeVar("T")

RERUNS = 8
"""How often a transaction that collided with another one is run again."""


class Duplicate(Exception):
    """A unique index refused a row. `index` is its name."""

    def __init__(self, index: str) -> None:
        super().__init__(index)
        self.index = index


class Collision(Exception):
    """The database asks for the transaction to be run again: a deadlock, a serialization failure, a busy file."""


class Connection(Protocol):
    """One session with a database, in its driver's positional form."""

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]: ...

    async def execute(self, text: str, values: Sequence[Any]) -> int: ...

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None: ...


class Backend(Protocol):
    """One kind of database."""

    dialect: str

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A session for reading; each statement sees what was committed before it."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction: committed on a clean exit, undone on an exception. Raises Collision, Duplicate."""
        ...

    async def close(self) -> None: ...


class Transaction:
    """Reads and writes on one session. Made by `Database`; not to be kept."""

    def __init__(self, connection: Connection, dialect: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self._decodes_booleans = dialect != "postgresql"
        self.wakes: list[tuple[str, str]] = []

    @property
    def dialect(self) -> str:
        """`sqlite`, `postgresql` or `mysql`."""
        return self._dialect

    def wake(self, topic: str, key: str) -> None:
        """After the commit, tell whoever watches `topic` to look at `key` again."""
        self.wakes.append((topic, key))

    async def tuples(self, query: Query, values: Mapping[str, Any] = {}) -> Sequence[Sequence[Any]]:
        text, bound = query.bind(self._dialect, values)
        found = await self._connection.fetch(text, bound)
        if query.booleans and self._decodes_booleans:
            return [_with_booleans(row, query.booleans) for row in found]
        return found

    async def scalar(self, query: Query, values: Mapping[str, Any] = {}) -> Any:
        """The first column of the first row, or None."""
        found = await self.tuples(query, values)
        return found[0][0] if found else None

    async def rows(self, row: type[R], query: Query, values: Mapping[str, Any] = {}) -> list[R]:
        """The rows of a query over all columns of one table: `Query(sa.select(ServerRow.table)…)`."""
        return [row(*found) for found in await self.tuples(query, values)]

    async def find(self, row: type[R], order_by: str = "", limit: int = 0, **equal: Any) -> list[R]:
        """The rows whose columns equal these values; a list or tuple means any of its values."""
        names, many = _shape(equal)
        return await self.rows(row, _select(row, names, many, order_by, limit), equal)

    async def get(self, row: type[R], **equal: Any) -> R | None:
        """The one row whose columns equal these values."""
        names, many = _shape(equal)
        found = await self.tuples(_select(row, names, many, "", 1), equal)
        return row(*found[0]) if found else None

    async def count(self, row: type[Row], **equal: Any) -> int:
        names, many = _shape(equal)
        return int(await self.scalar(_count(row, names, many), equal))

    async def execute(self, query: Query, values: Mapping[str, Any] = {}) -> int:
        """Run a statement that changes rows; how many it matched."""
        text, bound = query.bind(self._dialect, values)
        return await self._connection.execute(text, bound)

    async def define(self, statement: sa.schema.ExecutableDDLElement) -> None:
        """Create or change a table."""
        await self._connection.execute(str(statement.compile(dialect=DIALECTS[self._dialect])), ())

    async def insert(self, row: Row) -> None:
        query = _insert(type(row))
        text, bound = query.bind(self._dialect, {name: getattr(row, name) for name in row.__struct_fields__})
        await self._connection.execute(text, bound)

    async def insert_all(self, rows: Iterable[Row]) -> None:
        """Insert rows of one class in one round."""
        batch = list(rows)
        if not batch:
            return
        query = _insert(type(batch[0]))
        bound = [
            query.bind(self._dialect, {name: getattr(row, name) for name in row.__struct_fields__}) for row in batch
        ]
        await self._connection.execute_many(bound[0][0], [values for _, values in bound])

    async def update(self, row: type[Row], where: Mapping[str, Any], **values: Any) -> int:
        """Set columns of the rows whose columns equal `where`; how many rows there were."""
        names, many = _shape(where)
        query = _update(row, names, many, tuple(values))
        bound = {f"w_{name}": value for name, value in where.items()}
        return await self.execute(query, {**values, **bound})

    async def delete(self, row: type[Row], **equal: Any) -> int:
        names, many = _shape(equal)
        return await self.execute(_delete(row, names, many), equal)


class Database:
    """A database and the way to talk to it. `wake` is called after each commit for what the transaction woke."""

    def __init__(
        self,
        backend: Backend,
        *,
        wake: Callable[[str, str], None] = lambda topic, key: None,
        clock: Clock | None = None,
        random_source: random.Random | None = None,
    ) -> None:
        self.backend = backend
        self._wake = wake
        self._clock = clock or SystemClock()
        self._random = random_source or random.Random()  # noqa: S311 - jitter, not a secret

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Read without locking anyone; writing here is refused by nobody but has no transaction around it."""
        async with self.backend.reading() as connection:
            yield Transaction(connection, self.backend.dialect)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction. It awaits nothing but the transaction, and may be run several times."""
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self.backend.writing() as connection:
                    transaction = Transaction(connection, self.backend.dialect)
                    result = await work(transaction)
            except Collision:
                if attempt >= RERUNS:
                    raise
                await self._clock.sleep(0.005 * 2**attempt * self._random.random())
                continue
            for topic, key in transaction.wakes:
                self._wake(topic, key)
            return result

    async def create_tables(self) -> None:
        """Make every declared table at once: for tests and simulation; real databases are made by migrations."""

        await self.write(make_tables)

    async def close(self) -> None:
        await self.backend.close()


async def make_tables(tx: Transaction) -> None:
    """Every declared table that is not there yet."""
    for table in METADATA.sorted_tables:
        await tx.define(sa.schema.CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            await tx.define(sa.schema.CreateIndex(index, if_not_exists=True))


def _with_booleans(row: Sequence[Any], positions: tuple[int, ...]) -> list[Any]:
    decoded = list(row)
    for position in positions:
        value = decoded[position]
        if value is not None:
            decoded[position] = bool(value)
    return decoded


def _shape(equal: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(equal), tuple(name for name, value in equal.items() if isinstance(value, list | tuple))


def _conditions(
    row: type[Row], names: tuple[str, ...], many: tuple[str, ...], prefix: str = ""
) -> list[sa.ColumnElement[bool]]:
    return [
        row.c[name].in_(sa.bindparam(prefix + name, expanding=True))
        if name in many
        else row.c[name] == sa.bindparam(prefix + name, type_=row.c[name].type)
        for name in names
    ]


@cache
def _select(row: type[Row], names: tuple[str, ...], many: tuple[str, ...], order_by: str, limit: int) -> Query:
    statement = sa.select(row.table).where(*_conditions(row, names, many))
    if order_by:
        column = order_by.lstrip("-")
        statement = statement.order_by(row.c[column].desc() if order_by.startswith("-") else row.c[column])
    if limit:
        statement = statement.limit(sa.literal_column(str(int(limit))))
    return Query(statement)


@cache
def _count(row: type[Row], names: tuple[str, ...], many: tuple[str, ...]) -> Query:
    return Query(sa.select(sa.func.count()).select_from(row.table).where(*_conditions(row, names, many)))


@cache
def _insert(row: type[Row]) -> Query:
    return Query(sa.insert(row.table).values({name: sa.bindparam(name) for name in row.__struct_fields__}))


@cache
def _update(row: type[Row], names: tuple[str, ...], many: tuple[str, ...], values: tuple[str, ...]) -> Query:
    changes = {name: sa.bindparam(name, type_=row.c[name].type) for name in values}
    return Query(sa.update(row.table).where(*_conditions(row, names, many, "w_")).values(changes))


@cache
def _delete(row: type[Row], names: tuple[str, ...], many: tuple[str, ...]) -> Query:
    return Query(sa.delete(row.table).where(*_conditions(row, names, many)))
