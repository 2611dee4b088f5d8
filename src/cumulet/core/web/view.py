"""Showing rows: for each (version, visible fields) one function, built when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from cumulet.core.web.body import HIDDEN, Field
from cumulet.core.web.call import Call

Render = Callable[[Any, Call], dict[str, Any]]


def raw(column: str) -> Callable[[Any, Any], msgspec.Raw]:
    """Source of a field whose column already holds JSON text."""
    return lambda row, call: msgspec.Raw(getattr(row, column).encode())


def written(column: str, form: Callable[[int], str]) -> Callable[[Any, Any], str | None]:
    """Source of a field that shows an instant; null while it has not come."""

    def show(row: Any, call: Any) -> str | None:
        instant = getattr(row, column)
        return form(instant) if instant else None

    return show


def or_null(column: str) -> Callable[[Any, Any], Any]:
    """Source of a field that shows null for an empty column."""
    return lambda row, call: getattr(row, column) or None


def render_for(fields: Iterable[Field]) -> Render:
    """A function that shows a row's fields. Plain columns are read by generated code, without a call for each."""
    parts: list[str] = []
    sources: dict[str, Any] = {}
    for place, field in enumerate(fields):
        if callable(field.source):
            sources[f"f{place}"] = field.source
            parts.append(f"{field.name!r}: f{place}(row, call)")
        else:
            column = field.source or field.name
            if not column.isidentifier():
                raise ValueError(f"the field {field.name} needs a source: {column!r} is no column")
            parts.append(f"{field.name!r}: row.{column}")
    code = f"lambda row, call: {{{', '.join(parts)}}}"
    render: Render = eval(code, sources)  # noqa: S307 - made of declared field names only
    return render


class View:
    """The shown side of a noun's fields."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(field for field in fields if field.source != HIDDEN)
        self._renders: dict[tuple[int, bool, frozenset[str], frozenset[str]], Render] = {}
        self._rules = frozenset(field.rule for field in self.fields if field.rule)

    def names(self, version: int) -> list[str]:
        return [field.name for field in self.fields if field.lives_at(version)]

    def render(self, call: Call, *, brief: bool = False, only: frozenset[str] = frozenset()) -> Render:
        """How rows are shown in this call. `only` names the fields that were asked for; empty: all."""
        seen = frozenset(rule for rule in self._rules if call.may(rule))
        key = (call.version, brief, seen, only)
        render = self._renders.get(key)
        if render is None:
            render = render_for(
                field
                for field in self.fields
                if field.lives_at(call.version)
                and (not field.rule or field.rule in seen)
                and (not brief or field.brief)
                and (not only or field.name in only)
            )
            # Clients choose `only`; a bound keeps them from filling the memory with combinations.
            if len(self._renders) < 512:
                self._renders[key] = render
        return render
