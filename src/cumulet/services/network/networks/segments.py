"""The noun `segment`: the stretches of wire that carry a network, each with a name."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Int, Text, Uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.networks.carrying import make_segment, most_mtu, reached, segments_of, shown, wires_of
from cumulet.services.network.networks.errors import NetworkNotFound, SegmentInUse, SegmentNotFound
from cumulet.services.network.networks.row import NetworkRow, SegmentRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import REVISED, REVISION_MATCH, STAMPED, NameText, bump
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.row import SubnetRow

MOST_SEGMENTS = 64
"""Segments of one network."""

segments = Noun(
    "/segments",
    "segment",
    "segments",
    SegmentRow,
    [
        Facet(
            "segment",
            "Segments of networks",
            (
                Field("id", Text()),
                Field("tenant_id", Text(255), create=OPTIONAL, source=""),
                Field("project_id", Text(255), create=OPTIONAL, source=""),
                Field("name", NameText.or_null(), create=OPTIONAL, update=OPTIONAL),
                Field("network_id", Uuid, create=REQUIRED),
                Field("network_type", Enum("vxlan", "vlan", "flat", "local"), create=REQUIRED),
                Field("physical_network", Text(64).or_null(), create=OPTIONAL, source=OrNull("physical_network")),
                Field("segmentation_id", Int(1, 2**24 - 1).or_null(), create=OPTIONAL, source=OrNull("number")),
            ),
        ),
        Facet(
            "standard-attr-segment",
            "Standard attributes of segments",
            (Field("description", NameText.or_null(), create=OPTIONAL, update=OPTIONAL),),
        ),
        STAMPED,
        REVISED,
        REVISION_MATCH,
    ],
    missing=SegmentNotFound,
    owner="",
)
segments.reads()


@segments.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> SegmentRow:
    network = await tx.get(NetworkRow, id=wish["network_id"])
    if network is None:
        raise NetworkNotFound(f"Network {wish['network_id']} could not be found.")
    has = await segments_of(tx, network.id)
    if len(has) >= MOST_SEGMENTS:
        raise InvalidInput(f"Network {network.id} has {MOST_SEGMENTS} segments, which is the most it may have.")
    described = {name: wish.get(name) for name in ("name", "description")}
    provider = {f"provider:{name}": wish.get(name) for name in ("network_type", "physical_network", "segmentation_id")}
    place = max(segment.place for segment in has) + 1
    row = await make_segment(room, tx, network.id, network.project_id, described | provider, place)
    await _show(room, tx, network, [*has, row])
    return row


async def _show(room: Network, tx: Transaction, network: NetworkRow, has: list[SegmentRow]) -> None:
    """Bring the network's row in line with its segments, and its nodes with both."""
    await tx.update(NetworkRow, {"id": network.id}, mtu=min(network.mtu, most_mtu(room, has)), **shown(has))
    await bump(room, tx, NetworkRow, network.id)
    await stir(tx, NetworkRow, "network", [network.id])


@segments.updating
async def update(room: Network, call: Call, tx: Transaction, row: SegmentRow, wish: dict[str, Any]) -> SegmentRow:
    changes = {name: value or "" for name, value in wish.items()}
    return await segments.save(room, tx, row, **changes)  # type: ignore[no-any-return]


@segments.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: SegmentRow) -> None:
    network = await tx.get(NetworkRow, id=row.network_id)
    has = await segments_of(tx, row.network_id)
    left = [segment for segment in has if segment.id != row.id]
    if not left:
        raise _used(row, f"network {row.network_id} has no other segment")
    if await tx.count(SubnetRow, segment_id=row.id):
        raise _used(row, "the segment is still associated with subnet(s)")
    hosts = {port.host for port in await tx.find(PortRow, network_id=row.network_id)} - {""}
    wires = await wires_of(tx, hosts)
    carried = {host: next(iter(reached(has, wires.get(host, []))), has[0]).id for host in hosts}
    if row.id in carried.values():
        raise _used(row, "the segment is still used with port(s) of its network")
    if network:
        await _show(room, tx, network, left)


def _used(row: SegmentRow, why: str) -> SegmentInUse:
    return SegmentInUse(f"Segment '{row.id}' cannot be deleted: {why}.")
