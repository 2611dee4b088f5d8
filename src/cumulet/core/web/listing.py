"""Lists: filters, sorting and pages by marker, as one statement for each shape of question."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query, Row, Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.versions import window
from cumulet.lib.numbers import MOST_DIGITS

Clause = sa.ColumnElement[bool]
_INTEGER = re.compile(r"(?P<sign>-?)0*(?P<digits>[0-9]+)\Z")


@dataclass(frozen=True)
class Filter:
    """A query parameter that narrows a list. Given several times it means any of its values."""

    name: str
    column: str = ""
    """The compared column; the parameter's own name when empty."""
    parse: Callable[[str], Any] = str
    """From text to the column's value; ValueError becomes a 400 that names the parameter."""
    contains: bool = False
    """Compare a part of the text instead of the whole."""
    rule: str = ""
    """Who may use it; others' use is ignored."""
    since: str = ""
    until: str = ""
    clause: Callable[[list[Any]], tuple[str, Clause, Mapping[str, Any]]] | None = None
    """For what a comparison cannot say: (shape, clause with named parameters, their values)."""


@dataclass(frozen=True)
class Listing:
    """How a noun's list may be asked for."""

    filters: Sequence[Filter] = ()
    sorts: Mapping[str, str] = field(default_factory=dict)
    """Sort keys and their columns."""
    default_sort: Sequence[tuple[str, str]] = (("created_at", "desc"), ("id", "desc"))
    """Columns; the last must be unique."""
    page_since: str = ""
    """The version from which limit and marker are taken."""
    paged: bool = True
    most: int = 1000
    """The largest page; a larger limit is cut to it."""
    marker_column: str = "id"
    all_projects: str = ""
    """The parameter by which an administrator asks for every project; empty: he always sees all."""

    def pages_at(self, version: int) -> bool:
        return self.paged and version in window(self.page_since, "")


@dataclass
class Question:
    """What a client asked of a list, ready to become a statement."""

    clauses: list[Clause] = field(default_factory=list)
    shape: list[Any] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    sort: list[tuple[str, str]] = field(default_factory=list)
    limit: int = 0
    """0: no limit."""
    marker: str = ""
    reverse: bool = False

    def where(self, shape: Any, clause: Clause, values: Mapping[str, Any] = {}) -> None:
        """Narrow by a clause; `shape` must determine its text, the values come in `values`."""
        self.shape.append(shape)
        self.clauses.append(clause)
        self.values.update(values)


class MarkerNotFound(BadRequest):
    """The page's marker names nothing in this list."""


def ask(listing: Listing, row: type[Row], call: Call) -> Question:
    """Read filters, sorting and page from the query string."""
    question = Question()
    request = call.request
    for filter_ in listing.filters:
        given = request.all(filter_.name)
        if not given or call.version not in window(filter_.since, filter_.until):
            continue
        if filter_.rule and not call.may(filter_.rule):
            continue
        try:
            values = [filter_.parse(value) for value in given]
        except ValueError as error:
            raise BadRequest(f"Invalid value for the filter {filter_.name}: {error}") from error
        narrow(question, filter_, row, values)
    question.sort = list(listing.default_sort)
    if listing.pages_at(call.version):
        question.limit = parse_limit(request.one("limit"), listing.most)
        question.marker = request.one("marker") or ""
    return question


def narrow(question: Question, filter_: Filter, row: type[Row], values: list[Any]) -> None:
    """Add one filter with its values to a question."""
    if filter_.clause:
        question.where(*filter_.clause(values))
        return
    name = filter_.column or filter_.name
    column = row.c[name]
    bound = f"filter_{filter_.name.replace(':', '_').replace('-', '_')}"
    if filter_.contains:
        parts = [column.contains(sa.bindparam(f"{bound}_{n}"), autoescape=False) for n in range(len(values))]
        clause = sa.or_(*parts)
        question.where((bound, "~", len(values)), clause, {f"{bound}_{n}": value for n, value in enumerate(values)})
    elif len(values) == 1 and values[0] is None:
        question.where((bound, "null"), column.is_(None))
    elif len(values) == 1:
        question.where((bound, "="), column == sa.bindparam(bound, type_=column.type), {bound: values[0]})
    else:
        question.where((bound, "in"), column.in_(sa.bindparam(bound, expanding=True)), {bound: values})


def parse_limit(text: str | None, most: int) -> int:
    """The page's size. Raises BadRequest."""
    if text is None or text == "":
        return most
    form = _INTEGER.match(text)
    if form is None:
        raise BadRequest(f"Invalid value for limit: {text[:40]!r} is not an integer")
    limit = int(form["digits"][:MOST_DIGITS])  # as many as tell that it is larger than any page
    if form["sign"] and limit:
        raise BadRequest("Invalid value for limit: it must be 0 or greater")
    return min(limit, most) if limit else most


