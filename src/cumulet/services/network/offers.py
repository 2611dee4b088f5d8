"""What the nodes promise: shares of their wires, and of their speed with packets. Placement counts who holds which.

Below a node's provider stands one for its networking, and below that one for each wire, as clients know them from
agents of other kinds.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa

from cumulet.contracts.assignments import NodeFacts, Wire
from cumulet.core.db import PRIMARY, Json, Row, Transaction, stored
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.services.fleet.public import NodeView
from cumulet.services.network.qos.kinds import MOST
from cumulet.services.network.qos.requests import TUNNELS, physical_trait, vnic_trait
from cumulet.services.network.room import Network
from cumulet.services.network.standard import json_text
from cumulet.services.placement.public import Below, Offer

AGENT = "Linux bridge agent"
TUNNEL_WIRE = "rp_tunnelled"
"""The name under which operators speak of all that networks between nodes share."""
NORMAL = vnic_trait("normal")
TERMS = {"allocation_ratio": 1.0, "min_unit": 1, "step_size": 1, "reserved": 0}
NODE_IS_NEW = 2.0
_NAMESPACE = uuid.UUID("3f0a4a5e-93f4-5d7e-9a0d-6f6f4a2c7b10")


@stored("network_offers")
class OfferRow(Row):
    """What placement was told of a node."""

    host: Annotated[str, sa.String(255), PRIMARY]
    offered: Json


def provider_id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def below(facts: NodeFacts) -> list[Below]:
    """The providers below a node's, parents first; none when it promises nothing."""
    wires = [wire for wire in facts.wires if wire.physical_network]
    if not wires and not _packets(facts):
        return []
    agent = f"{facts.name}:{AGENT}"
    top = Below(provider_id(agent), agent, _offers(_packets(facts)), frozenset({NORMAL}))
    return [top, *(_wire(wire, f"{agent}:{device_of(wire)}", top.id) for wire in wires)]


def _wire(wire: Wire, name: str, parent: str) -> Below:
    shares = {"NET_BW_EGR_KILOBIT_PER_SEC": wire.egress_kbps, "NET_BW_IGR_KILOBIT_PER_SEC": wire.ingress_kbps}
    network = wire.physical_network
    trait = TUNNELS if network == TUNNEL_WIRE else physical_trait(network)
    return Below(provider_id(name), name, _offers(shares), frozenset({trait, NORMAL}), parent)


def _packets(facts: NodeFacts) -> dict[str, int]:
    found = {
        "NET_PACKET_RATE_KILOPACKET_PER_SEC": facts.kpps,
        "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC": facts.egress_kpps,
        "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC": facts.ingress_kpps,
    }
    return {name: rate for name, rate in found.items() if rate > 0}


def _offers(rates: dict[str, int]) -> dict[str, Offer]:
    return {name: Offer(min(rate, MOST), max_unit=min(rate, MOST)) for name, rate in rates.items() if rate > 0}


def device_of(wire: Wire) -> str:
    return TUNNEL_WIRE if wire.physical_network == TUNNEL_WIRE else f"br-{wire.physical_network}"


def configurations(facts: NodeFacts) -> dict[str, Any]:
    """What a node promises, as its agent shows it."""
    rates = {device_of(wire): {"egress": wire.egress_kbps, "ingress": wire.ingress_kbps} for wire in facts.wires}
    directed = {"egress": facts.egress_kpps, "ingress": facts.ingress_kpps}
    return {
        "bridge_mappings": {name: f"br-{name}" for name in facts.physical_networks}
        | {wire.physical_network: device_of(wire) for wire in facts.wires},
        "resource_provider_bandwidths": rates,
        "resource_provider_hypervisors": dict.fromkeys((*rates, facts.name), facts.name),
        "resource_provider_inventory_defaults": TERMS,
        "resource_provider_packet_processing_without_direction": {facts.name: facts.kpps} if facts.kpps else {},
        "resource_provider_packet_processing_with_direction": {facts.name: directed} if any(directed.values()) else {},
        "resource_provider_packet_processing_inventory_defaults": TERMS,
    }


def offered(facts: NodeFacts) -> str:
    """All of it as one text, to be compared."""
    return json_text(configurations(facts))


class OfferReconciler:
    """Tells placement what each node promises. One key for each node."""

    topic = "node"
    also: tuple[str, ...] = ()

    def __init__(self, room: Network) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        node = await self._room.fleet.node(key)
        if node is None:
            return Done()
        if not await self._room.placement.offer_below(key, below(node.facts)):
            return Again(NODE_IS_NEW, "placement does not know this node yet")
        text = offered(node.facts)

        async def write(tx: Transaction) -> None:
            known = await tx.get(OfferRow, host=key)
            if known is None:
                await tx.insert(OfferRow(key, text))
            elif known.offered != text:
                await tx.update(OfferRow, {"host": key}, offered=text)

        await self._room.database.write(write)
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        told = await offers(self._room)
        return [node.name for node in await self._after(after) if told.get(node.name) != offered(node.facts)][:limit]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return [node.name for node in await self._after(after)][:limit]

    async def _after(self, after: str) -> list[NodeView]:
        nodes = [node for node in await self._room.fleet.nodes() if node.name > after]
        return sorted(nodes, key=lambda node: node.name)


async def offers(room: Network) -> dict[str, str]:
    """What placement was told, by node."""
    async with room.database.read() as tx:
        return {row.host: row.offered for row in await tx.find(OfferRow)}
