"""What a security group's rule means, apart from any machinery that enforces it.

The filter of the Linux driver is written from this, established flows are judged again by it, and the fake driver
answers by it, so that they cannot disagree.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from cumulet.contracts.networks import Fabric, ForwardingSpec, GroupSpec, LocalSpec, LogSpec, PortSpec, RuleSpec

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NUMBERS = {
    "hopopt": 0,
    "icmp": ICMP,
    "igmp": 2,
    "ipip": 4,
    "tcp": TCP,
    "egp": 8,
    "udp": UDP,
    "dccp": 33,
    "ipv6-encap": 41,
    "ipv6-route": 43,
    "ipv6-frag": 44,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": ICMPV6,
    "ipv6-icmp": ICMPV6,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ospf": 89,
    "vrrp": 112,
    "pgm": 113,
    "sctp": 132,
    "udplite": 136,
}
WITH_PORTS = frozenset({TCP, UDP, 33, 132, 136})


def protocol_of(rule: RuleSpec) -> int | None:
    """The number of the rule's protocol, None for any. Raises ValueError for what is no protocol."""
    name = rule.protocol.lower()
    if name in ("", "any"):
        return None
    number = NUMBERS[name] if name in NUMBERS else int(name)
    if not 0 <= number <= 255:
        raise ValueError(f"no such protocol: {rule.protocol}")
    # Rules for IPv6 may say just icmp.
    return ICMPV6 if number == ICMP and rule.version == 6 else number


@dataclass(frozen=True, slots=True)
class Traffic:
    """The first packet of a flow, as a rule sees it."""

    source: Ip
    destination: Ip
    protocol: int
    port: int = 0
    """Destination port, or the type of an ICMP message."""
    code: int = 0


def matches(rule: RuleSpec, traffic: Traffic, remote: Ip, members: Iterable[IpNetwork]) -> bool:
    """Whether the rule allows this traffic with that other side. `members` are those of the rule's remote group."""
    if rule.version != remote.version:
        return False
    protocol = protocol_of(rule)
    if protocol is not None and protocol != traffic.protocol:
        return False
    if not _port_matches(rule, protocol, traffic):
        return False
    if rule.remote_group:
        return any(remote in network for network in members if network.version == remote.version)
    return not rule.remote_cidr or remote in ipaddress.ip_network(rule.remote_cidr, strict=False)


def _port_matches(rule: RuleSpec, protocol: int | None, traffic: Traffic) -> bool:
    if rule.port_min is None and rule.port_max is None:
        return True
    if protocol in (ICMP, ICMPV6):
        kind = rule.port_min is None or rule.port_min == traffic.port
        return kind and (rule.port_max is None or rule.port_max == traffic.code)
    low = rule.port_min if rule.port_min is not None else 0
    high = rule.port_max if rule.port_max is not None else 65535
    return low <= traffic.port <= high


class Judge:
    """Decides over flows by the groups of the ports in a fabric."""

    def __init__(self, fabric: Fabric) -> None:
        self._groups = {group.id: group for group in fabric.groups}
        self._members = {
            group.id: [ipaddress.ip_network(member, strict=False) for member in group.members]
            for group in fabric.groups
        }

    def allows(self, port: PortSpec, direction: str, traffic: Traffic) -> bool:
        """Whether the port's groups let a new flow pass. `direction` is as in rules, seen from the guest."""
        return not port.security or bool(self.granting(port, direction, traffic))

    def granting(self, port: PortSpec, direction: str, traffic: Traffic) -> str:
        """The first of a port's groups that lets a new flow pass; empty: none does."""
        remote = traffic.source if direction == "ingress" else traffic.destination
        for group in sorted(self._of(port), key=lambda group: group.id):
            for rule in group.rules:
                members = self._members.get(rule.remote_group, ())
                if rule.direction == direction and matches(rule, traffic, remote, members):
                    return group.id
        return ""

    def is_stateful(self, port: PortSpec) -> bool:
        """Whether answers pass because the question did."""
        return all(group.stateful for group in self._of(port))

    def _of(self, port: PortSpec) -> list[GroupSpec]:
        return [self._groups[name] for name in port.groups if name in self._groups]


def forwarded(forwarding: ForwardingSpec, port: int) -> int | None:
    """The internal port to which an external one leads; None if it is none of the forwarding's."""
    place = port - forwarding.external_port
    if not 0 <= place <= forwarding.more:
        return None
    return forwarding.internal_port + (0 if forwarding.together else place)


def owns(port: PortSpec, address: Ip) -> bool:
    """Whether the guest behind this port may speak as that address."""
    if any(ipaddress.ip_address(fixed.ip) == address for fixed in port.addresses):
        return True
    return any(address in ipaddress.ip_network(cidr, strict=False) for _, cidr in port.allowed_pairs)


def logs_of(port: PortSpec, granting: str) -> list[LogSpec]:
    """The logs that tell of a packet which this group let pass, or none (empty)."""
    event = "ACCEPT" if granting else "DROP"
    return [log for log in port.logs if log.event in (event, "ALL") and (not granting or log.group in ("", granting))]


def leading_here(ports: Iterable[PortSpec], network_id: str) -> dict[str, tuple[PortSpec, LocalSpec]]:
    """Local address → the port of this network that it leads to; of several the first, so that it does not jump."""
    found: dict[str, tuple[PortSpec, LocalSpec]] = {}
    for port in sorted(ports, key=lambda port: port.id):
        if port.network_id == network_id:
            for local in port.local:
                found.setdefault(local.address, (port, local))
    return found


def is_guests(port: PortSpec) -> bool:
    """Whether a machine opens this port; routers and DHCP have ports too, but those are made with them."""
    return not port.device_owner.startswith("network:")
