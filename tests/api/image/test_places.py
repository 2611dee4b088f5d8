"""Places of data that are patched into an image, and the stores behind them."""

from __future__ import annotations

import pytest

from cumulet.services.image.public import ImageDoor
from cumulet.services.image.room import Image, Offer
from tests.api.image.making import OCTETS, RAW, active, answers, patch, queued, settle
from tests.api.image.web import DIGEST, NOTHING, add, open_web
from tests.support.client import Client
from tests.support.personas import PERSONAS

pytestmark = pytest.mark.db


async def test_a_place_makes_an_image_active_and_is_read_when_it_is_downloaded(image: Client, room: Image) -> None:
    made = await queued(image)
    path = f"/images/{made['id']}"
    async with open_web(room) as web:
        shown = await add(image, made["id"], f"{web}/disk.raw", metadata={"foo": "bar"})
        assert (shown["status"], shown["size"], shown["os_hash_value"], shown["stores"]) == (
            "active",
            1024,
            None,
            "web",
        )
        assert shown["locations"] == [{"url": f"{web}/disk.raw", "metadata": {"foo": "bar", "store": "web"}}]
        assert shown["direct_url"] == f"{web}/disk.raw"
        assert (await image("GET", f"{path}/file")).content == RAW
        part = await image("GET", f"{path}/file", headers={"range": "bytes=10-99"})
        assert (part.status_code, part.content) == (206, RAW[10:100])
        door, caller = ImageDoor(room), PERSONAS["member"]
        assert await door.ref(made["id"]) is None
        assert (await door.get(caller, made["id"])).status == "importing"
        await settle(room)
        assert (await door.get(caller, made["id"])).status == "active"
    assert (await door.ref(made["id"]) or NOTHING).sha512 == DIGEST
    assert (await image.get(path))["os_hash_value"] is None
    usage = (await image.get("/info/usage"))["usage"]
    assert usage["image_size_total"]["usage"] == 0
    await image.delete(path)


async def test_places_are_added_annotated_and_taken_away(image: Client, room: Image) -> None:
    made = await queued(image)
    admin = image.as_("admin")
    async with open_web(room) as web:
        await add(image, made["id"], f"{web}/disk.raw")
        both = (await add(image, made["id"], f"{web}/disk.raw#new"))["locations"]
        assert [one["url"] for one in both] == [f"{web}/disk.raw", f"{web}/disk.raw#new"]
        await add(image, made["id"], f"{web}/disk.raw#new", 400)
        await add(image, made["id"], f"{web}/disk.qcow2", 400)
        both[0]["metadata"]["date"] = "2015-10-15"
        replaced = await patch(image, made["id"], {"op": "replace", "path": "/locations", "value": both})
        assert replaced["locations"] == both
        for wrong in ([both[0]], [both[0], {"url": f"{web}/else", "metadata": {}}], [], "x", [{"url": 5}]):
            await patch(image, made["id"], {"op": "replace", "path": "/locations", "value": wrong}, status=400)
        await patch(image, made["id"], {"op": "replace", "path": "/locations/0", "value": both[0]}, status=400)
        await patch(image, made["id"], {"op": "remove", "path": "/locations/0"}, status=403)
        await patch(admin, made["id"], {"op": "remove", "path": "/locations/7"}, status=409)
        left = await patch(admin, made["id"], {"op": "remove", "path": "/locations/0"})
        assert left["locations"] == both[1:]
        await patch(admin, made["id"], {"op": "remove", "path": "/locations/0"}, status=403)


async def test_an_owner_s_claims_are_shown_but_nodes_get_what_was_found(image: Client, room: Image) -> None:
    made = await queued(image)
    claim = {"checksum": "1" * 32, "os_hash_value": "deadbeef" * 16, "os_hash_algo": "sha512"}
    async with open_web(room) as web:
        await add(image, made["id"], f"{web}/disk.raw", 400, validation_data={**claim, "os_hash_value": "00"})
        await add(image, made["id"], f"{web}/disk.raw", 400, validation_data={**claim, "os_hash_algo": "md4"})
        shown = await add(image, made["id"], f"{web}/disk.raw", validation_data=claim)
        assert (shown["checksum"], shown["os_hash_value"], shown["status"]) == ("1" * 32, "deadbeef" * 16, "active")
        assert "validation_data" not in shown["locations"][0]
        for name, value in {"checksum": "2" * 32, "os_hash_value": "b" * 128, "os_hash_algo": "sha256"}.items():
            wrong = {**claim, name: value}
            await add(image, made["id"], f"{web}/disk.raw#new", 409, validation_data=wrong)
        shown = await add(image, made["id"], f"{web}/disk.raw#new", validation_data=claim)
        assert len(shown["locations"]) == 2
        await settle(room)
    assert (await ImageDoor(room).ref(made["id"]) or NOTHING).sha512 == DIGEST


