"""The promise that every network driver keeps, in memory and in the kernel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contracts.network.asked import World
from tests.support.network.worlds import FakeWorld, LinuxWorld


@pytest_asyncio.fixture(params=["fake", pytest.param("linux", marks=pytest.mark.root)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: World = FakeWorld() if request.param == "fake" else LinuxWorld(tmp_path)
    yield made
    await made.stop()
