"""A store that cannot be reached: requests are refused with its name, and all is well when it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cumulet.drivers.image_store.base import Unreachable
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.services.image.images.reconciler import ImageReconciler, StoreReconciler
from cumulet.services.image.room import Image
from tests.api.image.making import OCTETS, RAW, active, queued, settle
from tests.support.client import Client

pytestmark = pytest.mark.db


class FarStore(MemoryImageStore):
    """Its network fails when it is told to."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.away = False

    def _reach(self) -> None:
        if self.away:
            raise Unreachable("far.example cannot be reached.")

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        self._reach()
        return await super().put(image_id, chunks, limit)

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        self._reach()
        async for piece in super().get(image_id, start, length):
            yield piece

    async def remove(self, image_id: str) -> None:
        self._reach()
        await super().remove(image_id)

    async def found(self) -> list[str]:
        self._reach()
        return await super().found()


@pytest.fixture
def far(room: Image) -> FarStore:
    store = FarStore(Shelf())
    room.stores = {"far": store, "near": MemoryImageStore(Shelf())}
    return store


async def test_an_upload_is_refused_and_may_be_sent_again(image: Client, far: FarStore) -> None:
    path = f"/images/{(await queued(image))['id']}"
    far.away = True
    answer = await image("PUT", f"{path}/file", content=RAW, headers=OCTETS)
    assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
    assert (await image.get(path))["status"] == "queued"
    far.away = False
    await image.put(f"{path}/file", status=204, content=RAW, headers=OCTETS)


async def test_a_download_is_refused_or_comes_from_elsewhere(image: Client, room: Image, far: FarStore) -> None:
    path = f"/images/{(await active(image))['id']}"
    far.away = True
    assert (await image("GET", f"{path}/file")).status_code == 503
    far.away = False
    await image.as_("admin").post(f"{path}/import", {"method": {"name": "copy-image"}, "stores": ["near"]}, 202)
    await settle(room)
    far.away = True
    assert (await image("GET", f"{path}/file")).content == RAW


async def test_what_cannot_be_removed_now_is_swept_later(image: Client, room: Image, far: FarStore) -> None:
    admin, made = image.as_("admin"), await active(image)
    path = f"/images/{made['id']}"
    await admin.post(f"{path}/import", {"method": {"name": "copy-image"}, "stores": ["near"]}, 202)
    await settle(room)
    [key] = await far.found()
    far.away = True
    await admin.delete(f"/stores/far/{made['id']}")
    assert (await image.get(path))["stores"] == "near"
    await image.delete(path)
    await ImageReconciler(room).step(made["id"])
    sweeper = StoreReconciler(room, room.stores)
    await sweeper.step("far")
    far.away = False
    assert await far.found() == [key]
    await sweeper.step("far")
    assert await far.found() == []


async def test_an_import_fails_with_the_reason(image: Client, room: Image, far: FarStore) -> None:
    path = f"/images/{(await queued(image))['id']}"
    await image.put(f"{path}/stage", status=204, content=RAW, headers=OCTETS)
    await image.post(f"{path}/import", {"method": {"name": "glance-direct"}, "stores": ["far"]}, 202)
    far.away = True
    await settle(room)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert (task["status"], "cannot be reached" in task["message"]) == ("failure", True)
    assert (await image.get(path))["status"] == "queued"
