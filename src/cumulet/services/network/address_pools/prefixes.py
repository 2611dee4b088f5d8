"""Prefixes as arithmetic: where in a pool there is room for one more. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from cumulet.services.network.ipam import Subnetwork, network_of


def compacted(prefixes: Iterable[str]) -> list[str]:
    """Prefixes without what others contain, neighbours joined, in order."""
    networks = [network_of(prefix) for prefix in prefixes]
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [str(n) for n in ipaddress.collapse_addresses(four)] + [str(n) for n in ipaddress.collapse_addresses(six)]


def without(prefixes: Iterable[str], given: Iterable[str]) -> list[str]:
    """What is left of prefixes when others are taken out of them."""
    left = [network_of(prefix) for prefix in prefixes]
    for prefix in map(network_of, given):
        rest: list[Subnetwork] = []
        for network in left:
            if prefix == network or network.subnet_of(prefix):  # type: ignore[arg-type]
                continue
            inside = prefix.subnet_of(network)  # type: ignore[arg-type]
            rest += network.address_exclude(prefix) if inside else [network]  # type: ignore[arg-type]
        left = rest
    return compacted(str(network) for network in left)


def contains(prefixes: Iterable[str], network: Subnetwork) -> bool:
    return any(_within(network, network_of(prefix)) for prefix in prefixes)


def overlapping(one: Iterable[str], others: Iterable[str]) -> bool:
    """Does any of these prefixes overlap with any of the others?"""
    theirs = [network_of(other) for other in others]
    return any(
        network_of(mine).overlaps(other)
        for mine in one
        for other in theirs
        if other.version == network_of(mine).version
    )


def first_free(prefixes: Sequence[str], taken: Iterable[str], length: int) -> str:
    """The first block of this length that overlaps with nothing taken; empty when there is none."""
    used = sorted((int(network.network_address), int(network.broadcast_address)) for network in map(network_of, taken))
    for prefix in prefixes:
        pool = network_of(prefix)
        if pool.prefixlen > length:
            continue
        size = 1 << (pool.max_prefixlen - length)
        candidate, last = int(pool.network_address), int(pool.broadcast_address)
        for low, high in used:
            if high < candidate:
                continue
            if low > candidate + size - 1:
                break
            candidate = (high // size + 1) * size
        if candidate + size - 1 <= last:
            kind = ipaddress.IPv4Network if pool.version == 4 else ipaddress.IPv6Network
            return str(kind((candidate, length)))
    return ""


def _within(network: Subnetwork, pool: Subnetwork) -> bool:
    if network.version != pool.version or network.prefixlen < pool.prefixlen:
        return False
    return network.network_address in pool
