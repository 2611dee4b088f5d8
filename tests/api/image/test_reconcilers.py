"""What an interrupted upload, delete or copy leaves is found and put right, however often one looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cumulet.core.reconcile import Again, Done
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import new_uuid
from cumulet.services.image.images import status
from cumulet.services.image.images.operations import change
from cumulet.services.image.images.reconciler import SILENT_SECONDS, ImageReconciler, StoreReconciler
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.public import ImageDoor
from cumulet.services.image.room import Image
from cumulet.services.image.seed import seed
from tests.api.image.making import RAW, active, queued
from tests.support.client import Client

pytestmark = pytest.mark.db


async def some_bytes() -> AsyncIterator[bytes]:
    yield RAW


async def killed_upload(room: Image, image_id: str, *, ago_seconds: int, wrote: bool) -> str:
    """The state that a process leaves when it dies in the middle of an upload."""
    key = new_uuid()
    then = room.clock.now() - ago_seconds * SECOND
    await change(room, image_id, lambda row: status.begin_upload(row, key, then))
    if wrote:
        await room.stores["fast"].put(key, some_bytes(), 1 << 20)
    return key


@pytest.mark.parametrize("wrote", [True, False])
async def test_an_abandoned_image_returns_to_the_queue(image: Client, room: Image, wrote: bool) -> None:
    made = await queued(image)
    await killed_upload(room, made["id"], ago_seconds=SILENT_SECONDS + 1, wrote=wrote)
    reconciler = ImageReconciler(room)
    assert await reconciler.unsettled("", 10) == [made["id"]]
    assert await reconciler.step(made["id"]) == Done()
    assert (await image.get(f"/images/{made['id']}"))["status"] == "queued"
    assert await room.stores["fast"].found() == []
    assert await reconciler.unsettled("", 10) == []
    assert await reconciler.step(made["id"]) == Done()


async def test_an_image_whose_receiver_may_live_is_left_alone(image: Client, room: Image) -> None:
    made = await queued(image)
    key = await killed_upload(room, made["id"], ago_seconds=SILENT_SECONDS - 10, wrote=True)
    assert isinstance(await ImageReconciler(room).step(made["id"]), Again)
    await StoreReconciler(room, room.stores).step("fast")
    assert await room.stores["fast"].found() == [key]
    assert (await image.get(f"/images/{made['id']}"))["status"] == "saving"


async def test_a_deleted_image_takes_its_bytes_along(image: Client, room: Image) -> None:
    made = await active(image)
    await image.delete(f"/images/{made['id']}")
    await image.post("/images", {"id": made["id"]}, 409)
    reconciler = ImageReconciler(room)
    assert await reconciler.unsettled("", 10) == [made["id"]]
    await reconciler.step(made["id"])
    await reconciler.step(made["id"])
    assert await room.stores["fast"].found() == []
    async with room.database.read() as tx:
        assert await tx.count(ImageRow) == 0


async def test_orphans_are_removed_and_nothing_else(image: Client, room: Image) -> None:
    kept = (await active(image))["id"]
    for store in (room.stores["fast"], room.staging):
        await store.put(new_uuid(), some_bytes(), 1 << 20)
    async with room.database.read() as tx:
        row: Any = await tx.get(ImageRow, id=kept)
    await room.stores["slow"].put(row.data_key, some_bytes(), 1 << 20)  # a copy that was removed, killed half way
    sweeper = StoreReconciler(room, {**room.stores, "staging": room.staging})
    assert await sweeper.unsettled("", 10) == ["fast", "slow", "staging"]
    for name in ("fast", "slow", "staging"):
        assert isinstance(await sweeper.step(name), Again)
    assert await sweeper.unsettled("", 10) == []
    assert [await store.found() for store in (*room.stores.values(), room.staging)] == [[row.data_key], [], []]


async def test_the_first_image_is_there_once_however_often_it_is_seeded(image: Client, room: Image) -> None:
    for _ in range(2):
        await seed(room, tiny=None, simulated=True)
    [shown] = (await image.get("/images"))["images"]
    assert (shown["name"], shown["status"], shown["visibility"]) == ("tiny", "active", "public")
    assert (shown["disk_format"], shown["virtual_size"]) == ("qcow2", 64 << 20)
    door = ImageDoor(room)
    reference: Any = await door.ref(shown["id"])
    assert (reference.sha512, reference.size) == (shown["os_hash_value"], shown["size"])
    assert len(b"".join([piece async for piece in door.open(shown["id"])])) == shown["size"]


async def test_a_killed_seeding_is_taken_up_again(image: Client, room: Image) -> None:
    await seed(room, tiny=None, simulated=True)
    [shown] = (await image.get("/images"))["images"]
    await change(room, shown["id"], status.return_to_queue)
    await killed_upload(room, shown["id"], ago_seconds=0, wrote=True)
    await seed(room, tiny=None, simulated=True)
    assert (await image.get(f"/images/{shown['id']}"))["status"] == "active"
