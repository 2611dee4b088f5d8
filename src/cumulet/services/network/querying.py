"""What query strings may ask of a list, and the links that a page answers with. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Row
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.wire import parse_bool
from cumulet.lib.numbers import whole, whole_or_none
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.facets import OrNull

PAGING = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})


def column_of(row: type[Row], source: Any) -> str:
    """The column that a field shows; empty where it is made of more than one."""
    name = source.column if isinstance(source, OrNull) else source
    return name if isinstance(name, str) and name in row.c else ""


def parser_of(row: type[Row], column: str) -> Callable[[str], Any]:
    """What makes a filter's text a value of this column. It raises ValueError."""
    kind = row.c[column].type
    if isinstance(kind, sa.Boolean):
        return parse_bool
    if isinstance(kind, sa.Integer):
        return number_within(2**63 if isinstance(kind, sa.BigInteger) else 2**31)
    return str


def number_within(beyond: int) -> Callable[[str], int]:
    """Numbers that a column can be compared with; some databases refuse others with an error of their own."""

    def parse(text: str) -> int:
        value = -whole(text[1:]) if text.startswith("-") else whole(text)
        if not -beyond <= value < beyond:
            raise ValueError(f"{text[:24]} is out of range")
        return value

    return parse


def sorted_by(
    keys: Sequence[str], directions: Sequence[str], columns: Mapping[str, str], usual: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The columns that a list is sorted by, each with its direction. Raises HTTPBadRequest."""
    if len(keys) != len(directions) and directions:
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    chosen: dict[str, str] = {}
    for place, key in enumerate(keys):
        if key not in columns:
            raise HTTPBadRequest(f"['{key[:60]}'] is invalid attribute for sort_key")
        direction = directions[place] if directions else "asc"
        if direction not in ("asc", "desc"):
            raise HTTPBadRequest(f"'{direction[:20]}' is invalid value for sort_dir; use asc or desc")
        chosen.setdefault(columns[key], direction)
    for column, direction in usual:
        chosen.setdefault(column, direction)
    return list(chosen.items())


def is_reversed(query: Sequence[tuple[str, str]]) -> bool:
    """Is the page before a marker asked for, not the one after it?"""
    return (dict(query).get("page_reverse") or "").lower() in ("true", "1")


def page_links(
    url: str, query: Sequence[tuple[str, str]], markers: Sequence[str], *, more: bool
) -> list[dict[str, str]]:
    """The ways from a page, which shows the rows of these markers, to its neighbours."""
    backwards = is_reversed(query)
    asked = whole_or_none(dict(query).get("limit", "")) or 0
    full = more or 0 < asked <= len(markers)
    kept = [(name, value) for name, value in query if name != "page_reverse"]
    back = [*kept, ("page_reverse", "True")]
    links = []
    # A page that is not full is the last one, whichever way one goes.
    if markers and (full or backwards):
        links.append({"rel": "next", "href": with_marker(url, kept, markers[-1])})
    if markers and (full or not backwards):
        links.append({"rel": "previous", "href": with_marker(url, back, markers[0])})
    elif not markers and not backwards:
        links.append({"rel": "previous", "href": with_marker(url, back, "")})
    return links
