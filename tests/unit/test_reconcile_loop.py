"""The loop that looks after keys: one look at a time, delays, sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cumulet.core.bus import MemoryBus
from cumulet.core.reconcile import Again, Done, Goal, Loop, Outcome, next_step
from cumulet.core.reconcile.loop import AT_ONCE
from tests.support.virtual_time import VirtualClock, run_virtually


class Counting:
    """Looks at each key; what it does is said by its outcomes."""

    topic = "thing"
    also = ("other",)

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes = list(outcomes)
        self.looks: list[tuple[str, float]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.open: list[str] = []

    async def step(self, key: str) -> Outcome:
        self.looks.append((key, asyncio.get_running_loop().time()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.5)
        self.at_once -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else Done()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return [key for key in self.open if key > after][:limit]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)


def watch(
    reconciler: Counting, wakes: Sequence[tuple[float, str, str]], seconds: float, at_once: int = AT_ONCE
) -> Loop:
    """Run a loop for so long, with wake-ups (when, topic, key)."""

    async def story(clock: VirtualClock) -> Loop:
        bus = MemoryBus()
        loop = Loop(reconciler, bus, clock, at_once=at_once)
        task = asyncio.create_task(loop.run())
        now = 0.0
        for when, topic, key in wakes:
            await asyncio.sleep(when - now)
            now = when
            bus.wake(topic, key)
        await asyncio.sleep(seconds - now)
        task.cancel()
        return loop

    return run_virtually(story)


def test_a_key_is_looked_at_once_at_a_time_and_again_when_woken_meanwhile() -> None:
    reconciler = Counting()
    watch(reconciler, [(0.0, "thing", "a"), (0.1, "thing", "a"), (0.2, "other", "a")], 5)
    assert reconciler.looks == [("a", 0.0), ("a", 0.5)]
    assert reconciler.most_at_once == 1


def test_different_keys_are_looked_at_together() -> None:
    reconciler = Counting()
    watch(reconciler, [(0.0, "thing", "a"), (0.0, "thing", "b")], 5)
    assert reconciler.most_at_once == 2


def test_a_key_that_rests_is_looked_at_once_for_all_that_woke_it() -> None:
    things = Counting(Done(rest=3))
    loop = watch(things, [(1, "thing", "a"), (2, "thing", "a"), (3, "thing", "a"), (3, "thing", "b")], 10)
    assert things.looks == [("a", 1.0), ("b", 3.0), ("a", 4.5)]
    assert loop.idle


def test_what_is_begun_is_ended_before_more_is_begun_and_newcomers_have_a_share() -> None:
    """One at a time: a key needs two looks, and comes to its end although many others wait."""
    things = Counting(Again(), *[Done()] * 20)
    wakes = [(1, "thing", f"k{number}") for number in range(5)]
    watch(things, wakes, 10, at_once=1)
    assert [key for key, _ in things.looks] == ["k0", "k0", "k1", "k2", "k3", "k4"]
    busy = Counting(*[Again()] * 30)
    watch(busy, [(1, "thing", "busy"), (1.2, "thing", "new")], 10, at_once=1)
    assert "new" in [key for key, _ in busy.looks][:6]


def test_again_looks_after_its_delay() -> None:
    reconciler = Counting(Again(3), Again(0), Done())
    watch(reconciler, [(0.0, "thing", "a")], 60)
    assert [when for _, when in reconciler.looks] == [0.0, 3.5, 4.0]


def test_a_step_that_breaks_is_tried_later_each_time() -> None:
    reconciler = Counting(RuntimeError("a"), RuntimeError("b"), RuntimeError("c"), Done())
    watch(reconciler, [(0.0, "thing", "a")], 60)
    assert [when for _, when in reconciler.looks] == [0.0, 1.5, 4.0, 8.5]


def test_a_lost_wake_up_is_found_by_the_sweep_and_counted() -> None:
    reconciler = Counting()

    async def story(clock: VirtualClock) -> Loop:
        loop = Loop(reconciler, MemoryBus(), clock)
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(1)
        reconciler.open = ["forgotten"]
        await asyncio.sleep(10)
        task.cancel()
        return loop

    assert run_virtually(story).lost_wakes == 1
    assert reconciler.looks == [("forgotten", 10.0)]


async def _nothing(state: dict[str, bool]) -> Outcome:
    return Done()


class Tidying(Counting):
    """Takes a while to put down what it has in hand."""

    tidied = False

    async def step(self, key: str) -> Outcome:
        try:
            return await super().step(key)
        finally:
            await asyncio.sleep(0.2)
            self.tidied = True


def test_a_loop_that_ends_waits_for_the_looks_that_it_has_begun() -> None:
    reconciler = Tidying()

    async def story(clock: VirtualClock) -> None:
        bus = MemoryBus()
        task = asyncio.create_task(Loop(reconciler, bus, clock).run())
        await asyncio.sleep(0)
        bus.wake("thing", "a")
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait({task})

    run_virtually(story)
    assert reconciler.looks
    assert reconciler.tidied


def test_a_ladder_is_read_downwards_to_live_and_upwards_to_go() -> None:
    goals = [
        Goal[dict[str, bool]](name, lambda s, n=name: s[n], lambda s, n=name: s[n], _nothing, _nothing)
        for name in ("claimed", "wired", "powered")
    ]

    def step(wanted: bool, **state: bool) -> str:
        found = next_step(goals, {"claimed": False, "wired": False, "powered": False, **state}, wanted=wanted)
        return found.name if found else ""

    assert step(True) == "claimed"
    assert step(True, claimed=True) == "wired"
    assert step(True, claimed=True, wired=True, powered=True) == ""
    assert step(False, claimed=True, wired=True) == "not wired"
    assert step(False) == ""
