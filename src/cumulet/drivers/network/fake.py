"""Networks in memory: a small world that keeps what it was ordered, and can say what would pass.

`FakeFabric` is the world and outlives the driver, as a kernel outlives the agent: give a new `FakeNetwork` the old
world to play a restart.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.networks import (
    ElementFacts,
    Fabric,
    Metered,
    PortSpec,
    RouterSpec,
)
from cumulet.contracts.record import digest_of
from cumulet.drivers.network.journey import Journey, Spec
from cumulet.drivers.network.rules import NUMBERS, Traffic, is_guests

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
        ends = ipaddress.ip_address(source), ipaddress.ip_address(destination)
        journey = Journey(self.elements.values(), self.waiting)
        arrives = journey.arrives(network_id, Traffic(*ends, NUMBERS[protocol], port))
        self.witnessed += journey.witnessed
        return arrives


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
