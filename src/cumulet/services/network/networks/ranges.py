"""Ranges of segment numbers: what is remembered of them, and how a network is given a number.

A project that has ranges of its own is given numbers of those while there are any; all others, and it afterwards,
numbers of shared ranges that lie in no project's own. Those that are in the settings are shared ranges, too.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from functools import cache
from typing import Annotated, Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Number, Query, Short, Transaction, stored
from cumulet.core.db.engine import Collision
from cumulet.services.network.networks.row import NetworkRow, SegmentRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import Standard, standard

NUMBERED = {"vlan": 4094, "vxlan": 2**24 - 1}
"""Kinds of segments that have numbers, and their largest."""
MOST_SHOWN = 1000
"""Free numbers that a range shows; and how many are looked through one by one."""
_TRIES = 16


@stored(
    "network_segment_ranges",
    sa.Index("network_segment_ranges_kind", "network_type", "physical_network"),
    sa.Index("network_segment_ranges_default", "default_of", unique=True),
)
class RangeRow(Standard):
    """A range. `default_of` is made of its kind and wire while it is that of the settings."""

    default_of: Annotated[str, sa.String(128)] | None
    shared: bool
    network_type: Short
    physical_network: Short
    minimum: Number
    maximum: Number


async def ensure_defaults(room: Network, tx: Transaction) -> None:
    """Bring the ranges of the settings in line with them."""
    wanted = {("vxlan", ""): room.vni_range, **{("vlan", wire): room.vlan_range for wire in room.physical_networks}}
    found = {row.default_of: row for row in await tx.find(RangeRow, shared=True) if row.default_of}
    for (kind, wire), (low, high) in wanted.items():
        has = found.pop(f"{kind} {wire}", None)
        if has is None:
            columns = standard({"project_id": "", "name": ""}, room.clock)
            try:
                await tx.insert(RangeRow(**columns, **_default(kind, wire), minimum=low, maximum=high))
            except Duplicate as race:
                raise Collision("default range") from race
        elif (has.minimum, has.maximum) != (low, high):
            await tx.update(RangeRow, {"id": has.id}, minimum=low, maximum=high)
    for gone in found.values():
        await tx.delete(RangeRow, id=gone.id)


def _default(kind: str, wire: str) -> dict[str, Any]:
    return {"default_of": f"{kind} {wire}", "shared": True, "network_type": kind, "physical_network": wire}


async def free_number(room: Network, tx: Transaction, kind: str, wire: str, project_id: str) -> int | None:
    """A number that no segment of this kind has there yet; None: there is none for this project."""
    ranges = await tx.find(RangeRow, network_type=kind, physical_network=wire, order_by="minimum")
    if not any(row.default_of for row in ranges):
        await ensure_defaults(room, tx)
        ranges = await tx.find(RangeRow, network_type=kind, physical_network=wire, order_by="minimum")
    own = [row for row in ranges if not row.shared and row.project_id == project_id]
    others = [row for row in ranges if not row.shared and row.project_id != project_id]
    for candidates, beside in ((own, []), ([row for row in ranges if row.shared], [*own, *others])):
        for row in candidates:
            number = await _free_in(tx, row, beside)
            if number is not None:
                return number
    return None


async def _free_in(tx: Transaction, row: RangeRow, beside: Sequence[RangeRow]) -> int | None:
    """By chance, so that two requests seldom meet; among the first ones, so that numbers stay short."""
    count = await tx.count(SegmentRow, network_type=row.network_type, physical_network=row.physical_network)
    last = min(row.maximum, row.minimum + max(2 * MOST_SHOWN, 2 * count) - 1)
    for _ in range(_TRIES):
        number = row.minimum + secrets.randbelow(last - row.minimum + 1)
        if not _in_any(beside, number) and not await tx.count(
            SegmentRow, network_type=row.network_type, physical_network=row.physical_network, number=number
        ):
            return number
    free = await free_of(tx, row, beside)
    return secrets.choice(free) if free else None


def _in_any(ranges: Sequence[RangeRow], number: int) -> bool:
    return any(row.minimum <= number <= row.maximum for row in ranges)


async def free_of(tx: Transaction, row: RangeRow, beside: Sequence[RangeRow] = ()) -> list[int]:
    """The first free numbers of a range that are in none of those beside."""
    return first_free(row.minimum, row.maximum, await used_of(tx, row), [(r.minimum, r.maximum) for r in beside])


def first_free(low: int, high: int, used: Collection[int], taken: Sequence[tuple[int, int]]) -> list[int]:
    """The first numbers from `low` to `high` that are neither used nor in a span that is taken. Pure.

    A span is passed in one step: a project's own may be sixteen million numbers wide.
    """
    found: list[int] = []
    number = low
    while number <= high and len(found) < MOST_SHOWN:
        behind = max((last + 1 for first, last in taken if first <= number <= last), default=number)
        if behind > number:
            number = behind
            continue
        if number not in used:
            found.append(number)
        number += 1
    return found


@cache
def _used_query() -> Query:
    c = SegmentRow.c
    return Query(
        sa.select(c.number, NetworkRow.c.project_id)
        .join(NetworkRow.table, NetworkRow.c.id == c.network_id)
        .where(
            c.network_type == sa.bindparam("kind", type_=sa.String),
            c.physical_network == sa.bindparam("wire", type_=sa.String),
            c.number >= sa.bindparam("low", type_=sa.Integer),
            c.number <= sa.bindparam("high", type_=sa.Integer),
        )
        .order_by(c.number)
    )


async def used_of(tx: Transaction, row: RangeRow) -> dict[int, str]:
    """The numbers of a range that are in use, and the projects whose networks have them."""
    bounds = {"kind": row.network_type, "wire": row.physical_network, "low": row.minimum, "high": row.maximum}
    return {row[0]: row[1] for row in await tx.tuples(_used_query(), bounds)}
