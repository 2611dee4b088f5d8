"""A router's legs: its ports, and what of their addresses others ask about."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network import ipam
from cumulet.services.network.networks.row import SegmentRow
from cumulet.services.network.ports.addresses import Given, given_of
from cumulet.services.network.ports.row import GATEWAY, INTERFACE, PortRow
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.subnets.row import SubnetRow


class Leg(msgspec.Struct):
    """A port of a router with its addresses and their subnets."""

    port: PortRow
    addresses: list[Given]
    subnets: list[SubnetRow]

    @property
    def is_gateway(self) -> bool:
        return self.port.device_owner == GATEWAY

    def reaches(self, ip: str) -> bool:
        """Is this address on the wire of one of its subnets?"""
        address = ipaddress.ip_address(ip)
        return any(address in ipam.network_of(subnet.cidr) for subnet in self.subnets)


async def legs_of(tx: Transaction, router: RouterRow) -> list[Leg]:
    """All legs, the gateway's too, in two queries."""
    ports = await tx.find(PortRow, device_id=router.id, order_by="created_at")
    ports = [port for port in ports if port.device_owner in (INTERFACE, GATEWAY)]
    given = {port.id: given_of(port.fixed_ips) for port in ports}
    ids = sorted({has.subnet_id for addresses in given.values() for has in addresses})
    subnets = {subnet.id: subnet for subnet in await tx.find(SubnetRow, id=ids)} if ids else {}
    return [Leg(port, given[port.id], [subnets[has.subnet_id] for has in given[port.id]]) for port in ports]


async def gateway_ports(tx: Transaction, router: RouterRow) -> list[PortRow]:
    """The ports of a router's gateways, the first one first."""
    ports = await tx.find(PortRow, device_id=router.id, device_owner=GATEWAY, order_by="created_at")
    return sorted(ports, key=lambda port: port.id != router.gateway_port_id)


async def led_out_by(tx: Transaction, wires: Collection[str]) -> set[str]:
    """The routers with a gateway in a network on one of these wires."""
    segments = await tx.find(SegmentRow, physical_network=sorted(wires)) if wires else []
    networks = sorted({segment.network_id for segment in segments})
    ports = await tx.find(PortRow, network_id=networks, device_owner=GATEWAY) if networks else []
    return {port.device_id for port in ports}


async def leads_out(tx: Transaction, router: RouterRow, network_id: str) -> bool:
    """Has a router a gateway in this network?"""
    if router.gateway_network_id == network_id:
        return True
    return any(port.network_id == network_id for port in await gateway_ports(tx, router))


def overlap(one: Sequence[SubnetRow], others: Sequence[SubnetRow]) -> SubnetRow | None:
    """The first of these subnets that overlaps with one of the others."""
    for mine in one:
        network = ipam.network_of(mine.cidr)
        for other in others:
            theirs = ipam.network_of(other.cidr)
            if mine.id != other.id and theirs.version == network.version and theirs.overlaps(network):
                return other
    return None
