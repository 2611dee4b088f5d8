"""What every directory can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType, Protocol

Filter = NewType("Filter", bytes)
"""A condition in its encoded form, where no value can be taken for anything else; `ldap/filters.py` makes them."""


class Scope(IntEnum):
    """How far below its base a search looks."""

    BASE = 0
    ONE = 1
    SUB = 2


class DirectoryDown(Exception):
    """No answer in time, or none that helps. Its text says which directory, and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its distinguished name, and the values of the attributes that were asked for, by lower-case name."""

    dn: str
    attributes: Mapping[str, Sequence[str]]

    def all(self, name: str) -> Sequence[str]:
        return self.attributes.get(name.lower(), ())

    def first(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class Directory(Protocol):
    """A directory, for those who only read it. Every question ends within seconds."""

    async def search(self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str]) -> list[Entry]:
        """All entries that fulfil the condition; none where there is no such base. Raises DirectoryDown."""
        ...

    async def accepts(self, dn: str, password: str) -> bool:
        """Is it the password of this entry? Raises DirectoryDown."""
        ...

    async def close(self) -> None: ...
