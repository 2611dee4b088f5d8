"""A node does not trust what it is sent: whatever is to become a name, an address or a number is read as one first.

An element that does not pass is left out, with a fault that says why, and the others are not held up by it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.networks import (
    Fabric,
    GroupSpec,
    InterfaceSpec,
    NetworkSpec,
    NetworkType,
    PortSpec,
    RouterSpec,
    RuleSpec,
)
from cumulet.drivers.network.linux.interior import MOST_WAYS
from cumulet.drivers.network.linux.names import Element, checked_id, physical_bridge
from cumulet.drivers.network.linux.routers import kernel_helper
from cumulet.drivers.network.rules import WITH_PORTS, protocol_of

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_VNIS, _VLANS, _PORTS = range(1, 1 << 24), range(1, 4095), range(1 << 16)
_MTUS = range(68, 65536)
_KBPS = range(1 << 31)
_KPPS = range(1 << 31)

Spec = TypeVar("Spec", NetworkSpec, PortSpec, GroupSpec, RouterSpec)


def checked(fabric: Fabric) -> tuple[Fabric, dict[Element, Fault]]:
    """The part of the fabric that makes sense, the ports of all nodes together, and what is wrong with the rest."""
    faults: dict[Element, Fault] = {}
    networks = _passed(Kind.NETWORK, fabric.networks, check_network, faults)
    known = {network.id for network in networks}

    homes = {port.id: port.host for port in fabric.ports if not port.trunk_port}

    def check_local_port(port: PortSpec) -> None:
        check_port(port)
        _require(port.network_id in known, "its network is not here")
        _require(not port.trunk_port or homes.get(port.trunk_port) == port.host, "the port of its trunk is not here")

    def check_whole_router(router: RouterSpec) -> None:
        check_router(router)
        legs = [*router.interfaces, *(way.leg for way in router.gateways)]
        legs += [router.standby.leg] if router.standby else []
        _require(all(leg.network_id in known for leg in legs), "one of its networks is not here")

    # Nobody is told what is wrong with the place of another node's port; it is left out.
    places = _passed(Kind.PORT, fabric.places, check_local_port, {})
    return (
        Fabric(
            networks=networks,
            ports=_passed(Kind.PORT, fabric.ports, check_local_port, faults) + places,
            groups=_passed(Kind.GROUP, fabric.groups, check_group, faults),
            routers=_passed(Kind.ROUTER, fabric.routers, check_whole_router, faults),
        ),
        faults,
    )


def _passed(
    kind: Kind, specs: Iterable[Spec], check: Callable[[Spec], None], faults: dict[Element, Fault]
) -> tuple[Spec, ...]:
    good = []
    for spec in specs:
        try:
            check(spec)
        except ValueError as error:
            faults[kind, spec.id] = Fault(message=f"This {kind.value} cannot be made: {error}.", code=400)
        else:
            good.append(spec)
    return tuple(good)


def check_network(network: NetworkSpec) -> None:
    """Raises ValueError, in words that go on after 'cannot be made:'."""
    checked_id(network.id)
    _require(network.mtu in _MTUS, f"an MTU of {network.mtu}")
    if network.type in (NetworkType.FLAT, NetworkType.VLAN):
        physical_bridge(network.physical_network)
    if network.type is NetworkType.VXLAN:
        _require(network.segmentation_id in _VNIS, f"no VXLAN has the number {network.segmentation_id}")
    if network.type is NetworkType.VLAN:
        _require(network.segmentation_id in _VLANS, f"no VLAN has the number {network.segmentation_id}")
    if network.dhcp_mac:
        _mac(network.dhcp_mac)
    for subnet in network.subnets:
        checked_id(subnet.id)
        _require(
            ipaddress.ip_network(subnet.cidr).version == subnet.version, f"{subnet.cidr} of version {subnet.version}"
        )
        for address in filter(None, (subnet.gateway, subnet.dhcp_address)):
            _require(ipaddress.ip_address(address).version == subnet.version, f"{address} in {subnet.cidr}")
        for name in subnet.dns:
            ipaddress.ip_address(name)
        for destination, hop in subnet.routes:
            _cidr(destination)
            ipaddress.ip_address(hop)


def check_port(port: PortSpec) -> None:
    checked_id(port.id)
    checked_id(port.network_id)
    _mac(port.mac)
    if port.tunnel_address:
        ipaddress.ip_address(port.tunnel_address)
    for address in port.addresses:
        checked_id(address.subnet_id)
        ipaddress.ip_address(address.ip)
    for group in port.groups:
        checked_id(group)
    for mac, cidr in port.allowed_pairs:
        if mac:
            _mac(mac)
        _cidr(cidr)
    _require(port.egress_kbps in _KBPS and port.ingress_kbps in _KBPS, "its bandwidth")
    _require(port.egress_least_kbps in _KBPS, "its promised bandwidth")
    _require(port.egress_kpps in _KPPS and port.ingress_kpps in _KPPS, "its rate of packets")
    bursts = (port.egress_burst_kb, port.ingress_burst_kb, port.egress_burst_kp, port.ingress_burst_kp)
    _require(all(burst in _KBPS for burst in bursts), "what may pass at once")
    for log in port.logs:
        checked_id(log.id)
        if log.group:
            checked_id(log.group)
        _require(log.event in ("ACCEPT", "DROP", "ALL"), f"a log of {log.event!r}")
    for local in port.local:
        _ipv4(local.address)
        _ipv4(local.fixed)
    if port.trunk_port:
        checked_id(port.trunk_port)
        _require(port.tag in _VLANS, f"no frame has the tag {port.tag}")
    _require(port.dscp is None or port.dscp in range(64), f"a DSCP mark of {port.dscp}")


def check_group(group: GroupSpec) -> None:
    checked_id(group.id)
    for member in group.members:
        _cidr(member)
    for rule in group.rules:
        check_rule(rule)


def check_rule(rule: RuleSpec) -> None:
    _require(rule.direction in ("ingress", "egress"), f"the direction {rule.direction!r}")
    _require(rule.version in (4, 6), f"IP version {rule.version}")
    try:
        protocol = protocol_of(rule)
    except ValueError:
        raise ValueError(f"no protocol is called {rule.protocol!r}") from None
    for port in (rule.port_min, rule.port_max):
        _require(port is None or port in _PORTS, f"there is no port {port}")
    if protocol is None or protocol in WITH_PORTS:
        ordered = rule.port_min is None or rule.port_max is None or rule.port_min <= rule.port_max
        _require(ordered, f"ports from {rule.port_min} to {rule.port_max}")
    if rule.remote_cidr:
        _cidr(rule.remote_cidr, rule.version)
    if rule.remote_group:
        checked_id(rule.remote_group)


def check_router(router: RouterSpec) -> None:
    checked_id(router.id)
    for leg in (*router.interfaces, *(way.leg for way in router.gateways)):
        _leg(leg)
    _require(len(router.gateways) <= MOST_WAYS, f"{len(router.gateways)} gateways")
    if router.standby:
        _leg(router.standby.leg)
        _require(router.standby.number in range(1, 256), f"a router with the number {router.standby.number}")
        _require(router.standby.priority in range(1, 255), f"a router of priority {router.standby.priority}")
        for peer in router.standby.peers:
            _ipv4(peer)
    for way in router.gateways:
        for hop in way.next_hops:
            ipaddress.ip_address(hop)
        for address in way.floating:
            _ipv4(address)
    for floating in router.floating:
        _ipv4(floating.floating)
        _ipv4(floating.fixed)
    for address in router.proxied or ():
        ipaddress.IPv6Address(address)
    for forwarding in router.forwardings:
        _ipv4(forwarding.floating)
        _ipv4(forwarding.fixed)
        _require(forwarding.protocol in ("tcp", "udp"), f"forwarding of {forwarding.protocol!r}")
        inner = 0 if forwarding.together else forwarding.more
        for first, more in ((forwarding.external_port, forwarding.more), (forwarding.internal_port, inner)):
            in_range = first > 0 and more >= 0 and first + more in _PORTS
            _require(in_range, f"forwarding of port {first} and {more} more")
    for destination, hop in router.routes:
        _cidr(destination)
        ipaddress.ip_address(hop)
    for meter in router.meters:
        checked_id(meter.id)
        for rule in meter.rules:
            _require(rule.direction in ("ingress", "egress"), f"a meter for the direction {rule.direction!r}")
            sides = [ipaddress.ip_network(cidr) for cidr in (rule.source, rule.destination) if cidr]
            _require(len({side.version for side in sides}) == 1, "a meter for no prefix, or for two IP versions")
    for helper, protocol, number in router.helpers:
        _require(kernel_helper(helper, protocol) != "", f"no helper {helper!r} over {protocol!r}")
        _require(number in _PORTS and number > 0, f"a helper for port {number}")


def _leg(leg: InterfaceSpec) -> None:
    checked_id(leg.port_id)
    checked_id(leg.network_id)
    _mac(leg.mac)
    for address in leg.addresses:
        ipaddress.ip_interface(address)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _mac(text: str) -> None:
    _require(bool(_MAC.fullmatch(text)), f"no MAC address: {text!r}")
    _require(int(text[:2], 16) & 1 == 0, f"no MAC address of one interface: {text}")


def _cidr(text: str, version: int | None = None) -> None:
    network = ipaddress.ip_network(text, strict=False)
    _require(version is None or network.version == version, f"{text} is not of IP version {version}")


def _ipv4(text: str) -> None:
    ipaddress.IPv4Address(text)
