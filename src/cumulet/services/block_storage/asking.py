"""What all lists of this service understand: their sorting, and the count beside them."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Row, Transaction
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.body import UNREADABLE
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, MarkerNotFound, Question, ask, parse_sort
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.wire import parse_bool
from cumulet.lib.numbers import whole
from cumulet.services.block_storage.room import BlockStorage

COUNTED = version("3.45")
MOST_SKIPPED = 10_000
"""Rows that `offset` may skip; a marker goes further."""


def sorted_as_asked(listing: Listing, question: Question, call: Call) -> Question:
    """`sort=key:direction,…`, or the older `sort_key` and `sort_dir`. Without a direction: descending."""
    request = call.request
    if (sort := request.one("sort")) is not None:
        pairs = [part.partition(":") for part in sort.split(",") if part]
        keys = [key.strip() for key, _, _ in pairs]
        question.sort = parse_sort(listing, keys, [direction.strip() or "desc" for _, _, direction in pairs])
    elif (key := request.one("sort_key")) is not None:
        question.sort = parse_sort(listing, [key], [request.one("sort_dir") or "desc"])
    elif (direction := request.one("sort_dir")) is not None:
        question.sort = parse_sort(listing, ["created_at"], [direction])
    return question


async def page(noun: Resource, tx: Transaction, call: Call, question: Question) -> tuple[list[Any], bool]:
    """A page of rows, and whether a client should ask on. A marker that names nothing is a 404 in this service."""
    offset, limit = _offset(call), question.limit
    if call.request.one("limit") == "0":
        return [], False
    if offset and limit:
        question.limit += offset
    try:
        rows, more = await noun.page(tx, call, question)
    except MarkerNotFound as error:
        raise NotFound(error.message) from error
    rows = rows[offset:]
    # A page that is just full may be followed by another one: clients of this service ask until one is not full.
    return rows, more or (bool(call.request.one("limit")) and bool(rows) and len(rows) == limit)


def _offset(call: Call) -> int:
    text = call.request.one("offset") or "0"
    try:
        offset = whole(text)
    except ValueError:
        offset = MOST_SKIPPED + 1
    if offset > MOST_SKIPPED:
        raise BadRequest(f"Invalid value for offset: {text[:40]!r} is not an integer from 0 to {MOST_SKIPPED}")
    return offset


def shown_without(noun: Resource, call: Call, row: Any, *hidden: str) -> dict[str, Any]:
    """A noun's page as the answer to its making or change shows it: without what only its own page tells."""
    names = frozenset(noun.view.names(call.version)) - frozenset(hidden)
    return {noun.one: noun.view.render(call, only=names)(row, call)}


async def page_of(
    room: BlockStorage, call: Call, noun: Resource, row: type[Row], *, brief: bool, counted: bool = True
) -> Listed:
    """A page of a noun, with the number of all that match beside it where that was asked for."""
    question = sorted_as_asked(noun.listing, ask(noun.listing, row, call), call)
    beside: dict[str, Any] = {}
    async with room.database.read() as tx:
        rows, more = await page(noun, tx, call, question)
        if counted and call.version >= COUNTED and flag(call, "with_count"):
            beside["count"] = await noun.lister.count(tx, question)
    return Listed(rows, more, brief=brief, beside=beside)


def flag(call: Call, name: str) -> bool:
    """Whether the query string says yes to this. Raises BadRequest for what is neither yes nor no."""
    try:
        return parse_bool(call.request.one(name) or "false")
    except ValueError as error:
        raise BadRequest(f"Invalid value for '{name}': {error}") from error


def metadata_filter(row: type[Row]) -> Filter:
    """`metadata={'key': 'value'}`: all of these pairs."""

    def clause(values: list[Any]) -> tuple[str, Clause, dict[str, Any]]:
        pairs = [pair for found in values for pair in found.items()]
        # Inside JSON text a quote within a word is escaped: a fragment with bare quotes matches nothing but a pair.
        fragments = [f"{msgspec.json.encode(k).decode()}:{msgspec.json.encode(v).decode()}" for k, v in pairs]
        names = [f"metadata_{place}" for place in range(len(fragments))]
        parts = [
            sa.func.replace(row.c.metadata, sa.bindparam(name, type_=sa.String), "") != row.c.metadata for name in names
        ]
        return f"metadata {len(parts)}", sa.and_(sa.true(), *parts), dict(zip(names, fragments, strict=True))

    return Filter("metadata", parse=_pairs, clause=clause)


def _pairs(text: str) -> dict[str, str]:
    """The pairs of a filter in JSON, or in the form that Python prints."""
    for form in (text, text.replace("u'", "'").replace("'", '"')):
        try:
            found = msgspec.json.decode(form, type=dict[str, str])
        except UNREADABLE:
            continue
        if len(found) <= 16:
            return found
    raise ValueError("give at most 16 pairs as {'key': 'value'}")
