"""The way between the node's namespace and its host: so that the host reaches floating addresses, and, if the operator
wants it, guests reach the world under the host's address.

A pair of interfaces with two addresses of its own, a route on the host to each external network, a default route in the
namespace. New flows go only from the host to guests; with `outgoing`, also from guests to the world. Never from the
world to guests: the host does not become their router.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
from collections.abc import Callable, Sequence

from cumulet.contracts.networks import Fabric, NetworkSpec
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.bridges import TUNNEL_PORT
from cumulet.drivers.network.linux.commands import Commands
from cumulet.drivers.network.linux.node import Node, Uplink

_PROTOCOL = "97"
"""By this number our routes can be told from those of others."""
_IPTABLES_SECONDS = "5"

Which = Callable[[str], str | None]


def outside_name(node: Node) -> str:
    """The host's end of the pair."""
    return "up-" + re.sub(r"[^a-z0-9]", "", node.namespace)[:12]


def _addresses(uplink: Uplink) -> tuple[str, str, int]:
    network = ipaddress.IPv4Network(uplink.network)
    hosts = network.hosts()
    return str(next(hosts)), str(next(hosts)), network.prefixlen


def floating_ranges(fabric: Fabric, node: Node) -> list[str]:
    """The subnets behind the pair: those of the external networks that have no wire of their own."""
    return sorted(
        {s.cidr for network in _behind(fabric, node) for s in network.subnets if s.version == 4 and s.gateway}
    )


def _behind(fabric: Fabric, node: Node) -> list[NetworkSpec]:
    return [network for network in fabric.networks if node.ends_here(network)]


def host_rules(node: Node, ranges: Sequence[str]) -> str:
    """The script for the host's side, whole, at one instant. Pure."""
    assert node.uplink is not None
    table, pair = f"inet {table_name(node)}", outside_name(node)
    lines = [f"table {table} {{}}", f"delete table {table}", f"table {table} {{"]
    forward = [f'oifname "{pair}" ct state established,related accept', f'oifname "{pair}" drop']
    if not node.uplink.outgoing:
        forward.append(f'iifname "{pair}" drop')
    else:
        # A tunnel's mouth on the host is no business of guests.
        forward.append(f'iifname "{pair}" udp dport {TUNNEL_PORT} drop')
    lines += [" chain forward {", "  type filter hook forward priority -10; policy accept;"]
    lines += [f"  {rule}" for rule in forward] + [" }"]
    own = [f'iifname "{pair}" udp dport {TUNNEL_PORT} drop']
    if not node.uplink.outgoing:
        own += [f'iifname "{pair}" ct state established,related accept', f'iifname "{pair}" drop']
    lines += [" chain input {", "  type filter hook input priority -10; policy accept;"]
    lines += [f"  {rule}" for rule in own] + [" }"]
    if node.uplink.outgoing and ranges:
        lines += [" chain after {", "  type nat hook postrouting priority srcnat; policy accept;"]
        lines += [f'  oifname != "{pair}" ip saddr {{ {", ".join(ranges)} }} masquerade', " }"]
    return "\n".join([*lines, "}", ""])


def table_name(node: Node) -> str:
    return f"cumulet-{node.namespace}"


async def ensure_uplink(commands: Commands, node: Node, fabric: Fabric, which: Which = shutil.which) -> None:
    """Make the pair, its addresses and routes, and the host's rules. Raises `ProcessFailed`."""
    assert node.uplink is not None
    host = node.uplink.host_namespace or None
    pair = outside_name(node)
    outside, inside, prefix = _addresses(node.uplink)
    ranges = floating_ranges(fabric, node)
    # Rules first: there is no instant at which the pair forwards more than it should.
    await commands.nft(host, host_rules(node, ranges))
    if node.uplink.inside not in await commands.links(node.namespace):
        await commands.ip(
            host, [f"link add name {pair} type veth peer name {node.uplink.inside} netns {node.namespace}"]
        )
    await commands.ip(
        host,
        [
            f"addr replace {outside}/{prefix} dev {pair}",
            f"link set dev {pair} up",
        ],
    )
    await commands.ip(
        node.namespace,
        [
            f"addr replace {inside}/{prefix} dev {node.uplink.inside}",
            f"link set dev {node.uplink.inside} up",
            f"route replace default via {outside} dev {node.uplink.inside} proto {_PROTOCOL}",
        ],
    )
    shown = ["ip", *(["-n", host] if host else []), "route", "show", "dev", pair, "proto", _PROTOCOL]
    known = [line.split()[0] for line in (await commands.other(shown)).decode().splitlines()]
    stale = [f"route del {cidr} dev {pair} proto {_PROTOCOL}" for cidr in known if cidr not in ranges]
    fresh = [f"route replace {cidr} via {inside} dev {pair} proto {_PROTOCOL}" for cidr in ranges]
    await commands.ip(host, [*stale, *fresh])
    forwarding = [f"ipv4/conf/{names.bridge(n)}/forwarding" for n in _behind(fabric, node)]
    present = await commands.links(node.namespace)
    bridges = [(path, "1") for path in forwarding if path.split("/")[2] in present]
    await commands.set_kernel(node.namespace, [(f"ipv4/conf/{node.uplink.inside}/forwarding", "1"), *bridges])
    if node.uplink.outgoing:
        await _let_out(commands, node, host, which)


async def _let_out(commands: Commands, node: Node, host: str | None, which: Which) -> None:
    """The host forwards; and if a firewall of the host drops what it does not know (Docker's does), it gets to know."""
    await commands.set_kernel(host, [("ipv4/ip_forward", "1")])
    if which("iptables") is None:
        return
    policy = await commands.other(["iptables", "-w", _IPTABLES_SECONDS, "-S", "FORWARD"], host, check=False)
    if b"-P FORWARD DROP" not in policy:
        return  # Nothing that is not dropped needs to be let through.
    for rule in _iptables_rules(node):
        if f"-A FORWARD {' '.join(rule)}" not in policy.decode():
            await commands.other(["iptables", "-w", _IPTABLES_SECONDS, "-I", "FORWARD", *rule], host)


def _iptables_rules(node: Node) -> list[list[str]]:
    pair = outside_name(node)
    return [
        ["-i", pair, "-j", "ACCEPT"],
        ["-o", pair, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
    ]


async def remove_uplink(commands: Commands, node: Node, which: Which = shutil.which) -> None:
    """Take it away; what the host forwards besides is not ours to change back."""
    assert node.uplink is not None
    host = node.uplink.host_namespace or None
    if which("iptables") is not None and node.uplink.outgoing:
        for rule in _iptables_rules(node):
            argv = ["iptables", "-w", _IPTABLES_SECONDS, "-D", "FORWARD", *rule]
            await commands.other(argv, host, check=False)
    await commands.other(["ip", *(["-n", host] if host else []), "link", "del", "dev", outside_name(node)], check=False)
    table = f"inet {table_name(node)}"
    await commands.nft(host, f"table {table} {{}}\ndelete table {table}\n")
