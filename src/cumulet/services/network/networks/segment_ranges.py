"""The noun `network_segment_range`: which numbers of segments projects are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Question
from cumulet.core.web.wire import Bool, Enum, Int, Text
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.networks.errors import (
    NetworkSegmentRangeDefaultReadOnly,
    NetworkSegmentRangeNetTypeNotSupported,
    NetworkSegmentRangeNotFound,
    NetworkSegmentRangeOverlaps,
    NetworkSegmentRangeReferencedByProject,
)
from cumulet.services.network.networks.ranges import NUMBERED, RangeRow, ensure_defaults, free_of, used_of
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.standard import NEWER, TAGGED, standard


class Ranges(Noun):
    """A range shows what of it is in use and what is free, which changes with every network."""

    async def page(self, tx: Transaction, call: Call, question: Question) -> tuple[list[Any], bool]:
        rows, more = await super().page(tx, call, question)
        await self.count(tx, call, rows)
        return rows, more

    async def sought(self, tx: Transaction, call: Call, key: str) -> Any:
        row = await super().sought(tx, call, key)
        await self.count(tx, call, [row])
        return row

    async def count(self, tx: Transaction, call: Call, rows: Sequence[RangeRow]) -> None:
        for row in rows:
            used = {str(number): project for number, project in (await used_of(tx, row)).items()}
            call.beside[row.id] = used, await free_of(tx, row)


segment_ranges = Ranges(
    "/network-segment-ranges",
    "network_segment_range",
    "network_segment_ranges",
    RangeRow,
    [
        *NEWER,
        TAGGED,
        Facet(
            "network-segment-range",
            "Ranges of segment numbers",
            (
                Field("default", Bool, source=lambda row, call: row.default_of is not None),
                Field("shared", Bool, create=True),
                Field("network_type", Enum("vlan", "vxlan", "geneve", "gre"), create=REQUIRED),
                Field("physical_network", Text(64), create=""),
                Field("minimum", Int(1, 2**32 - 1), create=REQUIRED, update=OPTIONAL),
                Field("maximum", Int(1, 2**32 - 1), create=REQUIRED, update=OPTIONAL),
                Field("used", Text(), source=lambda row, call: call.beside[row.id][0]),
                Field("available", Text(), source=lambda row, call: call.beside[row.id][1]),
            ),
        ),
    ],
    missing=NetworkSegmentRangeNotFound,
)


async def _list(room: Network, call: Call) -> Any:
    """The ranges of the settings are there even before a network needed a number."""
    if call.may("get_network_segment_range"):
        await room.database.write(lambda tx: ensure_defaults(room, tx))
    return await segment_ranges.listed(room, call)


segment_ranges.reads(_list)


@segment_ranges.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> RangeRow:
    row = RangeRow(
        **standard(wish | ({"project_id": ""} if wish["shared"] else {}), room.clock),
        default_of=None,
        shared=wish["shared"],
        network_type=wish["network_type"],
        physical_network=wish["physical_network"],
        minimum=wish["minimum"],
        maximum=wish["maximum"],
    )
    if not row.shared and not row.project_id:
        raise InvalidInput("Invalid input for operation: a range that is not shared needs a project_id.")
    _refuse_odd(room, row)
    await _refuse_overlap(tx, row)
    await tx.insert(row)
    await segment_ranges.count(tx, call, [row])
    return row


def _refuse_odd(room: Network, row: RangeRow) -> None:
    if row.network_type not in NUMBERED:
        raise NetworkSegmentRangeNetTypeNotSupported(
            f"Network type {row.network_type} does not support network segment ranges; {' and '.join(NUMBERED)} do."
        )
    if (row.network_type == "vlan") != (row.physical_network in room.physical_networks) or (
        row.network_type != "vlan" and row.physical_network
    ):
        known = ", ".join(room.physical_networks)
        raise InvalidInput(
            f"Invalid input for operation: ranges of VLANs need a physical_network ({known}), others have none."
        )
    if not row.minimum <= row.maximum <= NUMBERED[row.network_type]:
        raise InvalidInput(
            f"Invalid input for operation: minimum {row.minimum} and maximum {row.maximum} are not a range of numbers "
            f"up to {NUMBERED[row.network_type]}."
        )


@segment_ranges.updating
async def update(room: Network, call: Call, tx: Transaction, row: RangeRow, wish: dict[str, Any]) -> RangeRow:
    _refuse_default(row, "updated")
    changed = msgspec.structs.replace(row, **wish)
    _refuse_odd(room, changed)
    await _refuse_in_use(tx, row, kept=range(changed.minimum, changed.maximum + 1))
    await _refuse_overlap(tx, changed)
    saved: RangeRow = await segment_ranges.save(room, tx, row, **wish)
    await segment_ranges.count(tx, call, [saved])
    return saved


async def _refuse_overlap(tx: Transaction, row: RangeRow) -> None:
    """Raise where a number would be in two ranges; those of the settings are below all others."""
    for other in await tx.find(RangeRow, network_type=row.network_type, physical_network=row.physical_network):
        apart = other.maximum < row.minimum or row.maximum < other.minimum
        if other.id != row.id and other.default_of is None and not apart:
            raise NetworkSegmentRangeOverlaps(
                f"Numbers {row.minimum} to {row.maximum} overlap with Network Segment Range {other.id}: "
                f"{other.minimum} to {other.maximum}."
            )


def _refuse_default(row: RangeRow, verb: str) -> None:
    if row.default_of is not None:
        raise NetworkSegmentRangeDefaultReadOnly(
            f"Network Segment Range {row.id} is that of the cloud's settings and cannot be {verb} here."
        )


async def _refuse_in_use(tx: Transaction, row: RangeRow, kept: range = range(0)) -> None:
    """Raise where networks have numbers that would be in the range no more."""
    used = await used_of(tx, row)
    if any(number not in kept for number, project in used.items() if row.shared or project == row.project_id):
        raise NetworkSegmentRangeReferencedByProject(
            f"Network Segment Range {row.id} is referenced by one or more tenant networks."
        )


@segment_ranges.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: RangeRow) -> None:
    _refuse_default(row, "deleted")
    await _refuse_in_use(tx, row)
