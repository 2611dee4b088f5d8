"""Assignments: what each node is ordered to hold, and the facts it reported of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind, Report
from cumulet.contracts.record import Record
from cumulet.contracts.volumes import CONTENT, WHOLE
from cumulet.core.db import PRIMARY, Json, Query, Row, Short, Transaction, stored
from cumulet.lib.ids import is_uuid
from cumulet.services.fleet.nodes import NodeRow
from cumulet.services.fleet.room import Fleet


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
    texts = [msgspec.json.encode(order.spec, order="deterministic").decode() for order in orders]
    digests = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]

    async def behind(tx: Transaction) -> list[tuple[Order, str, str, bool]]:
        """Those orders of which a node has been told something else, or, if the last is False, nothing at all."""
        told: dict[tuple[str, Kind, str], tuple[str, bool, int]] = {}
        for kind, key in {(order.kind, order.key) for order in orders}:
            for node, digest, gone, generation in await tx.tuples(_told_query(), {"kind": str(kind), "key": key}):
                told[node, kind, key] = digest, gone, generation
        found = []
        for order, text, digest in zip(orders, texts, digests, strict=True):
            said = told.get((order.node, order.kind, order.key))
            if said != (digest, False, order.generation):
                found.append((order, text, digest, said is not None))
        return found

    async with room.database.read() as tx:
        if not await behind(tx):
            return

    async def write(tx: Transaction) -> None:
        for order, text, digest, is_known in await behind(tx):
            number = await _next_number(tx, order.node)
            kind, generation = str(order.kind), order.generation
            if is_known:
                where = {"node": order.node, "kind": kind, "key": order.key}
                fresh = {"number": number, "generation": generation, "digest": digest, "spec": text}
                await tx.update(AssignmentRow, where, gone=False, **fresh)
            else:
                await tx.insert(AssignmentRow(order.node, kind, order.key, number, generation, digest, False, text))
            tx.wake("assignments", order.node)

    await room.database.write(write)


@cache
def _told_query() -> Query:
    c = AssignmentRow.c
    return Query(
        sa.select(c.node, c.digest, c.gone, c.generation).where(
            c.kind == sa.bindparam("kind", type_=sa.String), c.key == sa.bindparam("key", type_=sa.String)
        )
    )


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
    return row is not None and any(f'"arrives":"{word}"' in row.spec for word in (WHOLE, CONTENT))


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
                # Gone by an earlier order, it may have been made once more by one in between.
                if row.gone and report.number in (0, row.number):
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
    return int(await tx.scalar(_number_query(), {"name": node}) or 0)


@cache
def _number_query() -> Query:
    return Query(sa.select(NodeRow.c.number).where(NodeRow.c.name == sa.bindparam("name", type_=sa.String)))


@cache
def _count_query() -> Query:
    return Query(
        sa.update(NodeRow.table).where(NodeRow.c.name == sa.bindparam("w_name")).values(number=NodeRow.c.number + 1)
    )
