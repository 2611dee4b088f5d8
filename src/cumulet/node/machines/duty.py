"""Wanted: the machines assigned here. Found: what the hypervisor has. An order is carried out once; then it is watched.

A machine that fulfilled its order and later stops by itself is reported, not restarted: whether it should run again is
said by a new order. After the agent (or the host) starts anew, every order is carried out again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from cumulet.contracts.assignments import Assignment, Kind
from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.contracts.record import digest_of
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.drivers.hypervisor.base import Hypervisor
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.node.orders import Orders
from cumulet.node.outbox import Outbox

log = logging.getLogger("cumulet.node")

WIRE_SECONDS = 0.25
RETRY_SECONDS = 5.0


class MachineDuty:
    """Looks after each assigned machine."""

    topic = str(Kind.MACHINE)
    also = ()

    def __init__(
        self,
        orders: Orders,
        outbox: Outbox,
        hypervisor: Hypervisor,
        wired: Callable[[str], bool],
        forget: Callable[[str], None],
    ) -> None:
        self._orders = orders
        self._outbox = outbox
        self._hypervisor = hypervisor
        self._wired = wired
        self._forget = forget
        """Drops what else this node keeps of a machine."""
        self._fulfilled: dict[str, str] = {}

    async def step(self, key: str) -> Outcome:
        order = self._orders.get(Kind.MACHINE, key)
        if order is None:
            return Done()
        if order.gone:
            await self._hypervisor.remove(key)
            self._forget(key)
            self._fulfilled.pop(key, None)
            self._outbox.tell_gone(order)
            return Done()
        return await self._fulfil(order)

    async def _fulfil(self, order: Assignment) -> Outcome:
        spec = msgspec.json.decode(order.spec, type=MachineSpec)
        digest = digest_of(spec)
        if self._fulfilled.get(order.key) == digest:
            await self._observe(order)
            return Done()
        if spec.wanted in (Power.RUNNING, Power.PAUSED):
            missing = [nic.port_id for nic in spec.nics if not self._wired(nic.port_id)]
            if missing:
                return Again(WIRE_SECONDS, f"ports not wired yet: {', '.join(missing)}")
        try:
            facts = await self._hypervisor.ensure(spec)
        except ControlPlaneSilent as error:
            return Again(RETRY_SECONDS, f"what opens its disks did not arrive: {error}")
        self._outbox.tell(order, facts)
        if facts.digest == digest:
            self._fulfilled[order.key] = digest
            return Done()
        return Again(RETRY_SECONDS, facts.fault.message if facts.fault else "not as ordered yet")

    async def _observe(self, order: Assignment) -> None:
        for facts in await self._hypervisor.found():
            if facts.id == order.key:
                self._outbox.tell(order, facts)
                return
        log.warning("machine %s has vanished; carrying its order out again", order.key)
        del self._fulfilled[order.key]
        self._outbox.tell(order, MachineFacts(id=order.key, power=Power.CRASHED))

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return [key for key in self._orders.keys(Kind.MACHINE, after, limit) if key not in self._fulfilled]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return self._orders.keys(Kind.MACHINE, after, limit)
