"""Networks in memory: a small world that keeps what it was ordered, and can say what would pass.

`FakeFabric` is the world and outlives the driver, as a kernel outlives the agent: give a new `FakeNetwork` the old
world to play a restart.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.networks import (
    ElementFacts,
    Fabric,
    FloatingSpec,
    GatewaySpec,
    GroupSpec,
    InterfaceSpec,
    Metered,
    NetworkSpec,
    PortSpec,
    RouterSpec,
)
from cumulet.contracts.record import digest_of
from cumulet.drivers.network.rules import NUMBERS, Ip, Judge, Traffic, forwarded, is_guests, leading_here, logs_of, owns

Spec = NetworkSpec | PortSpec | GroupSpec | RouterSpec
KINDS = (Kind.NETWORK, Kind.PORT, Kind.GROUP, Kind.ROUTER)


@dataclass
class FakeFabric:
    """The world of one node. Tests may look at everything, and break things with `fail`."""

    elements: dict[tuple[Kind, str], Spec] = field(default_factory=dict)
    places: tuple[PortSpec, ...] = ()
    """Where the ports of other nodes are said to be."""
    failing: dict[str, Fault] = field(default_factory=dict)
    metered: dict[tuple[str, str], Metered] = field(default_factory=dict)
    """(router, counter) → what tests let pass there."""
    witnessed: list[tuple[str, str, str]] = field(default_factory=list)
    """What was logged: (event, direction, port)."""
    waiting: set[str] = field(default_factory=set)
    """Routers that run on another of the nodes that hold them."""
    turns: asyncio.Event = field(default_factory=asyncio.Event)
    changes: int = 0
    """How often something was made, changed or destroyed."""
    _facts: dict[tuple[Kind, str], ElementFacts] = field(default_factory=dict)

    def fail(self, key: str, message: str = "The switch is on fire.") -> None:
        """From now on this element cannot be made."""
        self.failing[key] = Fault(message=message)

    def mend(self, key: str) -> None:
        self.failing.pop(key, None)

    def turn(self, router_id: str, *, runs: bool) -> None:
        """The nodes that hold this router have agreed anew."""
        (self.waiting.discard if runs else self.waiting.add)(router_id)
        self.turns.set()

    def taps(self) -> set[str]:
        """The interfaces that machines can open."""
        ports = [spec for spec in self.elements.values() if isinstance(spec, PortSpec) and is_guests(spec)]
        return {_tap(port.id) for port in ports if not port.trunk_port}

    def make(self, kind: Kind, spec: Spec) -> ElementFacts:
        """Keep it, unless it cannot be made; what stood there before then stays."""
        key = kind, spec.id
        fault = self.failing.get(spec.id)
        if fault is None and isinstance(spec, PortSpec) and (Kind.NETWORK, spec.network_id) not in self.elements:
            fault = Fault(message="This port cannot be made: its network is not here.", code=400)
        if fault is None and isinstance(spec, PortSpec) and spec.trunk_port and not self._carries(spec):
            fault = Fault(message="This port cannot be made: the port of its trunk is not here.", code=400)
        if fault is not None:
            return ElementFacts(id=spec.id, fault=fault)
        if self.elements.get(key) != spec:
            self.elements[key] = spec
            self._facts[key] = ElementFacts(id=spec.id, digest=digest_of(spec), up=getattr(spec, "up", True))
            self.changes += 1
        if isinstance(spec, RouterSpec) and spec.standby:
            return msgspec.structs.replace(self._facts[key], active=spec.id not in self.waiting)
        return self._facts[key]

    def _carries(self, sub: PortSpec) -> bool:
        trunk = self.elements.get((Kind.PORT, sub.trunk_port))
        return isinstance(trunk, PortSpec) and not trunk.trunk_port and trunk.host == sub.host

    def destroy(self, kind: Kind, key: str) -> None:
        if self.elements.pop((kind, key), None) is not None:
            del self._facts[kind, key]
            self.changes += 1

    def reaches(self, network_id: str, source: str, destination: str, protocol: str = "icmp", port: int = 8) -> bool:
        """Whether a first packet from that address in that network gets to its destination: through routers and
        floating addresses, past the groups of sender and receiver. `port` is the type of an ICMP message."""
        return _Journey(self).arrives(
            network_id,
            Traffic(ipaddress.ip_address(source), ipaddress.ip_address(destination), NUMBERS[protocol], port),
        )


class FakeNetwork:
    """The driver over such a world."""

    name = "fake"

    def __init__(self, world: FakeFabric) -> None:
        self._world = world

    async def apply(self, fabric: Fabric) -> Mapping[Kind, Sequence[ElementFacts]]:
        # Networks before what stands in them, and the port of a trunk before those that it carries.
        ports = sorted(fabric.ports, key=lambda port: bool(port.trunk_port))
        self._world.places = fabric.places
        return {
            Kind.NETWORK: [self._world.make(Kind.NETWORK, spec) for spec in fabric.networks],
            Kind.GROUP: [self._world.make(Kind.GROUP, spec) for spec in fabric.groups],
            Kind.PORT: [self._world.make(Kind.PORT, spec) for spec in ports],
            Kind.ROUTER: [self._world.make(Kind.ROUTER, spec) for spec in fabric.routers],
        }

    async def remove(self, kind: Kind, key: str) -> None:
        self._world.destroy(kind, key)

    async def found(self) -> Mapping[Kind, Sequence[str]]:
        return {kind: sorted(key for of, key in self._world.elements if of is kind) for kind in KINDS}

    def tap(self, port_id: str) -> str:
        return _tap(port_id)

    async def turned(self) -> None:
        await self._world.turns.wait()
        self._world.turns.clear()

    async def metered(self, router_id: str) -> Sequence[Metered]:
        router = self._world.elements.get((Kind.ROUTER, router_id))
        if not isinstance(router, RouterSpec):
            raise LookupError(f"router {router_id} is not here")
        none = (Metered(id=meter.id, packets=0, bytes=0) for meter in router.meters)
        return [self._world.metered.get((router_id, counter.id), counter) for counter in none]


def _tap(port_id: str) -> str:
    return f"tap{port_id[:11]}"


class _Journey:
    """One packet's way through the world as it is."""

    def __init__(self, world: FakeFabric) -> None:
        specs = world.elements.values()
        self._networks = {spec.id: spec for spec in specs if isinstance(spec, NetworkSpec)}
        up = {spec.id for spec in specs if isinstance(spec, PortSpec) and spec.up}
        ports = [spec for spec in specs if isinstance(spec, PortSpec) and spec.id in up]
        self._ports = [port for port in ports if not port.trunk_port or port.trunk_port in up]
        routers = [spec for spec in specs if isinstance(spec, RouterSpec) and spec.up]
        self._routers = [router for router in routers if not (router.standby and router.id in world.waiting)]
        self._witnessed = world.witnessed
        self._judge = Judge(Fabric(groups=tuple(spec for spec in specs if isinstance(spec, GroupSpec))))

    def arrives(self, network_id: str, traffic: Traffic) -> bool:
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
            self._witnessed.append(("ACCEPT" if granting else "DROP", direction, port.id))
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
