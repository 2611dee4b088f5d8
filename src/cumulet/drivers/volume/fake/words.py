"""Disks of the simulation: a word stands for all the bytes of one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cumulet.lib.sparse import LONGEST_FRAME, frames

NOTHING = "blank"
"""The content of a disk that nobody has written."""


def bytes_of(content: str) -> bytes:
    """A raw disk whose first bytes are the word for its content."""
    return (b"" if content == NOTHING else content.encode()).ljust(LONGEST_FRAME, b"\0")


async def word_of(stream: AsyncIterator[bytes], size_gib: int) -> str:
    """The word for the content of a raw disk that comes with its holes."""
    content = NOTHING
    async for place, data in frames(stream, most=size_gib << 30):
        content = data.rstrip(b"\0").decode() or NOTHING if data and not place else content
    return content
