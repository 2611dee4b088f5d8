"""Compute among real neighbours, over a real database, with simulated nodes."""

from __future__ import annotations

import pytest
import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.support.client import Client
from tests.support.small_cloud import SmallCloud


@pytest_asyncio.fixture
async def cloud(database: Database, bus: MemoryBus) -> SmallCloud:
    made = SmallCloud(database, bus)
    await made.start()
    return made


@pytest.fixture
def compute(cloud: SmallCloud) -> Client:
    return cloud.compute
