"""What other rooms get through the door."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cumulet.services.image.errors import ImageExists, ImageNotFound
from cumulet.services.image.public import ImageDoor
from cumulet.services.image.room import Image
from tests.api.image.making import RAW, active, queued
from tests.support.client import Client
from tests.support.personas import PERSONAS

pytestmark = pytest.mark.db

SNAPSHOT = "11111111-2222-3333-4444-555555555555"


async def some_bytes() -> AsyncIterator[bytes]:
    yield RAW


async def test_a_caller_gets_what_he_sees(image: Client, room: Image) -> None:
    door = ImageDoor(room)
    made = await active(image, os_distro="debian", min_disk=2)
    view = await door.get(PERSONAS["member"], made["id"])
    assert (view.name, view.size, view.min_disk, view.properties) == ("disk", 1024, 2, {"os_distro": "debian"})
    with pytest.raises(ImageNotFound):
        await door.get(PERSONAS["stranger"], made["id"])
    assert (await door.get(PERSONAS["admin"], made["id"])).status == "active"
    waiting = await queued(image)
    assert await door.ref(waiting["id"]) is None
    assert (await door.get(PERSONAS["member"], waiting["id"])).size == 0


async def test_a_snapshot_is_made_and_filled_however_often_it_is_asked_for(image: Client, room: Image) -> None:
    door, member = ImageDoor(room), PERSONAS["member"]
    for _ in range(2):
        view = await door.create_for_snapshot(member, SNAPSHOT, "snap", {"base": "x"}, disk_format="raw")
        assert (view.status, view.properties) == ("queued", {"base": "x"})
    for _ in range(2):
        await door.upload(SNAPSHOT, some_bytes())
    assert (await image.get(f"/images/{SNAPSHOT}"))["status"] == "active"
    with pytest.raises(ImageExists):
        await door.create_for_snapshot(PERSONAS["stranger"], SNAPSHOT, "snap", {})
    await door.abandon(SNAPSHOT)
    assert (await image.get(f"/images/{SNAPSHOT}"))["status"] == "active"


async def test_an_abandoned_snapshot_goes_away(image: Client, room: Image) -> None:
    door = ImageDoor(room)
    await door.create_for_snapshot(PERSONAS["member"], SNAPSHOT, "snap", {})
    for _ in range(2):
        await door.abandon(SNAPSHOT)
    await image.get(f"/images/{SNAPSHOT}", 404)
