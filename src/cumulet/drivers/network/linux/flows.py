"""Established flows that have lost their right: a rule, a member or an address went, and they went on. Pure.

The tracker's table is read and each flow judged again by the rules of now, by the same judge that the fake driver asks.
So a flow that another rule still allows is left alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cumulet.contracts.networks import Fabric, PortSpec
from cumulet.drivers.network.rules import NUMBERS, Ip, IpNetwork, Judge, Traffic, is_guests

_PORT_WORDS = ("--dport", "--icmp-type", "--icmpv6-type")
_CODE_WORDS = ("--icmp-code", "--icmpv6-code")
_NOT_IN_KEY = frozenset({"-t", "-u", "-m", "-l", "--state"})
"""What a flow has beside its addresses: life time, status, mark, labels."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One entry of the tracker, in the direction of its first packet."""

    zone: int
    traffic: Traffic
    key: str
    """What `conntrack -D` needs to find it."""


def parse_flows(saved: bytes) -> Iterator[Flow]:
    """From the output of `conntrack -L -o save`: one option list a line."""
    for line in saved.decode("ascii", "replace").splitlines():
        words = line.split()
        if not words or words[0] != "-A":
            continue
        options = dict(zip(words[1::2], words[2::2], strict=False))
        try:
            traffic = Traffic(
                ipaddress.ip_address(options["-s"]),
                ipaddress.ip_address(options["-d"]),
                _number(options["-p"]),
                next((int(options[word]) for word in _PORT_WORDS if word in options), 0),
                next((int(options[word]) for word in _CODE_WORDS if word in options), 0),
            )
        except (KeyError, ValueError):
            continue
        family = f"-f ipv{traffic.source.version}"
        key = " ".join(f"{name} {value}" for name, value in options.items() if name not in _NOT_IN_KEY)
        yield Flow(int(options.get("-w", "0")), traffic, f"{family} {key}")


def _number(protocol: str) -> int:
    return NUMBERS[protocol] if protocol in NUMBERS else int(protocol)


def departed(before: Fabric, after: Fabric) -> set[tuple[str, str]]:
    """(network, address) of every fixed address that no port has any more."""
    return _addresses(before) - _addresses(after)


def _addresses(fabric: Fabric) -> set[tuple[str, str]]:
    return {(port.network_id, fixed.ip) for port in fabric.ports for fixed in port.addresses}


class Court:
    """Judges flows by what the node should carry now."""

    def __init__(self, fabric: Fabric, host: str, zones: Mapping[str, int], gone: Iterable[tuple[str, str]]) -> None:
        self._judge = Judge(fabric)
        self._by_address: dict[tuple[int, Ip], list[PortSpec]] = {}
        self._by_range: dict[int, list[tuple[IpNetwork, PortSpec]]] = {}
        for port in fabric.ports:
            if port.host == host and port.security and is_guests(port) and self._judge.is_stateful(port):
                zone = zones.get(port.network_id, 0)
                for fixed in port.addresses:
                    self._by_address.setdefault((zone, ipaddress.ip_address(fixed.ip)), []).append(port)
                for _, cidr in port.allowed_pairs:
                    self._by_range.setdefault(zone, []).append((ipaddress.ip_network(cidr, strict=False), port))
        self._gone = {(zones.get(network, 0), ipaddress.ip_address(ip)) for network, ip in gone}

    def parties(self, flow: Flow) -> set[str] | None:
        """The ids of the local ports that a flow which may not go on belongs to; None if it may."""
        source, destination = flow.traffic.source, flow.traffic.destination
        senders, receivers = self._ports(flow.zone, source), self._ports(flow.zone, destination)
        # An address of several ports (a virtual one) is judged by those that could have it: one that may is enough.
        if (
            (flow.zone, source) in self._gone
            or (flow.zone, destination) in self._gone
            or (senders and not any(self._judge.allows(port, "egress", flow.traffic) for port in senders))
            or (receivers and not any(self._judge.allows(port, "ingress", flow.traffic) for port in receivers))
        ):
            return {port.id for port in (*senders, *receivers)}
        return None

    def _ports(self, zone: int, address: Ip) -> list[PortSpec]:
        ranged = [port for network, port in self._by_range.get(zone, ()) if address in network]
        return [*self._by_address.get((zone, address), ()), *ranged]
