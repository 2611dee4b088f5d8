"""Filters of projects by their tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.web.listing import Clause, Filter
from cumulet.services.identity.projects.row import ProjectRow

MOST = 80


def tag_filters() -> list[Filter]:
    """`tags=a,b` (all of them), `tags-any`, `not-tags`, `not-tags-any`."""
    return [
        Filter("tags", clause=lambda values: _clause("tags", values, every=True, inverted=False)),
        Filter("tags-any", clause=lambda values: _clause("any", values, every=False, inverted=False)),
        Filter("not-tags", clause=lambda values: _clause("not", values, every=True, inverted=True)),
        Filter("not-tags-any", clause=lambda values: _clause("none", values, every=False, inverted=True)),
    ]


def _clause(word: str, values: list[str], *, every: bool, inverted: bool) -> tuple[Any, Clause, Mapping[str, Any]]:
    names = [name for name in ",".join(values).split(",") if name][:MOST]
    column = ProjectRow.c.tags
    # The column holds a JSON list. A quoted name in it cannot be part of another one, and taking it out changes the
    # text exactly when it is there: unlike LIKE, that minds upper and lower case in every database.
    parts: list[Clause] = [
        sa.func.replace(column, sa.bindparam(f"tag_{word}_{n}", type_=sa.String), "") != column
        for n in range(len(names))
    ]
    clause = sa.and_(sa.true(), *parts) if every else sa.or_(sa.false(), *parts)
    bound = {f"tag_{word}_{n}": msgspec.json.encode(name).decode() for n, name in enumerate(names)}
    return (word, len(names)), sa.not_(clause) if inverted else clause, bound
