"""The interfaces that networks and ports need in the node's namespace. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import InterfaceSpec, NetworkSpec, NetworkType, PortSpec, RouterSpec
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.links import Link
from cumulet.drivers.network.linux.names import Element
from cumulet.drivers.network.linux.node import Node

_BRIDGE = "stp_state 0 forward_delay 0 mcast_snooping 0 nf_call_iptables 1 nf_call_ip6tables 1"
TUNNEL_PORT = 4789


def network_links(network: NetworkSpec, node: Node, *, with_dhcp: bool) -> list[Link]:
    """The bridge of a network, its way to other nodes, and the leg of its DHCP namespace."""
    element = (Kind.NETWORK, network.id)
    links = [_bridge(network, element)]
    if network.type is NetworkType.VXLAN and node.tunnel_address:
        links.append(_tunnel(network, node, element))
    if network.type in (NetworkType.FLAT, NetworkType.VLAN):
        links += _wire(network, node, element)
    if with_dhcp:
        leg = names.dhcp_leg(network.id)
        inside = names.dhcp_namespace(node.namespace, network.id)
        # Isolated ports do not see each other: DHCP, the same on every node, answers the guests of its own node only.
        links.append(_pair(leg, dhcp_mac(network), inside, element, network, isolated=True))
    return links


def port_link(port: PortSpec, network: NetworkSpec, node: Node) -> Link:
    """The interface of a guest; of a sub-port, a pair whose far end leads to the guest's interface."""
    name = names.tap(port.id)
    if port.trunk_port:
        peer = names.tagged(port.id)
        return Link(
            name,
            (Kind.PORT, port.id),
            f"link add name {name} type veth peer name {peer}",
            "veth",
            mtu=network.mtu,
            master=names.bridge(network),
            port={"isolated": False},
            peer=peer,
            up=port.up,
        )
    user = f" user {node.tap_user}" if node.tap_user else ""
    return Link(
        name,
        (Kind.PORT, port.id),
        f"tuntap add dev {name} mode tap{user}",
        mtu=network.mtu,
        master=names.bridge(network),
        port={"isolated": False},
        up=port.up,
    )


def router_links(router: RouterSpec, networks: Mapping[str, NetworkSpec], node: Node) -> list[Link]:
    """The ends, in the node's namespace, of the legs of a router."""
    inside = names.router_namespace(node.namespace, router.id)
    element = (Kind.ROUTER, router.id)

    def leg(name: str, interface: InterfaceSpec) -> Link:
        return _pair(name, interface.mac, inside, element, networks[interface.network_id], isolated=False)

    links = [leg(names.router_leg(interface.port_id), interface) for interface in router.interfaces]
    if router.standby:
        links.append(leg(names.standby_leg(router.standby.leg.port_id), router.standby.leg))
    return [*links, *(leg(names.gateway_leg(way.leg.port_id), way.leg) for way in router.gateways)]


def dhcp_mac(network: NetworkSpec) -> str:
    """The MAC of the DHCP port, the same on every node."""
    return network.dhcp_mac.lower() or _made_mac(f"dhcp {network.id}")


def bridge_mac(network: NetworkSpec) -> str:
    """The MAC of a network's bridge. One without its own takes that of some port, and when the port goes it loses what
    it knows of its neighbours."""
    return _made_mac(f"bridge {names.bridge(network)}")


def _made_mac(text: str) -> str:
    """A locally administered address that depends on nothing but the text."""
    octets = hashlib.sha256(text.encode()).digest()[:5]
    return ":".join(f"{octet:02x}" for octet in (0x02, *octets))


def _bridge(network: NetworkSpec, element: Element) -> Link:
    name = names.bridge(network)
    mac = bridge_mac(network)
    make = f"link add name {name} address {mac} type bridge {_BRIDGE}"
    return Link(name, element, make, "bridge", mac=mac, mtu=network.mtu)


def _tunnel(network: NetworkSpec, node: Node, element: Element) -> Link:
    name, number = names.tunnel(network), network.segmentation_id
    target = f" netns {node.namespace}" if node.tunnels_in_host else ""
    address = node.tunnel_address
    return Link(
        name,
        element,
        f"link add name {name}{target} type vxlan id {number} local {address} dstport {TUNNEL_PORT} nolearning ttl 64",
        "vxlan",
        identity={"id": number, "local6" if ":" in address else "local": address},
        mtu=network.mtu,
        master=names.bridge(network),
        port={"learning": False, "neigh_suppress": True, "isolated": True},
        in_host=node.tunnels_in_host,
    )


def _wire(network: NetworkSpec, node: Node, element: Element) -> list[Link]:
    """The provider's wire, if this node has one to that physical network."""
    interface = dict(node.wires).get(network.physical_network)
    if interface is None:
        return []
    port = {"isolated": True}
    if network.type is NetworkType.FLAT:
        return [Link(interface, element, "", master=names.bridge(network), port=port)]
    name = names.vlan(network)
    make = f"link add link {interface} name {name} type vlan id {network.segmentation_id}"
    return [Link(name, element, make, "vlan", mtu=network.mtu, master=names.bridge(network), port=port)]


def _pair(name: str, mac: str, inside: str, element: Element, network: NetworkSpec, *, isolated: bool) -> Link:
    make = f"link add name {name} type veth peer name {name} address {mac.lower()} mtu {network.mtu} netns {inside}"
    master = names.bridge(network)
    return Link(name, element, make, "veth", mtu=network.mtu, master=master, port={"isolated": isolated})
