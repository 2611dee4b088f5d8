"""What is inside a namespace of a network's DHCP or of a router: addresses, routes, settings of its kernel. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cumulet.drivers.network.linux.names import Element

_NO_FORWARDING = (("ipv4/ip_forward", "0"), ("ipv6/conf/all/forwarding", "0"))
_ALWAYS = (
    # What we do not order, the kernel must not invent: the host's defaults are handed down to new namespaces.
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    # Taking away the first address of a subnet would take the others along.
    ("ipv4/conf/all/promote_secondaries", "1"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    # Addresses are given out by us, so nobody else has them.
    ("ipv6/conf/default/accept_dad", "0"),
)
QUIET_SETTINGS = (*_ALWAYS, *_NO_FORWARDING)
ROUTER_SETTINGS = (
    *_ALWAYS,
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    # For the addresses that are ordered.
    ("ipv6/conf/all/proxy_ndp", "1"),
)
STANDBY_SETTINGS = (
    *ROUTER_SETTINGS,
    # Legs with the same MAC stand on other nodes: the kernel must not speak as one before it is this one's turn.
    ("ipv6/conf/default/addr_gen_mode", "1"),
)


@dataclass(frozen=True, slots=True)
class Leg:
    """An interface inside the namespace."""

    name: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    """With prefix length."""
    up: bool = True


@dataclass(frozen=True, slots=True)
class Interior:
    """All that one namespace should hold."""

    namespace: str
    element: Element
    legs: tuple[Leg, ...]
    routes: Mapping[str, str] = field(default_factory=dict)
    """Destination, with its table unless it is the main one → what follows it in `ip route`."""
    settings: tuple[tuple[str, str], ...] = QUIET_SETTINGS
    """(path below /proc/sys/net, value)."""
    owns_routes: bool = True
    """No routes are here but these."""
    sign: str = ""
    """While this address is here, somebody else gives the legs addresses besides; without it they have none."""
    proxied: frozenset[tuple[str, str]] = frozenset()
    """(leg, address): neighbours that ask there for it are answered, although it is elsewhere."""
    ways: int = 0
    """Flows that bear a mark leave by a table of their own: so many marks and tables there are."""


WAY_MASK = 0xF0
"""The bits of a packet's mark that say by which way it leaves."""
MOST_WAYS = 15
_NEAR = 100


def way_mark(number: int) -> int:
    """The mark of the flows that leave by this way; ways are counted from 1."""
    return number << 4


def way_table(number: int) -> int:
    return _NEAR + number


def way_rules(wanted: Interior, found: bytes) -> list[str]:
    """Lines for `ip -batch` of one IP version, from `ip -j rule show` of that version: what is near is reached as
    ever, and what goes far leaves by its mark."""
    there = {entry["priority"] for entry in _entries(found)}
    lines = {_NEAR: "lookup main suppress_prefixlength 0"} if wanted.ways else {}
    for number in range(1, wanted.ways + 1):
        lines[_NEAR + number] = f"fwmark {way_mark(number):#x}/{WAY_MASK:#x} lookup {way_table(number)}"
    return [f"rule add pref {priority} {line}" for priority, line in lines.items() if priority not in there]


@dataclass(frozen=True, slots=True)
class FoundInterior:
    """What one namespace holds."""

    legs: Mapping[str, Leg]
    routes: Mapping[str, str]
    proxied: frozenset[tuple[str, str]] = frozenset()


