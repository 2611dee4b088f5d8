"""The segments that carry a network: how they are made, and on which of them a node carries it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Json, Row, Transaction, stored
from cumulet.core.db.engine import Collision
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.errors import (
    NoNetworkAvailable,
    SegmentInUse,
    SegmentsSetInConjunctionWithProviders,
)
from cumulet.services.network.networks.ranges import free_number
from cumulet.services.network.networks.row import NetworkRow, SegmentRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import json_text
from cumulet.services.network.stirring import stir

PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
ON_WIRES = ("flat", "vlan")
ENCAPSULATION = 50
"""Bytes that a VXLAN header takes from each frame."""


@stored("network_host_wires")
class HostWiresRow(Row):
    """The provider's wires that a node says it is joined to. One that names none makes every network by itself."""

    host: Annotated[str, sa.String(255), PRIMARY]
    wires: Json


async def wires_of(tx: Transaction, hosts: Collection[str]) -> dict[str, list[str]]:
    """Node → its wires."""
    rows = await tx.find(HostWiresRow, host=sorted(hosts)) if hosts else []
    return {row.host: msgspec.json.decode(row.wires) for row in rows}


async def note_wires(tx: Transaction, host: str, wires: Sequence[str]) -> set[str]:
    """A node said to which wires it is joined; networks of several segments are carried on others now. Those wires to
    which it is joined now and was not before, or was and is not."""
    text = json_text(sorted(wires))
    known = await tx.get(HostWiresRow, host=host)
    if known is None:
        await tx.insert(HostWiresRow(host, text))
        return set(wires)
    if known.wires == text:
        return set()
    await tx.update(HostWiresRow, {"host": host}, wires=text)
    changed = set(msgspec.json.decode(known.wires)) ^ set(wires)
    segments = await tx.find(SegmentRow, physical_network=sorted(changed)) if changed else []
    await stir(tx, NetworkRow, "network", {segment.network_id for segment in segments})
    return changed


def reached(segments: Sequence[SegmentRow], wires: Collection[str]) -> list[SegmentRow]:
    """Those that a node with these wires can carry, the one that it does carry first. Pure."""
    return [s for s in segments if s.network_type not in ON_WIRES or not wires or s.physical_network in wires]


async def off_the_wire(tx: Transaction, network_ids: Collection[str]) -> set[str]:
    """Nodes without a wire to one of these networks where other nodes have one: nobody outside reaches them there."""
    wires_to: dict[str, set[str]] = {}
    for segment in await tx.find(SegmentRow, network_id=sorted(network_ids)) if network_ids else ():
        if segment.network_type in ON_WIRES:
            wires_to.setdefault(segment.network_id, set()).add(segment.physical_network)
    rows = await tx.find(HostWiresRow) if wires_to else ()
    joined = {row.host: set(msgspec.json.decode(row.wires)) for row in rows}
    found: set[str] = set()
    for wanted in wires_to.values():
        if any(wires & wanted for wires in joined.values()):
            found |= {host for host, wires in joined.items() if not wires & wanted}
    return found


async def segments_of(tx: Transaction, network_id: str) -> list[SegmentRow]:
    found = await tx.find(SegmentRow, network_id=network_id)
    return sorted(found, key=lambda segment: segment.place)


async def make_segments(
    room: Network, tx: Transaction, network_id: str, project_id: str, wish: Mapping[str, Any]
) -> list[SegmentRow]:
    """The segments that were asked for: several, one, or by itself a VXLAN with a number of its own."""
    asked = wish.get("segments")
    if asked and any(wish.get(name) is not None for name in PROVIDER):
        raise SegmentsSetInConjunctionWithProviders(
            "Segments and provider values cannot both be set: give provider:* inside of segments."
        )
    return [
        await make_segment(room, tx, network_id, project_id, one, place) for place, one in enumerate(asked or [wish])
    ]


async def make_segment(
    room: Network, tx: Transaction, network_id: str, project_id: str, wish: Mapping[str, Any], place: int
) -> SegmentRow:
    kind, wire, asked = (wish.get(name) for name in PROVIDER)
    kind, wire = kind or "vxlan", wire or ""
    number = _number(room, kind, wire, asked)
    now = room.clock.now()
    chosen = number is not None and number < 0
    if chosen:
        number = await free_number(room, tx, kind, wire, project_id)
        if number is None:
            raise NoNetworkAvailable("Unable to create the network. No tenant network is available for allocation.")
    segment = SegmentRow(
        new_uuid(),
        network_id,
        wish.get("name") or "",
        wish.get("description") or "",
        kind,
        wire,
        number,
        place,
        now,
        now,
        1,
    )
    try:
        await tx.insert(segment)
    except Duplicate as taken:
        if chosen:
            raise Collision("segment") from taken
        where = f"on physical network {wire} " if wire else ""
        raise SegmentInUse(
            f"Unable to create the network. The {kind} segment {where}with id {asked} is in use. Choose another one."
        ) from taken
    return segment


def _number(room: Network, kind: str, wire: str, asked: int | None) -> int | None:
    """The number to insert: -1 to choose one, None where there is none. Raises InvalidInput."""
    if kind in ON_WIRES:
        if wire not in room.physical_networks:
            known = ", ".join(room.physical_networks) or "none"
            raise InvalidInput(
                f"Invalid input for operation: physical_network '{wire[:64]}' unknown for {kind} provider network; "
                f"known here: {known}."
            )
    elif wire:
        raise InvalidInput(f"Invalid input for operation: physical_network given for {kind} provider network.")
    if kind in ("flat", "local"):
        if asked is not None:
            raise InvalidInput(f"Invalid input for operation: segmentation_id given for {kind} network.")
        return 0 if kind == "flat" else None
    if kind == "vlan" and asked is not None and not 1 <= asked <= 4094:
        raise InvalidInput("Invalid input for operation: a VLAN's segmentation_id lies between 1 and 4094.")
    return -1 if asked is None else asked


def most_mtu(room: Network, segments: Sequence[SegmentRow]) -> int:
    """The largest packet that all of them carry."""
    return room.physical_mtu - (ENCAPSULATION if any(one.network_type == "vxlan" for one in segments) else 0)


def shown(segments: Sequence[SegmentRow]) -> dict[str, Any]:
    """What a network's row repeats of its segments: the first one, and all of them if there are several."""
    several = [dict(zip(PROVIDER, _triple(segment), strict=True)) for segment in segments]
    kind, wire, number = _triple(segments[0])
    return {
        "network_type": kind,
        "physical_network": wire or "",
        "segmentation_id": number,
        "segments": json_text(several if len(segments) > 1 else None),
    }


def _triple(segment: SegmentRow) -> tuple[str, str | None, int | None]:
    return segment.network_type, segment.physical_network or None, segment.number or None
