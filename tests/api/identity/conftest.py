"""Identity alone, over a real database, with the people it starts with."""

from __future__ import annotations

from pathlib import Path

import pytest_asyncio

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.bootstrap import Offered, bootstrap
from cumulet.services.identity.policies import DEFAULTS
from cumulet.services.identity.room import Identity
from cumulet.services.identity.settings import Settings
from tests.api.identity.cloud import PASSWORD, Cloud
from tests.support.clock import JumpingClock

OFFERED = (
    Offered("identity", "keystone", "/identity", "/v3"),
    Offered("compute", "nova", "/compute", "/v2.1"),
    Offered("object-store", "swift", "/object-store", "/v1", catalog_project=True, project_word="AUTH_"),
)


@pytest_asyncio.fixture
async def room(database: Database, bus: MemoryBus, tmp_path: Path) -> Identity:
    settings = Settings(state=tmp_path, scrypt_log_n=2, lockout_attempts=3)
    room = Identity(database=database, bus=bus, clock=JumpingClock(), rules=Rules(DEFAULTS), settings=settings)
    await bootstrap(
        room, admin_password=PASSWORD, region="RegionOne", base_url="http://cloud.test:5000", services=OFFERED
    )
    return room


@pytest_asyncio.fixture
async def cloud(room: Identity) -> Cloud:
    return Cloud(room)
