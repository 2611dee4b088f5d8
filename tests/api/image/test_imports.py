"""Imports: bytes that come after the answer, from staging, the web, another image or another store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cumulet.drivers.image_store.web import Outside
from cumulet.drivers.image_store.workshop import Workshop
from cumulet.services.image.imports.reconciler import ImportReconciler
from cumulet.services.image.imports.tasks import KEPT_SECONDS, TaskRow
from cumulet.services.image.room import Image
from cumulet.services.image.seed import empty_qcow2
from tests.api.image.making import OCTETS, QCOW2, RAW, active, answers, queued, settle, web_server
from tests.support.client import Client
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db


async def staged(image: Client, data: bytes = RAW, **fields: Any) -> str:
    path = f"/images/{(await queued(image, **fields))['id']}"
    await image.put(f"{path}/stage", status=204, content=data, headers=OCTETS)
    assert (await image.get(path))["status"] == "uploading"
    return path


async def ask(image: Client, path: str, name: str, status: int = 202, **more: Any) -> Any:
    stores = more.pop("stores", None)
    extra = {"stores": stores} if stores else {}
    for word in ("all_stores", "all_stores_must_succeed"):
        if word in more:
            extra[word] = more.pop(word)
    return await image.post(f"{path}/import", {"method": {"name": name, **more}, **extra}, status)


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


# ---- from the web ----------------------------------------------------------------------------------------------------


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


# ---- tasks -----------------------------------------------------------------------------------------------------------


async def test_an_administrator_makes_an_image_by_a_task(image: Client, room: Image) -> None:
    admin = image.as_("admin")
    async with web_server(answers) as port:
        room.outside = Outside(("127.0.0.0/8",), (port,))
        wish = {
            "type": "import",
            "input": {
                "import_from": f"http://127.0.0.1:{port}/disk.qcow2",
                "import_from_format": "qcow2",
                "image_properties": {"name": "new", "disk_format": "qcow2", "container_format": "bare", "x": "y"},
            },
        }
        await image.post("/tasks", wish, 403)
        task = await admin.post("/tasks", wish)
        assert (task["status"], task["schema"]) == ("pending", "/v2/schemas/task")
        await settle(room)
    task = await admin.get(f"/tasks/{task['id']}")
    assert task["status"] == "success"
    shown = await admin.get(f"/images/{task['result']['image_id']}")
    assert (shown["name"], shown["status"], shown["x"]) == ("new", "active", "y")
    [listed] = (await admin.get("/tasks?status=success"))["tasks"]
    assert (listed["id"], "input" in listed) == (task["id"], False)
    await image.get("/tasks", 403)
    await image.get(f"/tasks/{task['id']}", 403)
    await admin.delete(f"/tasks/{task['id']}", 405)
    await admin.get("/tasks/absent", 404)


@pytest.mark.parametrize(
    "wish",
    [
        {"type": "export", "input": {}},
        {"type": "import", "input": {}},
        {"type": "import"},
        {"type": "import", "input": {"import_from": "file:///x", "import_from_format": "raw", "image_properties": {}}},
        {"type": "import", "input": {"import_from": 5, "import_from_format": "raw", "image_properties": []}},
        {"type": "import", "input": {"import_from": "http://a.b/", "import_from_format": "", "image_properties": {}}},
    ],
)
async def test_tasks_that_make_no_sense(image: Client, wish: dict) -> None:
    await image.as_("admin").post("/tasks", wish, 400)
    assert (await image.as_("admin").get("/tasks"))["tasks"] == []


async def test_a_killed_import_is_begun_anew_and_leaves_one_copy(image: Client, room: Image) -> None:
    path = await staged(image)
    await ask(image, path, "glance-direct")
    reconciler = ImportReconciler(room)
    [key] = await reconciler.unsettled("", 10)
    real = room.stores["fast"]

    class Dies:
        name = "fast"

        async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
            await real.put(image_id, chunks, limit)
            raise KeyboardInterrupt

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    room.stores = {**room.stores, "fast": Dies()}  # type: ignore[dict-item]
    with pytest.raises(KeyboardInterrupt):
        await reconciler.step(key)
    assert (await image.get(path))["status"] == "importing"
    room.stores = {**room.stores, "fast": real}
    await settle(room)
    assert (await image.get(path))["status"] == "active"
    assert len(await real.found()) == 1


async def test_a_task_that_never_ends_is_given_up(image: Client, room: Image) -> None:
    path = await staged(image)
    await ask(image, path, "glance-direct")
    await room.database.write(lambda tx: tx.update(TaskRow, {"status": "pending"}, attempts=3, status="processing"))
    await settle(room)
    assert (await image.get(path))["status"] == "queued"
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert task["status"] == "failure"


async def test_tasks_go_away_in_the_end(image: Client, room: Image) -> None:
    path = await staged(image)
    await ask(image, path, "glance-direct")
    await settle(room)
    assert await ImportReconciler(room).unsettled("", 10) == []
    long_ago = room.clock.now() - KEPT_SECONDS * 1_000_000
    await room.database.write(lambda tx: tx.update(TaskRow, {"status": "success"}, expires_at=long_ago))
    await settle(room)
    assert (await image.get(f"{path}/tasks"))["tasks"] == []


# ---- conversion ------------------------------------------------------------------------------------------------------


@pytest.fixture
def workshop(room: Image, tmp_path: Path) -> Path:
    room.workshop, room.import_format = Workshop(tmp_path), "raw"
    return tmp_path


@pytest.mark.parametrize("method", ["glance-direct", "web-download"])
async def test_an_imported_disk_is_converted(image: Client, room: Image, workshop: Path, method: str) -> None:
    async with web_server(answers) as port:
        room.outside = Outside(("127.0.0.0/8",), (port,))
        if method == "glance-direct":
            path = await staged(image, QCOW2, disk_format="qcow2")
            await ask(image, path, method, all_stores=True)
        else:
            path = f"/images/{(await queued(image, disk_format='qcow2'))['id']}"
            await ask(image, path, method, uri=f"http://127.0.0.1:{port}/disk.qcow2", all_stores=True)
        await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["disk_format"], shown["size"]) == ("active", "raw", 1 << 20)
    assert shown["os_hash_value"] == hashlib.sha512(bytes(1 << 20)).hexdigest()
    assert (await image("GET", f"{path}/file")).content == bytes(1 << 20)
    assert [found for found in workshop.rglob("*") if found.is_file()] == []


async def test_what_is_unsafe_is_not_converted(image: Client, room: Image, workshop: Path) -> None:
    path = await staged(image, QCOW2, disk_format="vmdk")
    await ask(image, path, "glance-direct")
    await settle(room)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert ((await image.get(path))["status"], "declared as vmdk" in task["message"]) == ("queued", True)
    damaged = QCOW2[:65536] + b"\xff" * (len(QCOW2) - 65536)
    path = await staged(image, damaged, disk_format="qcow2")
    await ask(image, path, "glance-direct")
    await settle(room)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert ((await image.get(path))["status"], "cannot be converted" in task["message"]) == ("queued", True)


async def test_a_disk_that_would_grow_beyond_bounds_is_refused(image: Client, room: Image, workshop: Path) -> None:
    room.largest = 1 << 21
    path = await staged(image, empty_qcow2(1 << 30), disk_format="qcow2")
    await ask(image, path, "glance-direct")
    await settle(room)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    assert ((await image.get(path))["status"], "storage limit" in task["message"]) == ("queued", True)


@pytest.mark.parametrize("fields", [{"disk_format": "raw"}, {"disk_format": "ami", "container_format": "ami"}])
async def test_what_need_not_be_converted_stays(image: Client, room: Image, workshop: Path, fields: dict) -> None:
    path = await staged(image, **fields)
    await ask(image, path, "glance-direct")
    await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["disk_format"]) == ("active", fields["disk_format"])
