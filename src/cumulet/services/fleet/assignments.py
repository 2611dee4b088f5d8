"""Assignments: what each node is ordered to hold, and the facts it reported of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Assignment, Assignments, Kind, Report
from cumulet.contracts.record import Record
from cumulet.core.db import PRIMARY, Json, Query, Row, Short, Transaction, stored
from cumulet.lib.ids import is_uuid
from cumulet.services.fleet.nodes import NodeRow
from cumulet.services.fleet.room import Fleet

LONGEST_WAIT = 60.0
MOST_CHANGES = 1000


@stored(
    "fleet_assignments",
    sa.Index("fleet_assignments_stream", "node", "number"),
    sa.Index("fleet_assignments_key", "kind", "key"),
)
class AssignmentRow(Row):
    """One order to one node, and what the node last said about it."""

    node: Annotated[str, sa.String(255), PRIMARY]
    kind: Annotated[str, sa.String(16), PRIMARY]
    key: Annotated[str, sa.String(64), PRIMARY]
    number: int
    generation: int
    digest: Short
    gone: bool
    spec: Json
    observed: int = 0
    """The generation the facts speak of; 0: the node has not spoken."""
    sequence: int = 0
    facts: Json = "{}"


class Held(msgspec.Struct):
    """One leg of a thing: a node that is ordered to hold it, or to let go of it."""

    node: str
    key: str
    generation: int
    gone: bool
    observed: int
    sequence: int
    facts: bytes
    acknowledged_gone: bool = False


class Order(msgspec.Struct):
    """A complete spec for one node."""

    node: str
    kind: Kind
    key: str
    spec: Record
    generation: int


async def assign(room: Fleet, orders: Sequence[Order]) -> None:
    """Write these orders; one that says what the node has been told already costs nothing."""
    if not orders:
        return
    texts = [msgspec.json.encode(order.spec, order="deterministic").decode() for order in orders]
    digests = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]

    async def write(tx: Transaction) -> None:
        touched: set[str] = set()
        for order, text, digest in zip(orders, texts, digests, strict=True):
            where = {"node": order.node, "kind": str(order.kind), "key": order.key}
            row = await tx.get(AssignmentRow, **where)
            if row and row.digest == digest and not row.gone and row.generation == order.generation:
                continue
            number = await _next_number(tx, order.node)
            if row is None:
                await tx.insert(
                    AssignmentRow(order.node, str(order.kind), order.key, number, order.generation, digest, False, text)
                )
            else:
                await tx.update(
                    AssignmentRow,
                    where,
                    number=number,
                    generation=order.generation,
                    digest=digest,
                    gone=False,
                    spec=text,
                )
            touched.add(order.node)
        for node in touched:
            tx.wake("assignments", node)

    await room.database.write(write)


async def withdraw(room: Fleet, node: str, kind: Kind, key: str) -> None:
    """Order a node to destroy something. The order stands until the node has acknowledged it."""
    where = {"node": node, "kind": str(kind), "key": key}

    async def write(tx: Transaction) -> None:
        row = await tx.get(AssignmentRow, **where)
        if row is None or row.gone:
            return
        await tx.update(AssignmentRow, where, number=await _next_number(tx, node), gone=True)
        tx.wake("assignments", node)

    await room.database.write(write)


async def forget(room: Fleet, node: str, kind: Kind, key: str) -> None:
    """Drop an order without asking its node: the operator declared the node dead."""
    await room.database.write(lambda tx: tx.delete(AssignmentRow, node=node, kind=str(kind), key=key))


async def held(room: Fleet, kind: Kind, keys: Sequence[str]) -> dict[str, list[Held]]:
    """Every leg of these things."""
    found: dict[str, list[Held]] = {key: [] for key in keys}
    async with room.database.read() as tx:
        for start in range(0, len(keys), 500):
            rows = await tx.tuples(_legs_query(), {"kind": str(kind), "keys": list(keys[start : start + 500])})
            for node, key, generation, gone, observed, sequence, facts in rows:
                leg = Held(node, key, generation, gone, observed, sequence, facts.encode())
                found[key].append(leg)
    return found


@cache
def _legs_query() -> Query:
    c = AssignmentRow.c
    return Query(
        sa.select(c.node, c.key, c.generation, c.gone, c.observed, c.sequence, c.facts).where(
            c.kind == sa.bindparam("kind"), c.key.in_(sa.bindparam("keys", expanding=True))
        )
    )


async def fetch(room: Fleet, node: str, since: int, wait: float) -> Assignments:
    """What changed for a node since an order's number; hangs up to `wait` seconds while nothing has."""
    event = asyncio.Event()
    room.waiting.setdefault(node, set()).add(event)
    try:
        answer = await _changes(room, node, since)
        if not answer.changes and wait > 0:
            try:
                async with asyncio.timeout(min(wait, LONGEST_WAIT)):
                    await event.wait()
            except TimeoutError:
                return answer
            answer = await _changes(room, node, since)
        return answer
    finally:
        room.waiting[node].discard(event)


