"""The filter `password_expires_at=lt:2026-11-23T00:00:00Z`, of users and of the members of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cumulet.core.web.listing import Clause, Filter
from cumulet.lib.clock import parse_iso
from cumulet.services.identity.users.row import UserRow

_COLUMN = UserRow.c.password_expires_at
_BOUND = sa.bindparam("password_expiry", type_=sa.BigInteger)
_COMPARISONS: dict[str, Clause] = {
    "lt": _COLUMN < _BOUND,
    "lte": _COLUMN <= _BOUND,
    "gt": _COLUMN > _BOUND,
    "gte": _COLUMN >= _BOUND,
    "eq": _COLUMN == _BOUND,
    "neq": _COLUMN != _BOUND,
}


def _parse(text: str) -> tuple[str, int]:
    word, colon, instant = text.partition(":")
    if not colon or word not in _COMPARISONS:
        raise ValueError(f"begin with one of {', '.join(_COMPARISONS)} and a colon")
    return word, parse_iso(instant)


def _clause(values: list[tuple[str, int]]) -> tuple[str, Clause, Mapping[str, Any]]:
    word, instant = values[-1]
    return f"expiry {word}", sa.and_(_COLUMN > 0, _COMPARISONS[word]), {"password_expiry": instant}


def expiry_filter(name: str) -> Filter:
    return Filter(name, parse=_parse, clause=_clause)
