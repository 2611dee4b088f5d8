"""Imported disks that are converted to the form that the operator wants."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cumulet.drivers.image_store.web import Outside
from cumulet.drivers.image_store.workshop import Workshop
from cumulet.services.image.room import Image
from cumulet.services.image.seed import empty_qcow2
from tests.api.image.importing import ask, staged
from tests.api.image.making import QCOW2, answers, queued, settle, web_server
from tests.support.client import Client

pytestmark = pytest.mark.db


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
