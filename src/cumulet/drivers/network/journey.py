"""What would pass in a network that is only thought of: past groups, through routers, by floating addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from itertools import chain

from cumulet.contracts.networks import (
    Fabric,
    FloatingSpec,
    GatewaySpec,
    GroupSpec,
    InterfaceSpec,
    NetworkSpec,
    PortSpec,
    RouterSpec,
)
from cumulet.drivers.network.rules import NUMBERS, Ip, Judge, Traffic, forwarded, is_guests, leading_here, logs_of, owns

Spec = NetworkSpec | PortSpec | GroupSpec | RouterSpec


class Journey:
    """One packet's way through what is ordered there."""

    def __init__(self, specs: Collection[Spec], waiting: Collection[str]) -> None:
        """`waiting`: routers that run on another of the nodes that hold them."""
        self._networks = {spec.id: spec for spec in specs if isinstance(spec, NetworkSpec)}
        up = {spec.id for spec in specs if isinstance(spec, PortSpec) and spec.up}
        ports = [spec for spec in specs if isinstance(spec, PortSpec) and spec.id in up]
        self._ports = [port for port in ports if not port.trunk_port or port.trunk_port in up]
        routers = [spec for spec in specs if isinstance(spec, RouterSpec) and spec.up]
        self._routers = [router for router in routers if not (router.standby and router.id in waiting)]
        self.witnessed: list[tuple[str, str, str]] = []
        """What was logged on the way: (event, direction, port)."""
        self._judge = Judge(Fabric(groups=tuple(spec for spec in specs if isinstance(spec, GroupSpec))))

    def arrives(self, network_id: str, traffic: Traffic) -> bool:
        """Whether a first packet that is sent in this network gets to its destination."""
        sender = self._port(network_id, traffic.source)
        if sender is not None and not self._allows(sender, "egress", traffic):
            return False
        if sender is None and self._guarded_elsewhere(network_id, traffic.source):
            return False
        led = leading_here(self._ports, network_id).get(str(traffic.destination))
        if led is not None and sender is not None:
            port, local = led
            meant = ipaddress.ip_address(local.fixed) if local.translated else traffic.destination
            landing = Traffic(traffic.source, meant, traffic.protocol, traffic.port, traffic.code)
            return self._allows(port, "ingress", landing)
        if self._is_in(network_id, traffic.destination):
            return self._lands(network_id, traffic) or self._by_floating_address(network_id, traffic)
        return any(self._forwards(router, network_id, traffic) for router in self._routers)

    def _lands(self, network_id: str, traffic: Traffic) -> bool:
        """Whether somebody in this network has the destination and takes the packet."""
        receiver = self._port(network_id, traffic.destination)
        if receiver is not None:
            return self._allows(receiver, "ingress", traffic)
        network = self._networks[network_id]
        if network.external and any(s.gateway == str(traffic.destination) for s in network.subnets):
            return True  # The provider's own router.
        legs = chain.from_iterable(_legs(router) for router in self._routers)
        return any(
            leg.network_id == network_id
            and any(ipaddress.ip_interface(own).ip == traffic.destination for own in leg.addresses)
            for leg in legs
        )

    def _by_floating_address(self, network_id: str, traffic: Traffic) -> bool:
        for router in self._routers:
            if any(way.leg.network_id == network_id for way in router.gateways):
                inward = _translated_in(router, traffic)
                if inward is not None and self._delivers(router, inward):
                    return True
        return False

    def _forwards(self, router: RouterSpec, network_id: str, traffic: Traffic) -> bool:
        if all(leg.network_id != network_id for leg in _legs(router)):
            return False
        if _shut(router, network_id, traffic):
            return False
        inward = _translated_in(router, traffic)
        if inward is not None:
            # Back to a guest of the same router: it sees the router's own outer address.
            assert router.gateway is not None
            outer = ipaddress.ip_interface(router.gateway.addresses[0]).ip
            return self._delivers(router, _from(inward, outer))
        if self._delivers(router, traffic):
            return True
        for way in router.gateways:
            outside = way.leg.network_id
            if self._is_in(outside, traffic.destination):
                outward = _translated_out(router, way, traffic)
                return self._lands(outside, outward) or self._by_floating_address(outside, outward)
        # Whether the world beyond answers is not for this world to say.
        return any(way.next_hops for way in router.gateways) and not self._is_anywhere(traffic.destination)

    def _allows(self, port: PortSpec, direction: str, traffic: Traffic) -> bool:
        """Whether the port's groups let it pass; what is to be logged of that, is."""
        granting = self._judge.granting(port, direction, traffic) if port.security else ""
        if port.security and logs_of(port, granting):
            self.witnessed.append(("ACCEPT" if granting else "DROP", direction, port.id))
        return not port.security or bool(granting)

    def _delivers(self, router: RouterSpec, traffic: Traffic) -> bool:
        return any(
            self._is_in(leg.network_id, traffic.destination) and self._lands(leg.network_id, traffic)
            for leg in router.interfaces
        )

    def _port(self, network_id: str, address: Ip) -> PortSpec | None:
        for port in self._ports:
            if port.network_id == network_id and is_guests(port) and owns(port, address):
                return port
        return None

    def _guarded_elsewhere(self, network_id: str, address: Ip) -> bool:
        """An address of the network that no port has: only a port without security could use it."""
        if not self._is_in(network_id, address) or self._networks[network_id].external:
            return False
        return all(port.security for port in self._ports if port.network_id == network_id and is_guests(port))

    def _is_in(self, network_id: str, address: Ip) -> bool:
        network = self._networks.get(network_id)
        return network is not None and any(address in ipaddress.ip_network(s.cidr) for s in network.subnets)

    def _is_anywhere(self, address: Ip) -> bool:
        return any(self._is_in(network_id, address) for network_id in self._networks)


