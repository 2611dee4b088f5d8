"""Giving addresses to ports, in the transaction that makes or changes the port."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.network import ipam
from cumulet.services.network.ports.addresses import Given, Wanted
from cumulet.services.network.ports.errors import (
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
)
from cumulet.services.network.ports.reach import refuse_elsewhere, subnet_of
from cumulet.services.network.ports.row import OF_ROUTERS
from cumulet.services.network.subnets.row import AddressRow, SubnetRow


async def give(
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
        subnet = subnet_of(subnets, wish, network_id)
        if wish.ip:
            given.append(await _give_this(tx, subnet, port_id, wish.ip))
        elif subnet.makes_own_addresses and device_owner not in OF_ROUTERS:
            given.append(await _give_this(tx, subnet, port_id, ipam.eui64(subnet.cidr, mac)))
        else:
            given.append(await _give_any(tx, [subnet], port_id))
    return given


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
        if subnet.makes_own_addresses and device_owner not in OF_ROUTERS:
            given.append(await _give_this(tx, subnet, port_id, ipam.eui64(subnet.cidr, mac)))
    return given


def _serves(subnet: SubnetRow, device_owner: str) -> bool:
    types: list[str] = msgspec.json.decode(subnet.service_types)
    return not types or any(device_owner.startswith(kind) for kind in types)


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
    if not fresh:
        return kept
    return kept + await give(
        tx, network_id=network_id, port_id=port_id, mac=mac, device_owner=device_owner, wanted=fresh, host=host
    )
