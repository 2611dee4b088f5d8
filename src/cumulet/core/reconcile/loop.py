"""Looks after the keys of one reconciler: one task a key, delays, sweeps. Never told what happened; it looks."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from cumulet.core.bus import Bus
from cumulet.core.reconcile.outcome import Again, Done, Failed, Outcome
from cumulet.core.reconcile.shards import EveryShard, Shards
from cumulet.lib.clock import Clock

log = logging.getLogger("cumulet.reconcile")

AT_ONCE = 32
SWEEP_SECONDS = 10.0
FULL_SWEEP_SECONDS = 600.0
PAGE = 500
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
NEWCOMERS = 4
"""One look in so many goes to what is not begun yet, however much is."""


class Reconciler(Protocol):
    """Brings one kind of thing to its wish. `step` looks, decides, acts once and tells; it may be killed anywhere."""

    @property
    def topic(self) -> str:
        """Whose keys it looks at when woken."""
        ...

    @property
    def also(self) -> tuple[str, ...]:
        """Other topics that wake the same keys."""
        ...

    async def step(self, key: str) -> Outcome: ...

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        """Keys beyond `after` whose wish is known not to be met yet, in order."""
        ...

    async def every(self, after: str, limit: int) -> Sequence[str]:
        """All keys beyond `after`, in order."""
        ...


class Loop:
    """Runs a reconciler until it is cancelled."""

    def __init__(
        self,
        reconciler: Reconciler,
        bus: Bus,
        clock: Clock,
        shards: Shards | None = None,
        at_once: int = AT_ONCE,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self.reconciler = reconciler
        self._clock = clock
        self._shards = shards or EveryShard()
        self._at_once = at_once
        self._sweep_seconds = sweep_seconds
        self._due = _Lane()
        self._due_again = _Lane()
        """What has been begun: it is brought to its end before more is begun."""
        self._begun: set[str] = set()
        self._starts = 0
        self._when: dict[str, float] = {}
        self._running: set[str] = set()
        self._resting: set[str] = set()
        self._woken: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: dict[str, int] = {}
        self._stir = asyncio.Event()
        self.lost_wakes = 0
        """Keys a sweep found unsettled that nobody had woken: each is a lost message."""
        for topic in (reconciler.topic, *reconciler.also):
            bus.listen(topic, self.wake)

    def wake(self, key: str) -> None:
        """Look at this key now."""
        if key in self._running or key in self._resting:
            self._woken.add(key)
        else:
            self._schedule(key, 0.0)

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self._running and not self._when and not self._woken

    @property
    def waiting(self) -> int:
        """How many keys run or wait."""
        return len(self._running) + len(self._when)

    async def run(self) -> None:
        """For ever: what is due, as many at once as allowed."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            while True:
                self._stir.clear()
                wait = self._start_due()
                try:
                    async with asyncio.timeout(wait):
                        await self._stir.wait()
                except TimeoutError:
                    pass
        finally:
            # Waited for while the event loop still turns: a program whose start is cut off by the loop's own end is
            # never told of as ended, and whoever waits for it waits for ever.
            ending = [sweeper, *self._tasks]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _schedule(self, key: str, after: float) -> None:
        when = self._now() + after
        if key in self._when and self._when[key] <= when:
            return
        self._when[key] = when
        (self._due_again if key in self._begun else self._due).push(when, key)
        self._stir.set()

    def _start_due(self) -> float | None:
        """Start what is due; the seconds until the next one is, None: nothing waits."""
        while len(self._running) < self._at_once:
            due, again = self._due.first(self._when), self._due_again.first(self._when)
            delay = min(due, again) - self._now()
            if delay > 0:
                return None if delay == math.inf else delay
            first = self._starts % NEWCOMERS == 0
            lane = self._due if due <= self._now() and (first or again > self._now()) else self._due_again
            self._starts += 1
            key = lane.pop()
            del self._when[key]
            if not self._shards.owns(key):
                continue
            self._running.add(key)
            task = asyncio.create_task(self._look(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return None

    async def _look(self, key: str) -> None:
        after: float | None = None
        try:
            outcome = await self.reconciler.step(key)
            after = self._delay(key, outcome)
            if isinstance(outcome, Done) and outcome.rest:
                self._resting.add(key)
                asyncio.get_running_loop().call_later(outcome.rest, self._rested, key)
        except Exception as error:  # a step that breaks is tried again, later each time; it never stops the others
            log.exception("%s %s: %s", self.reconciler.topic, key, error)
            after = self._back_off(key)
        finally:
            self._running.discard(key)
            if key in self._woken and key not in self._resting:
                self._woken.discard(key)
                self._schedule(key, 0.0)
            elif after is not None:
                self._schedule(key, after)
            self._stir.set()

    def _rested(self, key: str) -> None:
        self._resting.discard(key)
        if key in self._woken:
            self._woken.discard(key)
            self._schedule(key, 0.0)

    def _delay(self, key: str, outcome: Outcome) -> float | None:
        (self._begun.add if isinstance(outcome, Again) else self._begun.discard)(key)
        match outcome:
            case Done():
                self._failures.pop(key, None)
                return None
            case Again(after=after, reason=reason):
                if reason:
                    log.debug("%s %s: again in %s s: %s", self.reconciler.topic, key, after, reason)
                self._failures.pop(key, None)
                return after
            case Failed(fault=fault):
                log.warning("%s %s failed: %s", self.reconciler.topic, key, fault.message)
                self._failures.pop(key, None)
                return None

    def _back_off(self, key: str) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1)))

    async def _sweep(self) -> None:
        """At start and often: what is unsettled. Seldom: everything."""
        full_at = self._now() + FULL_SWEEP_SECONDS
        first = True
        while True:
            full = self._now() >= full_at
            if full:
                full_at = self._now() + FULL_SWEEP_SECONDS
            try:
                await self._walk(full=full, count=not first)
            except Exception as error:
                log.exception("%s: the sweep failed: %s", self.reconciler.topic, error)
            first = False
            await self._clock.sleep(self._sweep_seconds)

    async def _walk(self, *, full: bool, count: bool) -> None:
        after = ""
        while True:
            look = self.reconciler.every if full else self.reconciler.unsettled
            keys = await look(after, PAGE)
            for key in keys:
                if key in self._running or key in self._when or key in self._woken or not self._shards.owns(key):
                    continue
                if count and not full:
                    self.lost_wakes += 1
                self._schedule(key, 0.0)
            if len(keys) < PAGE:
                return
            after = keys[-1]


class _Lane:
    """Keys in the order in which they are due, of those that were due together the first that came."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._count = itertools.count()

    def push(self, when: float, key: str) -> None:
        heapq.heappush(self._heap, (when, next(self._count), key))

    def first(self, valid: Mapping[str, float]) -> float:
        """When the first one is due; entries that are no longer valid, scheduled for another time, are dropped."""
        while self._heap and valid.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def pop(self) -> str:
        return heapq.heappop(self._heap)[2]
