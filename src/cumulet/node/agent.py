"""The agent: starts the duties, fetches orders, beats the heart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from cumulet.contracts.assignments import NodeFacts
from cumulet.core.bus import MemoryBus
from cumulet.core.reconcile import Loop
from cumulet.drivers.hypervisor.base import Hypervisor
from cumulet.drivers.network.base import Guests, MetadataPlace, Network
from cumulet.lib.clock import Clock
from cumulet.node.control_plane import ControlPlane, ControlPlaneSilent
from cumulet.node.fabric.duty import WHOLE, FabricDuty
from cumulet.node.guests import AssignedGuests
from cumulet.node.machines.duty import MachineDuty
from cumulet.node.metadata.server import MetadataServer
from cumulet.node.orders import Orders
from cumulet.node.outbox import Outbox
from cumulet.node.volumes.backends import Backends
from cumulet.node.volumes.duty import VolumeDuty

log = logging.getLogger("cumulet.node")

BEAT_SECONDS = 10.0
POLL_SECONDS = 30.0
PAUSE_SECONDS = 1.0


class Agent:
    """One node: its orders, its duties, its drivers."""

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        clock: Clock,
        facts: Callable[[], NodeFacts],
        hypervisor: Hypervisor,
        network: Network,
        backends: Backends,
        metadata: Callable[[Guests], MetadataServer] | None = None,
        metadata_places: Callable[[], Sequence[MetadataPlace]] = tuple,
        turned: Callable[[], Awaitable[None]] | None = None,
        forget_machine: Callable[[str], None] = lambda machine_id: None,
    ) -> None:
        self._control_plane = control_plane
        self._clock = clock
        self._facts = facts
        self._backends = backends
        self._hypervisor = hypervisor
        self._bus = MemoryBus()
        self.orders = Orders(self._bus)
        self.guests = AssignedGuests(self.orders)
        self.outbox = Outbox(control_plane, self.orders, clock)
        self._metadata_places = metadata_places
        self._turned = turned
        self._metadata = metadata(self.guests) if metadata else None
        self.fabric = FabricDuty(self.orders, self.outbox, network, self._bus, self._listen_for_guests)
        machines = MachineDuty(self.orders, self.outbox, hypervisor, self.fabric.wired, forget_machine)
        volumes = VolumeDuty(self.orders, self.outbox, backends)
        self.loops = [Loop(duty, self._bus, clock) for duty in (self.fabric, volumes, machines)]

    async def run(self) -> None:
        """Everything, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._follow())
            group.create_task(self._watch())
            if self._turned is not None:
                group.create_task(self._watch_routers(self._turned))
            group.create_task(self.outbox.run())
            for loop in self.loops:
                group.create_task(loop.run())

    async def _listen_for_guests(self) -> str:
        """Answer the metadata service wherever the networks have a place for it now."""
        if self._metadata is None:
            return ""
        failed = await self._metadata.ensure(self._metadata_places())
        return "; ".join(f"metadata in network {place.network_id}: {why}" for place, why in failed.items())

    async def _beat(self) -> None:
        while True:
            try:
                backends = await self._backends.facts()
                await self._control_plane.beat(msgspec.structs.replace(self._facts(), backends=backends))
            except ControlPlaneSilent as error:
                log.warning("no heartbeat: %s", error)
                await self._clock.sleep(PAUSE_SECONDS)
                continue
            await self._clock.sleep(BEAT_SECONDS)

    async def _follow(self) -> None:
        """Fetch orders as they come."""
        while True:
            try:
                known = self.orders.number, self.orders.noticed
                self.orders.take(await self._control_plane.assignments(*known, POLL_SECONDS))
            except ControlPlaneSilent as error:
                log.warning("no orders: %s", error)
                await self._clock.sleep(PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Look at machines that change by themselves."""
        while True:
            self._bus.wake("machine", await self._hypervisor.changed())

    async def _watch_routers(self, turned: Callable[[], Awaitable[None]]) -> None:
        """Look at routers that other nodes hold too: they turn from one to another by themselves."""
        while True:
            await turned()
            self._bus.wake(WHOLE, WHOLE)
