"""Security groups as chains and sets: a rule is written once for its group, however many ports are in it. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping

from cumulet.contracts.networks import GroupSpec, RuleSpec
from cumulet.drivers.network.linux.ruleset import BRIDGE, Elements
from cumulet.drivers.network.rules import ICMP, ICMPV6, protocol_of


def group_chain(direction: str, group_id: str) -> str:
    """The name of a group's chain for one direction."""
    return f"group-{direction}-{group_id}"


def group_rules(
    group: GroupSpec, direction: str, groups: Mapping[str, GroupSpec], verdict: str = "accept"
) -> Iterable[str]:
    """The rules of a group for one direction, each with this verdict."""
    for rule in sorted(group.rules, key=lambda r: r.id):
        if rule.direction == direction:
            for match in rule_matches(rule, groups):
                yield f"{match} {verdict}"


def rule_matches(rule: RuleSpec, groups: Mapping[str, GroupSpec]) -> list[str]:
    """The conditions under which the rule allows a packet: one for each set that holds members of its group."""
    family, any_of = ("ip", "ether type ip") if rule.version == 4 else ("ip6", "ether type ip6")
    side = f"{family} {'saddr' if rule.direction == 'ingress' else 'daddr'}"
    if rule.remote_group:
        group = groups.get(rule.remote_group, GroupSpec(id=rule.remote_group))
        remotes = [f"{side} @{name}" for name in _member_set_names(group, rule.version)]
    elif rule.remote_cidr:
        network = ipaddress.ip_network(rule.remote_cidr, strict=False)
        remotes = [f"{side} {network}" if network.prefixlen else any_of]
    else:
        remotes = [any_of]
    protocol = _protocol_match(rule)
    return [f"{remote} {protocol}".rstrip() for remote in remotes]


def _protocol_match(rule: RuleSpec) -> str:
    protocol = protocol_of(rule)
    if protocol is None:
        return ""
    low, high = rule.port_min, rule.port_max
    if protocol in (ICMP, ICMPV6):
        name = "icmp" if protocol == ICMP else "icmpv6"
        parts = [f"meta l4proto {protocol}"]
        parts += [f"{name} type {low}"] if low is not None else []
        parts += [f"{name} code {high}"] if high is not None else []
        return " ".join(parts)
    if low is None and high is None:
        return f"meta l4proto {protocol}"
    first, last = low if low is not None else 0, high if high is not None else 65535
    return f"meta l4proto {protocol} th dport {first if first == last else f'{first}-{last}'}"


def _member_set_names(group: GroupSpec, version: int) -> list[str]:
    """Single addresses stand in a set that grows and shrinks. Ranges stand in one that is named by its content and
    never changes: taking a range out and putting another in, at one instant, is what kernels have got wrong."""
    _, ranges = _members(group, version)
    names = [f"members{version}-{group.id}"]
    return [*names, f"ranges{version}-{group.id}-{_digest(ranges)}"] if ranges else names


def member_sets(group: GroupSpec) -> dict[str, Elements]:
    """The sets of those who are members of a group, as rules of others speak of them."""
    sets: dict[str, Elements] = {}
    for version in (4, 6):
        single, ranges = _members(group, version)
        names = _member_set_names(group, version)
        sets[f"{BRIDGE} {names[0]}"] = Elements(f"type ipv{version}_addr", frozenset(single))
        if ranges:
            sets[f"{BRIDGE} {names[1]}"] = Elements(f"type ipv{version}_addr; flags interval", frozenset(ranges))
    return sets


def _members(group: GroupSpec, version: int) -> tuple[list[str], list[str]]:
    networks = [ipaddress.ip_network(member, strict=False) for member in group.members]
    single = sorted({str(n.network_address) for n in networks if n.version == version and n.num_addresses == 1})
    wide = [n for n in networks if n.version == version and n.num_addresses > 1]
    merged = [
        *ipaddress.collapse_addresses(n for n in wide if isinstance(n, ipaddress.IPv4Network)),
        *ipaddress.collapse_addresses(n for n in wide if isinstance(n, ipaddress.IPv6Network)),
    ]
    return single, [str(network) for network in merged]


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
