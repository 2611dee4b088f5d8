"""What dnsmasq is told: its arguments and its three files, as pure functions of a network and its ports.

Options that stay with a subnet or port are files, not arguments: a change is a signal, not a restart. Free text (names,
extra options) passes one encoder, `_line`, which refuses what could end a line.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import NetworkSpec, PortSpec, SubnetSpec
from cumulet.drivers.network.base import MetadataPlace
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.bridges import dhcp_mac
from cumulet.drivers.network.linux.interior import Interior, Leg
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.routers import METADATA_ADDRESS
from cumulet.drivers.network.rules import is_guests

METADATA_ADDRESS6 = "fe80::a9fe:a9fe"
_LEASE_SECONDS = 86_400
_DOMAIN = "openstacklocal"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_OPTION = re.compile(r"(option6?:)?[a-z0-9-]{1,40}")
_CLASSLESS_ROUTES = ("option:classless-static-route", "249")
"""The second is what Windows asks for."""


@dataclass(frozen=True, slots=True)
class DhcpText:
    """Everything that one dnsmasq is told. `{…}` in an argument is the path of that file."""

    arguments: tuple[str, ...]
    hosts: str = ""
    names: str = ""
    options: str = ""


def has_dhcp(network: NetworkSpec) -> bool:
    """Whether this node answers for the network: DHCP, names, metadata."""
    return any(subnet.dhcp and subnet.dhcp_address for subnet in network.subnets)


def dhcp_interior(network: NetworkSpec, node: Node) -> Interior:
    """What the namespace of the network's DHCP should hold. It is the same on every node."""
    addresses = [
        f"{subnet.dhcp_address}/{ipaddress.ip_network(subnet.cidr).prefixlen}"
        for subnet in network.subnets
        if subnet.dhcp and subnet.dhcp_address
    ]
    leg = Leg(
        names.dhcp_leg(network.id),
        dhcp_mac(network),
        network.mtu,
        (*addresses, f"{METADATA_ADDRESS}/32", f"{METADATA_ADDRESS6}/128"),
    )
    return Interior(names.dhcp_namespace(node.namespace, network.id), (Kind.NETWORK, network.id), (leg,))


def metadata_places(network: NetworkSpec, node: Node) -> list[MetadataPlace]:
    """Where guests of the network ask, in either version of IP."""
    namespace, device = names.dhcp_namespace(node.namespace, network.id), names.dhcp_leg(network.id)
    return [
        MetadataPlace(network.id, namespace, device, METADATA_ADDRESS, 80),
        MetadataPlace(network.id, namespace, device, METADATA_ADDRESS6, 80),
    ]


def dhcp_text(network: NetworkSpec, ports: Iterable[PortSpec], node: Node) -> DhcpText | None:
    """What the network's dnsmasq is told; None if no guest of it asks by DHCP."""
    ranges = [text for number, subnet in enumerate(network.subnets) if (text := _range(number, subnet))]
    if not ranges:
        return None
    domain = _domain(network.dns_domain)
    mine = sorted((port for port in ports if port.network_id == network.id), key=lambda port: port.id)
    local = [port for port in mine if port.host == node.name and is_guests(port)]
    arguments = (
        f"--interface={names.dhcp_leg(network.id)}",
        "--bind-interfaces",
        "--except-interface=lo",
        "--dhcp-hostsfile={hosts}",
        "--addn-hosts={names}",
        "--dhcp-optsfile={options}",
        # Leases are computed, so none are kept: any server of the network, restarted or on another node, agrees.
        "--leasefile-ro",
        "--dhcp-authoritative",
        "--dhcp-lease-max=65536",
        "--dhcp-no-override",
        f"--domain={domain}",
        f"--local=/{domain}/",
        *ranges,
    )
    return DhcpText(
        arguments,
        _hosts(network, local),
        _names(mine, domain),
        _options(network, local),
    )


def advertisement_text(interfaces: Iterable[tuple[str, int, Iterable[SubnetSpec]]]) -> DhcpText | None:
    """What the dnsmasq of a router is told that advertises it: (leg, MTU, subnets of IPv6) of each of its legs."""
    arguments: list[str] = []
    number = 0
    for leg, mtu, subnets in interfaces:
        ranges = []
        for subnet in subnets:
            if subnet.version == 6 and subnet.ra_mode:
                prefix = ipaddress.IPv6Network(subnet.cidr)
                mode = {"slaac": "ra-only", "dhcpv6-stateless": "ra-stateless"}.get(subnet.ra_mode, "static")
                ranges.append(
                    f"--dhcp-range=set:subnet-{number},{prefix.network_address},{mode},{prefix.prefixlen},"
                    f"{_LEASE_SECONDS}"
                )
                number += 1
        if ranges:
            arguments += [f"--interface={leg}", f"--ra-param={leg},mtu:{mtu},30,600", *ranges]
    if not arguments:
        return None
    return DhcpText(("--port=0", "--enable-ra", "--bind-interfaces", "--leasefile-ro", *arguments))


