"""The security groups, anti-spoofing and policing of a whole node, as one pure function of what it should carry.

Bridged frames of the Internet protocols pass through the connection tracker (br_netfilter), one zone for each network,
since tenants' addresses overlap. Early in the `inet` table the tracker's verdict is written into the packet's mark,
and all rules for ports stand in the `bridge` table, which sees ports but not the tracker.

A rule is written once for its group, however many ports are in it; a port's chain jumps to those of its groups.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping

from cumulet.contracts.networks import Fabric, GroupSpec, NetworkSpec, NetworkType, PortSpec, RuleSpec
from cumulet.drivers.network.linux.guarantees import priority_rule, promised
from cumulet.drivers.network.linux.guard import guard_rules
from cumulet.drivers.network.linux.local_ips import local_rules
from cumulet.drivers.network.linux.names import bridge, tap
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.ruleset import BRIDGE, INET, Chain, Elements, Ruleset
from cumulet.drivers.network.linux.watching import DROPPED, tells, watches, watches_drops
from cumulet.drivers.network.rules import ICMP, ICMPV6, is_guests, protocol_of

ESTABLISHED, NEW, STRAY, INVALID, UNTRACKED = 0x10, 0x20, 0x30, 0x40, 0x50
"""What the tracker thinks of a packet. STRAY: the middle of a TCP connection that it has not seen begin."""
YOUNG_SECONDS = 60
_TUNNEL_PORT = 4789

_DHCP = ("udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept")
_DHCP_ANSWERS = ("udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept")
_NEIGHBOURS_OUT = (
    "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, "
    "mld2-listener-report, mld-listener-done } accept"
)
_NEIGHBOURS_IN = (
    "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, "
    "mld-listener-report, mld2-listener-report, mld-listener-done } accept"
)


def ruleset(fabric: Fabric, node: Node, zones: Mapping[str, int]) -> Ruleset:
    """All rules of the node's namespace. `zones`: tracker zone of each network whose addresses are its own."""
    ports = [port for port in fabric.ports if port.host == node.name and is_guests(port)]
    guarded = [port for port in ports if port.security]
    groups = {group.id: group for group in fabric.groups}
    used = _used_groups(guarded, groups)
    chains: dict[str, Chain] = {**_bridge_hooks(), **_inet_hooks()}
    if node.uplink:
        # The host speaks to guests as the gateway of their external network, whatever its own address is.
        chains[f"{INET} as-gateway"] = Chain(
            (f'iifname "{node.uplink.inside}" oifname "br-*" masquerade',),
            "type nat hook postrouting priority srcnat; policy accept;",
        )
    sets: dict[str, Elements] = {
        f"{BRIDGE} taps": Elements("type ifname", frozenset(_quoted(ports))),
        # Its elements are added beside the rules, as ports arrive, and leave by themselves.
        f"{BRIDGE} young": Elements(f"type ifname; timeout {YOUNG_SECONDS}s", frozenset()),
        f"{INET} peers4": Elements("type ipv4_addr", frozenset(_peers(fabric, node, 4))),
        f"{INET} peers6": Elements("type ipv6_addr", frozenset(_peers(fabric, node, 6))),
        f"{INET} zones": Elements("typeof iifname : ct zone", frozenset(_zones(fabric.networks, zones)), "map"),
    }
    for group_id in sorted(_referred(used)):
        sets.update(_member_sets(groups.get(group_id, GroupSpec(id=group_id))))
    for group in used:
        for direction in ("ingress", "egress"):
            chains[f"{BRIDGE} {_group_chain(direction, group.id)}"] = Chain(
                tuple(_group_rules(group, direction, groups))
            )
    for port in guarded:
        chains |= _watched(port, groups)
    for port in guarded:
        chains[f"{BRIDGE} guard-{port.id}"] = Chain(guard_rules(port))
        chains[f"{BRIDGE} egress-{port.id}"] = Chain(_port_rules(port, "egress", groups))
        chains[f"{BRIDGE} ingress-{port.id}"] = Chain(_port_rules(port, "ingress", groups))
    local_chains, local_sets = local_rules(ports)
    chains |= local_chains
    sets |= local_sets
    shares = promised(fabric, node)
    shapes = {port.id: _shape_rules(port, shares) for port in ports}
    shaped = [port for port in ports if shapes[port.id]]
    for port in shaped:
        chains[f"{BRIDGE} shape-{port.id}"] = Chain(shapes[port.id])
    counted = [port for port in ports if port.ingress_kpps]
    for port in counted:
        chains[f"{BRIDGE} count-{port.id}"] = Chain((_packet_rule(port.ingress_kpps, port.ingress_burst_kp),))
    by_kind = {"guard": guarded, "egress": guarded, "ingress": guarded, "shape": shaped, "count": counted}
    for name, members in by_kind.items():
        jumps = frozenset(f'"{tap(port.id)}" : jump {name}-{port.id}' for port in members)
        sets[f"{BRIDGE} {name}"] = Elements("type ifname : verdict", jumps, "map")
    return Ruleset(chains, sets)


