"""What things are called in the kernel, computed from ids. An id is checked before it becomes a name.

Names of interfaces hold 15 characters: the prefix and the first 11 of the id, as OpenStack's own tools expect them.
The whole id stands in the interface's alias, so that what is found can be told apart, and known again.
"""

from __future__ import annotations

import re

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import NetworkSpec, NetworkType

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
PHYSICAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,11}")
_NODE = re.compile(r"[a-z0-9][a-z0-9.-]{0,16}[a-z0-9]")
_SHORT = 11

Element = tuple[Kind, str]
"""A network, port, group or router: what facts and faults are about."""


def checked_id(text: str) -> str:
    """The id, if it is one; raises ValueError."""
    if not _ID.fullmatch(text):
        raise ValueError(f"not an id: {text!r}")
    return text


def checked_node(name: str) -> str:
    """The name of a node's namespace, short enough to be the beginning of the names of others."""
    if not _NODE.fullmatch(name):
        raise ValueError(f"not a name for a node's namespace (2 to 18 of a-z 0-9 . -): {name!r}")
    return name


def tap(port_id: str) -> str:
    """The interface that a machine opens for this port, or that stands for one which a trunk carries."""
    return f"tap{checked_id(port_id)[:_SHORT]}"


def tagged(port_id: str) -> str:
    """The far end of the pair that is a sub-port's interface: where its frames get their tag."""
    return f"sub{checked_id(port_id)[:_SHORT]}"


def router_leg(port_id: str) -> str:
    """A router's leg in a tenant's network; both ends of the pair, which lie in different namespaces."""
    return f"qr-{checked_id(port_id)[:_SHORT]}"


def gateway_leg(port_id: str) -> str:
    """A router's leg in an external network; both ends."""
    return f"qg-{checked_id(port_id)[:_SHORT]}"


def standby_leg(port_id: str) -> str:
    """A router's leg beside those on other nodes that could take over; both ends."""
    return f"ha-{checked_id(port_id)[:_SHORT]}"


def dhcp_leg(network_id: str) -> str:
    """The leg of the DHCP namespace in its network; both ends."""
    return f"dhc{checked_id(network_id)[:_SHORT]}"


def physical_bridge(physical_network: str) -> str:
    """The bridge to a provider's wire."""
    if not PHYSICAL.fullmatch(physical_network):
        raise ValueError(f"not a name of a physical network (12 of A-Z a-z 0-9 _ .): {physical_network!r}")
    return f"br-{physical_network}"


def bridge(network: NetworkSpec) -> str:
    """The bridge of a network. A flat one is the wire itself."""
    if network.type is NetworkType.FLAT:
        return physical_bridge(network.physical_network)
    return f"brq{checked_id(network.id)[:_SHORT]}"


def tunnel(network: NetworkSpec) -> str:
    return f"vxlan-{network.segmentation_id}"


def vlan(network: NetworkSpec) -> str:
    return f"vlan{checked_id(network.id)[:_SHORT]}"


def dhcp_namespace(node: str, network_id: str) -> str:
    return f"{node}-qdhcp-{checked_id(network_id)}"


def router_namespace(node: str, router_id: str) -> str:
    return f"{node}-qrouter-{checked_id(router_id)}"


def alias(kind: Kind, key: str) -> str:
    """What an interface says of whose it is."""
    return f"{kind.value}:{checked_id(key)}"


def owner(text: str) -> Element | None:
    """Whose an interface with this alias is; None if it is none of ours."""
    kind, _, key = text.partition(":")
    if kind in (Kind.NETWORK, Kind.PORT, Kind.ROUTER) and _ID.fullmatch(key):
        return Kind(kind), key
    return None


def namespace_owner(node: str, name: str) -> Element | None:
    """Which network or router of this node a namespace belongs to."""
    for part, kind in (("-qdhcp-", Kind.NETWORK), ("-qrouter-", Kind.ROUTER)):
        before, found, key = name.rpartition(part)
        if found and before == node and _ID.fullmatch(key):
            return kind, key
    return None
