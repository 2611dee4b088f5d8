"""Networks as they are ordered on a node, in normal form: a new port costs one text, not one per neighbour."""

from __future__ import annotations

import enum

from cumulet.contracts.assignments import Fault
from cumulet.contracts.record import Record


class NetworkType(enum.StrEnum):
    """How the nodes of one network are joined."""

    VXLAN = "vxlan"
    FLAT = "flat"
    """Bridged with the provider's wire, without a tag."""
    VLAN = "vlan"
    LOCAL = "local"


class SubnetSpec(Record, frozen=True, kw_only=True):
    """One subnet of a network, as DHCP and the guests need it."""

    id: str
    cidr: str
    version: int
    gateway: str = ""
    dhcp: bool = True
    dhcp_address: str = ""
    """The address of the DHCP port; every node answers on it for its own guests only."""
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    """(destination, next hop)."""
    ra_mode: str = ""
    """`slaac`, `dhcpv6-stateful`, `dhcpv6-stateless` or none."""
    address_mode: str = ""


class NetworkSpec(Record, frozen=True, kw_only=True):
    """One network that this node must carry."""

    id: str
    type: NetworkType
    segmentation_id: int = 0
    physical_network: str = ""
    mtu: int = 1450
    subnets: tuple[SubnetSpec, ...] = ()
    dhcp_mac: str = ""
    dns_domain: str = ""
    external: bool = False


class Address(Record, frozen=True, kw_only=True):
    """A fixed address of a port."""

    subnet_id: str
    ip: str


class LocalSpec(Record, frozen=True, kw_only=True):
    """An address that leads to a port, for guests of the same network on the same node."""

    address: str
    fixed: str
    """The address of the port that is meant."""
    translated: bool = True
    """The guest behind the port sees its own address; else the one that was asked for."""


class LogSpec(Record, frozen=True, kw_only=True):
    """Something that is to be written down of a port's packets."""

    id: str
    project_id: str
    event: str
    """`ACCEPT`, `DROP` or `ALL`."""
    group: str = ""
    """Only what this group lets pass, or would have had to; empty: any."""


class PortSpec(Record, frozen=True, kw_only=True):
    """A port of a network that this node carries. `host` says where it lives; elsewhere, only its location is told."""

    id: str
    network_id: str
    mac: str
    host: str
    """Name of the node it is bound to."""
    tunnel_address: str = ""
    """Where that node receives encapsulated traffic."""
    device_id: str = ""
    device_owner: str = ""
    addresses: tuple[Address, ...] = ()
    hostname: str = ""
    security: bool = True
    """Anti-spoofing and groups are in force."""
    groups: tuple[str, ...] = ()
    allowed_pairs: tuple[tuple[str, str], ...] = ()
    """(MAC, CIDR) that may also be used as a source."""
    dhcp_options: tuple[tuple[str, str], ...] = ()
    up: bool = True
    egress_kbps: int = 0
    ingress_kbps: int = 0
    egress_kpps: int = 0
    ingress_kpps: int = 0
    """Thousands of packets a second."""
    egress_least_kbps: int = 0
    """What it is promised of a wire that leads out."""
    egress_burst_kb: int = 0
    ingress_burst_kb: int = 0
    """Kilobits that may pass at once; 0: what suits the rate."""
    egress_burst_kp: int = 0
    ingress_burst_kp: int = 0
    """Thousands of packets that may pass at once."""
    dscp: int | None = None
    trunk_port: str = ""
    """The port whose interface carries this one's frames, under a tag; empty: it has an interface of its own."""
    tag: int = 0
    local: tuple[LocalSpec, ...] = ()
    logs: tuple[LogSpec, ...] = ()


class Member(Record, frozen=True, kw_only=True):
    """A port that is a member of a group: the CIDRs of its addresses and allowed pairs."""

    cidrs: tuple[str, ...]


class RuleSpec(Record, frozen=True, kw_only=True):
    """One rule of a group: what may pass."""

    id: str
    direction: str
    """`ingress` or `egress`."""
    version: int
    protocol: str = ""
    """Name or number; empty: any."""
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str = ""
    remote_group: str = ""


class GroupSpec(Record, frozen=True, kw_only=True):
    """A security group: its rules, and the addresses of its members for groups that refer to it."""

    id: str
    stateful: bool = True
    rules: tuple[RuleSpec, ...] = ()
    members: tuple[str, ...] = ()
    """CIDRs of every member's addresses and allowed pairs; not in the order, but told of one by one."""