def youth_begins(port_ids: Iterable[str]) -> str:
    """The script that lets these ports go on, for a while, with connections whose beginning was seen elsewhere: a
    machine that moved here brings them along. One that was just made has none, so it does no harm."""
    names = ", ".join(f'"{tap(port_id)}"' for port_id in port_ids)
    return f"add element {BRIDGE} young {{ {names} }}\n" if names else ""


def youth_ends(port_ids: Iterable[str]) -> str:
    """The script that ends this: what was taken from a port must not come back as something begun elsewhere."""
    begun = youth_begins(port_ids)
    # Added first, for deleting what is not there is an error.
    return begun + begun.replace("add element", "delete element")


def _bridge_hooks() -> dict[str, Chain]:
    def hook(name: str, priority: int) -> str:
        return f"type filter hook {name} priority {priority}; policy accept;"

    arrive, leave = "iifname vmap @egress", "oifname vmap @ingress"
    resolve = "ether type arp accept"
    return {
        # A tap that is not in the fabric has no rules: nothing passes it.
        f"{BRIDGE} from-ports": Chain(
            ('iifname "tap*" iifname != @taps drop', "iifname vmap @shape"), hook("prerouting", -250)
        ),
        # Before br_netfilter (0), so that nothing forged reaches the tracker.
        f"{BRIDGE} unforged": Chain(("iifname vmap @guard",), hook("prerouting", -200)),
        # Two chains in a row, for `accept` in one goes on to the next: sender and receiver must both agree.
        f"{BRIDGE} between-ports-1": Chain((resolve, arrive), hook("forward", 10)),
        f"{BRIDGE} between-ports-2": Chain(
            ('oifname "tap*" oifname != @taps drop', resolve, leave), hook("forward", 11)
        ),
        # The last place, so that only what a guest would get is counted.
        f"{BRIDGE} to-ports": Chain(("oifname vmap @count",), hook("postrouting", 200)),
        # The namespace itself has an address on external networks.
        f"{BRIDGE} to-node": Chain((resolve, arrive), hook("input", 10)),
        f"{BRIDGE} from-node": Chain((resolve, leave), hook("output", 11)),
    }


def _inet_hooks() -> dict[str, Chain]:
    marks = f"established : {ESTABLISHED}, related : {ESTABLISHED}, new : {NEW}, invalid : {INVALID}"
    noted = (
        f"ct state new tcp flags & (fin|syn|rst|ack) != syn meta mark set {STRAY} return",
        f"meta mark set ct state map {{ {marks}, untracked : {UNTRACKED} }}",
    )
    tunnelled = f"udp dport {_TUNNEL_PORT}"
    return {
        f"{INET} zone": Chain(
            (f'iifname != "br*" {tunnelled} notrack', "ct zone set iifname map @zones"),
            "type filter hook prerouting priority raw; policy accept;",
        ),
        f"{INET} untracked": Chain(
            (f'oifname != "br*" {tunnelled} notrack',), "type filter hook output priority raw; policy accept;"
        ),
        f"{INET} note": Chain(noted, "type filter hook prerouting priority mangle; policy accept;"),
        f"{INET} note-own": Chain(noted, "type filter hook output priority mangle; policy accept;"),
        # Tenants' bridges lead to nothing of the node's own; the external ones to its address, for a ping.
        f"{INET} to-node": Chain(
            (
                'iifname "brq*" drop',
                'iifname "br-*" ct state established,related accept',
                'iifname "br-*" meta l4proto { icmp, ipv6-icmp } accept',
                'iifname "br-*" drop',
                f"{tunnelled} ip saddr != @peers4 drop",
                f"{tunnelled} ip6 saddr != @peers6 drop",
            ),
            "type filter hook input priority filter; policy accept;",
        ),
        f"{INET} through-node": Chain(
            (
                'iifname "brq*" oifname != "brq*" drop',
                'oifname "brq*" iifname != "brq*" drop',
                # No guest reaches a tunnel's mouth, its own node's or another's.
                f'iifname "br-*" oifname != "br*" {tunnelled} drop',
            ),
            "type filter hook forward priority filter; policy accept;",
        ),
    }


