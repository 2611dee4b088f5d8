"""Network alone, over a real database, with a fleet in memory."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.lib.clock import SystemClock
from cumulet.services.network.policies import DEFAULTS
from cumulet.services.network.room import Network
from cumulet.services.network.service import service
from cumulet.services.placement.public import PlacementDoor
from cumulet.services.placement.room import Placement
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import authenticate


@pytest.fixture
def fleet(bus: MemoryBus) -> FakeFleet:
    return FakeFleet(bus.wake, ["one", "two"])


@pytest.fixture
def room(database: Database, bus: MemoryBus, fleet: FakeFleet) -> Network:
    door: Any = fleet
    return Network(
        database=database,
        bus=bus,
        clock=SystemClock(),
        rules=Rules(DEFAULTS),
        fleet=door,
        placement=PlacementDoor(Placement(database=database, bus=bus, clock=SystemClock(), rules=Rules({}))),
    )


@pytest.fixture
def network(room: Network) -> Client:
    return Client(FrontDoor(service(), room, authenticate))


class Maker:
    """Makes the things that stories begin with."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def one(self, noun: str, path: str, **attributes: Any) -> dict[str, Any]:
        made: dict[str, Any] = (await self.client.post(path, {noun: attributes}))[noun]
        return made

    async def network(self, **attributes: Any) -> dict[str, Any]:
        return await self.one("network", "/networks", **attributes)

    async def subnet(self, network: dict[str, Any], cidr: str = "10.0.0.0/24", **more: Any) -> dict[str, Any]:
        version = 6 if ":" in cidr else 4
        return await self.one("subnet", "/subnets", network_id=network["id"], cidr=cidr, ip_version=version, **more)

    async def port(self, network: dict[str, Any], **attributes: Any) -> dict[str, Any]:
        return await self.one("port", "/ports", network_id=network["id"], **attributes)


@pytest.fixture
def make(network: Client) -> Maker:
    return Maker(network)