def parse_sort(listing: Listing, keys: Sequence[str], directions: Sequence[str]) -> list[tuple[str, str]]:
    """Sort keys as columns, made unique by the default order. Raises BadRequest."""
    chosen: list[tuple[str, str]] = []
    named: set[str] = set()
    for place, key in enumerate(keys):
        if key not in listing.sorts:
            raise BadRequest(f"Invalid sort key {key[:60]!r}; use one of {', '.join(sorted(listing.sorts))}")
        direction = (directions[place] if place < len(directions) else directions[-1] if directions else "asc").lower()
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid sort direction {direction[:20]!r}; use asc or desc")
        # Where a column has sorted already it can sort no more: a key said a thousand times is said once.
        if listing.sorts[key] not in named:
            chosen.append((listing.sorts[key], direction))
            named.add(listing.sorts[key])
    return chosen + [(column, direction) for column, direction in listing.default_sort if column not in named]


class Lister:
    """The statements of one noun's lists, kept by shape."""

    def __init__(self, row: type[Row]) -> None:
        self.row = row
        self._queries: dict[Any, Query] = {}

    async def page(self, tx: Transaction, question: Question, marker_column: str) -> tuple[list[Any], bool]:
        """The rows of a page, and whether more follow."""
        values = dict(question.values)
        if question.marker:
            values |= await self._marker(tx, question, marker_column)
        query = self._query(question)
        if question.limit:
            values["page_limit"] = question.limit + 1
        rows = await tx.rows(self.row, query, values)
        more = bool(question.limit) and len(rows) > question.limit
        rows = rows[: question.limit] if question.limit else rows
        if question.reverse:
            rows.reverse()
        return rows, more

    async def count(self, tx: Transaction, question: Question) -> int:
        """How many rows match, pages aside."""
        key = ("count", *question.shape)
        query = self._queries.get(key)
        if query is None:
            query = Query(sa.select(sa.func.count()).select_from(self.row.table).where(*question.clauses))
            self._keep(key, query)
        return int(await tx.scalar(query, question.values))

    async def _marker(self, tx: Transaction, question: Question, marker_column: str) -> dict[str, Any]:
        marker = await tx.get(self.row, **{marker_column: question.marker})
        if marker is None:
            raise MarkerNotFound(f"Marker {question.marker[:64]} could not be found. Start again from the first page.")
        return {f"marker_{column}": getattr(marker, column) for column, _ in question.sort}

    def _query(self, question: Question) -> Query:
        key = (*question.shape, tuple(question.sort), bool(question.limit), bool(question.marker), question.reverse)
        query = self._queries.get(key)
        if query is None:
            query = Query(self._statement(question))
            self._keep(key, query)
        return query

    def _keep(self, key: Any, query: Query) -> None:
        # Clients choose the shape; a bound keeps them from filling the memory with combinations.
        if len(self._queries) < 1024:
            self._queries[key] = query

    def _statement(self, question: Question) -> sa.Select[Any]:
        sort = question.sort
        if question.reverse:
            sort = [(column, "asc" if direction == "desc" else "desc") for column, direction in sort]
        statement = sa.select(self.row.table).where(*question.clauses)
        if question.marker:
            statement = statement.where(self._after_marker(sort))
        columns = self.row.c
        statement = statement.order_by(*(columns[c].desc() if d == "desc" else columns[c].asc() for c, d in sort))
        if question.limit:
            statement = statement.limit(sa.bindparam("page_limit", type_=sa.Integer))
        return statement

    def _after_marker(self, sort: Sequence[tuple[str, str]]) -> Clause:
        """Rows behind the marker: greater in the first column, or equal there and greater in the next, and so on."""
        arms: list[Clause] = []
        for place, (name, direction) in enumerate(sort):
            equal = [self.row.c[before] == self._marked(before) for before, _ in sort[:place]]
            column = self.row.c[name]
            beyond = column < self._marked(name) if direction == "desc" else column > self._marked(name)
            arms.append(sa.and_(*equal, beyond))
        # What all arms have in common, said once more by itself: it is what lets a database begin at the marker instead
        # of reading all that is before it.
        name, direction = sort[0]
        column, marked = self.row.c[name], self._marked(name)
        return sa.and_(column <= marked if direction == "desc" else column >= marked, sa.or_(*arms))

    def _marked(self, name: str) -> sa.BindParameter[Any]:
        return sa.bindparam(f"marker_{name}", type_=self.row.c[name].type)
