"""The metadata server over loopback: who asks, what he gets, and what he may not do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cumulet.contracts.machines import GuestData
from cumulet.drivers.network.base import MetadataPlace
from cumulet.node.metadata.server import MetadataServer
from tests.support.patience import HANG_SECONDS

RED = MetadataPlace("red", "somewhere", "lo", "127.0.0.1", 0)
BLUE = MetadataPlace("blue", "elsewhere", "lo", "127.0.0.1", 0)


class Known:
    """One guest in each network, both at the same address."""

    def by_address(self, network_id: str, address: str) -> tuple[str, GuestData] | None:
        if address != "127.0.0.1" or network_id not in ("red", "blue"):
            return None
        return f"{network_id}-machine", GuestData(hostname=network_id, name=network_id, project_id="p")


class Drawer:
    """Passwords, kept in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def read(self, machine_id: str) -> bytes:
        return self.kept.get(machine_id, b"")

    def write(self, machine_id: str, password: bytes) -> bool:
        return self.kept.setdefault(machine_id, password) is password


class Opener:
    """Opens every place on loopback and remembers its port."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.broken: set[str] = set()

    async def __call__(self, place: MetadataPlace) -> socket.socket:
        if place.network_id in self.broken:
            raise OSError("no such namespace")
        opened = socket.create_server((place.address, place.port))
        self.ports[place.network_id] = opened.getsockname()[1]
        return opened


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest_asyncio.fixture
async def server(opener: Opener) -> AsyncIterator[MetadataServer]:
    listening = MetadataServer(Known(), Drawer(), opener)
    yield listening
    await listening.close()


async def say(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text)
        async with asyncio.timeout(HANG_SECONDS):
            return await reader.read(1 << 20)
    finally:
        writer.close()


async def turned_away(port: int) -> bool:
    try:
        return await say(port, get("/")) == b""
    except ConnectionResetError:
        return True


def get(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 169.254.169.254", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def status(answer: bytes) -> int:
    return int(answer.split()[1])


async def test_the_socket_decides_who_asks(server: MetadataServer, opener: Opener) -> None:
    assert await server.ensure([RED, BLUE]) == {}
    for network in ("red", "blue"):
        answer = await say(
            opener.ports[network],
            get("/latest/meta-data/hostname", "X-Forwarded-For: 10.0.0.9", "X-Instance-ID: other"),
        )
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n" + network.encode())


async def test_several_requests_in_one_connection(server: MetadataServer, opener: Opener) -> None:
    await server.ensure([RED])
    reader, writer = await asyncio.open_connection("127.0.0.1", opener.ports["red"])
    async with asyncio.timeout(HANG_SECONDS):
        for path, size in (("/latest/meta-data/hostname", 3), ("/openstack", 105)):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"content-length: {size}" in head.decode().lower()
            await reader.readexactly(size)
    writer.close()


async def test_a_head_has_no_body(server: MetadataServer, opener: Opener) -> None:
    await server.ensure([RED])
    answer = await say(opener.ports["red"], get("/latest/meta-data/hostname", method="HEAD"))
    assert b"Content-Length: 3" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_the_password_is_taken_once(server: MetadataServer, opener: Opener) -> None:
    await server.ensure([RED, BLUE])
    port = opener.ports["red"]
    path = "/openstack/2013-04-04/password"
    assert status(await say(port, get(path, method="POST", body=b"sealed"))) == 200
    assert status(await say(port, get(path, method="POST", body=b"again"))) == 409
    assert (await say(port, get(path))).endswith(b"\r\n\r\nsealed")
    assert (await say(opener.ports["blue"], get(path))).endswith(b"\r\n\r\n")
    assert status(await say(port, get("/openstack/latest/user_data", method="POST", body=b"x"))) == 405


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (get("/", "X: " + "y" * 20_000), 431),
        (get("/" + "y" * 9_000), 414),
        (get("/openstack/latest/password", method="POST", body=b"z" * 5_000), 413),
        (get("/", method="DELETE"), 405),
        (get("/nothing"), 404),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2, 400),
    ],
)
async def test_what_is_refused(server: MetadataServer, opener: Opener, text: bytes, expected: int) -> None:
    await server.ensure([RED])
    assert status(await say(opener.ports["red"], text)) == expected


async def test_a_guest_has_few_connections(server: MetadataServer, opener: Opener) -> None:
    await server.ensure([RED])
    port = opener.ports["red"]
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    assert await turned_away(port)
    for _, writer in held:
        writer.close()
    async with asyncio.timeout(HANG_SECONDS):
        while await turned_away(port):
            pass


async def test_places_come_and_go_and_one_that_fails_harms_no_other(server: MetadataServer, opener: Opener) -> None:
    opener.broken.add("blue")
    assert await server.ensure([RED, BLUE]) == {BLUE: "no such namespace"}
    assert status(await say(opener.ports["red"], get("/"))) == 200
    opener.broken.clear()
    assert await server.ensure([BLUE]) == {}
    assert status(await say(opener.ports["blue"], get("/"))) == 200
    with pytest.raises(ConnectionRefusedError):
        await say(opener.ports["red"], get("/"))