async def test_places_that_are_refused_leave_the_image_as_it_was(image: Client, room: Image) -> None:
    made = await queued(image)
    bare = await image.post("/images", {"name": "without formats"})
    async with open_web(room) as web:
        for url in (
            "gopher://info.example",
            "file:///etc/passwd",
            f"{web}/absent",
            f"{web}/endless",
            "fast://x",
            "http:",
        ):
            await add(image, made["id"], url, 400)
        await add(image, bare["id"], f"{web}/disk.raw", 400)
        await patch(
            image, made["id"], {"op": "add", "path": "/locations/9", "value": {"url": f"{web}/disk.raw"}}, status=400
        )
        await patch(image.as_("admin"), made["id"], {"op": "remove", "path": "/locations/0"}, status=409)
        await add(image.as_("stranger"), made["id"], f"{web}/disk.raw", 404)
        room.largest = 1000
        await add(image, made["id"], f"{web}/disk.raw", 413)
        room.show_locations = False
        await add(image, made["id"], f"{web}/disk.raw", 403)
        room.show_locations, room.web_store = True, ""
        await add(image, made["id"], f"{web}/disk.raw", 400)
    shown = await image.get(f"/images/{made['id']}")
    assert (shown["status"], shown["locations"], shown["size"]) == ("queued", [], None)


async def test_a_place_with_unsafe_data_does_not_stay_active(image: Client, room: Image) -> None:
    made = await queued(image)
    async with open_web(room) as web:
        assert (await add(image, made["id"], f"{web}/disk.qcow2"))["status"] == "active"
        await settle(room)
        shown = await image.get(f"/images/{made['id']}")
        assert (shown["status"], shown["os_glance_failed_import"]) == ("queued", "web")
        await image.put(f"/images/{made['id']}/file", status=204, content=RAW, headers=OCTETS)
        shown = await image.get(f"/images/{made['id']}")
        assert (shown["status"], shown["stores"], len(shown["locations"])) == ("active", "fast", 1)


async def test_only_copies_of_ours_are_removed(image: Client, room: Image) -> None:
    made = await active(image)
    admin, path = image.as_("admin"), f"/images/{made['id']}"
    async with open_web(room) as web:
        await add(image, made["id"], f"{web}/disk.raw")
        assert (await image.get(path))["stores"] == "fast,web"
        await patch(admin, made["id"], {"op": "remove", "path": "/locations/0"})
        assert [await store.found() for store in room.stores.values()] == [[], []]
        assert (await image("GET", f"{path}/file")).content == RAW
        await admin.delete(f"/stores/web/{made['id']}", 403)
        await admin.delete(f"/stores/slow/{made['id']}", 404)


async def test_an_image_is_read_from_the_store_of_greatest_weight(image: Client, room: Image) -> None:
    made = await active(image)
    async with open_web(room, lambda path: answers(path).replace(RAW, b"web!" * 256)) as web:
        await add(image, made["id"], f"{web}/disk.raw")
        assert (await image("GET", f"/images/{made['id']}/file")).content == RAW
        room.offers = {"web": Offer(weight=9)}
        shown = await image.get(f"/images/{made['id']}")
        assert (shown["stores"], shown["direct_url"]) == ("web,fast", f"{web}/disk.raw")
        assert (await image("GET", f"/images/{made['id']}/file")).content == b"web!" * 256
    # The web server is gone; the next location serves.
    assert (await image("GET", f"/images/{made['id']}/file")).content == RAW


async def test_the_web_takes_no_data(image: Client, room: Image) -> None:
    room.web_store, room.offers = "web", {"fast": Offer(description="Near", weight=2, properties={"data_dir": "/x"})}
    stores = (await image.get("/info/stores"))["stores"]
    assert stores == [
        {"id": "fast", "description": "Near", "default": "true", "weight": 2},
        {"id": "slow", "weight": 0},
        {"id": "web", "read-only": "true", "weight": 0},
    ]
    await image.get("/info/stores/detail", 403)
    detailed = (await image.as_("admin").get("/info/stores/detail"))["stores"]
    assert [(one["type"], one["properties"]) for one in detailed] == [
        ("memory", {"data_dir": "/x"}),
        ("memory", {}),
        ("http", {}),
    ]
    path = f"/images/{(await queued(image))['id']}"
    to_web = {**OCTETS, "x-image-meta-store": "web"}
    await image.put(f"{path}/file", status=400, content=RAW, headers=to_web)
    await image.put(f"{path}/stage", status=204, content=RAW, headers=OCTETS)
    await image.post(f"{path}/import", {"method": {"name": "glance-direct"}, "stores": ["web"]}, 400)
    await image.post(f"{path}/import", {"method": {"name": "glance-direct"}, "all_stores": True}, 202)
    await settle(room)
    assert (await image.get(path))["stores"] == "fast,slow"


async def test_a_store_that_left_the_settings_is_missed_and_comes_back(image: Client, room: Image) -> None:
    made = await active(image)
    all_stores = room.stores
    room.stores = {"slow": all_stores["slow"]}
    path = f"/images/{made['id']}"
    assert (await image.get(path))["stores"] == "fast"
    response = await image("GET", f"{path}/file")
    assert (response.status_code, "fast" in response.text) == (503, True)
    room.stores = all_stores
    assert (await image("GET", f"{path}/file")).content == RAW
