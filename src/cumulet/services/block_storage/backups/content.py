"""The content of a backup: one object of the store, which holds chunks and behind them the table of all.

The table names for each chunk of the disk the object it lies in (this backup's own, or that of one before), its place
there and its digest. A chunk that is as it was in the backup before is not stored again, and one with nothing in it is
not stored at all. The table's own digest is in the backup's row, so that every byte that is restored was checked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from cumulet.drivers.image_store.base import ImageStore, NotStored
from cumulet.lib.sparse import blocks, frame

CHUNK = 1 << 20
LARGEST_TABLE = 512 << 20
GIB = 1 << 30


class Damaged(Exception):
    """The store does not hold what the backup should; the message says what is missing."""


class KeptVolume(msgspec.Struct):
    """What a backup keeps of its volume beside the bytes."""

    name: str = ""
    description: str = ""
    metadata: dict[str, str] = {}
    image_metadata: dict[str, str] = {}
    bootable: bool = False


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One chunk of the disk: its number, and where it lies."""

    number: int
    holder: str
    start: int
    length: int
    digest: bytes


class Table(msgspec.Struct):
    """All chunks of the disk that have something in them, by rising number."""

    size_gib: int
    volume: KeptVolume
    entries: list[Entry]


@dataclass(frozen=True)
class Place:
    """Where a table lies, and what it must be."""

    object_id: str
    start: int
    length: int
    digest: str


class Packing:
    """The making of one backup's object out of a disk's chunks."""

    def __init__(self, object_id: str, size_gib: int, volume: KeptVolume, before: Table | None) -> None:
        self._object_id = object_id
        self._table = Table(size_gib, volume, [])
        self._before = {entry.number: entry for entry in before.entries} if before else {}
        self.place: Place | None = None
        """Known when all was packed."""

    async def pack(self, stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the object. Raises `BrokenOff` and `NotSparse` as the disk's stream does."""
        at = 0
        async for number, data in blocks(stream, CHUNK, most=self._table.size_gib * GIB):
            digest = await asyncio.to_thread(_digest, data)
            if digest is None:
                continue
            known = self._before.get(number)
            if known is not None and known.digest == digest:
                self._table.entries.append(known)
                continue
            self._table.entries.append(Entry(number, self._object_id, at, len(data), digest))
            at += len(data)
            yield data
        text = await asyncio.to_thread(msgspec.msgpack.encode, self._table)
        yield text
        self.place = Place(self._object_id, at, len(text), hashlib.sha256(text).hexdigest())


def _digest(data: bytes) -> bytes | None:
    """A chunk's digest; None: there is nothing in it."""
    return hashlib.sha256(data).digest() if data.strip(b"\0") else None


async def table_at(store: ImageStore, place: Place) -> Table:
    """Read a table. Raises Damaged."""
    if not 0 < place.length <= LARGEST_TABLE:
        raise Damaged(f"a table of {place.length} bytes")
    text = await _read(store, place.object_id, place.start, place.length)
    if hashlib.sha256(text).hexdigest() != place.digest:
        raise Damaged(f"the table in object {place.object_id} is not the one that was written")
    try:
        return msgspec.msgpack.decode(text, type=Table)
    except msgspec.DecodeError as error:
        raise Damaged(f"the table in object {place.object_id} cannot be read: {error}") from error


async def check(store: ImageStore, table: Table) -> None:
    """Look whether each object that a table names is there, by its first chunk. Raises Damaged."""
    first: dict[str, Entry] = {}
    for entry in table.entries:
        first.setdefault(entry.holder, entry)
    for entry in first.values():
        _checked(entry, await _read(store, entry.holder, entry.start, entry.length))


async def restored(store: ImageStore, table: Table) -> AsyncIterator[bytes]:
    """The disk as a file with holes on its way, every chunk checked. Raises Damaged."""
    for run in _runs(table.entries):
        held, left = bytearray(), run[::-1]
        async for piece in _stored(store, run[0].holder, run[0].start, sum(entry.length for entry in run)):
            held += piece
            while left and len(held) >= left[-1].length:
                entry = left.pop()
                data = bytes(held[: entry.length])
                del held[: entry.length]
                await asyncio.to_thread(_checked, entry, data)
                yield frame(entry.number * CHUNK, data)
        if left:
            raise Damaged(f"object {run[0].holder} ends before chunk {left[-1].number}")
    yield frame(table.size_gib * GIB, b"")


def _runs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries whose bytes lie one behind the other, so that they are read as one."""

    def gap(numbered: tuple[int, Entry]) -> tuple[str, int]:
        before, entry = numbered
        return entry.holder, entry.start - before

    lengths, total = [], 0
    for entry in entries:
        lengths.append(total)
        total += entry.length
    for _, run in groupby(zip(lengths, entries, strict=True), key=gap):
        yield [entry for _, entry in run]


def _checked(entry: Entry, data: bytes) -> None:
    if hashlib.sha256(data).digest() != entry.digest:
        raise Damaged(f"chunk {entry.number} in object {entry.holder} is not what was written")


async def _read(store: ImageStore, object_id: str, start: int, length: int) -> bytes:
    data = b"".join([piece async for piece in _stored(store, object_id, start, length)])
    if len(data) != length:
        raise Damaged(f"object {object_id} is shorter than it was")
    return data


async def _stored(store: ImageStore, object_id: str, start: int, length: int) -> AsyncIterator[bytes]:
    try:
        async for piece in store.get(object_id, start, length):
            yield piece
    except (NotStored, ValueError) as error:
        raise Damaged(f"object {object_id[:64]!r} is not in the store") from error
