"""What every image store promises."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cumulet.drivers.image_store.base import ImageStore, NotStored, StoreFull, TooLarge, Unreachable
from cumulet.drivers.image_store.files import FileImageStore
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.drivers.image_store.rbd import RbdImageStore
from cumulet.drivers.image_store.s3 import S3ImageStore
from cumulet.drivers.image_store.swift import SwiftImageStore
from cumulet.drivers.image_store.workshop import Workshop
from cumulet.lib.process import User
from cumulet.services.image.seed import empty_qcow2
from tests.support.ceph import Ceph
from tests.support.patience import HANG_SECONDS
from tests.support.s3_server import BUCKET, KEYS
from tests.support.swift_server import swift_server

MAPLE = "4f9f9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c11"
BIRCH = "77aa9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c11"
MUCH = 1 << 30


@pytest.fixture(params=["files", "memory", "s3", "swift", pytest.param("rbd", marks=pytest.mark.root)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImageStore]:
    if request.param == "memory":
        yield MemoryImageStore(Shelf())
    elif request.param == "files":
        files = FileImageStore(tmp_path)
        yield files
        files.close()
    elif request.param == "s3":
        yield S3ImageStore(request.getfixturevalue("s3"), BUCKET, KEYS, prefix="images/", part=5 << 20)
    elif request.param == "swift":
        with swift_server() as swift:
            yield SwiftImageStore(swift.account, swift.container, segment=1 << 20)
    else:
        found: Ceph = request.getfixturevalue("cluster")
        rbd = RbdImageStore(found.pool, found.user, str(found.conf))
        yield rbd
        found.empty()
        rbd.close()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(store: ImageStore, image_id: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.get(image_id, start, length)])


async def test_an_image_is_kept_and_read_whole_or_in_part(store: ImageStore) -> None:
    data = bytes(range(256)) * 20_000
    assert await store.put(MAPLE, pieces(data[:100], b"", data[100:3_000_000], data[3_000_000:]), MUCH) == len(data)
    assert await content(store, MAPLE) == data
    assert await content(store, MAPLE, 1_000_001) == data[1_000_001:]
    assert await content(store, MAPLE, 1_000_001, 2_500_000) == data[1_000_001:3_500_001]
    assert await content(store, MAPLE, len(data) - 1, 100) == data[-1:]
    assert await content(store, MAPLE, len(data) + 1) == b""
    assert await content(store, MAPLE, 5, 0) == b""


async def test_pieces_are_bounded(store: ImageStore) -> None:
    await store.put(MAPLE, pieces(bytes(5 << 20)), MUCH)
    assert max([len(piece) async for piece in store.get(MAPLE)]) <= 1 << 20


async def test_an_empty_image_is_an_image(store: ImageStore) -> None:
    assert await store.put(MAPLE, pieces(), MUCH) == 0
    assert await content(store, MAPLE) == b""
    assert await store.found() == [MAPLE]


async def test_images_are_found_until_removed_and_removing_twice_is_no_error(store: ImageStore) -> None:
    await store.put(BIRCH, pieces(b"birch"), MUCH)
    await store.put(MAPLE, pieces(b"maple"), MUCH)
    assert await store.found() == [MAPLE, BIRCH]
    await store.remove(MAPLE)
    await store.remove(MAPLE)
    assert await store.found() == [BIRCH]
    with pytest.raises(NotStored):
        await content(store, MAPLE)


async def test_a_second_put_replaces_the_first_one_and_readers_of_it_go_on(store: ImageStore) -> None:
    await store.put(MAPLE, pieces(b"a" * 3_000_000), MUCH)
    reader = store.get(MAPLE)
    read = await anext(reader)
    await store.put(MAPLE, pieces(b"b" * 10), MUCH)
    async for piece in reader:
        read += piece
    assert read == b"a" * 3_000_000
    assert await content(store, MAPLE) == b"b" * 10


async def test_too_large_leaves_what_was_there(store: ImageStore) -> None:
    await store.put(MAPLE, pieces(b"first"), MUCH)
    with pytest.raises(TooLarge):
        await store.put(MAPLE, pieces(b"second", b"and more"), 8)
    assert await content(store, MAPLE) == b"first"
    assert await store.put(MAPLE, pieces(b"8 bytes!"), 8) == 8


async def test_a_stream_that_breaks_leaves_nothing(store: ImageStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(MAPLE, broken(), MUCH)
    assert await store.found() == []


async def test_a_cancelled_upload_leaves_nothing(store: ImageStore) -> None:
    arrived = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        arrived.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.put(MAPLE, stuck(), MUCH))
    await asyncio.wait_for(arrived.wait(), HANG_SECONDS)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await store.found() == []


async def test_many_at_once_do_not_mix(store: ImageStore) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(16)]
    await asyncio.gather(*(store.put(key, pieces(*[key.encode() * 1000] * 30), MUCH) for key in ids))
    for key, data in zip(ids, await asyncio.gather(*(content(store, key) for key in ids)), strict=True):
        assert data == key.encode() * 30_000


async def test_a_shelf_fills() -> None:
    store = MemoryImageStore(Shelf(capacity_bytes=10))
    await store.put(MAPLE, pieces(b"12345678"), MUCH)
    with pytest.raises(StoreFull):
        await store.put(BIRCH, pieces(b"123"), MUCH)
    assert await store.put(MAPLE, pieces(b"1234567890"), MUCH) == 10


async def test_a_disk_fills(tmp_path: Path) -> None:
    store = FileImageStore(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(StoreFull):
            await store.put(MAPLE, pieces(bytes(3 << 20)), MUCH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await store.found() == []
    assert list(tmp_path.rglob("parts/*/*")) == []
    store.close()


async def test_parts_of_dead_processes_are_swept_and_those_of_the_living_kept(tmp_path: Path) -> None:
    living = FileImageStore(tmp_path)
    dead = tmp_path / "parts" / "dead"
    dead.mkdir()
    (dead / "half").write_bytes(b"half an image")
    # One that ends just now: it is still in the list, and gone when it is looked at.
    ending = tmp_path / "parts" / "ending"
    ending.symlink_to("gone")
    second = FileImageStore(tmp_path)
    ending.unlink()
    assert not dead.exists()
    await living.put(MAPLE, pieces(b"still works"), MUCH)
    assert await content(second, MAPLE) == b"still works"
    for store in (living, second):
        store.close()
    assert list((tmp_path / "parts").iterdir()) == []


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "a/b", "4f9f9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c1/"])
async def test_what_is_no_id_never_becomes_a_path(tmp_path: Path, hostile: str) -> None:
    store = FileImageStore(tmp_path)
    with pytest.raises(ValueError, match="not an id"):
        await store.put(hostile, pieces(b"x"), MUCH)
    with pytest.raises(ValueError, match="not an id"):
        await content(store, hostile)
    with pytest.raises(ValueError, match="not an id"):
        await store.remove(hostile)
    store.close()


# ---- Ceph ------------------------------------------------------------------------------------------------------------


@pytest.mark.root
async def test_what_is_read_is_set_aside_and_goes_when_nobody_reads_it_any_more(cluster: Ceph) -> None:
    reading, removing = (RbdImageStore(cluster.pool, cluster.user, str(cluster.conf)) for _ in range(2))
    data = bytes(range(256)) * (3 << 12)
    await removing.put(MAPLE, pieces(data), MUCH)
    reader = reading.get(MAPLE)
    read = await anext(reader)
    await removing.remove(MAPLE)
    assert await removing.found() == []
    assert [name[:5] for name in cluster.names()] == ["gone-"]
    assert read + b"".join([piece async for piece in reader]) == data
    await removing.found()
    assert cluster.names() == []
    for store in (reading, removing):
        store.close()


@pytest.mark.root
async def test_parts_of_the_dead_are_removed_and_those_of_the_living_kept(cluster: Ceph) -> None:
    writing, looking = (RbdImageStore(cluster.pool, cluster.user, str(cluster.conf)) for _ in range(2))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield bytes(5 << 20)
        begun.set()
        await go_on.wait()
        yield b"the end"

    cluster.run("rbd", "create", "--size", "1M", f"{cluster.pool}/part-dead")
    upload = asyncio.create_task(writing.put(MAPLE, slowly(), MUCH))
    await begun.wait()
    assert await looking.found() == []
    [part] = cluster.names()
    assert part.startswith("part-")
    go_on.set()
    assert await upload == (5 << 20) + 7
    assert await looking.found() == [MAPLE]
    cluster.empty()
    for store in (writing, looking):
        store.close()


@pytest.mark.root
async def test_a_cluster_that_cannot_be_reached_is_told(cluster: Ceph) -> None:
    for pool, user, conf in [
        ("no-such-pool", cluster.user, cluster.conf),
        (cluster.pool, "nobody", cluster.conf),
        (cluster.pool, cluster.user, Path("/nonexistent/ceph.conf")),
    ]:
        store = RbdImageStore(pool, user, str(conf))
        with pytest.raises(Unreachable, match="Ceph"):
            await store.put(MAPLE, pieces(b"x"), MUCH)
        with pytest.raises(Unreachable, match="Ceph"):
            await content(store, MAPLE)
        store.close()


@pytest.mark.root
async def test_images_are_converted_by_somebody_without_rights(tmp_path: Path) -> None:
    """Also below folders that he may not enter."""
    (tmp_path / "closed").mkdir(mode=0o700)
    workshop = Workshop(tmp_path / "closed" / "workshop", User(63_999, 63_999))
    async with workshop.converted(pieces(empty_qcow2(1 << 20)), "qcow2", "raw", MUCH, lambda: 1 << 20) as made:
        assert b"".join([piece async for piece in made]) == bytes(1 << 20)
