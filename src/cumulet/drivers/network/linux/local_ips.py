"""Local IPs: what guests of a node send to such an address goes to a port on the same node. Pure.

Frames are rewritten before the connection tracker sees them, and answers after all filters, at the asking guest's
tap: tracker and groups know the true address alone. What was rewritten is remembered, flow by flow, in maps of a
bounded size that forget by themselves; every further frame of a flow enters it anew, and one that goes to the true
address strikes it out. TCP, UDP and pings are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.contracts.networks import PortSpec
from cumulet.drivers.network.linux.names import tap
from cumulet.drivers.network.linux.ruleset import BRIDGE, Chain, Elements
from cumulet.drivers.network.rules import leading_here

_MOST_FLOWS, _MOST_QUESTIONS = 16384, 1024
_SECONDS = {"tcp": 3600, "udp": 300, "pings": 60, "asked": 5}
_KEYS = {
    **{way: (f"ip saddr . {way} sport . ip daddr . {way} dport", _MOST_FLOWS) for way in ("tcp", "udp")},
    "pings": ("ip saddr . ip daddr . icmp id", _MOST_QUESTIONS),
    "asked": ("arp saddr ip . arp daddr ip", _MOST_QUESTIONS),
}


def local_rules(ports: Sequence[PortSpec]) -> tuple[dict[str, Chain], dict[str, Elements]]:
    """Chains and sets for the guests' ports of this node; nothing while no local IP leads to one."""
    chains: dict[str, Chain] = {}
    sets: dict[str, Elements] = {}
    networks = sorted({port.network_id for port in ports if port.local})
    if not networks:
        return chains, sets
    for network_id in networks:
        to = tuple(
            rule
            for address, (port, local) in sorted(leading_here(ports, network_id).items())
            for rule in _inward(network_id, port.mac.lower(), address, local.fixed if local.translated else "")
        )
        chains[f"{BRIDGE} local-to-{network_id}"] = Chain((*_direct(network_id), *to))
        chains[f"{BRIDGE} local-from-{network_id}"] = Chain(_outward(network_id))
        sets |= _memory(network_id)
    for side, hook in (("to", "prerouting priority -150"), ("from", "postrouting priority 150")):
        jumps = [f'"{tap(port.id)}" : jump local-{side}-{port.network_id}' for port in ports]
        mine = frozenset(jump for jump in jumps if jump.rpartition(f"local-{side}-")[2] in networks)
        sets[f"{BRIDGE} local-{side}"] = Elements("type ifname : verdict", mine, "map")
        ways = "iifname" if side == "to" else "oifname"
        chains[f"{BRIDGE} locally-{side}"] = Chain(
            (f"{ways} vmap @local-{side}",), f"type filter hook {hook}; policy accept;"
        )
    return chains, sets


def _inward(network_id: str, mac: str, address: str, fixed: str) -> list[str]:
    """Without a fixed address the frames go there as they are."""
    there = f"ether daddr set {mac}"
    if not fixed:
        return [f"arp operation request arp daddr ip {address} {there}", f"ip daddr {address} {there}"]
    noted = {name: f"update @{name}-{network_id} {{ {key} : {address} }}" for name, (key, _) in _KEYS.items()}
    packet = f"{there} ip daddr set {fixed}"
    return [
        f"arp operation request arp daddr ip {address} {there} arp daddr ip set {fixed} {noted['asked']}",
        f"ip daddr {address} icmp type echo-request {packet} {noted['pings']}",
        *(f"ip daddr {address} meta l4proto {way} {packet} {noted[way]}" for way in ("tcp", "udp")),
    ]


def _direct(network_id: str) -> list[str]:
    """Who asks the true address in the same words is answered by it. The value is of no account."""
    return [
        f"{question} delete @{name}-{network_id} {{ {_KEYS[name][0]} : 0.0.0.0 }}"
        for name, question in (
            ("asked", "arp operation request"),
            ("pings", "icmp type echo-request"),
            ("tcp", "tcp flags syn"),
            ("udp", "meta l4proto udp"),
        )
    ]


def _outward(network_id: str) -> tuple[str, ...]:
    """An answer that nothing is remembered for passes as it is."""
    return (
        f"arp operation reply arp saddr ip set arp daddr ip . arp saddr ip map @asked-{network_id}",
        *(
            f"ip saddr set ip daddr . {way} dport . ip saddr . {way} sport map @{way}-{network_id}"
            for way in ("tcp", "udp")
        ),
        f"icmp type echo-reply ip saddr set ip daddr . ip saddr . icmp id map @pings-{network_id}",
    )


def _memory(network_id: str) -> dict[str, Elements]:
    return {
        f"{BRIDGE} {name}-{network_id}": Elements(
            f"typeof {key} : ip saddr; flags dynamic,timeout; timeout {_SECONDS[name]}s; size {most}",
            frozenset(),
            "map",
        )
        for name, (key, most) in _KEYS.items()
    }
