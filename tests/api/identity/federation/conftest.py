"""A cloud that knows a provider, before and after it was told what to make of his people."""

from __future__ import annotations

from pathlib import Path

import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.federation.meeting import (
    Meeting,
    open_meeting,
)


@pytest_asyncio.fixture
async def unprepared(database: Database, bus: MemoryBus, tmp_path: Path) -> Meeting:
    return await open_meeting(database, bus, tmp_path)


@pytest_asyncio.fixture
async def meeting(unprepared: Meeting) -> Meeting:
    return await unprepared.prepare()
