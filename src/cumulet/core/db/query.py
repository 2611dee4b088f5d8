"""A statement, compiled once for each kind of database into what its driver takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
    "mysql": mysql.dialect(paramstyle="format"),
}


class Query:
    """A Core statement with named parameters.

    Keep it: as a constant, or behind a cache keyed by its shape. Compiling costs a hundred times as much as running.
    """

    __slots__ = ("_compiled", "booleans", "statement")

    def __init__(self, statement: sa.Executable) -> None:
        self.statement = statement
        self._compiled: dict[str, _Compiled] = {}
        columns = getattr(statement, "selected_columns", ())
        self.booleans = tuple(i for i, column in enumerate(columns) if isinstance(column.type, sa.Boolean))

    def bind(self, dialect: str, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """The text and the positional values for a driver. Names without a value take the statement's own."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = _Compiled(self.statement, DIALECTS[dialect])
        return compiled.bind(values)


MOST_LENGTHS = 256
"""Texts kept of one statement with lists, by the lengths of the lists."""


class _Compiled:
    __slots__ = ("_compiled", "_defaults", "_lists", "_order", "_text", "_texts")

    def __init__(self, statement: sa.Executable, dialect: Dialect) -> None:
        self._compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._order: list[str] = list(self._compiled.positiontup or ())
        self._defaults: dict[str, Any] = dict(self._compiled.params)
        self._lists = [self._compiled.bind_names[bound] for bound in self._compiled.post_compile_params]
        self._text = str(self._compiled)
        self._texts: dict[tuple[int, ...], tuple[str, list[tuple[str, int]]]] = {}

    def bind(self, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        if self._lists:
            return self._with_lists({**self._defaults, **values})
        defaults = self._defaults
        return self._text, [values[name] if name in values else defaults[name] for name in self._order]

    def _with_lists(self, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """Lists behind IN: the text depends on their lengths, and on nothing else."""
        lengths = tuple(len(values[name]) for name in self._lists)
        known = self._texts.get(lengths)
        if known is None:
            state = self._compiled.construct_expanded_state(values)
            places = {
                one: (name, place) for name, many in state.parameter_expansion.items() for place, one in enumerate(many)
            }
            known = state.statement, [places.get(name, (name, -1)) for name in state.positiontup]
            if len(self._texts) < MOST_LENGTHS:
                self._texts[lengths] = known
        text, order = known
        return text, [values[name] if place < 0 else values[name][place] for name, place in order]
