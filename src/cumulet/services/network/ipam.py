"""Addresses as arithmetic: pools, free addresses, addresses made from a MAC. Nothing here touches the database."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

Subnetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_SCANNED = 2**17
"""Allocated addresses that a search for a gap looks at."""


class Pool(msgspec.Struct, frozen=True):
    """A range of addresses, both ends included, as numbers."""

    first: int
    last: int


class InvalidPool(ValueError):
    """A pool that is not one; `reason` is a word for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def network_of(cidr: str) -> Subnetwork:
    return ipaddress.ip_network(cidr, strict=False)


def address_of(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def number_of(ip: str) -> int:
    return int(ipaddress.ip_address(ip))


def key_of(version: int, number: int) -> str:
    """A number as text of fixed width, so that texts sort as numbers do, also beyond 64 bits."""
    return f"{number:0{8 if version == 4 else 32}x}"


def usable(network: Subnetwork) -> Pool:
    """The addresses that hosts may have: without the network's own and, in IPv4, without broadcast."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.version == 4:
        return Pool(first + 1, last - 1) if network.prefixlen < 31 else Pool(first, last)
    return Pool(first + 1, last) if network.prefixlen < 127 else Pool(first, last)


def default_gateway(network: Subnetwork) -> str:
    """The first usable address."""
    return address_of(network.version, usable(network).first)


def default_pools(network: Subnetwork, gateway: str) -> list[Pool]:
    """All usable addresses but the gateway's."""
    whole = usable(network)
    gate = number_of(gateway) if gateway else -1
    if not whole.first <= gate <= whole.last:
        return [whole]
    return [pool for pool in (Pool(whole.first, gate - 1), Pool(gate + 1, whole.last)) if pool.first <= pool.last]


def checked_pools(network: Subnetwork, given: Sequence[tuple[str, str]], gateway: str) -> list[Pool]:
    """Pools as a client gave them, in order. Raises InvalidPool."""
    whole = usable(network)
    pools = []
    for start, end in given:
        pool = Pool(number_of(start), number_of(end))
        version = {ipaddress.ip_address(start).version, ipaddress.ip_address(end).version}
        if version != {network.version} or pool.first > pool.last:
            raise InvalidPool("invalid", f"The allocation pool {start}-{end} is not valid.")
        if pool.first < whole.first or pool.last > whole.last:
            raise InvalidPool("outside", f"The allocation pool {start}-{end} spans beyond the subnet cidr {network}.")
        pools.append(pool)
    pools.sort(key=lambda pool: pool.first)
    for one, other in pairwise(pools):
        if other.first <= one.last:
            raise InvalidPool("overlap", f"Found overlapping allocation pools for subnet {network}.")
    if gateway and any(pool.first <= number_of(gateway) <= pool.last for pool in pools):
        raise InvalidPool("gateway", f"Gateway ip {gateway} conflicts with an allocation pool of {network}.")
    return pools


def next_free(pool: Pool, highest: int | None) -> int | None:
    """The address after the highest that is in use: found without a search, until the pool's end is reached."""
    if highest is None:
        return pool.first
    return highest + 1 if highest < pool.last else None


def first_gap(pool: Pool, used: Iterable[int]) -> int | None:
    """The lowest address of a pool that is not among these, which come in order."""
    candidate = pool.first
    for number in used:
        if number > candidate:
            break
        candidate = number + 1
    return candidate if candidate <= pool.last else None


def eui64(cidr: str, mac: str) -> str:
    """The IPv6 address that a host makes itself from its MAC."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    interface = bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]])
    return str(network_of(cidr).network_address + int.from_bytes(interface))


def pools_text(version: int, pools: Iterable[Pool]) -> str:
    """Pools as the view shows them."""
    shown = [{"start": address_of(version, p.first), "end": address_of(version, p.last)} for p in pools]
    return msgspec.json.encode(shown).decode()


def pools_of(text: str) -> list[Pool]:
    """Pools from their shown text."""
    return [Pool(number_of(pool["start"]), number_of(pool["end"])) for pool in msgspec.json.decode(text)]
