"""Short ways to have an image in a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cumulet.services.image.imports.reconciler import ImportReconciler
from cumulet.services.image.room import Image
from cumulet.services.image.seed import empty_qcow2
from tests.support.client import Client

QCOW2 = empty_qcow2(1 << 20)
RAW = bytes(range(256)) * 4
OCTETS = {"content-type": "application/octet-stream"}
PATCH = "application/openstack-images-v2.1-json-patch"
OLD_PATCH = "application/openstack-images-v2.0-json-patch"


async def queued(image: Client, **fields: Any) -> dict[str, Any]:
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **fields}
    made: dict[str, Any] = await image.post("/images", body)
    return made


async def active(image: Client, data: bytes = RAW, **fields: Any) -> dict[str, Any]:
    made = await queued(image, **fields)
    await image.put(f"/images/{made['id']}/file", status=204, content=data, headers=OCTETS)
    shown: dict[str, Any] = await image.get(f"/images/{made['id']}")
    return shown


async def patch(image: Client, image_id: str, *changes: dict[str, Any], status: int = 200, media: str = PATCH) -> Any:
    return await image.patch(f"/images/{image_id}", list(changes), status, headers={"content-type": media})


async def settle(room: Image) -> None:
    """Run all tasks to their end."""
    reconciler = ImportReconciler(room)
    for key in await reconciler.unsettled("", 100):
        await reconciler.step(key)


@asynccontextmanager
async def web_server(answer: Callable[[str], bytes]) -> AsyncIterator[int]:
    """A web server on a port of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(answer(head.split(" ")[1]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answers(path: str) -> bytes:
    if path == "/moved":
        return b"HTTP/1.1 302 Found\r\nLocation: /disk.qcow2\r\n\r\n"
    if path == "/metadata":
        return b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n\r\n"
    if path == "/round":
        return b"HTTP/1.1 302 Found\r\nLocation: /round\r\n\r\n"
    if path == "/short":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + QCOW2
    if path == "/disk.raw":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(RAW), RAW)
    if path == "/endless":
        return b"HTTP/1.1 200 OK\r\n\r\n" + RAW
    if path == "/disk.qcow2":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(QCOW2), QCOW2)
    return b"HTTP/1.1 404 Not Found\r\n\r\n" if path == "/absent" else b"what?\r\n\r\n"
