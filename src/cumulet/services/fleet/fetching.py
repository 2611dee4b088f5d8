"""What a node is told when it asks: its orders, and notices about the networks and groups that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Assignment, Assignments, Kind
from cumulet.core.db import Query
from cumulet.services.fleet import notices
from cumulet.services.fleet.assignments import AssignmentRow
from cumulet.services.fleet.room import Ear, Fleet

LONGEST_WAIT = 60.0
MOST_CHANGES = 1000
GATHERING_SECONDS = 1.0
"""A node that was told notices is told the next ones so much later, all together; orders never wait."""
ABOUT = (Kind.NETWORK, Kind.GROUP)


async def fetch(room: Fleet, node: str, since: int, noticed: int, wait: float) -> Assignments:
    """What changed for a node since an order's number and a notice's; hangs up to `wait` seconds while nothing has."""
    with _listening(room, [node]) as ear:
        async with room.database.read() as tx:
            subjects = await notices.subjects(tx, node)
        with _listening(room, subjects, ear):
            answer = await _changes(room, node, since, noticed)
            if not answer.changes and wait > 0:
                if not answer.notices:
                    await _within(ear.heard, min(wait, LONGEST_WAIT))
                await _within(ear.ordered, room.told_at.get(node, 0.0) + GATHERING_SECONDS - _now())
                answer = await _changes(room, node, since, noticed)
    if answer.notices:
        room.told_at[node] = _now()
    return answer


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _within(event: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


@contextmanager
def _listening(room: Fleet, names: Sequence[str], ear: Ear | None = None) -> Iterator[Ear]:
    """An ear for news of a node, or of what it holds."""
    ear = ear or Ear()
    for name in names:
        room.ears.setdefault(name, set()).add(ear)
    try:
        yield ear
    finally:
        for name in names:
            room.ears[name].discard(ear)
            if not room.ears[name]:
                del room.ears[name]


async def _changes(room: Fleet, node: str, since: int, noticed: int) -> Assignments:
    async with room.database.read() as tx:
        until = await notices.told(tx)
        changes = [
            _assignment(row) for row in await tx.rows(AssignmentRow, _since_query(), {"node": node, "since": since})
        ]
        fresh = [(change.kind, change.key) for change in changes if change.kind in ABOUT and not change.gone]
        return Assignments(
            epoch="",
            number=changes[-1].number if changes else since,
            complete=since == 0 and len(changes) < MOST_CHANGES,
            changes=tuple(changes),
            noticed=until,
            notices=await notices.news(tx, node, noticed, until, fresh) if fresh or noticed < until else (),
        )


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        kind=Kind(row.kind),
        key=row.key,
        number=row.number,
        generation=row.generation,
        gone=row.gone,
        spec=msgspec.Raw(row.spec.encode()),
    )


@cache
def _since_query() -> Query:
    c = AssignmentRow.c
    return Query(
        sa.select(AssignmentRow.table)
        .where(c.node == sa.bindparam("node"), c.number > sa.bindparam("since"))
        .order_by(c.number)
        .limit(MOST_CHANGES)
    )
