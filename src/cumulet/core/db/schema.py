"""A row is declared once, as a Struct; its table follows from it."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.base import ReadOnlyColumnCollection

METADATA = sa.MetaData()
"""Every declared table; a declaration, filled while modules are read and never afterwards."""

PRIMARY = "primary key"
"""Mark of a column of the primary key: `Annotated[str, sa.String(64), PRIMARY]`."""

_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

Id = Annotated[str, sa.String(64), PRIMARY]
Ref = Annotated[str, sa.String(64)]
"""The id of another row, of this room or another; empty for none."""
Name = Annotated[str, sa.String(255)]
Short = Annotated[str, sa.String(64)]
"""A status, a kind, a format: a word."""
LongText = Annotated[str, _LONG]
Json = Annotated[str, _LONG]
"""JSON text, passed through undecoded wherever possible."""
Instant = Annotated[int, sa.BigInteger]
"""Microseconds since 1970; 0 for never."""
BigInt = Annotated[int, sa.BigInteger]
Number = Annotated[int, sa.Integer]
Blob = Annotated[bytes, sa.LargeBinary(2**24 - 1)]

_PLAIN: dict[type, sa.types.TypeEngine[Any]] = {
    str: sa.String(255),
    int: sa.BigInteger(),
    bool: sa.Boolean(),
    float: sa.Double(),
    bytes: sa.LargeBinary(2**24 - 1),
}


class Row(msgspec.Struct, kw_only=False):
    """A stored record. Fields in the order of the columns, so that a database tuple becomes a row in one call."""

    table: ClassVar[sa.Table]
    c: ClassVar[ReadOnlyColumnCollection[str, sa.Column[Any]]]
    booleans: ClassVar[tuple[int, ...]]
    """Positions that SQLite and MariaDB answer as 0 and 1."""


R = TypeVar("R", bound=Row)


def stored(table: str, *extras: sa.Index | sa.UniqueConstraint) -> Callable[[type[R]], type[R]]:
    """Declare the table of a Row class. Give unique indexes names: a broken one is recognised by it."""

    def declare(row: type[R]) -> type[R]:
        hints = typing.get_type_hints(row, include_extras=True)
        columns = [_column(name, hints[name]) for name in row.__struct_fields__]
        row.table = sa.Table(
            table,
            METADATA,
            *columns,
            *extras,
            mysql_engine="InnoDB",
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
        )
        row.c = row.table.c
        row.booleans = tuple(i for i, column in enumerate(columns) if isinstance(column.type, sa.Boolean))
        return row

    return declare


def _column(name: str, hint: Any) -> sa.Column[Any]:
    marks: tuple[Any, ...] = ()
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        hint, nullable = arms[0], True
    if typing.get_origin(hint) is Annotated:
        hint, *rest = typing.get_args(hint)
        marks = tuple(rest)
    kind = next((mark for mark in marks if isinstance(mark, sa.types.TypeEngine)), None)
    if kind is None:
        given = next((mark for mark in marks if isinstance(mark, type) and issubclass(mark, sa.types.TypeEngine)), None)
        kind = given() if given else _PLAIN[hint]
    primary = PRIMARY in [mark for mark in marks if isinstance(mark, str)]
    # Keys are made by us; a database that counts them by itself would make an extra object for each table.
    return sa.Column(name, kind, nullable=nullable, primary_key=primary, autoincrement=False)
