"""Wanted: the networks, ports, groups and routers assigned here, taken together as one fabric. The driver compares.

They are made in one piece because they depend on each other: a port's filter names groups, a router's leg needs a
network. Changes that arrive together cost one application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, GroupSpec, Member, NetworkSpec, PortSpec, RouterSpec
from cumulet.contracts.record import Record
from cumulet.core.bus import Bus
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.drivers.network.base import Network
from cumulet.node.orders import Orders
from cumulet.node.outbox import Outbox

KINDS = (Kind.PORT, Kind.ROUTER, Kind.GROUP, Kind.NETWORK)
"""In the order of removal: what depends on others goes first."""
WHOLE = "fabric"
Applied = Callable[[], Awaitable[str]]
"""Called after each application, for what stands on the networks; a text says what failed."""
RETRY_SECONDS = 5.0


class FabricDuty:
    """Looks after one key: the whole fabric."""

    topic = WHOLE
    also = ()

    def __init__(self, orders: Orders, outbox: Outbox, network: Network, bus: Bus, applied: Applied) -> None:
        self._orders = orders
        self._outbox = outbox
        self._network = network
        self._bus = bus
        self._applied = applied
        self._wired: set[str] = set()
        self._groups: dict[str, tuple[GroupSpec, Mapping[str, Record], GroupSpec]] = {}
        for kind in KINDS:
            bus.listen(kind, lambda key: bus.wake(WHOLE, WHOLE))

    def wired(self, port_id: str) -> bool:
        """The port is made here as last ordered."""
        return port_id in self._wired

    async def step(self, key: str) -> Outcome:
        gone = [order for kind in KINDS for order in self._orders.all(kind) if order.gone]
        there = {(kind, order.key): order for kind in KINDS for order in self._orders.all(kind) if not order.gone}
        fabric = self._fabric()
        for order in gone:
            await self._network.remove(order.kind, order.key)
            self._wired.discard(order.key)
            self._groups.pop(order.key, None)
            self._outbox.tell_gone(order)
        failed = ""
        for kind, elements in (await self._network.apply(fabric)).items():
            for facts in elements:
                order_here = there.get((kind, facts.id))
                if order_here is None:
                    continue
                # The members of a group come and go without an order; that they are in force is not reported.
                self._outbox.tell(order_here, replace(facts, digest="") if kind is Kind.GROUP else facts)
                if kind is Kind.PORT:
                    self._note_port(facts.id, up=facts.up and not facts.fault)
                if facts.fault:
                    failed = facts.fault.message
        failed = await self._applied() or failed
        return Again(RETRY_SECONDS, failed) if failed else Done()

    def _fabric(self) -> Fabric:
        networks = self._orders.specs(Kind.NETWORK, NetworkSpec)
        ports = self._orders.specs(Kind.PORT, PortSpec)
        told = (place for id_ in networks for place in self._orders.said(Kind.NETWORK, id_).values())
        return Fabric(
            networks=tuple(networks.values()),
            ports=tuple(ports.values()),
            groups=tuple(map(self._with_members, self._orders.specs(Kind.GROUP, GroupSpec).values())),
            routers=tuple(self._orders.specs(Kind.ROUTER, RouterSpec).values()),
            places=tuple(place for place in told if isinstance(place, PortSpec) and place.id not in ports),
        )

    def _with_members(self, group: GroupSpec) -> GroupSpec:
        """Put together once for each change of the group or of what is said about it."""
        said = self._orders.said(Kind.GROUP, group.id)
        known = self._groups.get(group.id)
        if known is not None and known[0] is group and known[1] is said:
            return known[2]
        cidrs = {cidr for member in said.values() if isinstance(member, Member) for cidr in member.cidrs}
        together = replace(group, members=tuple(sorted(cidrs)))
        self._groups[group.id] = group, said, together
        return together

    def _note_port(self, port_id: str, *, up: bool) -> None:
        if up:
            self._wired.add(port_id)
        else:
            self._wired.discard(port_id)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return []

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return [WHOLE] if after < WHOLE else []