def _range(number: int, subnet: SubnetSpec) -> str:
    if not subnet.dhcp or not subnet.dhcp_address:
        return ""
    network = ipaddress.ip_network(subnet.cidr)
    start = f"--dhcp-range=set:subnet-{number},{network.network_address},static"
    if subnet.version == 4:
        return f"{start},{network.netmask},{_LEASE_SECONDS}"
    if subnet.address_mode in ("dhcpv6-stateful", "dhcpv6-stateless"):
        return f"{start},{network.prefixlen},{_LEASE_SECONDS}"
    return ""


def _domain(text: str) -> str:
    labels = text.strip(".").split(".")
    return ".".join(labels) if text and all(_LABEL.fullmatch(label) for label in labels) else _DOMAIN


def _hostname(port: PortSpec, address: str) -> str:
    if _LABEL.fullmatch(port.hostname):
        return port.hostname.lower()
    return f"host-{address.replace('.', '-').replace(':', '-')}"


def _hosts(network: NetworkSpec, ports: Iterable[PortSpec]) -> str:
    assigned = {subnet.id for number, subnet in enumerate(network.subnets) if _range(number, subnet)}
    lines = []
    for port in ports:
        tag = f"set:port-{port.id}," if _extra(port) else ""
        for fixed in port.addresses:
            if fixed.subnet_id in assigned:
                shown = f"[{fixed.ip}]" if ":" in fixed.ip else fixed.ip
                lines.append(_line(f"{port.mac.lower()},{tag}{shown},{_hostname(port, fixed.ip)}"))
    return "".join(lines)


def _names(ports: Iterable[PortSpec], domain: str) -> str:
    lines = []
    for port in ports:
        for fixed in port.addresses:
            name = _hostname(port, fixed.ip)
            lines.append(_line(f"{fixed.ip} {name}.{domain} {name}"))
    return "".join(lines)


def _options(network: NetworkSpec, ports: Iterable[PortSpec]) -> str:
    lines = []
    for number, subnet in enumerate(network.subnets):
        if _range(number, subnet):
            lines += [f"tag:subnet-{number},{option}" for option in _subnet_options(network, subnet)]
    for port in ports:
        lines += [f"tag:port-{port.id},{name},{value}" for name, value in _extra(port)]
    return "".join(_line(line) for line in lines)


def _subnet_options(network: NetworkSpec, subnet: SubnetSpec) -> list[str]:
    servers = subnet.dns or (subnet.dhcp_address,)
    if subnet.version == 6:
        return ["option6:dns-server," + ",".join(f"[{server}]" for server in servers)]
    neighbours = [s.cidr for s in network.subnets if s.version == 4 and s.id != subnet.id]
    routes = [
        *subnet.routes,
        (f"{METADATA_ADDRESS}/32", subnet.dhcp_address),
        *((cidr, "0.0.0.0") for cidr in neighbours),  # noqa: S104 - on the link, in the language of option 121
        # A client that takes these routes ignores the option for the router.
        *([("0.0.0.0/0", subnet.gateway)] if subnet.gateway else []),
    ]
    listed = ",".join(f"{ipaddress.ip_network(cidr, strict=False)},{hop}" for cidr, hop in routes)
    return [
        # Without a value: nobody is to take the DHCP server for a router.
        f"option:router,{subnet.gateway}" if subnet.gateway else "option:router",
        "option:dns-server," + ",".join(servers),
        f"option:mtu,{network.mtu}",
        *(f"{option},{listed}" for option in _CLASSLESS_ROUTES),
    ]


def _extra(port: PortSpec) -> list[tuple[str, str]]:
    """The port's own options that can be said at all, each with its name in dnsmasq's language."""
    said = []
    for name, value in port.dhcp_options:
        if _OPTION.fullmatch(name) and value.isprintable() and len(value) <= 255:
            said.append((name if ":" in name or name.isdigit() else f"option:{name}", value))
    return said


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"not a line: {text!r}")
    return f"{text}\n"
