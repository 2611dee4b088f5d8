"""A node fetches each image once, believes nothing, and keeps what it can."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulet.contracts.machines import ImageRef
from cumulet.drivers.hypervisor.base import ImageUnusable
from cumulet.lib.qcow2 import read_header
from cumulet.lib.qemu_img import create
from cumulet.node.images.cache import GRACE_SECONDS, ImageCache
from tests.support.clock import JumpingClock
from tests.support.patience import HANG_SECONDS

HOUR = 3600.0
MIB = 1 << 20


class ControlPlane:
    """Has images, counts who asks for them, and can be told to stop in the middle."""

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}
        self.fetches = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.breaks = False

    def add(self, data: bytes, disk_format: str, *, sha512: str = "", size: int | None = None) -> ImageRef:
        key = f"{len(self.images):08x}-0000-4000-8000-000000000000"
        self.images[key] = data
        digest = sha512 or hashlib.sha512(data).hexdigest()
        return ImageRef(id=key, sha512=digest, disk_format=disk_format, size=len(data) if size is None else size)

    async def fetch(self, image: ImageRef) -> AsyncIterator[bytes]:
        self.fetches += 1
        data = self.images[image.id]
        yield data[: len(data) // 2]
        await self.may_go_on.wait()
        if self.breaks:
            raise ConnectionResetError
        yield data[len(data) // 2 :]


@pytest.fixture
def control_plane() -> ControlPlane:
    return ControlPlane()


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def cache(tmp_path: Path, control_plane: ControlPlane, clock: JumpingClock) -> AsyncIterator[ImageCache]:
    cache = ImageCache(tmp_path / "cache", control_plane.fetch, clock)
    yield cache
    await cache.close()
    # Whatever happened, nothing half-done stays.
    assert list((tmp_path / "cache/parts").iterdir()) == []


def qcow2(folder: Path) -> bytes:
    file = folder / "made.qcow2"
    subprocess.run(["qemu-img", *create(file, 8 * MIB)], check=True, timeout=HANG_SECONDS)
    words = "write -P 7 1M 64k"
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", words, str(file)], check=True, timeout=HANG_SECONDS, capture_output=True
    )
    return file.read_bytes()


def raw() -> bytes:
    return b"\1" * MIB + bytes(3 * MIB) + b"\2" * 1000


def disk(path: str) -> bytes:
    convert = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, f"{path}.raw"]
    subprocess.run(convert, check=True, timeout=HANG_SECONDS)
    content = Path(f"{path}.raw")
    try:
        return content.read_bytes()
    finally:
        content.unlink()


async def test_a_qcow2_image_is_kept_as_it_came(cache: ImageCache, control_plane: ControlPlane, tmp_path: Path) -> None:
    data = qcow2(tmp_path)
    path = await cache.path(control_plane.add(data, "qcow2"))
    assert path.endswith(".qcow2")
    assert Path(path).read_bytes() == data
    assert Path(path).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("disk_format", ["raw", "iso", "vmdk", "vdi", "vhd", "vhdx"])
async def test_another_format_becomes_qcow2_with_the_same_content(
    cache: ImageCache, control_plane: ControlPlane, tmp_path: Path, disk_format: str
) -> None:
    data = raw()
    if disk_format == "iso":
        data = data[: 32 * 1024] + b"\1CD001\1\0" + bytes(120) + b"\0\x08\x08\0" + data[32 * 1024 + 132 :]
    (tmp_path / "raw").write_bytes(data)
    if disk_format not in ("raw", "iso"):
        qemu_name = {"vhd": "vpc"}.get(disk_format, disk_format)
        convert = ["qemu-img", "convert", "-f", "raw", "-O", qemu_name, str(tmp_path / "raw"), str(tmp_path / "image")]
        await asyncio.to_thread(subprocess.run, convert, check=True, timeout=HANG_SECONDS)
        image = control_plane.add((tmp_path / "image").read_bytes(), disk_format)
    else:
        image = control_plane.add(data, disk_format)
    path = await cache.path(image)
    assert read_header(Path(path)).virtual_size >= len(data)
    assert disk(path)[: len(data)] == data


async def test_it_is_fetched_once_for_all_who_ask_and_for_ever(cache: ImageCache, control_plane: ControlPlane) -> None:
    image = control_plane.add(raw(), "raw")
    control_plane.may_go_on.clear()
    asking = [asyncio.create_task(cache.path(image)) for _ in range(5)]
    await asyncio.sleep(0)
    control_plane.may_go_on.set()
    assert len(set(await asyncio.gather(*asking))) == 1
    await cache.path(image)
    assert control_plane.fetches == 1


async def test_one_who_loses_patience_does_not_spoil_it_for_others(
    cache: ImageCache, control_plane: ControlPlane
) -> None:
    image = control_plane.add(raw(), "raw")
    control_plane.may_go_on.clear()
    impatient, patient = (asyncio.create_task(cache.path(image)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    control_plane.may_go_on.set()
    assert Path(await patient).exists()
    assert control_plane.fetches == 1


async def test_a_broken_fetch_is_tried_again_at_the_next_request(
    cache: ImageCache, control_plane: ControlPlane
) -> None:
    image = control_plane.add(raw(), "raw")
    control_plane.breaks = True
    with pytest.raises(ConnectionResetError):
        await cache.path(image)
    control_plane.breaks = False
    assert Path(await cache.path(image)).exists()


async def test_what_is_not_what_it_claims_is_refused(
    cache: ImageCache, control_plane: ControlPlane, tmp_path: Path
) -> None:
    whole = qcow2(tmp_path)
    backed = (
        whole[:8] + (104).to_bytes(8, "big") + (11).to_bytes(4, "big") + whole[20:104] + b"/etc/passwd" + whole[115:]
    )
    for image, reason in (
        (control_plane.add(raw(), "raw", sha512="0" * 128), "digest"),
        (control_plane.add(raw(), "raw", size=1000), "more data"),
        (control_plane.add(raw(), "raw", size=1 << 30), "digest"),
        (control_plane.add(raw(), "raw", sha512="../../etc/passwd"), "SHA-512"),
        (control_plane.add(whole, "raw"), "declared as raw"),
        (control_plane.add(raw(), "qcow2"), "declared as qcow2"),
        (control_plane.add(backed, "qcow2"), "backing file"),
        (control_plane.add(whole[:24] + b"\x7f" * 8 + whole[32:], "qcow2"), "too large"),
        (control_plane.add(b"conectix".ljust(4096, b"\0"), "vhd"), "cannot be read"),
    ):
        with pytest.raises(ImageUnusable, match=reason):
            await cache.path(image)
    assert cache.found() == []


async def test_a_crash_leaves_whole_images_only(
    tmp_path: Path, control_plane: ControlPlane, clock: JumpingClock
) -> None:
    first = ImageCache(tmp_path, control_plane.fetch, clock)
    kept = await first.path(control_plane.add(raw(), "raw"))
    (tmp_path / "parts" / "half").write_bytes(b"half an image")
    await first.close()
    second = ImageCache(tmp_path, control_plane.fetch, clock)
    assert [str(image.path) for image in second.found()] == [kept]
    assert list((tmp_path / "parts").iterdir()) == []
    await second.close()


async def test_what_was_not_used_for_longest_goes_first(
    cache: ImageCache, control_plane: ControlPlane, clock: JumpingClock
) -> None:
    images = [control_plane.add(bytes([number]) * MIB, "raw") for number in range(1, 5)]
    for image in images:
        await cache.path(image)
        clock.jump(HOUR)
    old, used, open_, new = images
    await cache.path(used)
    clock.jump(HOUR)
    one = cache.found()[0].size
    assert one >= MIB
    assert await cache.evict(4 * one, set()) == []
    assert await cache.evict(3 * one, {open_.sha512}) == [old.sha512]
    assert await cache.evict(one, {open_.sha512}) == [new.sha512, used.sha512]
    assert [image.sha512 for image in cache.found()] == [open_.sha512]


async def test_what_was_just_asked_for_stays(
    cache: ImageCache, control_plane: ControlPlane, clock: JumpingClock
) -> None:
    image = control_plane.add(raw(), "raw")
    path = Path(await cache.path(image))
    assert await cache.evict(0, set()) == []
    clock.jump(GRACE_SECONDS + 1)
    assert await cache.evict(0, set()) == [image.sha512]
    assert not path.exists()
    assert Path(await cache.path(image)).exists()
    assert control_plane.fetches == 2
