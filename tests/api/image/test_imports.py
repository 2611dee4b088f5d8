"""Imports: bytes that come after the answer, from staging, the web, another image or another store."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.drivers.image_store.web import Outside
from cumulet.services.image.room import Image
from tests.api.image.importing import ask, staged
from tests.api.image.making import QCOW2, RAW, active, answers, queued, settle, web_server
from tests.support.client import Client
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db


async def test_staged_data_is_imported_into_every_store(image: Client, room: Image) -> None:
    path = await staged(image)
    await ask(image, path, "glance-direct", all_stores=True)
    shown = await image.get(path)
    assert (shown["status"], shown["os_glance_importing_to_stores"]) == ("importing", "fast,slow")
    await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["stores"], shown["size"]) == ("active", "fast,slow", 1024)
    assert (shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == ("", "")
    assert (await image("GET", f"{path}/file")).content == RAW
    assert await room.staging.found() == []
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert (task["status"], task["type"]) == ("success", "api_image_import")
    assert task["input"]["import_req"]["method"]["name"] == "glance-direct"
    assert task["request_id"].startswith("req-")


async def test_refused_data_returns_the_image_to_the_queue_with_a_reason(image: Client, room: Image) -> None:
    path = await staged(image, QCOW2)
    await ask(image, path, "glance-direct")
    await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["os_glance_failed_import"]) == ("queued", "fast")
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert (task["status"], "declared as raw" in task["message"]) == ("failure", True)
    assert [await store.found() for store in (*room.stores.values(), room.staging)] == [[], [], []]


@pytest.mark.parametrize(
    ("name", "more", "status"),
    [
        ("unheard-of", {}, 400),
        ("glance-direct", {"stores": ["nowhere"]}, 400),
        ("glance-direct", {"stores": ["fast"], "all_stores": True}, 400),
        ("web-download", {}, 400),
        ("web-download", {"uri": "https://images.example/x"}, 409),
        ("copy-image", {"stores": ["slow"]}, 403),
        ("glance-download", {"glance_image_id": "foo", "glance_region": "RegionOne"}, 400),
        ("glance-direct", {"all_stores": "maybe"}, 400),
    ],
)
async def test_imports_that_make_no_sense(image: Client, name: str, more: dict, status: int) -> None:
    path = await staged(image)
    await ask(image, path, name, status, **more)
    assert (await image.get(path))["status"] == "uploading"
    await image.as_("stranger").post(f"{path}/import", {"method": {"name": name}}, 404)


async def test_an_image_is_copied_into_another_store(image: Client, room: Image) -> None:
    path, admin = f"/images/{(await active(image))['id']}", image.as_("admin")
    await ask(admin, path, "copy-image", stores=["slow"])
    assert (await image.get(path))["status"] == "active"
    await ask(admin, path, "copy-image", 409, stores=["slow"])
    await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["stores"], shown["os_glance_importing_to_stores"]) == ("active", "fast,slow", "")
    await ask(admin, path, "copy-image", 409, stores=["slow"])
    await ask(admin, path, "copy-image", all_stores=True)
    await settle(room)
    assert (await image.get(path))["stores"] == "fast,slow"
    await admin.delete(f"/stores/fast{path.removeprefix('/images')}")
    assert (await image("GET", f"{path}/file")).content == RAW


async def test_an_image_takes_over_what_another_one_is(image: Client, room: Image) -> None:
    source = await active(image, hw_cpu_cores="5", os_distro="rhel", speed="88mph")
    path = f"/images/{(await queued(image, disk_format='iso', container_format='ovf', os_distro='windows'))['id']}"
    await ask(image, path, "glance-download", glance_image_id=source["id"], glance_region="RegionOne")
    await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["disk_format"], shown["container_format"]) == ("active", "raw", "bare")
    assert (shown["hw_cpu_cores"], shown["os_distro"], "speed" in shown) == ("5", "rhel", False)


@pytest.mark.parametrize("region", ["RegionOne", "elsewhere"])
async def test_an_image_of_others_or_elsewhere_is_not_taken_over(image: Client, room: Image, region: str) -> None:
    secret = await active(image.as_("stranger"))
    path = f"/images/{(await queued(image))['id']}"
    await ask(image, path, "glance-download", glance_image_id=secret["id"], glance_region=region)
    await settle(room)
    assert (await image.get(path))["status"] == "queued"
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert task["status"] == "failure"


@pytest.mark.parametrize(
    ("address", "status", "word"),
    [
        ("/disk.qcow2", "active", ""),
        ("/moved", "active", ""),
        ("/metadata", "queued", "does not pass filtering"),
        ("/round", "queued", "redirects more than"),
        ("/short", "queued", "announced 999999"),
        ("/absent", "queued", "404"),
        ("/noise", "queued", "does not speak HTTP"),
    ],
)
async def test_an_image_comes_from_the_web(image: Client, room: Image, address: str, status: str, word: str) -> None:
    async with web_server(answers) as port:
        room.outside = Outside(("127.0.0.0/8",), (port, 80))
        path = f"/images/{(await queued(image, disk_format='qcow2'))['id']}"
        await ask(image, path, "web-download", uri=f"http://127.0.0.1:{port}{address}")
        async with asyncio.timeout(HANG_SECONDS):
            await settle(room)
    shown = await image.get(path)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert (shown["status"], word in task["message"]) == (status, True), task
    assert task["status"] == ("success" if status == "active" else "failure")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "ftp://images.example/x",
        "http://localhost/x",
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "http://0.0.0.0/x",
        "http://user:word@images.example/x",
        "http://images.example:22/x",
        "http://images.example:99999/x",
        "http:///x",
        "http://images.example/a b",
        "http://images.example/\r\nHost: x",
        "http://bücher.example/",
    ],
)
async def test_addresses_inside_are_refused_at_once(image: Client, uri: str) -> None:
    path = f"/images/{(await queued(image))['id']}"
    response = await image("POST", f"{path}/import", {"method": {"name": "web-download", "uri": uri}})
    assert (response.status_code, "does not pass filtering" in response.text) == (400, True)
    assert (await image.get(path))["status"] == "queued"
