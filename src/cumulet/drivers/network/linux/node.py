"""What the driver is told about its node, once."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from cumulet.contracts.networks import NetworkSpec, NetworkType
from cumulet.drivers.network.linux.names import checked_node, physical_bridge

INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")


@dataclass(frozen=True, slots=True)
class Uplink:
    """A pair of interfaces between the node's namespace and the host, so that the host reaches floating addresses."""

    outgoing: bool = False
    """Guests may reach the world by way of the host, under the host's own address."""
    host_namespace: str = ""
    """Name of the namespace that is the host's; empty: the one we run in."""
    network: str = "169.254.70.0/30"
    """Two addresses for the pair itself, which no guest ever sees. Several nodes on one host need several."""
    inside: ClassVar[str] = "uplink0"
    """The node's end of the pair."""

    def __post_init__(self) -> None:
        if ipaddress.IPv4Network(self.network).prefixlen > 31:
            raise ValueError(f"an uplink needs a network with two addresses, not {self.network}")


@dataclass(frozen=True, slots=True)
class Node:
    """One node: where its networking lives, and how it meets the world."""

    name: str
    """As `PortSpec.host` says it."""
    namespace: str
    """Name of the network namespace that holds bridges, taps and tunnels; others begin with this name."""
    tunnel_address: str = ""
    """Where this node receives encapsulated traffic; without one, networks end at this node."""
    tunnels_in_host: bool = False
    """Encapsulated traffic travels in the namespace that we run in (a rack), not in the node's own (several on one
    machine)."""
    host_gateway: bool = False
    """The bridges of external networks without a wire hold the addresses of their subnets' gateways: the operator
    reaches floating addresses from the node's namespace, and routers have a next hop."""
    wires: tuple[tuple[str, str], ...] = ()
    """(physical network, interface): interfaces of the node's namespace that lead out of this machine."""
    rates: tuple[tuple[str, int], ...] = ()
    """(physical network, kbit/s): what goes out through a wire, and may be promised to ports."""
    uplink: Uplink | None = None
    tap_user: int = 0
    """Number of the user that machines run as."""

    def ends_here(self, network: NetworkSpec) -> bool:
        """Whether this is an external network that no wire leads out of, so that the host is its way out."""
        wired = network.physical_network in dict(self.wires)
        return network.external and network.type is NetworkType.FLAT and not wired

    def __post_init__(self) -> None:
        checked_node(self.namespace)
        if self.tunnel_address:
            ipaddress.ip_address(self.tunnel_address)
        for physical, interface in self.wires:
            physical_bridge(physical)
            if not INTERFACE.fullmatch(interface):
                raise ValueError(f"not a name of an interface: {interface!r}")
        if self.uplink and not self.host_gateway:
            raise ValueError("an uplink needs host_gateway: without it the namespace has no way to floating addresses")
