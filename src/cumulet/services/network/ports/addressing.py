"""Giving addresses and MACs to ports, in the transaction that makes or changes the port."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.network import ipam
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.carrying import reached, segments_of, wires_of
from cumulet.services.network.ports.errors import (
    HostNotCompatibleWithFixedIps,
    HostNotConnectedToAnySegment,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
)
from cumulet.services.network.room import Network
from cumulet.services.network.subnets.row import AddressRow, SubnetRow


class Wanted(msgspec.Struct, frozen=True):
    """An address that a port is to have: this one, or any of a subnet."""

    subnet_id: str = ""
    ip: str = ""


class Given(msgspec.Struct, frozen=True):
    """An address that a port has, as the view shows it."""

    subnet_id: str
    ip_address: str


def new_mac(room: Network) -> str:
    first, second, third = room.base_mac
    octets = (first, second, third, *secrets.token_bytes(3))
    return ":".join(f"{octet:02x}" for octet in octets)


def text_of(given: Sequence[Given]) -> str:
    return msgspec.json.encode(given).decode()


def given_of(text: str) -> list[Given]:
    return msgspec.json.decode(text, type=list[Given])


async def give(
    room: Network,
    tx: Transaction,
    *,
    network_id: str,
    port_id: str,
    mac: str,
    device_owner: str,
    wanted: Sequence[Wanted] | None,
    host: str = "",
) -> list[Given]:
    """Give a port the addresses that were asked for; when nothing was said, one of each version there is.

    Where subnets belong to segments, a guest gets addresses of those that its node carries, and none without a node.
    """
    if wanted is not None:
        _refuse_too_many(room, wanted, device_owner)
    if wanted is not None and not wanted:
        return []
    subnets = await tx.find(SubnetRow, network_id=network_id, order_by="created_at")
    if not device_owner.startswith("network:"):
        there = await refuse_elsewhere(tx, network_id, subnets, wanted or (), host)
        if wanted is None and there is None:
            return []
        subnets = there if there is not None else subnets
    if wanted is None:
        return await _give_by_itself(tx, subnets, port_id, mac, device_owner)
    given = []
    for wish in wanted:
        subnet = _subnet_of(subnets, wish, network_id)
        if wish.ip:
            given.append(await _give_this(tx, subnet, port_id, wish.ip))
        elif subnet.makes_own_addresses and device_owner not in _OF_ROUTERS:
            given.append(await _give_this(tx, subnet, port_id, ipam.eui64(subnet.cidr, mac)))
        else:
            given.append(await _give_any(tx, [subnet], port_id))
    return given


_OF_ROUTERS = ("network:router_interface", "network:router_gateway")


async def is_there(tx: Transaction, subnet: SubnetRow, host: str) -> bool:
    """Whether a guest on this node may have an address of the subnet."""
    return subnet in (await _there(tx, subnet.network_id, [subnet], host) or [])


async def _there(tx: Transaction, network_id: str, subnets: Sequence[SubnetRow], host: str) -> list[SubnetRow] | None:
    """The subnets whose addresses are of use on a node; None: that cannot be said before a node is chosen."""
    if not any(subnet.segment_id for subnet in subnets):
        return list(subnets)
    if not host:
        return None
    wires = await wires_of(tx, [host])
    here = [segment.id for segment in reached(await segments_of(tx, network_id), wires.get(host, []))[:1]]
    return [subnet for subnet in subnets if not subnet.segment_id or subnet.segment_id in here]


async def refuse_elsewhere(
    tx: Transaction, network_id: str, subnets: Sequence[SubnetRow], wanted: Sequence[Wanted], host: str
) -> list[SubnetRow] | None:
    """The same; raises where there are none, or where addresses that are wanted are not of them."""
    there = await _there(tx, network_id, subnets, host)
    if there is None:
        return None
    if subnets and not there:
        raise HostNotConnectedToAnySegment(
            f"Host {host} is not connected to any segment on routed provider network '{subnets[0].network_id}'. It "
            "should be connected to one."
        )
    ids = {subnet.id for subnet in there}
    for wish in wanted:
        if _subnet_of(subnets, wish, network_id).id not in ids:
            raise HostNotCompatibleWithFixedIps(
                f"Host {host} is not connected to a segment where the existing fixed_ips on port function given the "
                "routed network topology."
            )
    return there


def _refuse_too_many(room: Network, wanted: Sequence[Wanted], device_owner: str) -> None:
    if len(wanted) > room.most_fixed_ips and not device_owner.startswith("network:"):
        raise InvalidInput(f"Exceeded maximum amount of fixed ips per port ({room.most_fixed_ips}).")


async def _give_by_itself(
    tx: Transaction, subnets: Sequence[SubnetRow], port_id: str, mac: str, device_owner: str
) -> list[Given]:
    fit = [subnet for subnet in subnets if _serves(subnet, device_owner)]
    if subnets and not fit:
        raise IpAddressGenerationFailure(
            f"No subnet of network {subnets[0].network_id} has a service type for {device_owner or 'this port'}."
        )
    given = []
    for version in (4, 6):
        pooled = [s for s in fit if s.version == version and not s.makes_own_addresses and s.pools != "[]"]
        if pooled:
            given.append(await _give_any(tx, pooled, port_id))
    for subnet in fit:
        if subnet.makes_own_addresses and device_owner not in _OF_ROUTERS:
            given.append(await _give_this(tx, subnet, port_id, ipam.eui64(subnet.cidr, mac)))
    return given


def _serves(subnet: SubnetRow, device_owner: str) -> bool:
    types: list[str] = msgspec.json.decode(subnet.service_types)
    return not types or any(device_owner.startswith(kind) for kind in types)


def _subnet_of(subnets: Sequence[SubnetRow], wish: Wanted, network_id: str) -> SubnetRow:
    for subnet in subnets:
        if wish.subnet_id:
            if subnet.id == wish.subnet_id:
                return subnet
        elif ipaddress.ip_address(wish.ip) in ipam.network_of(subnet.cidr):
            return subnet
    if wish.subnet_id:
        raise InvalidInput(
            f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {wish.subnet_id}"
        )
    raise InvalidIpForNetwork(f"IP address {wish.ip} is not a valid IP for any of the subnets on the network.")


async def _give_this(tx: Transaction, subnet: SubnetRow, port_id: str, ip: str) -> Given:
    network, address = ipam.network_of(subnet.cidr), ipaddress.ip_address(ip)
    whole = ipam.usable(network)
    outside = address.version != network.version or not whole.first <= int(address) <= whole.last
    if outside and address not in network:
        raise InvalidIpForSubnet(f"IP address {ip} is not a valid IP for the specified subnet.")
    if outside:
        raise InvalidIpForSubnet(f"IP address {ip} is the network's own or its broadcast; choose another one.")
    key = ipam.key_of(subnet.version, int(address))
    taken = IpAddressAlreadyAllocated(f"IP address {ip} already allocated in subnet {subnet.id}")
    if await tx.get(AddressRow, subnet_id=subnet.id, key=key):
        raise taken
    try:
        await tx.insert(AddressRow(subnet.id, key, ip, port_id, subnet.network_id))
    except Duplicate:
        raise taken from None
    return Given(subnet.id, ip)


async def _give_any(tx: Transaction, subnets: Sequence[SubnetRow], port_id: str) -> Given:
    for subnet in subnets:
        for pool in ipam.pools_of(subnet.pools):
            number = await _free(tx, subnet, pool)
            if number is None:
                continue
            ip = ipam.address_of(subnet.version, number)
            key = ipam.key_of(subnet.version, number)
            try:
                await tx.insert(AddressRow(subnet.id, key, ip, port_id, subnet.network_id))
            except Duplicate as race:  # another transaction was given it a moment ago: look again from the start
                raise Collision("address") from race
            return Given(subnet.id, ip)
    if len(subnets) == 1:
        raise IpAddressGenerationFailure(
            f"No more IP addresses available on network {subnets[0].network_id} in subnet {subnets[0].id}."
        )
    raise IpAddressGenerationFailure(f"No more IP addresses available on network {subnets[0].network_id}.")


async def _free(tx: Transaction, subnet: SubnetRow, pool: ipam.Pool) -> int | None:
    bounds = {
        "subnet": subnet.id,
        "low": ipam.key_of(subnet.version, pool.first),
        "high": ipam.key_of(subnet.version, pool.last),
    }
    highest = await tx.scalar(_highest_query(), bounds)
    number = ipam.next_free(pool, int(highest, 16) if highest else None)
    if number is None:
        used = await tx.tuples(_used_query(), bounds)
        number = ipam.first_gap(pool, (int(key, 16) for (key,) in used))
    return number


@cache
def _highest_query() -> Query:
    c = AddressRow.c
    return Query(sa.select(sa.func.max(c.key)).where(*_between()))


@cache
def _used_query() -> Query:
    c = AddressRow.c
    return Query(sa.select(c.key).where(*_between()).order_by(c.key).limit(ipam.MOST_SCANNED))


def _between() -> tuple[sa.ColumnElement[bool], ...]:
    c = AddressRow.c
    return (
        c.subnet_id == sa.bindparam("subnet", type_=sa.String),
        c.key >= sa.bindparam("low", type_=sa.String),
        c.key <= sa.bindparam("high", type_=sa.String),
    )


async def regive(
    room: Network,
    tx: Transaction,
    *,
    network_id: str,
    port_id: str,
    mac: str,
    device_owner: str,
    before: Sequence[Given],
    wanted: Sequence[Wanted],
    host: str = "",
) -> list[Given]:
    """Change the addresses of a port to those wanted; what it has and still wants, it keeps."""
    free = list(before)
    kept: list[Given] = []
    fresh: list[Wanted] = []
    for wish in wanted:
        match = next((has for has in free if wish.ip and has.ip_address == wish.ip), None)
        match = match or next(
            (has for has in free if not wish.ip and has.subnet_id == wish.subnet_id and wish.subnet_id), None
        )
        if match and (not wish.subnet_id or wish.subnet_id == match.subnet_id):
            free.remove(match)
            kept.append(match)
        else:
            fresh.append(wish)
    for gone in free:
        await tx.delete(AddressRow, subnet_id=gone.subnet_id, ip=gone.ip_address, port_id=port_id)
    _refuse_too_many(room, wanted, device_owner)
    if not fresh:
        return kept
    return kept + await give(
        room, tx, network_id=network_id, port_id=port_id, mac=mac, device_owner=device_owner, wanted=fresh, host=host
    )
