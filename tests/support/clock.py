"""A clock that stands still until a test lets it jump."""

from __future__ import annotations

import asyncio

from cumulet.lib.clock import SECOND


class JumpingClock:
    """Time as the test wants it. Every look moves it by a microsecond, so that no two instants are the same."""

    def __init__(self, now: int = 1_800_000_000 * SECOND) -> None:
        self._now = now

    def now(self) -> int:
        self._now += 1
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += round(seconds * SECOND)

    async def sleep(self, seconds: float) -> None:
        self.jump(seconds)
        await asyncio.sleep(0)
