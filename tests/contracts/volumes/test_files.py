"""What is so of volumes as files alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import ImageRef
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.volume.base import CopyFailed, Volumes
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.lib.qcow2 import read_header
from cumulet.lib.qemu_img import take_snapshot
from cumulet.lib.sparse import Parcel, parcel
from tests.support.patience import HANG_SECONDS
from tests.support.supplies import Vault
from tests.support.volume_drivers import (
    BIRCH,
    CEDAR,
    IMAGE,
    KEPT,
    MAPLE,
    MONDAY,
    PATTERNS,
    FileBackend,
    Machines,
    OneImage,
    ensured,
    opens_without_key,
    qemu_img,
)


async def test_open_files_are_changed_by_their_machine_only(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    assert backend.machines.asked == ["resize", "take", "drop", "take", "drop"]
    backend.files.close()


async def test_what_a_machine_was_asked_for_and_went_is_done_without_it(tmp_path: Path) -> None:
    class Going(Machines):
        """Goes off when it is asked for something."""

        async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
            del self.open[volume_id]

        async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
            del self.open[volume_id]

        drop_volume_snapshot = take_volume_snapshot

    volumes = FileVolumes(tmp_path, OneImage(tmp_path), Vault(), machines=(machines := Going(tmp_path)))
    await volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1))
    for size, snapshots in ((2, ()), (2, (MONDAY,)), (2, ())):
        machines.open[MAPLE] = "machine"
        spec = VolumeSpec(id=MAPLE, size_gib=size, snapshots=snapshots)
        first, second = [await volumes.ensure(spec) for _ in range(2)]
        assert (first.fault, first.digest) == (None, "")
        assert (second.digest, second.size_gib, second.snapshots) == (digest_of(spec), size, snapshots)
    volumes.close()


async def test_a_volume_that_goes_while_it_is_asked_for_is_not_there(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    for wish in (backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE)), whole(backend.volumes)):
        await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
        # It has begun to go, and is there still when somebody asks.
        going = asyncio.ensure_future(backend.volumes.remove(MAPLE))
        await asyncio.sleep(0)
        assert Path(backend.files.path(MAPLE)).exists()
        facts = await wish
        assert facts.fault is not None
        assert (facts.fault.code, MAPLE in facts.fault.message) == (404, True)
        await going
    backend.files.close()


async def whole(volumes: Volumes) -> VolumeFacts:
    try:
        async with volumes.file(MAPLE):
            return VolumeFacts(id=MAPLE, size_gib=1)
    except CopyFailed as error:
        return VolumeFacts(id=MAPLE, size_gib=0, fault=Fault(message=str(error), code=404))


async def test_a_file_held_by_an_unknown_program_is_a_fault(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    holder = await asyncio.create_subprocess_exec("qemu-io", "-f", "qcow2", backend.files.path(MAPLE), **pipes)
    try:
        assert holder.stdout is not None
        assert await asyncio.wait_for(holder.stdout.readexactly(8), HANG_SECONDS) == b"qemu-io>"
        facts = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=2))
    finally:
        holder.kill()
        await asyncio.wait_for(holder.wait(), HANG_SECONDS)
    assert facts.fault is not None
    assert (facts.fault.code, facts.size_gib) == (409, 1)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2))
    backend.files.close()


async def test_an_image_that_is_refused_is_a_fault_with_its_reason(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    hostile = ImageRef(id="99992222-3333-4444-8555-666677778888", sha512="1" * 128, disk_format="qcow2", size=1)
    facts = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, image=hostile))
    assert facts.fault is not None
    assert "not safe" in facts.fault.message
    backend.files.close()


async def test_a_damaged_file_is_told_and_hides_no_other(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1))
    Path(backend.files.path(MAPLE)).write_bytes(b"rubbish")
    damaged, whole = await backend.volumes.found()
    assert damaged.fault is not None
    assert whole.fault is None
    refused = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1))
    assert refused.fault is not None
    backend.files.close()


async def test_a_copy_given_up_half_way_is_finished_or_forgotten(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    # As a crash leaves it: the mark in the source, a part of the copy.
    source = Path(backend.files.path(MAPLE))
    for copy in (BIRCH, CEDAR):
        qemu_img(take_snapshot(source, f"copy-{copy}"))
        (tmp_path / "parts" / f"{copy}.qcow2").write_bytes(b"half")
    await backend.restart()
    assert list((tmp_path / "parts").iterdir()) == []
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE))
    assert backend.holds(BIRCH, "one")
    await backend.volumes.remove(CEDAR)
    assert list(read_header(source).snapshots) == []
    backend.files.close()


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "-a", "a/b"])
async def test_what_is_no_id_never_becomes_a_path_or_an_argument(tmp_path: Path, hostile: str) -> None:
    volumes = FileVolumes(tmp_path, OneImage(tmp_path), Vault())
    with pytest.raises(ValueError, match="not an id"):
        await volumes.ensure(VolumeSpec(id=hostile, size_gib=1))
    with pytest.raises(ValueError, match="not an id"):
        await volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, snapshots=(hostile,)))
    with pytest.raises(ValueError, match="not an id"):
        await volumes.remove(hostile)
    volumes.close()


async def test_the_moment_of_a_copy_that_was_killed_goes_with_the_next_look(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    source = Path(backend.files.path(MAPLE))
    qemu_img(take_snapshot(source, "moment-x"))
    await backend.restart()
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    assert list(read_header(source).snapshots) == []
    backend.files.close()


async def test_nothing_of_an_encrypted_volume_lies_open(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    spec = VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE, encrypted=True)
    await ensured(backend, spec)
    file = Path(backend.files.path(MAPLE))
    assert backend.holds(MAPLE, "image")
    assert bytes([PATTERNS["image"]]) * 4096 not in file.read_bytes()
    assert list((tmp_path / "parts").iterdir()) == []
    assert not opens_without_key(file)
    # A copy has a key of its own, and returning to a snapshot works as in the open.
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE, encrypted=True, snapshots=(MONDAY,)))
    backend.write(BIRCH, "two")
    spec = VolumeSpec(
        id=BIRCH, size_gib=1, volume_id=MAPLE, encrypted=True, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY
    )
    await ensured(backend, spec)
    assert backend.holds(BIRCH, "image")
    await ensured(backend, VolumeSpec(id=CEDAR, size_gib=1))
    backend.write(CEDAR, "one")
    async with backend.volumes.copied(CEDAR, "raw") as copy:
        await backend.keep(KEPT, copy)
    await ensured(backend, msgspec.structs.replace(spec, restores=1, restore_from=KEPT))
    assert backend.holds(BIRCH, "one")
    backend.files.close()


async def test_a_file_that_names_others_does_not_arrive(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    base, hostile = tmp_path / "base.raw", tmp_path / f"{BIRCH}.qcow2"
    base.write_bytes(b"secret of the host".ljust(1 << 20))
    qemu_img(["create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(hostile), "1G"])

    @asynccontextmanager
    async def sent() -> AsyncIterator[Parcel]:
        with hostile.open("rb") as file:
            yield parcel(file.fileno())

    await backend.send(BIRCH, sent())
    facts = await backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, arrives="file"))
    assert facts.fault is not None
    assert "names other files" in facts.fault.message
    assert await backend.volumes.found() == []
    assert list((tmp_path / "parts").iterdir()) == []
    backend.files.close()