async def _changes(room: Fleet, node: str, since: int) -> Assignments:
    async with room.database.read() as tx:
        rows = await tx.rows(AssignmentRow, _since_query(), {"node": node, "since": since})
    changes = tuple(
        Assignment(
            kind=Kind(row.kind),
            key=row.key,
            number=row.number,
            generation=row.generation,
            gone=row.gone,
            spec=msgspec.Raw(row.spec.encode()),
        )
        for row in rows
    )
    whole = since == 0 and len(changes) < MOST_CHANGES
    return Assignments(epoch="", number=changes[-1].number if changes else since, complete=whole, changes=changes)


@cache
def _since_query() -> Query:
    c = AssignmentRow.c
    return Query(
        sa.select(AssignmentRow.table)
        .where(c.node == sa.bindparam("node"), c.number > sa.bindparam("since"))
        .order_by(c.number)
        .limit(MOST_CHANGES)
    )


async def needs_image(room: Fleet, node: str, image_id: str) -> bool:
    """Whether anything that a node was ordered to hold names this image: no other image is its business."""
    return is_uuid(image_id) and await _is_named(room, node, f'{{"id":"{image_id}","sha512":')


async def needs_backup(room: Fleet, node: str, backup_id: str) -> bool:
    """Whether a volume that a node was ordered to hold is restored from this backup."""
    return is_uuid(backup_id) and await _is_named(room, node, f'"restore_from":"{backup_id}"')


async def needs_volume(room: Fleet, node: str, volume_id: str) -> bool:
    """Whether a node was ordered to hold this volume, or anything that names it: a machine, or a copy."""
    if not is_uuid(volume_id):
        return False
    async with room.database.read() as tx:
        if await tx.find(AssignmentRow, node=node, kind=str(Kind.VOLUME), key=volume_id, gone=False, limit=1):
            return True
    return await _is_named(room, node, f'"volume_id":"{volume_id}"')


async def awaits_volume(room: Fleet, node: str, volume_id: str) -> bool:
    """Whether this volume was ordered to arrive on a node."""
    if not is_uuid(volume_id):
        return False
    async with room.database.read() as tx:
        row = await tx.get(AssignmentRow, node=node, kind=str(Kind.VOLUME), key=volume_id, gone=False)
    return row is not None and '"arrives":true' in row.spec


async def _is_named(room: Fleet, node: str, words: str) -> bool:
    """Whether these words stand in an order to the node. That `LIKE` takes a `_` for any character does no harm."""
    async with room.database.read() as tx:
        return await tx.scalar(_naming_query(), {"node": node, "named": f"%{words}%"}) is not None


@cache
def _naming_query() -> Query:
    c = AssignmentRow.c
    ordered = sa.and_(c.node == sa.bindparam("node"), c.gone == sa.false())
    return Query(sa.select(c.key).where(ordered, c.spec.like(sa.bindparam("named", type_=sa.String))).limit(1))


async def note_reports(room: Fleet, node: str, reports: Sequence[Report]) -> None:
    """Record what a node observed. An older observation never replaces a newer one."""

    async def write(tx: Transaction) -> None:
        for report in reports:
            where = {"node": node, "kind": str(report.kind), "key": report.key}
            row = await tx.get(AssignmentRow, **where)
            if row is None or report.sequence <= row.sequence:
                continue
            if report.gone:
                if row.gone:
                    await tx.delete(AssignmentRow, **where)
                    tx.wake(str(report.kind), report.key)
                continue
            await tx.update(
                AssignmentRow,
                where,
                observed=report.generation,
                sequence=report.sequence,
                facts=bytes(report.facts).decode(),
            )
            tx.wake(str(report.kind), report.key)

    await room.database.write(write)


async def _next_number(tx: Transaction, node: str) -> int:
    await tx.execute(_count_query(), {"w_name": node})
    row = await tx.get(NodeRow, name=node)
    return row.number if row else 0


@cache
def _count_query() -> Query:
    return Query(
        sa.update(NodeRow.table).where(NodeRow.c.name == sa.bindparam("w_name")).values(number=NodeRow.c.number + 1)
    )
