"""Facets: groups of attributes and behaviours under the alias by which clients look for them.

A noun includes facets; the list of extensions is derived from what the service's nouns include, so that no alias is
ever claimed that nothing serves.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from cumulet.core.web.body import Field
from cumulet.core.web.listing import Filter


@dataclass(frozen=True)
class Facet:
    """Attributes and filters of a noun, under an extension's alias; without an alias they belong to the core."""

    alias: str = ""
    title: str = ""
    fields: tuple[Field, ...] = ()
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class OrNull:
    """Source of a field that shows null for an empty column, and is filtered by that column."""

    column: str

    def __call__(self, row: object, call: object) -> object:
        return getattr(row, self.column) or None


@dataclass(frozen=True)
class Passed:
    """Source of a field whose column holds JSON text; it is passed through undecoded."""

    column: str

    def __call__(self, row: object, call: object) -> msgspec.Raw:
        return msgspec.Raw(getattr(row, self.column).encode())