def parse_interior(addresses: bytes, routes4: bytes, routes6: bytes, proxied: bytes) -> FoundInterior:
    """From the output of `ip -j addr show`, `ip -j route show table all proto static` with `-4` and with `-6`, and
    `ip -j neigh show proxy`."""
    legs = {}
    for entry in _entries(addresses):
        held = [
            f"{a['local']}/{a['prefixlen']}"
            for a in entry.get("addr_info", ())
            # The kernel's own link-local address is no order of ours.
            if "local" in a and not (a.get("scope") == "link" and a["prefixlen"] == 64)
        ]
        up = "UP" in entry.get("flags", ())
        legs[entry["ifname"]] = Leg(
            entry["ifname"], entry.get("address", ""), entry.get("mtu", 0), tuple(sorted(held)), up
        )
    routes: dict[str, str] = {}
    for version, shown_routes in ((4, routes4), (6, routes6)):
        for route in _entries(shown_routes):
            shown = "::/0" if route["dst"] == "default" and version == 6 else route["dst"]
            destination = str(ipaddress.ip_network("0.0.0.0/0" if shown == "default" else shown))
            destination += f" table {route['table']}" if "table" in route else ""
            routes.setdefault(destination, _route_text(route))
    return FoundInterior(legs, routes, frozenset((entry["dev"], entry["dst"]) for entry in _entries(proxied)))


def _entries(shown: bytes) -> list[dict[str, Any]]:
    return [entry for entry in msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]]) if entry]


def _route_text(route: Mapping[str, Any]) -> str:
    hops = route.get("nexthops")
    if hops:
        return " ".join(f"nexthop via {hop.get('gateway', '')} dev {hop.get('dev', '')}" for hop in hops)
    return f"via {route['gateway']} dev {route['dev']}" if "gateway" in route else f"dev {route.get('dev', '')}"


def lines_inside(wanted: Interior, found: FoundInterior) -> list[str]:
    """Lines for `ip -batch` in that namespace that lead from what is to what should be."""
    lines: list[str] = []
    loopback = found.legs.get("lo")
    if loopback is None or not loopback.up:
        lines.append("link set dev lo up")
    others = any(f"{wanted.sign}/32" in leg.addresses for leg in found.legs.values())
    for leg in wanted.legs:
        lines += _leg_lines(leg, found.legs.get(leg.name), alone=not others)
    # Routes go when their legs go down, so they are laid anew if a leg was not up before.
    laid = all(leg.name in found.legs and found.legs[leg.name].up for leg in wanted.legs if leg.up)
    if wanted.owns_routes:
        lines += [f"route del {destination} proto static" for destination in found.routes.keys() - wanted.routes.keys()]
    if any(leg.up for leg in wanted.legs):
        for destination, way in wanted.routes.items():
            if not laid or found.routes.get(destination) != way:
                lines.append(f"route replace {destination} proto static {way}")
    mine = {leg.name for leg in wanted.legs}
    there = {(leg, address) for leg, address in found.proxied if leg in mine}
    lines += [f"neigh del proxy {address} dev {leg}" for leg, address in sorted(there - wanted.proxied)]
    fresh = sorted(wanted.proxied - there)
    # At once: by default the kernel lets others answer first.
    lines += [f"ntable change name ndisc_cache dev {leg} proxy_delay 0" for leg in sorted({leg for leg, _ in fresh})]
    lines += [f"neigh add proxy {address} dev {leg}" for leg, address in fresh]
    return lines


def new_addresses(wanted: Interior, found: FoundInterior) -> list[tuple[str, str]]:
    """(interface, address) for each address that comes with these lines, to be announced."""
    return [
        (leg.name, address.partition("/")[0])
        for leg in wanted.legs
        if leg.up
        for address in leg.addresses
        if leg.name not in found.legs or not found.legs[leg.name].up or address not in found.legs[leg.name].addresses
    ]


def _leg_lines(leg: Leg, there: Leg | None, *, alone: bool) -> list[str]:
    changes = []
    if there is None or there.mac != leg.mac:
        changes.append(f"address {leg.mac}")
    if there is None or there.mtu != leg.mtu:
        changes.append(f"mtu {leg.mtu}")
    lines = [f"link set dev {leg.name} {' '.join(changes)}"] if changes else []
    present = set(there.addresses) if there else set()
    if alone:
        lines += [f"addr del {address} dev {leg.name}" for address in sorted(present - set(leg.addresses))]
    for address in leg.addresses:
        if address not in present:
            lines.append(f"addr add {address} dev {leg.name}" + (" nodad" if ":" in address else ""))
    if there is None or there.up != leg.up:
        lines.append(f"link set dev {leg.name} {'up' if leg.up else 'down'}")
    return lines
