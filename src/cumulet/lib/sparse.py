"""A file with holes on its way: only what is in it travels, and it goes on where it broke off.

The stream is a row of frames: place and length, eight bytes each, then so many bytes. Places rise. The last frame has
no bytes; its place is the size of the file.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

_FRAME = struct.Struct(">QQ")
LONGEST_FRAME = 1 << 20


class BrokenOff(Exception):
    """The stream ended before the file did; what came is kept, and the rest can be asked for."""


class NotSparse(Exception):
    """The stream is not one of these, or holds more than it should."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What of an open file is to be sent."""

    fd: int
    frames: Sequence[tuple[int, int]]
    """(place, length)."""
    size: int
    """Of the file."""

    @property
    def length(self) -> int:
        """Bytes of the whole stream."""
        return sum(_FRAME.size + length for _, length in self.frames) + _FRAME.size


def parcel(fd: int, offset: int = 0) -> Parcel:
    """All the data of a file from a place on."""
    size = os.fstat(fd).st_size
    frames: list[tuple[int, int]] = []
    place = offset
    while place < size:
        try:
            begin = os.lseek(fd, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # only a hole is left
            raise
        end = os.lseek(fd, begin, os.SEEK_HOLE)
        for start in range(begin, end, LONGEST_FRAME):
            frames.append((start, min(LONGEST_FRAME, end - start)))
        place = end
    return Parcel(fd, frames, size)


async def send(parcel: Parcel) -> AsyncIterator[bytes]:
    """The stream. Raises OSError when the file has become shorter meanwhile."""
    for place, length in parcel.frames:
        data = await asyncio.to_thread(os.pread, parcel.fd, length, place)
        if len(data) != length:
            raise OSError(errno.EIO, "the file has become shorter while it was sent")
        yield _FRAME.pack(place, length) + data
    yield _FRAME.pack(parcel.size, 0)


async def receive(fd: int, stream: AsyncIterator[bytes], *, most: int) -> None:
    """Write a stream into a file, which has its full size at the end only: until then its size is the place from which
    on to ask again. Raises `BrokenOff` and `NotSparse`."""
    pending = bytearray()
    reached = os.fstat(fd).st_size
    async for piece in stream:
        pending += piece
        while len(pending) >= _FRAME.size:
            place, length = _FRAME.unpack_from(pending)
            if place < reached or length > LONGEST_FRAME or place + length > most:
                raise NotSparse(f"a frame of {length} bytes at {place} does not fit a file of {most}")
            if length == 0:
                os.ftruncate(fd, place)
                return
            if len(pending) < _FRAME.size + length:
                break
            data = bytes(pending[_FRAME.size : _FRAME.size + length])
            del pending[: _FRAME.size + length]
            await asyncio.to_thread(_write, fd, data, place)
            reached = place + length
    raise BrokenOff("the stream ended before the file did")


def _write(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, place)
        view, place = view[written:], place + written
