"""Files with holes, and how they travel."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulet.lib.sparse import BrokenOff, NotSparse, blocks, frames, parcel, receive, send

MIB = 1 << 20


def holed(path: Path) -> bytes:
    """3 MiB and a bit: data, a hole, more data, a hole at the end."""
    with path.open("wb") as file:
        file.write(os.urandom(5000))
        file.seek(2 * MIB)
        file.write(os.urandom(MIB + 4096))
        file.truncate(5 * MIB + 17)
    return path.read_bytes()


async def stream(path: Path, offset: int = 0, until: int | None = None) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        left = until
        async for piece in send(parcel(file.fileno(), offset)):
            if left is not None and len(piece) > left:
                yield piece[:left]
                return
            left = None if left is None else left - len(piece)
            yield piece


async def test_only_what_is_in_it_travels(tmp_path: Path) -> None:
    content = holed(tmp_path / "a")
    with (tmp_path / "a").open("rb") as file, (tmp_path / "b").open("w+b") as copy:
        sent = parcel(file.fileno())
        assert sent.length < 2 * MIB < sent.size
        assert sum([len(piece) async for piece in send(sent)]) == sent.length
        await receive(copy.fileno(), stream(tmp_path / "a"), most=len(content))
    assert (tmp_path / "b").read_bytes() == content
    assert (tmp_path / "b").stat().st_blocks * 512 < 2 * MIB


@pytest.mark.parametrize("step", [1, 4096, 700_001])
async def test_it_goes_on_where_it_broke_off(tmp_path: Path, step: int) -> None:
    content = holed(tmp_path / "a")
    offsets = []
    with (tmp_path / "b").open("w+b") as copy:
        for broken in range(0, 2 * MIB, step if step > 1 else MIB):
            offset = os.fstat(copy.fileno()).st_size
            offsets.append(offset)
            try:
                await receive(copy.fileno(), stream(tmp_path / "a", offset, broken), most=len(content))
                break
            except BrokenOff:
                continue
        else:
            await receive(copy.fileno(), stream(tmp_path / "a", os.fstat(copy.fileno()).st_size), most=len(content))
    assert (tmp_path / "b").read_bytes() == content
    assert offsets == sorted(offsets)


async def one(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def frame(place: int, data: bytes, length: int | None = None) -> bytes:
    return place.to_bytes(8, "big") + (len(data) if length is None else length).to_bytes(8, "big") + data


@pytest.mark.parametrize(
    "sent",
    [
        frame(100, b"x" * 10) + frame(50, b"y"),
        frame(0, b"", 1 << 30),
        frame(1 << 50, b"x"),
        frame(1000, b"x"),
        frame(1001, b""),
    ],
)
async def test_what_does_not_fit_is_refused(tmp_path: Path, sent: bytes) -> None:
    with (tmp_path / "b").open("w+b") as copy, pytest.raises(NotSparse):
        await receive(copy.fileno(), one(sent), most=1000)


async def in_pieces(text: bytes, size: int) -> AsyncIterator[bytes]:
    for place in range(0, len(text), size):
        yield text[place : place + size]


@pytest.mark.parametrize("piece", [1, 15, 16, 17, 1000, 10 * MIB])
async def test_data_comes_in_blocks_of_one_size(piece: int) -> None:
    sent = {3: b"abc", 8: b"defghijkl", 17: b"m", 4000: b"n"}
    text = b"".join(frame(place, data) for place, data in sent.items()) + frame(9000, b"")
    found = {number: data async for number, data in blocks(in_pieces(text, piece), 8, most=9000)}
    assert found == {
        0: b"\0\0\0abc\0\0",
        1: b"defghijk",
        2: b"lm" + bytes(6),
        500: b"n" + bytes(7),
    }
    assert [data async for data in blocks(in_pieces(frame(100, b""), 3), 8, most=100)] == []


@pytest.mark.parametrize("text", [b"", frame(0, b"a"), frame(0, b"abc")[:-1], frame(0, b"a") + frame(9, b"")[:-1]])
async def test_blocks_of_a_stream_that_broke_off(text: bytes) -> None:
    with pytest.raises(BrokenOff):
        async for _ in blocks(in_pieces(text, 5), 8, most=9):
            pass


@pytest.mark.parametrize("text", [frame(8, b"ab") + frame(9, b""), frame(2, b"a") + frame(2, b"b"), b"<html>" * 9])
async def test_frames_that_do_not_fit(text: bytes) -> None:
    with pytest.raises(NotSparse):
        async for _ in frames(in_pieces(text, 5), most=9):
            pass
