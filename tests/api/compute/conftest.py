"""Compute alone, over a real database."""

from __future__ import annotations

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.lib.clock import SystemClock
from cumulet.services.compute.policies import DEFAULTS
from cumulet.services.compute.room import Compute
from cumulet.services.compute.service import service
from tests.support.client import Client
from tests.support.personas import authenticate


@pytest.fixture
def compute(database: Database, bus: MemoryBus) -> Client:
    room = Compute(database=database, bus=bus, clock=SystemClock(), rules=Rules(DEFAULTS))
    return Client(FrontDoor(service(), room, authenticate))
