"""The screen of a pretended machine, seen by a client of the protocol."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from cumulet.drivers.hypervisor.fake.screen import HEIGHT, VERSION, WIDTH, show
from tests.support.patience import HANG_SECONDS


async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Task[None]]:
    ours, theirs = socket.socketpair()
    screen = asyncio.create_task(show(*await asyncio.open_connection(sock=theirs), "maple"))
    reader, writer = await asyncio.open_connection(sock=ours)
    assert await reader.readexactly(12) == VERSION
    writer.write(VERSION)
    assert await reader.readexactly(2) == b"\1\1"
    return reader, writer, screen


async def test_it_is_black_and_has_a_name() -> None:
    reader, writer, screen = await connected()
    writer.write(b"\1")
    assert await reader.readexactly(4) == bytes(4)
    writer.write(b"\1")
    width, height = struct.unpack(">HH", await reader.readexactly(4))
    assert (width, height) == (WIDTH, HEIGHT)
    await reader.readexactly(16)
    assert await reader.readexactly(struct.unpack(">I", await reader.readexactly(4))[0]) == b"maple"
    writer.write(b"\0" + bytes(19) + b"\2\0\0\1" + bytes(4) + b"\4" + bytes(7) + b"\5" + bytes(5))
    writer.write(b"\6\0\0\0" + struct.pack(">I", 5) + b"paste")
    writer.write(struct.pack(">BBHHHH", 3, 0, 0, 0, WIDTH, HEIGHT))
    assert struct.unpack(">BxHHHHHi", await reader.readexactly(16)) == (0, 1, 0, 0, WIDTH, HEIGHT, 0)
    assert await reader.readexactly(WIDTH * HEIGHT * 4) == bytes(WIDTH * HEIGHT * 4)
    writer.close()
    await asyncio.wait_for(screen, HANG_SECONDS)


@pytest.mark.parametrize("said", [b"\2", b"\1\1\x63", b"\1\1\6\0\0\0\xff\xff\xff\xff"])
async def test_whoever_does_not_speak_the_protocol_is_let_go(said: bytes) -> None:
    _, writer, screen = await connected()
    writer.write(said)
    await asyncio.wait_for(screen, HANG_SECONDS)
    writer.close()
