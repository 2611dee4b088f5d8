"""The placement service alone, over a real database."""

from __future__ import annotations

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.lib.clock import SystemClock
from cumulet.services.placement.policies import DEFAULTS
from cumulet.services.placement.room import Placement
from cumulet.services.placement.service import service
from tests.support.client import Client
from tests.support.personas import authenticate


@pytest.fixture
def room(database: Database, bus: MemoryBus) -> Placement:
    return Placement(database=database, bus=bus, clock=SystemClock(), rules=Rules(DEFAULTS))


@pytest.fixture
def placement(room: Placement) -> Client:
    return Client(FrontDoor(service(), room, authenticate), "admin", "1.39")
