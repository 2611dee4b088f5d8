"""An event loop whose time jumps: when nothing is left to run now, it is at once the moment of the next timer.

A simulated hour costs what its events cost. Work handed to threads is waited for in real time, so that no timer fires
before it is done.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cumulet.lib.clock import SECOND

T = TypeVar("T")

BEGINNING = 1_800_000_000 * SECOND
"""The instant at which every simulated world begins."""

SECONDS_TO_END = 60.0


class NothingLeft(RuntimeError):
    """No task can ever go on: something waits for a wake-up that nobody will send."""


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if self.loop.in_threads:
            return super().select(0 if timeout == 0 else 1.0)
        # A simulated world has no sockets: nothing can come in but from threads.
        if timeout is None:
            raise NothingLeft("every task waits, and no timer is set")
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Made for one simulated world."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self._virtual = 0.0
        self.in_threads = 0
        super().__init__(selector)
        self.set_exception_handler(_report)

    def time(self) -> float:
        return self._virtual

    def jump(self, seconds: float) -> None:
        self._virtual += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.in_threads += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, future: asyncio.Future[Any]) -> None:
        self.in_threads -= 1


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell of errors that nobody awaited, but not of tasks that ended together with their process."""
    error = context.get("exception")
    if error is None or isinstance(error, Exception):
        loop.default_exception_handler(context)


class VirtualClock:
    """The clock of a simulated world."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        return BEGINNING + round(self._loop.time() * SECOND)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(story: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """Run a story in a world of its own, from its beginning to its end, and to the end of whatever it left running."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story(VirtualClock(loop)))
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            # A task that was only told to end would be destroyed with the loop, in the midst of what it does.
            _, deaf = loop.run_until_complete(asyncio.wait(left, timeout=SECONDS_TO_END))
            assert not deaf, f"do not end: {', '.join(sorted(str(task.get_coro()) for task in deaf))}"
        loop.close()