class InterfaceSpec(Record, frozen=True, kw_only=True):
    """A leg of a router in one network."""

    port_id: str
    network_id: str
    mac: str
    addresses: tuple[str, ...]
    """With prefix length: `10.0.0.1/24`."""


class GatewaySpec(Record, frozen=True, kw_only=True):
    """A way of a router out of the cloud."""

    leg: InterfaceSpec
    next_hops: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()
    """Floating addresses of this way; those of no further one are the first gateway's."""


class FloatingSpec(Record, frozen=True, kw_only=True):
    """A one-to-one translation."""

    id: str
    floating: str
    fixed: str


class ForwardingSpec(Record, frozen=True, kw_only=True):
    """Ports of a floating address that lead to ports of a fixed one."""

    id: str
    floating: str
    protocol: str
    external_port: int
    fixed: str
    internal_port: int
    more: int = 0
    """How many more ports in a row there are, after the external one."""
    together: bool = False
    """They all lead to the one internal port, instead of each to its own in the same order."""


class MeterRule(Record, frozen=True, kw_only=True):
    """Traffic through a router's gateway, by its addresses inside; empty: any."""

    direction: str
    source: str = ""
    destination: str = ""
    excluded: bool = False
    """It is not to be counted, whatever other rules say."""


class MeterSpec(Record, frozen=True, kw_only=True):
    """A counter for what its rules match."""

    id: str
    rules: tuple[MeterRule, ...]


class StandbySpec(Record, frozen=True, kw_only=True):
    """How a router that several nodes hold agrees on the one of them that runs it, over a network of its own."""

    number: int
    """1 to 255; no other router of that network has it."""
    priority: int
    """Among those who could take over, the highest does."""
    leg: InterfaceSpec
    peers: tuple[str, ...] = ()
    """Addresses of the others in that network."""


class RouterSpec(Record, frozen=True, kw_only=True):
    """A router that this node runs."""

    id: str
    up: bool = True
    interfaces: tuple[InterfaceSpec, ...] = ()
    gateway: InterfaceSpec | None = None
    next_hops: tuple[str, ...] = ()
    """Default routes by way of the gateway."""
    further: tuple[GatewaySpec, ...] = ()
    """Gateways besides the first: what came in by one is answered by it."""
    spread: bool = False
    """New flows leave by all gateways in turn, not by the first one."""
    watched: bool = False
    """A next hop that is silent gets no new flows."""
    snat: bool = True
    floating: tuple[FloatingSpec, ...] = ()
    forwardings: tuple[ForwardingSpec, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    helpers: tuple[tuple[str, str, int], ...] = ()
    """(helper, protocol, port): what answers there may open further connections."""
    meters: tuple[MeterSpec, ...] = ()
    proxied: tuple[str, ...] | None = None
    """IPv6 addresses of guests for which it answers outside, and which alone are reached from there; None: it answers
    for nobody and lets pass whoever is sent by it."""
    standby: StandbySpec | None = None
    """It is held by several nodes and runs on one of them."""

    @property
    def gateways(self) -> tuple[GatewaySpec, ...]:
        """All ways out, the first one first."""
        if self.gateway is None:
            return ()
        elsewhere = {address for way in self.further for address in way.floating}
        floating = {f.floating for f in self.floating} | {f.floating for f in self.forwardings}
        own = tuple(sorted(floating - elsewhere))
        return (GatewaySpec(leg=self.gateway, next_hops=self.next_hops, floating=own), *self.further)


class Fabric(Record, frozen=True, kw_only=True):
    """All that the networking of one node should be; given whole, so that a driver can compare it with what is."""

    networks: tuple[NetworkSpec, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    routers: tuple[RouterSpec, ...] = ()
    places: tuple[PortSpec, ...] = ()
    """Where the ports of other nodes are."""


class ElementFacts(Record, frozen=True, kw_only=True):
    """One network, port, group or router as a node found it."""

    id: str
    digest: str = ""
    """Digest of the spec that is in force; empty while it is not."""
    up: bool = False
    active: bool = True
    """Of what several nodes hold: this one runs it."""
    fault: Fault | None = None


class Metered(Record, frozen=True, kw_only=True):
    """What one counter of a router has counted since it was made there."""

    id: str
    packets: int
    bytes: int
