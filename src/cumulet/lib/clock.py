"""Time as an argument: the real clock here, one that jumps in the tests."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000_000
"""Instants and durations in rows are whole microseconds; an instant counts from 1970, UTC."""


class Clock(Protocol):
    """What the time is, and waiting for a later one."""

    def now(self) -> int:
        """The instant, in microseconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def iso_seconds(instant: int) -> str:
    """`2026-11-23T14:00:00Z`: how compute, network and image write an instant."""
    return datetime.fromtimestamp(instant // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_micros(instant: int) -> str:
    """`2026-11-23T14:00:00.000000`: how block storage and many facts write an instant."""
    return datetime.fromtimestamp(instant / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def iso_micros_z(instant: int) -> str:
    """`2026-11-23T14:00:00.000000Z`: how identity writes an instant."""
    return iso_micros(instant) + "Z"


def parse_iso(text: str) -> int:
    """An instant from ISO 8601 text; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * SECOND)
