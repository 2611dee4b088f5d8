"""What may be done with subnets: the only code that writes their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network import ipam
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.errors import SegmentNotFound
from cumulet.services.network.networks.row import NetworkRow, SegmentRow
from cumulet.services.network.ports.addresses import Wanted, given_of
from cumulet.services.network.ports.dhcp import ensure_dhcp_port
from cumulet.services.network.ports.operations import change
from cumulet.services.network.ports.reach import is_there
from cumulet.services.network.ports.row import DHCP, INTERFACE, OF_ROUTERS, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import TagRow, bump, json_text, standard
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.errors import (
    GatewayConflictWithAllocationPools,
    GatewayIpInUse,
    InvalidAllocationPool,
    NetworkIdsDontMatch,
    NetworkMTUSubnetConflict,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
    SubnetInUse,
    SubnetSegmentAssociationChangeNotAllowed,
    SubnetsNotAllAssociatedWithSegments,
)
from cumulet.services.network.subnets.row import AddressRow, SubnetRow

MOST_SUBNETS = 64
"""Subnets of one network."""


LEAST_MTU = {4: 68, 6: 1280}


class NewSubnet(msgspec.Struct, kw_only=True):
    """A subnet to be made. `gateway` None: none at all; empty: the first address."""

    project_id: str
    cidr: str
    name: str = ""
    description: str = ""
    tags: Sequence[str] = ()
    gateway: str | None = ""
    dhcp: bool = True
    pools: Sequence[tuple[str, str]] | None = None
    dns: Sequence[str] = ()
    routes: Sequence[dict[str, str]] = ()
    service_types: Sequence[str] = ()
    ra_mode: str = ""
    address_mode: str = ""
    subnetpool_id: str = ""
    segment_id: str = ""


async def make(room: Network, tx: Transaction, network: NetworkRow, new: NewSubnet) -> SubnetRow:
    """Insert a subnet; its network has a DHCP port in it if it is to have DHCP."""
    # Changing the network's row first makes two requests for overlapping subnets stand in line.
    await stir(tx, NetworkRow, "network", [network.id])
    cidr = ipam.network_of(new.cidr)
    _refuse_odd_modes(new, cidr)
    refuse_small(network.id, network.mtu, cidr.version)
    others = await tx.find(SubnetRow, network_id=network.id)
    if len(others) >= MOST_SUBNETS:
        raise InvalidInput(f"Network {network.id} has {MOST_SUBNETS} subnets, which is the most it may have.")
    for other in others:
        theirs = ipam.network_of(other.cidr)
        if theirs.version == cidr.version and theirs.overlaps(cidr):
            raise InvalidInput(
                f"Invalid input for operation: Requested subnet with cidr: {cidr} for network: {network.id} overlaps "
                f"with another subnet."
            )
    await _refuse_odd_segment(tx, network, new.segment_id, others)
    gateway = ipam.default_gateway(cidr) if new.gateway == "" else new.gateway or ""
    _refuse_odd_gateway(cidr, gateway)
    row = SubnetRow(
        **standard(msgspec.structs.asdict(new), room.clock),
        network_id=network.id,
        network_project_id=network.project_id,
        version=cidr.version,
        cidr=str(cidr),
        gateway=gateway,
        dhcp=new.dhcp,
        pools=ipam.pools_text(cidr.version, choose_pools(cidr, new.pools, gateway)),
        dns=json_text(check_dns(room, new.dns)),
        routes=json_text(check_routes(room, new.routes, cidr.version)),
        service_types=json_text(list(new.service_types)),
        ra_mode=new.ra_mode,
        address_mode=new.address_mode,
        subnetpool_id=new.subnetpool_id,
        segment_id=new.segment_id,
    )
    await tx.insert(row)
    await list_in_network(room, tx, network)
    if row.makes_own_addresses:
        await _add_to_ports(room, tx, row)
    return row


def refuse_small(network_id: str, mtu: int, version: int) -> None:
    """Raise where frames are too small for this version of IP."""
    if mtu < LEAST_MTU[version]:
        raise NetworkMTUSubnetConflict(
            f"Network MTU {mtu} of network {network_id} is too small, minimum for IPv{version} is {LEAST_MTU[version]}."
        )


async def _refuse_odd_segment(tx: Transaction, network: NetworkRow, segment_id: str, others: list[SubnetRow]) -> None:
    """Raise for another network's segment, and where some subnets of a network would belong to segments, others not."""
    segment = await tx.get(SegmentRow, id=segment_id) if segment_id else None
    if segment_id and segment is None:
        raise SegmentNotFound(f"Segment {segment_id} could not be found.")
    if segment and segment.network_id != network.id:
        raise NetworkIdsDontMatch(
            f"The subnet's network id, '{network.id}', doesn't match the network_id of segment '{segment_id}', "
            f"'{segment.network_id}'"
        )
    if any(bool(other.segment_id) != bool(segment_id) for other in others):
        raise SubnetsNotAllAssociatedWithSegments(
            f"All of the subnets on network '{network.id}' must either all be associated with segments, or all not "
            "associated with any segment."
        )


