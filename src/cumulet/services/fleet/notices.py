"""Notices: what all nodes that hold a network or a group are told about it, written once, however many they are.

Every change takes the next number of one count. The count's row stays locked until the commit, so numbers appear in
their order: who was told up to one of them has missed nothing before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind, Notices
from cumulet.contracts.record import Record
from cumulet.core.db import PRIMARY, Json, Query, Row, Transaction, stored
from cumulet.core.db.engine import Collision, Duplicate
from cumulet.services.fleet.assignments import AssignmentRow
from cumulet.services.fleet.room import Fleet

KEPT = 100_000
"""For so many changes it is remembered what is not so any more. A node that missed more is told everything anew."""
TIDY_EVERY = 1000
_COUNT = "notices"

Subject = tuple[Kind, str]
"""The kind and id of what a notice is about."""


@stored(
    "fleet_notices",
    sa.Index("fleet_notices_stream", "kind", "about", "number"),
    sa.Index("fleet_notices_key", "key"),
    sa.Index("fleet_notices_gone", "gone", "number"),
)
class NoticeRow(Row):
    """One line about a network or a group."""

    kind: Annotated[str, sa.String(16), PRIMARY]
    about: Annotated[str, sa.String(64), PRIMARY]
    key: Annotated[str, sa.String(64), PRIMARY]
    number: int
    gone: bool
    """It is not so any more; kept for nodes that were told that it is."""
    text: Json


@stored("fleet_counts")
class CountRow(Row):
    """How far a stream that belongs to no single node has come."""

    name: Annotated[str, sa.String(16), PRIMARY]
    number: int


async def announce(room: Fleet, key: str, said: Mapping[Subject, Record]) -> None:
    """Under this key, tell just this. Saying the same again costs one question."""
    texts = {
        (str(kind), about): msgspec.json.encode(record, order="deterministic").decode()
        for (kind, about), record in said.items()
    }
    async with room.database.read() as tx:
        if {(row.kind, row.about): row.text for row in await tx.find(NoticeRow, key=key) if not row.gone} == texts:
            return

    async def write(tx: Transaction) -> None:
        number = await _next_number(tx)
        known = {(row.kind, row.about): row for row in await tx.find(NoticeRow, key=key)}
        for subject, text in texts.items():
            row = known.pop(subject, None)
            if row is None:
                await tx.insert(NoticeRow(*subject, key, number, False, text))
            elif row.gone or row.text != text:
                await tx.update(NoticeRow, _where(row), number=number, gone=False, text=text)
            else:
                continue
            tx.wake("notices", subject[1])
        for row in known.values():
            if row.gone:
                continue
            if await tx.find(AssignmentRow, kind=row.kind, key=row.about, gone=False, limit=1):
                await tx.update(NoticeRow, _where(row), number=number, gone=True)
                tx.wake("notices", row.about)
            else:  # nobody was told who does not forget it with all the rest
                await tx.delete(NoticeRow, **_where(row))
        if number % TIDY_EVERY == 0:
            await tx.execute(_tidy_query(), {"oldest": number - KEPT})

    await room.database.write(write)


async def hush(room: Fleet, subject: Subject) -> None:
    """Nothing is told any more about what no node is to hold."""
    kind, about = subject
    async with room.database.read() as tx:
        if not await tx.find(NoticeRow, kind=str(kind), about=about, limit=1):
            return
    await room.database.write(lambda tx: tx.delete(NoticeRow, kind=str(kind), about=about))


async def told(tx: Transaction) -> int:
    """The number of the newest change."""
    row = await tx.get(CountRow, name=_COUNT)
    return row.number if row else 0


async def news(tx: Transaction, node: str, since: int, until: int, fresh: Collection[Subject]) -> tuple[Notices, ...]:
    """What a node is to be told that knows everything up to `since`, but nothing of what it is `fresh` to."""
    if since < until - KEPT:
        fresh = [(Kind(kind), about) for kind, about in await tx.tuples(_subjects_query(), {"node": node})]
    found = {subject: Notices(kind=subject[0], about=subject[1], whole=True, said={}) for subject in fresh}
    for kind in {kind for kind, _ in found}:
        ids = [about for of, about in found if of is kind]
        for about, key, text in await tx.tuples(_whole_query(), {"kind": str(kind), "ids": ids}):
            found[kind, about].said[key] = msgspec.Raw(text.encode())
    if since < until:
        for name, about, key, gone, text in await tx.tuples(_changes_query(), {"node": node, "since": since}):
            subject = Kind(name), about
            if subject not in found:
                found[subject] = Notices(kind=subject[0], about=about, said={}, unsaid=[])
            if found[subject].whole:
                continue
            if gone:
                found[subject].unsaid.append(key)
            else:
                found[subject].said[key] = msgspec.Raw(text.encode())
    return tuple(found.values())


async def subjects(tx: Transaction, node: str) -> list[str]:
    """The ids of what a node is told about."""
    return [about for _, about in await tx.tuples(_subjects_query(), {"node": node})]


def _where(row: NoticeRow) -> dict[str, str]:
    return {"kind": row.kind, "about": row.about, "key": row.key}


async def _next_number(tx: Transaction) -> int:
    if not await tx.execute(_count_query()):
        try:
            await tx.insert(CountRow(_COUNT, 1))
        except Duplicate as race:
            raise Collision("somebody else began to count") from race
    return await told(tx)


@cache
def _count_query() -> Query:
    c = CountRow.c
    return Query(
        sa.update(CountRow.table).where(c.name == sa.literal_column(f"'{_COUNT}'")).values(number=c.number + 1)
    )


@cache
def _tidy_query() -> Query:
    c = NoticeRow.c
    old = sa.and_(c.gone == sa.true(), c.number <= sa.bindparam("oldest", type_=sa.BigInteger))
    return Query(sa.delete(NoticeRow.table).where(old))


def _told_about(node: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """The orders of a node about which there are notices."""
    a = AssignmentRow.c
    kinds = sa.or_(*(a.kind == sa.literal_column(f"'{kind}'") for kind in (Kind.NETWORK, Kind.GROUP)))
    return sa.and_(a.node == node, kinds, a.gone == sa.false())


@cache
def _subjects_query() -> Query:
    a = AssignmentRow.c
    return Query(sa.select(a.kind, a.key).where(_told_about(sa.bindparam("node", type_=sa.String))))


@cache
def _whole_query() -> Query:
    c = NoticeRow.c
    there = sa.and_(c.about.in_(sa.bindparam("ids", expanding=True)), c.gone == sa.false())
    return Query(sa.select(c.about, c.key, c.text).where(c.kind == sa.bindparam("kind", type_=sa.String), there))


@cache
def _changes_query() -> Query:
    a, c = AssignmentRow.c, NoticeRow.c
    both = AssignmentRow.table.join(NoticeRow.table, sa.and_(c.kind == a.kind, c.about == a.key))
    return Query(
        sa.select(c.kind, c.about, c.key, c.gone, c.text)
        .select_from(both)
        .where(
            _told_about(sa.bindparam("node", type_=sa.String)), c.number > sa.bindparam("since", type_=sa.BigInteger)
        )
    )
