"""What a backup's object holds, and what comes out of it again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.lib.sparse import blocks, frame
from cumulet.services.block_storage.backups.content import (
    CHUNK,
    GIB,
    Damaged,
    KeptVolume,
    Packing,
    Place,
    check,
    restored,
    table_at,
)

A, B, C = (f"{number:08x}-5555-4000-8000-000000000000" for number in range(3))
KEPT = KeptVolume(name="v", metadata={"a": "1"}, bootable=True)
Disk = dict[int, bytes]


def chunk(word: str) -> bytes:
    return word.encode().ljust(CHUNK, b".")


class Vault:
    """A store, and the disks that were backed up into it."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.store = MemoryImageStore(self.shelf)

    async def keep(self, object_id: str, disk: Disk, before: Place | None = None) -> Place:
        async def stream() -> AsyncIterator[bytes]:
            for number, data in sorted(disk.items()):
                yield frame(number * CHUNK, data)
            yield frame(GIB, b"")

        known = await table_at(self.store, before) if before else None
        packing = Packing(object_id, 1, KEPT, known)
        await self.store.put(object_id, packing.pack(stream()), 1 << 30)
        assert packing.place is not None
        return packing.place

    async def read(self, place: Place) -> Disk:
        table = await table_at(self.store, place)
        await check(self.store, table)
        return {at: data async for at, data in blocks(restored(self.store, table), CHUNK, most=GIB)}


@pytest.fixture
def vault() -> Vault:
    return Vault()


async def test_what_went_in_comes_out(vault: Vault) -> None:
    disk = {0: chunk("a"), 1: chunk("b"), 700: chunk("c"), 1023: chunk("d")}
    place = await vault.keep(A, disk)
    assert await vault.read(place) == disk
    table = await table_at(vault.store, place)
    assert (table.size_gib, table.volume) == (1, KEPT)


async def test_what_holds_nothing_is_not_stored(vault: Vault) -> None:
    place = await vault.keep(A, {0: bytes(CHUNK), 5: bytes(CHUNK)})
    assert len(vault.shelf.images[A]) < 1000
    assert await vault.read(place) == {}


async def test_only_what_changed_is_stored_again(vault: Vault) -> None:
    first = {number: chunk(f"one {number}") for number in range(20)}
    second = {**first, 7: chunk("two"), 30: chunk("new")}
    del second[3]
    third = {**second, 8: chunk("three"), 7: first[7]}
    places = [await vault.keep(A, first)]
    places.append(await vault.keep(B, second, places[0]))
    places.append(await vault.keep(C, third, places[1]))
    stored = [len(vault.shelf.images[key]) // CHUNK for key in (A, B, C)]
    # The third has chunk 7 as the first had it; what is compared is the one before.
    assert stored == [20, 2, 2]
    for place, disk in zip(places, (first, second, third), strict=True):
        assert await vault.read(place) == disk


async def test_a_changed_bit_is_found(vault: Vault) -> None:
    place = await vault.keep(A, {number: chunk(str(number)) for number in range(5)})
    whole = vault.shelf.images[A]
    for spot in (0, CHUNK, 4 * CHUNK + 77, place.start, place.start + place.length - 1):
        broken = bytearray(whole)
        broken[spot] ^= 1
        vault.shelf.images[A] = bytes(broken)
        with pytest.raises(Damaged):
            await vault.read(place)
    vault.shelf.images[A] = whole
    assert len(await vault.read(place)) == 5


async def test_what_is_missing_is_found(vault: Vault) -> None:
    first = await vault.keep(A, {0: chunk("a"), 1: chunk("b")})
    second = await vault.keep(B, {0: chunk("a"), 1: chunk("c")}, first)
    del vault.shelf.images[A]
    with pytest.raises(Damaged):
        await vault.read(second)
    with pytest.raises(Damaged):
        await vault.read(first)


async def test_a_place_that_is_none(vault: Vault) -> None:
    place = await vault.keep(A, {0: chunk("a")})
    for wrong in (
        replace(place, object_id=B),
        replace(place, object_id="../../etc/passwd"),
        replace(place, start=place.start + 1),
        replace(place, length=place.length + 1),
        replace(place, length=0),
        replace(place, length=1 << 40),
        replace(place, digest="0" * 64),
        # The first chunk, under its own digest: whole, and no table.
        replace(place, start=0, length=CHUNK, digest=hashlib.sha256(chunk("a")).hexdigest()),
    ):
        with pytest.raises(Damaged):
            await vault.read(wrong)
