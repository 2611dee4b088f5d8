"""The image service alone, over a real database and stores in memory."""

from __future__ import annotations

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.lib.clock import SystemClock
from cumulet.services.image.policies import DEFAULTS
from cumulet.services.image.room import Image
from cumulet.services.image.service import service
from tests.support.client import Client
from tests.support.personas import authenticate


@pytest.fixture
def room(database: Database, bus: MemoryBus) -> Image:
    return Image(
        database=database,
        bus=bus,
        clock=SystemClock(),
        rules=Rules(DEFAULTS),
        stores={"fast": MemoryImageStore(Shelf()), "slow": MemoryImageStore(Shelf())},
        staging=MemoryImageStore(Shelf()),
    )


@pytest.fixture
def image(room: Image) -> Client:
    return Client(FrontDoor(service(), room, authenticate))
