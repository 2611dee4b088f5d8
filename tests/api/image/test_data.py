"""The bytes of images: inspected on their way in, given in parts on their way out, never left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cumulet.drivers.image_store.memory import MemoryImageStore
from cumulet.services.image.errors import UploadOvertaken
from cumulet.services.image.images import data
from cumulet.services.image.images.operations import change
from cumulet.services.image.images.status import with_stores
from cumulet.services.image.room import Image
from tests.api.image.making import OCTETS, RAW, active, queued
from tests.support.client import Client

QCOW2_WITH_BACKING_FILE = (
    b"QFI\xfb"
    + (2).to_bytes(4, "big")
    + (72).to_bytes(8, "big")
    + (11).to_bytes(4, "big")
    + (16).to_bytes(4, "big")
    + (1 << 20).to_bytes(8, "big")
    + bytes(40)
    + b"/etc/passwd"
).ljust(1 << 16, b"\0")


def stored(room: Image) -> list[str]:
    """The names of all bytes in all stores."""
    stores: list[Any] = [*room.stores.values(), room.staging]
    return [key for store in stores for key in store._shelf.images]


@pytest.mark.parametrize(
    ("disk_format", "content", "word"),
    [
        ("qcow2", QCOW2_WITH_BACKING_FILE, "backing"),
        ("qcow2", RAW, "declared as qcow2"),
        ("raw", QCOW2_WITH_BACKING_FILE, "declared as raw"),
    ],
)
async def test_dangerous_or_misnamed_data_is_refused(
    image: Client, room: Image, disk_format: str, content: bytes, word: str
) -> None:
    path = f"/images/{(await queued(image, disk_format=disk_format))['id']}"
    response = await image("PUT", f"{path}/file", content=content, headers=OCTETS)
    assert (response.status_code, word in response.text) == (415, True), response.text
    shown = await image.get(path)
    assert (shown["status"], shown["size"], shown["checksum"]) == ("queued", None, None)
    assert stored(room) == []


async def test_an_operator_may_take_what_is_misnamed_but_nothing_dangerous(image: Client, room: Image) -> None:
    room.require_image_format_match = False
    misnamed = await active(image, disk_format="qcow2")
    assert (misnamed["status"], misnamed["size"], misnamed["virtual_size"]) == ("active", len(RAW), None)
    assert (await active(image))["virtual_size"] == len(RAW)
    for disk_format in ("qcow2", "raw", "vmdk"):
        path = f"/images/{(await queued(image, disk_format=disk_format))['id']}/file"
        response = await image("PUT", path, content=QCOW2_WITH_BACKING_FILE, headers=OCTETS)
        assert (response.status_code, "backing" in response.text) == (415, True), response.text


async def test_data_needs_formats_a_media_type_and_a_queued_image(image: Client) -> None:
    bare = (await image.post("/images", {}))["id"]
    await image.put(f"/images/{bare}/file", status=400, content=RAW, headers=OCTETS)
    path = f"/images/{(await queued(image))['id']}/file"
    await image.put(path, status=415, content=RAW, headers={"content-type": "application/json"})
    await image.put(path, status=400, content=RAW, headers=OCTETS | {"x-openstack-image-size": "7"})
    await image.put(path, status=400, content=RAW, headers=OCTETS | {"x-image-meta-store": "nowhere"})
    await image.put(path, status=204, content=RAW, headers=OCTETS | {"x-image-meta-store": "slow"})
    await image.put(path, status=409, content=RAW, headers=OCTETS)


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=0-3", 206, RAW[:4]),
        ("bytes=1000-", 206, RAW[1000:]),
        ("bytes=-24", 206, RAW[-24:]),
        ("bytes=1020-9999", 206, RAW[1020:]),
        ("bytes=0-", 200, RAW),
        ("bytes=2000-", 416, None),
        ("bytes=5-4", 416, None),
        ("bytes=-", 416, None),
        ("lines=1-2", 416, None),
        ("bytes=0-1,5-6", 416, None),
    ],
)
async def test_a_part_of_the_data(image: Client, asked: str, status: int, got: bytes | None) -> None:
    path = f"/images/{(await active(image))['id']}/file"
    response = await image("GET", path, headers={"range": asked})
    assert response.status_code == status
    if got is not None:
        assert response.content == got
        assert response.headers["content-length"] == str(len(got))


async def test_a_client_that_goes_away_leaves_nothing(image: Client, room: Image) -> None:
    image_id = (await queued(image))["id"]

    async def broken() -> AsyncIterator[bytes]:
        yield RAW
        assert (await image.get(f"/images/{image_id}"))["status"] == "saving"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await data.upload(room, image_id, broken())
    assert (await image.get(f"/images/{image_id}"))["status"] == "queued"
    assert stored(room) == []
    await image.put(f"/images/{image_id}/file", status=204, content=RAW, headers=OCTETS)


async def test_an_image_deleted_while_its_data_arrives_stays_deleted(image: Client, room: Image) -> None:
    image_id = (await queued(image))["id"]

    async def slow() -> AsyncIterator[bytes]:
        yield RAW
        await image.delete(f"/images/{image_id}")
        yield RAW

    with pytest.raises(UploadOvertaken):
        await data.upload(room, image_id, slow())
    await image.get(f"/images/{image_id}", 404)
    assert stored(room) == []


async def test_two_uploads_at_once_one_wins(image: Client) -> None:
    path = f"/images/{(await queued(image))['id']}/file"
    answers = await asyncio.gather(*(image("PUT", path, content=RAW, headers=OCTETS) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409]


async def test_one_of_several_copies_is_removed_but_not_the_last(image: Client, room: Image) -> None:
    made = await active(image)
    admin = image.as_("admin")
    row = await change(room, made["id"], lambda row: with_stores(row, ["fast", "slow"]))
    slow: Any = room.stores["slow"]
    assert isinstance(slow, MemoryImageStore)

    async def copy() -> AsyncIterator[bytes]:
        yield RAW

    await slow.put(row.data_key, copy(), 1 << 20)
    await image.delete(f"/stores/slow/{made['id']}", 403)
    await admin.delete(f"/stores/nowhere/{made['id']}", 404)
    await admin.delete(f"/stores/fast/{made['id']}")
    await admin.delete(f"/stores/fast/{made['id']}", 404)
    await admin.delete(f"/stores/slow/{made['id']}", 403)
    shown = await image.get(f"/images/{made['id']}")
    assert shown["stores"] == "slow"
    assert (await image("GET", f"/images/{made['id']}/file")).content == RAW
    assert stored(room) == [row.data_key]