def _legs(router: RouterSpec) -> list[InterfaceSpec]:
    return [*router.interfaces, *(way.leg for way in router.gateways)]


def _shut(router: RouterSpec, network_id: str, traffic: Traffic) -> bool:
    """Whether the router lets nobody in from there to that destination."""
    return (
        router.proxied is not None
        and any(way.leg.network_id == network_id for way in router.gateways)
        and traffic.destination.version == 6
        and all(ipaddress.ip_address(address) != traffic.destination for address in router.proxied)
    )


def _translated_in(router: RouterSpec, traffic: Traffic) -> Traffic | None:
    for forwarding in router.forwardings:
        inner = forwarded(forwarding, traffic.port)
        if (
            inner is not None
            and ipaddress.ip_address(forwarding.floating) == traffic.destination
            and NUMBERS[forwarding.protocol] == traffic.protocol
        ):
            fixed = ipaddress.ip_address(forwarding.fixed)
            return Traffic(traffic.source, fixed, traffic.protocol, inner, traffic.code)
    for floating in router.floating:
        if ipaddress.ip_address(floating.floating) == traffic.destination:
            fixed = ipaddress.ip_address(floating.fixed)
            return Traffic(traffic.source, fixed, traffic.protocol, traffic.port, traffic.code)
    return None


def _translated_out(router: RouterSpec, way: GatewaySpec, traffic: Traffic) -> Traffic:
    here = (f for f in router.floating if f.floating in way.floating)
    mine: FloatingSpec | None = next((f for f in here if ipaddress.ip_address(f.fixed) == traffic.source), None)
    if mine is not None:
        return _from(traffic, ipaddress.ip_address(mine.floating))
    if router.snat and traffic.source.version == 4:
        return _from(traffic, ipaddress.ip_interface(way.leg.addresses[0]).ip)
    return traffic


def _from(traffic: Traffic, source: Ip) -> Traffic:
    return Traffic(source, traffic.destination, traffic.protocol, traffic.port, traffic.code)
