"""Reports on their way home: the newest one of each thing, sent in batches, again until they arrive."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from cumulet.contracts.assignments import Assignment, Kind, Report
from cumulet.contracts.record import Record
from cumulet.lib.clock import Clock
from cumulet.node.control_plane import ControlPlane, ControlPlaneSilent
from cumulet.node.orders import Orders

log = logging.getLogger("cumulet.node")

MOST = 500
PAUSE_SECONDS = 1.0


class Outbox:
    """Facts to tell. Saying the same thing again costs nothing."""

    def __init__(self, control_plane: ControlPlane, orders: Orders, clock: Clock) -> None:
        self._control_plane = control_plane
        self._orders = orders
        self._clock = clock
        self._waiting: dict[tuple[Kind, str], tuple[Report, Assignment]] = {}
        self._told: dict[tuple[Kind, str], tuple[int, bytes]] = {}
        self._sequence = 0
        self._stir = asyncio.Event()

    def tell(self, order: Assignment, facts: Record) -> None:
        """Report what was found of an assigned thing."""
        text = msgspec.json.encode(facts)
        address = (order.kind, order.key)
        if self._told.get(address) == (order.generation, text):
            return
        self._told[address] = (order.generation, text)
        self._put(
            order,
            Report(
                kind=order.kind,
                key=order.key,
                generation=order.generation,
                number=order.number,
                sequence=self._next(),
                facts=msgspec.Raw(text),
            ),
        )

    def tell_gone(self, order: Assignment) -> None:
        """Report that what was ordered gone is gone."""
        self._told.pop((order.kind, order.key), None)
        self._put(
            order,
            Report(
                kind=order.kind,
                key=order.key,
                generation=order.generation,
                number=order.number,
                sequence=self._next(),
                gone=True,
            ),
        )

    @property
    def empty(self) -> bool:
        return not self._waiting

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            while self._waiting:
                batch = dict(list(self._waiting.items())[:MOST])
                try:
                    await self._control_plane.report([report for report, _ in batch.values()])
                except ControlPlaneSilent as error:
                    log.warning("reports wait: %s", error)
                    await self._clock.sleep(PAUSE_SECONDS)
                    continue
                for address, (report, order) in batch.items():
                    if self._waiting.get(address) == (report, order):
                        del self._waiting[address]
                    if report.gone:
                        self._orders.forget(order)

    def _put(self, order: Assignment, report: Report) -> None:
        self._waiting[order.kind, order.key] = (report, order)
        self._stir.set()

    def _next(self) -> int:
        # Counts from the clock, so that it rises over restarts too.
        self._sequence = max(self._sequence + 1, self._clock.now())
        return self._sequence
