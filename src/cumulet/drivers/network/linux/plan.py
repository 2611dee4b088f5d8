"""Everything that a fabric means for one node, computed before anything is touched. Pure.

Each part is a plain value that can be compared: what is equal to what is in force needs no command.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, InterfaceSpec, NetworkSpec, PortSpec, RouterSpec, SubnetSpec
from cumulet.drivers.network.base import MetadataPlace
from cumulet.drivers.network.linux import dhcp, names, routers, vxlan
from cumulet.drivers.network.linux.bridges import bridge_mac, network_links, port_link, router_links
from cumulet.drivers.network.linux.filter import ruleset
from cumulet.drivers.network.linux.guarantees import Shares, shares
from cumulet.drivers.network.linux.interior import Interior, Leg
from cumulet.drivers.network.linux.keepalived import configuration, standing_back
from cumulet.drivers.network.linux.links import Link
from cumulet.drivers.network.linux.names import Element
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.policing import burst_bytes
from cumulet.drivers.network.linux.queues import Bucket
from cumulet.drivers.network.linux.ruleset import Ruleset
from cumulet.drivers.network.linux.tagging import Tagged, tagged
from cumulet.drivers.network.rules import is_guests


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be, part by part, in the order of their making."""

    rules: Ruleset
    links: tuple[Link, ...]
    interiors: tuple[Interior, ...]
    translations: Mapping[str, str]
    """Router → script."""
    entries: frozenset[vxlan.Entry]
    queues: Mapping[str, Bucket]
    """Tap → what may pass towards the guest."""
    shares: Mapping[str, Shares]
    """Wire → what is promised on it."""
    tagged: frozenset[Tagged]
    standbys: Mapping[str, tuple[str, str]]
    """Router → (namespace, what its keepalived is told)."""
    servers: Mapping[Element, tuple[str, dhcp.DhcpText]]
    """Network or router → (namespace, what its dnsmasq is told)."""
    places: tuple[MetadataPlace, ...]


def plan(fabric: Fabric, node: Node, zones: Mapping[str, int]) -> Plan:
    """The plan for a fabric that has passed all checks."""
    networks = {network.id: network for network in fabric.networks}
    ports: dict[str, list[PortSpec]] = {network_id: [] for network_id in networks}
    for port in fabric.ports:
        ports[port.network_id].append(port)
    local = [port for port in fabric.ports if port.host == node.name and is_guests(port)]
    inner = {router.id: routers.router_interior(router, networks, node) for router in fabric.routers}
    kept = [router for router in fabric.routers if router.standby and router.up]
    answering = [network for network in fabric.networks if dhcp.has_dhcp(network)]
    return Plan(
        rules=ruleset(fabric, node, zones),
        links=(
            *(link for n in fabric.networks for link in network_links(n, node, with_dhcp=n in answering)),
            *(link for router in fabric.routers for link in router_links(router, networks, node)),
            *(port_link(port, networks[port.network_id], node) for port in local),
        ),
        interiors=(
            *(dhcp.dhcp_interior(network, node) for network in answering),
            *(standing_back(inner[r.id], r) if r.standby else inner[r.id] for r in fabric.routers),
            *(
                _host_gateway(network, node)
                for network in fabric.networks
                if node.host_gateway and node.ends_here(network)
            ),
        ),
        translations={router.id: routers.translation(router) for router in fabric.routers},
        entries=frozenset(entry for n in fabric.networks for entry in vxlan.entries(n, ports[n.id], node)),
        queues={names.tap(port.id): _bucket(port) for port in local if port.ingress_kbps},
        shares=shares(fabric, node),
        tagged=tagged(local),
        standbys={r.id: (inner[r.id].namespace, configuration(r, inner[r.id])) for r in kept},
        servers={**_dhcp_servers(answering, ports, node), **_advertisers(fabric.routers, networks, node)},
        places=(
            *(place for network in answering for place in dhcp.metadata_places(network, node)),
            *(place for router in fabric.routers if router.up for place in routers.metadata_places(router, node)),
        ),
    )


def _host_gateway(network: NetworkSpec, node: Node) -> Interior:
    """The node's own address on an external network: the next hop of its routers, and the operator's way in."""
    addresses = tuple(
        f"{subnet.gateway}/{ipaddress.ip_network(subnet.cidr).prefixlen}"
        for subnet in network.subnets
        if subnet.gateway
    )
    leg = Leg(names.bridge(network), bridge_mac(network), network.mtu, addresses)
    return Interior(node.namespace, (Kind.NETWORK, network.id), (leg,), settings=(), owns_routes=False)


def _bucket(port: PortSpec) -> Bucket:
    return Bucket(port.ingress_kbps, burst_bytes(port.ingress_kbps, port.ingress_burst_kb))


def _dhcp_servers(
    networks: Iterable[NetworkSpec], ports: Mapping[str, list[PortSpec]], node: Node
) -> dict[Element, tuple[str, dhcp.DhcpText]]:
    told = {network.id: dhcp.dhcp_text(network, ports[network.id], node) for network in networks}
    return {
        (Kind.NETWORK, key): (names.dhcp_namespace(node.namespace, key), text) for key, text in told.items() if text
    }


def _advertisers(
    all_routers: Iterable[RouterSpec], networks: Mapping[str, NetworkSpec], node: Node
) -> dict[Element, tuple[str, dhcp.DhcpText]]:
    told: dict[Element, tuple[str, dhcp.DhcpText]] = {}
    for router in all_routers:
        legs = [
            (names.router_leg(i.port_id), networks[i.network_id].mtu, _subnets(i, networks[i.network_id]))
            for i in router.interfaces
        ]
        text = dhcp.advertisement_text(legs) if router.up else None
        if text:
            told[Kind.ROUTER, router.id] = names.router_namespace(node.namespace, router.id), text
    return told


def _subnets(interface: InterfaceSpec, network: NetworkSpec) -> list[SubnetSpec]:
    """Those that this leg is in."""
    own = [ipaddress.ip_interface(address).ip for address in interface.addresses]
    return [subnet for subnet in network.subnets if any(ip in ipaddress.ip_network(subnet.cidr) for ip in own)]
