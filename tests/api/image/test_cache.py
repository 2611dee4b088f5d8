"""The cache: what is asked for, what is kept, and what it is read from."""

from __future__ import annotations

import pytest

from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.drivers.image_store.web import Outside
from cumulet.services.image.cache.reconciler import CacheReconciler
from cumulet.services.image.cache.rows import CacheRow
from cumulet.services.image.images.reconciler import StoreReconciler
from cumulet.services.image.room import Image
from tests.api.image.making import RAW, active, answers, queued, settle, web_server
from tests.support.client import Client

pytestmark = pytest.mark.db


@pytest.fixture
def shelf(room: Image) -> Shelf:
    shelf = Shelf()
    room.cache, room.cache_limit, room.place = MemoryImageStore(shelf), 3000, "http://one:5000"
    return shelf


async def bring(room: Image) -> None:
    """Do what the cache's entries wish for."""
    reconciler = CacheReconciler(room)
    for key in await reconciler.every("", 100):
        await reconciler.step(key)


async def test_an_image_is_queued_kept_read_and_let_go(image: Client, room: Image, shelf: Shelf) -> None:
    admin, made = image.as_("admin"), await active(image)
    path = f"/cache/{made['id']}"
    await admin.put(path, status=202)
    await admin.put(path, status=202)
    assert await admin.get("/cache") == {"cached_images": [], "queued_images": [made["id"]]}
    assert await admin.get(f"/cache/nodes/{made['id']}") == []
    await bring(room)
    [entry] = (await admin.get("/cache"))["cached_images"]
    assert (entry["image_id"], entry["hits"], entry["size"], entry["last_accessed"]) == (made["id"], 0, len(RAW), 0)
    assert await admin.get(f"/cache/nodes/{made['id']}") == ["http://one:5000"]
    shelf.images = dict.fromkeys(shelf.images, b"from the cache")
    assert (await image("GET", f"/images/{made['id']}/file", headers={"range": "bytes=5-"})).content == b"the cache"
    [entry] = (await admin.get("/cache"))["cached_images"]
    assert (entry["hits"], entry["last_accessed"] > 1e9) == (1, True)
    await admin.delete(path)
    assert (await admin.get("/cache"), shelf.images) == ({"cached_images": [], "queued_images": []}, {})
    await admin.delete(path, 404)


async def test_only_administrators_and_only_images_with_data(image: Client, room: Image, shelf: Shelf) -> None:
    admin, made = image.as_("admin"), await queued(image)
    for method, path in [
        ("GET", "/cache"),
        ("DELETE", "/cache"),
        ("PUT", f"/cache/{made['id']}"),
        ("DELETE", f"/cache/{made['id']}"),
        ("POST", "/cache/clean"),
        ("POST", "/cache/prune"),
        ("GET", f"/cache/nodes/{made['id']}"),
    ]:
        assert (await image(method, path)).status_code == 403
    await admin.put(f"/cache/{made['id']}", status=400)
    await admin.put("/cache/absent", status=404)
    await admin.get("/cache/nodes/absent", 404)
    await admin.put(f"/cache/{(await active(image, RAW * 4))['id']}", status=400)
    room.cache = None
    await admin.get("/cache", 404)


@pytest.mark.parametrize(
    ("target", "cached", "waiting"), [("cache", 0, 1), ("queue", 1, 0), ("", 0, 0), ("invalid", 1, 1)]
)
async def test_the_whole_cache_or_its_queue_is_cleared(
    image: Client, room: Image, shelf: Shelf, target: str, cached: int, waiting: int
) -> None:
    admin = image.as_("admin")
    await admin.put(f"/cache/{(await active(image))['id']}", status=202)
    await bring(room)
    await admin.put(f"/cache/{(await active(image))['id']}", status=202)
    headers = {"x-image-cache-clear-target": target} if target else {}
    await admin("DELETE", "/cache", headers=headers)
    found = await admin.get("/cache")
    assert (len(found["cached_images"]), len(found["queued_images"])) == (cached, waiting)
    assert len(shelf.images) == cached


async def test_what_was_not_read_for_longest_makes_room(image: Client, room: Image, shelf: Shelf) -> None:
    admin = image.as_("admin")
    made = [(await active(image))["id"] for _ in range(3)]
    for image_id in made[:2]:
        await admin.put(f"/cache/{image_id}", status=202)
        await bring(room)
    await image("GET", f"/images/{made[0]}/file")
    await admin.put(f"/cache/{made[2]}", status=202)
    await bring(room)
    kept = {entry["image_id"] for entry in (await admin.get("/cache"))["cached_images"]}
    assert kept == {made[0], made[2]}
    room.cache_limit = 1500
    pruned = await admin.post("/cache/prune", status=200)
    assert pruned == {"total_files_pruned": 1, "total_bytes_pruned": len(RAW)}
    assert len(shelf.images) == 1


async def test_what_is_not_whole_is_cleaned(image: Client, room: Image, shelf: Shelf) -> None:
    admin, made = image.as_("admin"), await active(image)
    await admin.put(f"/cache/{made['id']}", status=202)
    await bring(room)
    shelf.images = {"77aa9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c11": b"nobody's"}
    await admin.post("/cache/clean", status=200)
    assert (shelf.images, (await admin.get("/cache"))["cached_images"]) == ({}, [])
    await admin.put(f"/cache/{made['id']}", status=202)
    await bring(room)
    shelf.images.clear()
    assert (await image("GET", f"/images/{made['id']}/file")).content == RAW
    shelf.images["77aa9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c11"] = b"nobody's"
    await StoreReconciler(room, {"cache": MemoryImageStore(shelf)}).step("cache")
    assert shelf.images == {}


async def test_a_deleted_image_leaves_the_cache(image: Client, room: Image, shelf: Shelf) -> None:
    admin, made = image.as_("admin"), await active(image)
    await admin.put(f"/cache/{made['id']}", status=202)
    await bring(room)
    await image.delete(f"/images/{made['id']}")
    await bring(room)
    async with room.database.read() as tx:
        assert await tx.find(CacheRow) == []
    assert shelf.images == {}


async def test_the_first_download_from_far_away_is_remembered(image: Client, room: Image, shelf: Shelf) -> None:
    admin = image.as_("admin")
    async with web_server(answers) as port:
        room.outside, room.web_store = Outside(("127.0.0.0/8",), (port,)), "web"
        path = f"/images/{(await queued(image))['id']}"
        await image.post(f"{path}/locations", {"url": f"http://127.0.0.1:{port}/disk.raw"}, 202)
        await settle(room)
        assert (await image("GET", f"{path}/file")).content == RAW
        await bring(room)
    assert len((await admin.get("/cache"))["cached_images"]) == 1
    assert (await image("GET", f"{path}/file")).content == RAW  # the web server is gone
    near = await active(image)
    await image("GET", f"/images/{near['id']}/file")
    assert (await admin.get("/cache"))["queued_images"] == []


async def test_an_image_that_nobody_wishes_for_any_more_is_not_kept(image: Client, room: Image, shelf: Shelf) -> None:
    admin, made = image.as_("admin"), await active(image)
    await admin.put(f"/cache/{made['id']}", status=202)
    keep = room.cache

    class Slow(MemoryImageStore):
        async def put(self, image_id, chunks, limit):  # type: ignore[no-untyped-def]
            size = await super().put(image_id, chunks, limit)
            room.cache = keep
            await admin.delete(f"/cache/{made['id']}")
            return size

    room.cache = Slow(shelf)
    await bring(room)
    assert shelf.images == {}
