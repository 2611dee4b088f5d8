"""Identity alone, over a real database, with the people it starts with."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.cloud import Cloud, open_cloud


@pytest.fixture
def token_provider() -> str:
    """The form of the cloud's tokens. Where it matters, a test is parametrised over all."""
    return "fernet"


@pytest_asyncio.fixture
async def cloud(database: Database, bus: MemoryBus, tmp_path: Path, token_provider: str) -> Cloud:
    return await open_cloud(database, bus, tmp_path, token_provider=token_provider)
