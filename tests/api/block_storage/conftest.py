"""Block storage among real neighbours, over a real database, with simulated nodes."""

from __future__ import annotations

import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.block_storage.shop import Shop


@pytest_asyncio.fixture
async def shop(database: Database, bus: MemoryBus) -> Shop:
    made = Shop(database, bus)
    await made.start()
    return made
