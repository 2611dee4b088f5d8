"""What identity's limits allow counts before what this room was told, from the next request on."""

from __future__ import annotations

import pytest

from cumulet.core.access.quota import Allowance
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.lib.clock import SystemClock
from cumulet.services.image.policies import DEFAULTS
from cumulet.services.image.room import Image
from cumulet.services.image.service import service
from tests.api.image.making import OCTETS, active, queued
from tests.support.client import Client
from tests.support.personas import ALT, DEMO, authenticate

pytestmark = pytest.mark.db

MEBIBYTE = 1 << 20


class Limits:
    """Identity's answers. Every project may hold `own`; the two of the tests share `shared`."""

    def __init__(self) -> None:
        self.own: dict[str, int] = {}
        self.shared: dict[str, int] = {}

    async def of(self, project_id: str) -> Allowance:
        return Allowance(self.own, self.shared, (DEMO, ALT), "default")


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def image(database: Database, bus: MemoryBus, limits: Limits) -> Client:
    room = Image(
        database=database,
        bus=bus,
        clock=SystemClock(),
        rules=Rules(DEFAULTS),
        stores={"fast": MemoryImageStore(Shelf())},
        staging=MemoryImageStore(Shelf()),
        unified_limits=limits.of,
    )
    return Client(FrontDoor(service(), room, authenticate))


async def test_a_limit_is_in_force_at_once(image: Client, limits: Limits) -> None:
    await queued(image)
    limits.own = {"image_count_total": 1}
    refused = await image("POST", "/images", {"name": "second"})
    assert refused.status_code == 413
    assert "image_count_total: requested 1, but already used 1 of 1" in refused.text
    usage = (await image.get("/info/usage"))["usage"]
    assert usage["image_count_total"] == {"limit": 1, "usage": 1}
    assert usage["image_size_total"]["limit"] == -1

    limits.own = {"image_count_total": 2}
    await queued(image)
    limits.own = {}
    await queued(image)


async def test_sizes_are_limited_where_bytes_arrive(image: Client, limits: Limits) -> None:
    limits.own = {"image_size_total": 1}
    await active(image, bytes(MEBIBYTE))
    await active(image, bytes(MEBIBYTE))  # how much would come was not known, and the project was not over its limit
    full = await queued(image)
    await image.put(f"/images/{full['id']}/file", status=413, content=b"one more", headers=OCTETS)
    assert (await image.get(f"/images/{full['id']}"))["status"] == "queued"


async def test_what_a_domain_shares_bounds_its_projects_together(image: Client, limits: Limits) -> None:
    limits.own, limits.shared = {"image_count_total": 2}, {"image_count_total": 2}
    other = image.as_("stranger")
    await queued(image)
    mine = await queued(other)
    refused = await image("POST", "/images", {"name": "third"})
    assert refused.status_code == 413
    assert "the projects of domain default already used 2 of 2" in refused.text
    assert (await image.get("/info/usage"))["usage"]["image_count_total"]["usage"] == 1

    await other.delete(f"/images/{mine['id']}")
    await queued(image)
