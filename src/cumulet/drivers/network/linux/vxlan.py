"""Where each MAC and address of a network is: the tunnel's forwarding entries and the bridge's neighbours. Pure.

We know where every port lives, so nothing is learned and nobody is asked: a frame for a known MAC goes to its node, a
question for a known address is answered by the bridge itself. Only what is unknown goes to every node of the network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.contracts.networks import NetworkSpec, NetworkType, PortSpec
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.bridges import dhcp_mac
from cumulet.drivers.network.linux.dhcp import has_dhcp
from cumulet.drivers.network.linux.node import Node

_EVERYBODY = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line of one of three tables."""

    table: str
    """`tunnel`: MAC → node; `bridge`: MAC → bridge port; `neighbour`: address → MAC."""
    device: str
    key: str
    value: str = ""

    def add(self) -> str:
        """The line for `bridge -batch`, or for `ip -batch` if it is a neighbour."""
        match self.table:
            case "tunnel":
                verb = "append" if self.key == _EVERYBODY else "replace"
                kind = "permanent" if self.key == _EVERYBODY else "static"
                return f"fdb {verb} {self.key} dev {self.device} dst {self.value} self {kind}"
            case "bridge":
                return f"fdb replace {self.key} dev {self.device} master static"
            case _:
                return f"neigh replace {self.key} lladdr {self.value} dev {self.device} nud permanent"

    def delete(self) -> str:
        match self.table:
            case "tunnel":
                return f"fdb del {self.key} dev {self.device} dst {self.value} self"
            case "bridge":
                return f"fdb del {self.key} dev {self.device} master"
            case _:
                return f"neigh del {self.key} dev {self.device}"


def entries(network: NetworkSpec, ports: Iterable[PortSpec], node: Node) -> set[Entry]:
    """All entries that a network needs on this node. `ports` are those of that network, wherever they live."""
    if network.type is not NetworkType.VXLAN or not node.tunnel_address:
        return set()
    tunnel, bridge = names.tunnel(network), names.bridge(network)
    found: set[Entry] = set()
    if has_dhcp(network):
        # The same on every node: its place must never be taken by what comes through the tunnel.
        found.add(Entry("bridge", names.dhcp_leg(network.id), dhcp_mac(network)))
        for subnet in network.subnets:
            if subnet.dhcp and subnet.dhcp_address:
                found.add(Entry("neighbour", bridge, _plain(subnet.dhcp_address), dhcp_mac(network)))
    for port in ports:
        mac = port.mac.lower()
        if mac == dhcp_mac(network) or port.device_owner == "network:dhcp" or not port.host:
            continue
        # Also for our own ports: a question for them then stays off the tunnel.
        found |= {Entry("neighbour", bridge, _plain(fixed.ip), mac) for fixed in port.addresses}
        if port.host != node.name and port.tunnel_address:
            found.add(Entry("tunnel", tunnel, mac, port.tunnel_address))
            found.add(Entry("bridge", tunnel, mac))
            found.add(Entry("tunnel", tunnel, _EVERYBODY, port.tunnel_address))
    return found


def _plain(address: str) -> str:
    """As the kernel writes it."""
    return str(ipaddress.ip_address(address))


def changes(have: set[Entry], want: set[Entry]) -> tuple[list[str], list[str]]:
    """(lines for `bridge -batch`, lines for `ip -batch`) that lead from what is to what should be."""
    bridge_lines: list[str] = []
    ip_lines: list[str] = []
    replaced = {(entry.table, entry.device, entry.key) for entry in want if entry.key != _EVERYBODY}
    for entry in sorted(have - want):
        # One whose key gets another value is replaced, never missing in between.
        if (entry.table, entry.device, entry.key) not in replaced:
            (ip_lines if entry.table == "neighbour" else bridge_lines).append(entry.delete())
    for entry in sorted(want - have):
        (ip_lines if entry.table == "neighbour" else bridge_lines).append(entry.add())
    return bridge_lines, ip_lines


def parse_entries(fdb: bytes, neighbours: bytes) -> set[Entry]:
    """From `bridge -j fdb show` and `ip -j neigh show nud permanent`: only what we could have put there."""
    found: set[Entry] = set()
    for line in _lines(fdb):
        device, mac, state = line.get("ifname", ""), line.get("mac", ""), line.get("state", "")
        if device.startswith("vxlan-") and "dst" in line and state in ("static", "permanent"):
            found.add(Entry("tunnel", device, mac, line["dst"]))
        elif "master" in line and state == "static" and device.startswith(("vxlan-", "dhc")):
            found.add(Entry("bridge", device, mac))
    for line in _lines(neighbours):
        if line.get("dev", "").startswith("brq") and "lladdr" in line:
            found.add(Entry("neighbour", line["dev"], line["dst"], line["lladdr"]))
    return found


def _lines(shown: bytes) -> list[dict[str, Any]]:
    return msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]])
