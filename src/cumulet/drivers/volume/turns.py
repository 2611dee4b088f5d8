"""Whose turn it is to work on the volumes of one place."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from weakref import WeakValueDictionary

AT_ONCE = 2


class Turns:
    """One at a time changes a volume, and bytes are copied for a few at a time."""

    def __init__(self) -> None:
        self.copies = asyncio.Semaphore(AT_ONCE)
        """Held by whoever copies much."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._kept: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def alone(self, volume_id: str) -> AsyncIterator[None]:
        """Nobody else changes a volume meanwhile."""
        async with self._locks.setdefault(volume_id, asyncio.Lock()):
            yield

    @contextlib.contextmanager
    def kept(self, snapshot_id: str) -> Iterator[None]:
        """Nobody drops a snapshot meanwhile: something is being made of it."""
        self._kept[snapshot_id] += 1
        try:
            yield
        finally:
            self._kept[snapshot_id] -= 1
            self._kept += Counter()  # forgets those of which there are none

    def is_kept(self, snapshot_id: str) -> bool:
        return self._kept[snapshot_id] > 0
