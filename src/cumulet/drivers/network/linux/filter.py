"""The filter of a whole node, as one pure function of what it should carry: security groups, anti-spoofing, policing.

A port's chain jumps to those of its groups (`group_rules`); `hooks` says where the kernel calls them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from cumulet.contracts.networks import Fabric, GroupSpec, NetworkSpec, NetworkType, PortSpec
from cumulet.drivers.network.linux.group_rules import group_chain, group_rules, member_sets
from cumulet.drivers.network.linux.guarantees import promised
from cumulet.drivers.network.linux.guard import guard_rules
from cumulet.drivers.network.linux.hooks import ESTABLISHED, INVALID, STRAY, bridge_hooks, inet_hooks
from cumulet.drivers.network.linux.local_ips import local_rules
from cumulet.drivers.network.linux.names import bridge, tap
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.policing import packet_rule, shape_rules
from cumulet.drivers.network.linux.ruleset import BRIDGE, INET, Chain, Elements, Ruleset
from cumulet.drivers.network.linux.watching import DROPPED, tells, watches, watches_drops
from cumulet.drivers.network.rules import is_guests

YOUNG_SECONDS = 60
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
    chains: dict[str, Chain] = {**bridge_hooks(), **inet_hooks()}
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
        sets.update(member_sets(groups.get(group_id, GroupSpec(id=group_id))))
    for group in used:
        for direction in ("ingress", "egress"):
            chains[f"{BRIDGE} {group_chain(direction, group.id)}"] = Chain(tuple(group_rules(group, direction, groups)))
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
    shapes = {port.id: shape_rules(port, shares) for port in ports}
    shaped = [port for port in ports if shapes[port.id]]
    for port in shaped:
        chains[f"{BRIDGE} shape-{port.id}"] = Chain(shapes[port.id])
    counted = [port for port in ports if port.ingress_kpps]
    for port in counted:
        chains[f"{BRIDGE} count-{port.id}"] = Chain((packet_rule(port.ingress_kpps, port.ingress_burst_kp),))
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
        rules.append(f"jump {_watch_chain(direction, port, group) if watched else group_chain(direction, group.id)}")
    if watches_drops(port):
        rules.append(tells(direction, port.id, DROPPED))
    return (*rules, "drop")


def _watched(port: PortSpec, groups: Mapping[str, GroupSpec]) -> dict[str, Chain]:
    """The port's own copies of the groups that are to tell what they let pass."""
    chains = {}
    for group in (groups[name] for name in port.groups if name in groups and watches(port, name)):
        for direction in ("ingress", "egress"):
            watch = _watch_chain(direction, port, group)
            chains[f"{BRIDGE} {watch}"] = Chain(tuple(group_rules(group, direction, groups, f"goto {watch}-seen")))
            chains[f"{BRIDGE} {watch}-seen"] = Chain((tells(direction, port.id, group.id), "accept"))
    return chains


def _used_groups(ports: Iterable[PortSpec], groups: Mapping[str, GroupSpec]) -> list[GroupSpec]:
    names = sorted({name for port in ports for name in port.groups})
    return [groups[name] for name in names if name in groups]


def _referred(groups: Iterable[GroupSpec]) -> set[str]:
    return {rule.remote_group for group in groups for rule in group.rules if rule.remote_group}


def _watch_chain(direction: str, port: PortSpec, group: GroupSpec) -> str:
    return f"watch-{direction}-{port.id}-{group.id}"


def _zones(networks: Iterable[NetworkSpec], zones: Mapping[str, int]) -> list[str]:
    # A flat network is part of the world outside, whose addresses are the same for everybody: it needs no zone.
    return [f'"{bridge(n)}" : {zones[n.id]}' for n in networks if n.type is not NetworkType.FLAT]


def _peers(fabric: Fabric, node: Node, version: int) -> set[str]:
    addresses = {port.tunnel_address for port in fabric.ports if port.tunnel_address and port.host != node.name}
    return {address for address in addresses if ipaddress.ip_address(address).version == version}


def _quoted(ports: Iterable[PortSpec]) -> list[str]:
    return [f'"{tap(port.id)}"' for port in ports]