async def checked_association(tx: Transaction, row: SubnetRow, segment_id: str) -> str:
    """The segment that a subnet is to belong to from now on; one that has one keeps it. Raises."""
    if segment_id == row.segment_id:
        return segment_id
    if row.segment_id:
        raise SubnetSegmentAssociationChangeNotAllowed(
            "A subnet that is already associated with a segment cannot have its segment association changed."
        )
    network = await tx.get(NetworkRow, id=row.network_id)
    others = [other for other in await tx.find(SubnetRow, network_id=row.network_id) if other.id != row.id]
    if network:
        await _refuse_odd_segment(tx, network, segment_id, others)
    return segment_id


async def list_in_network(room: Network, tx: Transaction, network: NetworkRow) -> None:
    """Bring the network's row and its DHCP port in line with its subnets."""
    subnets = await tx.find(SubnetRow, network_id=network.id, order_by="created_at")
    listed = json_text([subnet.id for subnet in subnets])
    routed = any(subnet.segment_id for subnet in subnets)
    await tx.update(NetworkRow, {"id": network.id}, subnets=listed, routed=routed)
    await bump(room, tx, NetworkRow, network.id)
    with_dhcp = [subnet.id for subnet in subnets if subnet.dhcp and subnet.pools != "[]"]
    await ensure_dhcp_port(room, tx, network, with_dhcp)
    await stir(tx, NetworkRow, "network", [network.id])


async def _add_to_ports(room: Network, tx: Transaction, subnet: SubnetRow) -> None:
    """Hosts make themselves an address in a new subnet of this kind: their ports are to know it."""
    for port in await tx.find(PortRow, network_id=subnet.network_id):
        if port.device_owner not in (*OF_ROUTERS, DHCP) and await is_there(tx, subnet, port.host):
            wanted = [Wanted(has.subnet_id, has.ip_address) for has in given_of(port.fixed_ips)]
            await change(room, tx, port, addresses=[*wanted, Wanted(subnet.id)])


def choose_pools(cidr: ipam.Subnetwork, pools: Sequence[tuple[str, str]] | None, gateway: str) -> list[ipam.Pool]:
    """Given pools, or all that is left of the subnet."""
    if pools is None:
        return ipam.default_pools(cidr, gateway)
    try:
        return ipam.checked_pools(cidr, pools, gateway)
    except ipam.InvalidPool as refusal:
        kinds = {
            "invalid": InvalidAllocationPool,
            "outside": OutOfBoundsAllocationPool,
            "overlap": OverlappingAllocationPools,
            "gateway": GatewayConflictWithAllocationPools,
        }
        raise kinds[refusal.reason](str(refusal)) from refusal


def _refuse_odd_modes(new: NewSubnet, cidr: ipam.Subnetwork) -> None:
    if (new.ra_mode or new.address_mode) and cidr.version == 4:
        raise InvalidInput("ipv6_ra_mode and ipv6_address_mode are for subnets of IP version 6 only.")
    if (new.ra_mode or new.address_mode) and not new.dhcp:
        raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.")
    if new.ra_mode and new.address_mode and new.ra_mode != new.address_mode:
        raise InvalidInput(
            f"ipv6_ra_mode set to '{new.ra_mode}' with ipv6_address_mode set to '{new.address_mode}' is not valid. If "
            "both attributes are set, they must be the same value"
        )
    if {"slaac", "dhcpv6-stateless"} & {new.ra_mode, new.address_mode} and cidr.prefixlen != 64:
        raise InvalidInput(
            f"Invalid CIDR {cidr} for IPv6 address mode: addresses are made from MACs, which needs a prefix of /64."
        )
    _refuse_no_room(cidr, dhcp=new.dhcp)
    if cidr.is_multicast or cidr.is_loopback:
        raise InvalidInput(f"Invalid input for operation: {cidr} is a multicast or loopback subnet.")


def _refuse_no_room(cidr: ipam.Subnetwork, *, dhcp: bool) -> None:
    if dhcp and cidr.prefixlen == cidr.max_prefixlen:
        raise InvalidInput(f"A subnet of one address ({cidr}) has no room for DHCP. Set enable_dhcp to false.")


