"""What a rule is once its text has been read: a tree of checks."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """`%(name)s`: text that the target gives."""

    name: str


Template = tuple[str | Place, ...]
"""What a check wants: text and places, in order."""


@dataclass(frozen=True, slots=True)
class Constant:
    """`@`, `!` or an empty text."""

    allows: bool


@dataclass(frozen=True, slots=True)
class Not:
    term: Tree


@dataclass(frozen=True, slots=True)
class AllOf:
    terms: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    terms: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """`rule:name`: whatever that rule says."""

    rule: str
    position: int


@dataclass(frozen=True, slots=True)
class Role:
    """`role:name`: the caller has that role, in whatever case it is written."""

    name: Template


@dataclass(frozen=True, slots=True)
class Literal:
    """`'public':%(visibility)s`: the target has this very value."""

    value: str
    wanted: Template


@dataclass(frozen=True, slots=True)
class Attribute:
    """`user_id:%(user.id)s`: what the caller's credentials hold under this path is what is wanted."""

    path: tuple[str, ...]
    wanted: Template


@dataclass(frozen=True, slots=True)
class Field:
    """`field:networks:shared=True`: a field of the target has this value or, after `~`, begins with this pattern."""

    resource: str
    name: str
    value: str
    pattern: re.Pattern[str] | None


Tree = Constant | Not | AllOf | AnyOf | Reference | Role | Literal | Attribute | Field
