"""A file with holes on its way: only what is in it travels, and it goes on where it broke off.

The stream is a row of frames: place and length, eight bytes each, then so many bytes. Places rise. The last frame has
no bytes; its place is the size of the file.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
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
        yield frame(place, data)
    yield frame(parcel.size, b"")


def frame(place: int, data: bytes) -> bytes:
    """Some data on its way; without any, the end of a file of `place` bytes."""
    return _FRAME.pack(place, len(data)) + data


async def receive(fd: int, stream: AsyncIterable[bytes], *, most: int) -> None:
    """Write a stream into a file, which has its full size at the end only: until then its size is the place from which
    on to ask again. Raises `BrokenOff` and `NotSparse`."""
    async for place, data in frames(stream, most=most, reached=os.fstat(fd).st_size):
        if data:
            await asyncio.to_thread(_write, fd, data, place)
        else:
            os.ftruncate(fd, place)


async def frames(stream: AsyncIterable[bytes], *, most: int, reached: int = 0) -> AsyncIterator[tuple[int, bytes]]:
    """Places and data of a stream, the last without data at the file's end. Raises `BrokenOff` and `NotSparse`."""
    pending = bytearray()
    async for piece in stream:
        pending += piece
        while len(pending) >= _FRAME.size:
            place, length = _FRAME.unpack_from(pending)
            if place < reached or length > LONGEST_FRAME or place + length > most:
                raise NotSparse(f"a frame of {length} bytes at {place} does not fit a file of {most}")
            if length == 0:
                yield place, b""
                return
            if len(pending) < _FRAME.size + length:
                break
            data = bytes(pending[_FRAME.size : _FRAME.size + length])
            del pending[: _FRAME.size + length]
            yield place, data
            reached = place + length
    raise BrokenOff("the stream ended before the file did")


async def blocks(stream: AsyncIterable[bytes], block: int, *, most: int) -> AsyncIterator[tuple[int, bytes]]:
    """The data of a stream in blocks of one size, by rising number: each in which there is any, its holes filled."""
    number, held = -1, bytearray()
    async for place, data in frames(stream, most=most):
        for at, start, part in _cut(place, data, block):
            if at != number:
                if number >= 0:
                    yield number, bytes(held)
                number, held = at, bytearray(block)
            held[start : start + len(part)] = part
    if number >= 0:
        yield number, bytes(held)


def _cut(place: int, data: bytes, block: int) -> Iterator[tuple[int, int, bytes]]:
    """What of this data belongs in which block: (number, place in the block, data)."""
    done = 0
    while done < len(data):
        number, start = divmod(place + done, block)
        part = data[done : done + block - start]
        yield number, start, part
        done += len(part)


def _write(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, place)
        view, place = view[written:], place + written