def _refuse_odd_gateway(cidr: ipam.Subnetwork, gateway: str) -> None:
    if not gateway:
        return
    number = ipam.number_of(gateway)
    if cidr.version != (6 if ":" in gateway else 4):
        raise InvalidInput("Invalid input for operation: gateway_ip is not of the subnet's IP version.")
    inside = int(cidr.network_address) <= number <= int(cidr.broadcast_address)
    whole = ipam.usable(cidr)
    if cidr.version == 4 and inside and not whole.first <= number <= whole.last:
        raise InvalidInput(f"Invalid input for operation: Gateway is not valid on subnet: {gateway}.")


def check_dns(room: Network, servers: Sequence[str]) -> list[str]:
    if len(servers) > room.most_name_servers:
        raise InvalidInput(
            f"Unable to complete operation. The number of DNS nameservers exceeds the limit {room.most_name_servers}.",
            type_name="DNSNameServersExhausted",
        )
    return list(servers)


def check_routes(room: Network, routes: Sequence[dict[str, str]], version: int) -> list[dict[str, str]]:
    if len(routes) > room.most_host_routes:
        raise InvalidInput(
            f"Unable to complete operation. The number of host routes exceeds the limit {room.most_host_routes}.",
            type_name="HostRoutesExhausted",
        )
    for route in routes:
        if (":" in route["destination"]) != (version == 6) or (":" in route["nexthop"]) != (version == 6):
            raise InvalidInput("Invalid input for operation: host_routes must be of the subnet's IP version.")
    return [{"destination": route["destination"], "nexthop": route["nexthop"]} for route in routes]


async def update(room: Network, tx: Transaction, row: SubnetRow, changes: dict[str, Any]) -> SubnetRow:
    """Write changed columns; `pools` come as pairs of addresses."""
    cidr = ipam.network_of(row.cidr)
    gateway = changes.get("gateway", row.gateway)
    _refuse_no_room(cidr, dhcp=changes.get("dhcp", row.dhcp))
    if "gateway" in changes and gateway != row.gateway:
        _refuse_odd_gateway(cidr, gateway)
        await _refuse_gateway_of_router(tx, row)
    if "pools" in changes:
        pools = choose_pools(cidr, changes["pools"], gateway)
        changes["pools"] = ipam.pools_text(row.version, pools)
    elif gateway and any(p.first <= ipam.number_of(gateway) <= p.last for p in ipam.pools_of(row.pools)):
        raise GatewayConflictWithAllocationPools(
            f"Gateway ip {gateway} conflicts with an allocation pool of {row.cidr}."
        )
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return row
    changed |= {"updated_at": room.clock.now(), "revision": row.revision + 1}
    await tx.update(SubnetRow, {"id": row.id}, **changed)
    network = await tx.get(NetworkRow, id=row.network_id)
    if network:
        await list_in_network(room, tx, network)
    return msgspec.structs.replace(row, **changed)


async def _refuse_gateway_of_router(tx: Transaction, row: SubnetRow) -> None:
    if not row.gateway:
        return
    used = await tx.get(AddressRow, subnet_id=row.id, key=ipam.key_of(row.version, ipam.number_of(row.gateway)))
    port = await tx.get(PortRow, id=used.port_id) if used else None
    if port and port.device_owner == INTERFACE:
        raise GatewayIpInUse(f"Current gateway ip {row.gateway} already in use by port {port.id}. Unable to update.")


async def vacate(room: Network, tx: Transaction, row: SubnetRow) -> None:
    """Take the addresses of a subnet that is to go from ports that made them themselves. Raises SubnetInUse while
    others have some."""
    addresses = await tx.find(AddressRow, subnet_id=row.id)
    ports = await tx.find(PortRow, id=sorted({a.port_id for a in addresses})) if addresses else []
    guests = [port for port in ports if port.device_owner != DHCP]
    users = [p.id for p in guests if not row.makes_own_addresses or p.device_owner in OF_ROUTERS]
    if users:
        raise SubnetInUse(
            f"Unable to complete operation on subnet {row.id}: One or more ports have an IP allocation from this "
            f"subnet. The ports are: {', '.join(sorted(users)[:20])}"
        )
    for port in guests:
        left = [has for has in given_of(port.fixed_ips) if has.subnet_id != row.id]
        await change(room, tx, port, addresses=[Wanted(has.subnet_id, has.ip_address) for has in left])


async def erase_subnet(room: Network, tx: Transaction, row: SubnetRow) -> None:
    """Delete a subnet, which nobody uses any more, and count it out."""
    if await tx.delete(SubnetRow, id=row.id):
        await tx.delete(AddressRow, subnet_id=row.id)
        await tx.delete(TagRow, resource_id=row.id)
        await room.quota.give_back(tx, row.project_id, subnet=1)
