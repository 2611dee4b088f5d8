"""Where data lies, as the API of locations tells it and takes it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from cumulet.drivers.image_store.web import Outside
from cumulet.services.image.imports.tasks import TaskRow
from cumulet.services.image.room import Image
from tests.api.image.making import QCOW2, RAW, active, queued, settle
from tests.api.image.web import DIGEST, add, open_web
from tests.support.client import Client
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db


async def test_services_learn_where_the_data_is(image: Client) -> None:
    path = f"/images/{(await active(image))['id']}/locations"
    await image.get(path, 403)
    [location] = await image.as_("admin").get(path)
    assert location["metadata"] == {"store": "fast"}
    assert location["url"].startswith("fast://")


async def test_owners_see_it_only_where_the_operator_shows_it(image: Client, room: Image) -> None:
    made = await active(image, visibility="private")
    assert made.keys().isdisjoint({"locations", "direct_url"})
    room.show_locations = room.show_direct_url = True
    shown = await image.get(f"/images/{made['id']}")
    assert [one["metadata"] for one in shown["locations"]] == [{"store": "fast"}]
    assert shown["direct_url"] == shown["locations"][0]["url"]
    assert (await queued(image))["locations"] == []
    public = await active(image.as_("admin"), visibility="public")
    assert "locations" not in await image.get(f"/images/{public['id']}")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("right", [True, False])
async def test_a_location_is_judged_by_its_digest(image: Client, room: Image, algorithm: str, right: bool) -> None:
    digest = hashlib.new(algorithm, RAW if right else b"").hexdigest()
    async with open_web(room) as web:
        path = f"/images/{(await queued(image))['id']}"
        claim = {"os_hash_algo": algorithm, "os_hash_value": digest}
        await image.post(f"{path}/locations", {"url": f"{web}/disk.raw", "validation_data": claim}, 202)
        assert (await image.get(path))["status"] == "importing"
        await image.post(f"{path}/locations", {"url": f"{web}/disk.raw"}, 409)
        await settle(room)
    [task] = (await image.get(f"{path}/tasks"))["tasks"]
    shown = await image.get(path)
    assert (task["type"], task["status"]) == ("location_import", "success" if right else "failure")
    assert shown["stores"] == "web"
    if right:
        assert (shown["status"], shown["os_hash_algo"], shown["os_hash_value"]) == ("active", algorithm, digest)
        assert (shown["checksum"], shown["size"]) == (hashlib.md5(RAW).hexdigest(), len(RAW))
    else:
        assert (shown["status"], shown["os_hash_algo"], shown["checksum"]) == ("queued", None, None)
        assert (await image("GET", f"{path}/file")).status_code == 204


@pytest.mark.parametrize("secure", [True, False])
async def test_a_location_without_a_claim_is_usable_and_hashed_afterwards(
    image: Client, room: Image, secure: bool
) -> None:
    room.secure_hash = secure
    async with open_web(room) as web:
        path = f"/images/{(await queued(image))['id']}"
        await image.post(f"{path}/locations", {"url": f"{web}/disk.raw", "validation_data": {}}, 202)
        await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["size"]) == ("active", len(RAW))
    assert shown["os_hash_value"] == (DIGEST if secure else None)


async def test_reading_ends_when_the_image_goes_away(image: Client, room: Image) -> None:
    asked, deleted, clock = asyncio.Event(), asyncio.Event(), room.clock

    class Hurried:
        """Time flies."""

        def now(self) -> int:
            return clock.now() * 10

        def __getattr__(self, name: str) -> Any:
            return getattr(clock, name)

    async def endlessly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        while head.startswith(b"GET") and not writer.is_closing():
            asked.set()
            await deleted.wait()
            writer.write(bytes(1 << 20))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(endlessly, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        room.outside, room.web_store = Outside(("127.0.0.0/8",), (port,)), "web"
        path = f"/images/{(await queued(image))['id']}"
        await image.post(f"{path}/locations", {"url": f"http://127.0.0.1:{port}/"}, 202)
        room.clock = Hurried()  # type: ignore[assignment]
        async with asyncio.timeout(HANG_SECONDS):
            reading = asyncio.create_task(settle(room))
            await asked.wait()
            assert (await image.get(path))["status"] == "active"
            await image.delete(path)
            deleted.set()
            await reading
    [task] = await room.database.write(lambda tx: tx.find(TaskRow))
    assert (task.status, "was deleted" in task.message) == ("failure", True)


@pytest.mark.parametrize("announces", [True, False])
async def test_a_server_that_sends_more_than_it_said_is_not_believed(
    image: Client, room: Image, announces: bool
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        told = announces or asked[-1].startswith(b"HEAD")
        writer.write(b"HTTP/1.0 200 OK\r\n" + (b"Content-Length: 1024\r\n\r\n" if told else b"\r\n"))
        writer.write(RAW + b"and more")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        room.outside, room.web_store, room.show_locations = Outside(("127.0.0.0/8",), (port,)), "web", True
        patched, posted = await queued(image), await queued(image)
        await add(image, patched["id"], f"http://127.0.0.1:{port}/")
        await image.post(f"/images/{posted['id']}/locations", {"url": f"http://127.0.0.1:{port}/"}, 202)
        await settle(room)
        answer = await image("GET", f"/images/{patched['id']}/file")
    assert (answer.status_code == 503) if announces else (answer.content == RAW)
    for made in (patched, posted):
        [task] = (await image.get(f"/images/{made['id']}/tasks"))["tasks"]
        assert (task["status"], "announced" in task["message"]) == ("failure", True)


async def test_without_a_store_that_reads_from_the_web_a_location_is_copied(image: Client, room: Image) -> None:
    async with open_web(room, store="") as web:
        path = f"/images/{(await queued(image, disk_format='qcow2'))['id']}"
        await image.post(f"{path}/locations", {"url": f"{web}/disk.qcow2"}, 202)
        await settle(room)
    shown = await image.get(path)
    assert (shown["status"], shown["stores"], shown["os_hash_algo"]) == ("active", "fast", "sha512")
    assert (await image("GET", f"{path}/file")).content == QCOW2


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "file:///etc/passwd"},
        {"url": "http://example.org/", "validation_data": {"os_hash_value": "0" * 128}},
        {"url": "http://example.org/", "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "00"}},
        {"url": "http://example.org/", "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "0" * 64}},
        {"url": "http://example.org/", "validation_data": {"os_hash_algo": "sha123", "os_hash_value": "0" * 128}},
        {"url": "http://example.org/", "validation_data": {"unheard": "of"}},
        {"url": "http://example.org/" + "x" * 255},
        {"url": "http://example.org/", "metadata": {"x": "y" * 5000}},
    ],
)
async def test_locations_that_make_no_sense(image: Client, given: dict) -> None:
    path = f"/images/{(await queued(image))['id']}"
    await image.post(f"{path}/locations", given, 400)
    assert (await image.get(path))["status"] == "queued"