def _port_rules(port: PortSpec, direction: str, groups: Mapping[str, GroupSpec]) -> tuple[str, ...]:
    mine = [groups[name] for name in port.groups if name in groups]
    rules: list[str] = []
    if all(group.stateful for group in mine):
        rules += [f"meta mark {ESTABLISHED} accept", f"meta mark {INVALID} drop"]
        if direction == "egress":
            # A server that goes on speaking must not revive a connection whose right to come in was taken away.
            rules.append(f"meta mark {STRAY} iifname != @young drop")
    rules += _DHCP_ANSWERS if direction == "ingress" else _DHCP
    rules.append(_NEIGHBOURS_IN if direction == "ingress" else _NEIGHBOURS_OUT)
    for group in sorted(mine, key=lambda group: group.id):
        watched = watches(port, group.id)
        rules.append(f"jump {_watch_chain(direction, port, group) if watched else _group_chain(direction, group.id)}")
    if watches_drops(port):
        rules.append(tells(direction, port.id, DROPPED))
    return (*rules, "drop")


def _watched(port: PortSpec, groups: Mapping[str, GroupSpec]) -> dict[str, Chain]:
    """The port's own copies of the groups that are to tell what they let pass."""
    chains = {}
    for group in (groups[name] for name in port.groups if name in groups and watches(port, name)):
        for direction in ("ingress", "egress"):
            watch = _watch_chain(direction, port, group)
            chains[f"{BRIDGE} {watch}"] = Chain(tuple(_group_rules(group, direction, groups, f"goto {watch}-seen")))
            chains[f"{BRIDGE} {watch}-seen"] = Chain((tells(direction, port.id, group.id), "accept"))
    return chains


def _shape_rules(port: PortSpec, shares: Mapping[str, tuple[str, int]]) -> tuple[str, ...]:
    rules = [priority_rule(shares[port.id][1])] if port.id in shares else []
    if port.dscp is not None:
        rules += [f"ip dscp set {port.dscp}", f"ip6 dscp set {port.dscp}"]
    if port.egress_kbps:
        per_second = port.egress_kbps * 125
        burst = burst_bytes(port.egress_kbps, port.egress_burst_kb)
        rules.append(f"limit rate over {per_second} bytes/second burst {burst} bytes drop")
    if port.egress_kpps:
        rules.append(_packet_rule(port.egress_kpps, port.egress_burst_kp))
    return tuple(rules)


_MOST_BURST = (1 << 31) - 1
"""The kernel takes no larger number."""


def _packet_rule(kpps: int, burst_kp: int) -> str:
    """What passes at once is what was asked for, or what the rate allows in a tenth of a second, as with bytes."""
    return f"limit rate over {kpps * 1000}/second burst {min(burst_kp * 1000 or kpps * 100, _MOST_BURST)} packets drop"


def burst_bytes(kbps: int, burst_kb: int = 0) -> int:
    """What may pass at once: what was asked for, or what the rate allows in a tenth of a second; a few frames at
    least."""
    return min(max(32_768, burst_kb * 125 or kbps * 125 // 10), _MOST_BURST)


def _used_groups(ports: Iterable[PortSpec], groups: Mapping[str, GroupSpec]) -> list[GroupSpec]:
    names = sorted({name for port in ports for name in port.groups})
    return [groups[name] for name in names if name in groups]


def _referred(groups: Iterable[GroupSpec]) -> set[str]:
    return {rule.remote_group for group in groups for rule in group.rules if rule.remote_group}


def _group_chain(direction: str, group_id: str) -> str:
    return f"group-{direction}-{group_id}"


def _watch_chain(direction: str, port: PortSpec, group: GroupSpec) -> str:
    return f"watch-{direction}-{port.id}-{group.id}"


def _group_rules(
    group: GroupSpec, direction: str, groups: Mapping[str, GroupSpec], verdict: str = "accept"
) -> Iterable[str]:
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


def _member_sets(group: GroupSpec) -> dict[str, Elements]:
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


def _zones(networks: Iterable[NetworkSpec], zones: Mapping[str, int]) -> list[str]:
    # A flat network is part of the world outside, whose addresses are the same for everybody: it needs no zone.
    return [f'"{bridge(n)}" : {zones[n.id]}' for n in networks if n.type is not NetworkType.FLAT]


def _peers(fabric: Fabric, node: Node, version: int) -> set[str]:
    addresses = {port.tunnel_address for port in fabric.ports if port.tunnel_address and port.host != node.name}
    return {address for address in addresses if ipaddress.ip_address(address).version == version}


def _quoted(ports: Iterable[PortSpec]) -> list[str]:
    return [f'"{tap(port.id)}"' for port in ports]
