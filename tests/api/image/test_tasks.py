"""Tasks: an administrator's imports, and what becomes of those that are killed or never end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cumulet.drivers.image_store.web import Outside
from cumulet.services.image.imports.reconciler import ImportReconciler
from cumulet.services.image.imports.tasks import KEPT_SECONDS, TaskRow
from cumulet.services.image.room import Image
from tests.api.image.importing import ask, staged
from tests.api.image.making import answers, settle, web_server
from tests.support.client import Client

pytestmark = pytest.mark.db


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
