"""The screen of a pretended machine: a black one, spoken of in RFB as real ones are, so that consoles can be opened."""

from __future__ import annotations

import asyncio
import struct

VERSION = b"RFB 003.008\n"
NO_PASSWORD = 1
WIDTH, HEIGHT = 640, 400
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_LENGTHS = {0: 19, 3: 9, 4: 7, 5: 5}
"""What follows the first byte of a client's messages of a fixed length."""
_LONGEST_TEXT = 1 << 20


async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    """Be the screen of whoever connected, until he leaves."""
    try:
        await _shake_hands(reader, writer, name)
        while True:
            await _obey(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return
    finally:
        writer.close()


async def _shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    writer.write(VERSION)
    await reader.readexactly(len(VERSION))
    writer.write(bytes([1, NO_PASSWORD]))
    chosen = (await reader.readexactly(1))[0]
    writer.write(struct.pack(">I", 0 if chosen == NO_PASSWORD else 1))
    if chosen != NO_PASSWORD:
        raise ValueError("there is no password to ask for")
    await reader.readexactly(1)
    text = name.encode()
    writer.write(struct.pack(">HH", WIDTH, HEIGHT) + _PIXELS + struct.pack(">I", len(text)) + text)
    await writer.drain()


async def _obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    kind = (await reader.readexactly(1))[0]
    if kind in _LENGTHS:
        said = await reader.readexactly(_LENGTHS[kind])
        if kind == 3 and not said[0]:  # all of the screen, not what has changed: nothing ever does
            writer.write(struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + bytes(WIDTH * HEIGHT * 4))
            await writer.drain()
    elif kind == 2:
        count = struct.unpack(">xH", await reader.readexactly(3))[0]
        await reader.readexactly(4 * count)
    elif kind == 6:
        length = struct.unpack(">xxxI", await reader.readexactly(7))[0]
        if length > _LONGEST_TEXT:
            raise ValueError("nobody pastes so much")
        await reader.readexactly(length)
    else:
        raise ValueError(f"{kind} is no message of a client")
