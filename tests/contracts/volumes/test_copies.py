"""Copies of volumes for elsewhere, and backups, taken and restored."""

from __future__ import annotations

import pytest

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib.qcow2 import read_header
from cumulet.lib.sparse import BrokenOff
from tests.support.volume_drivers import (
    BIRCH,
    CEDAR,
    DRIVERS,
    GIB,
    KEPT,
    MAPLE,
    MONDAY,
    OTHER,
    RBD,
    TUESDAY,
    Backend,
    ensured,
    of,
)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
async def test_a_copy_is_there_while_it_is_wanted(backend: Backend, disk_format: str) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))

    async with backend.volumes.copied(MAPLE, disk_format) as path:
        with path.open("rb") as opened:
            assert (opened.read(4) == b"QFI\xfb") == (disk_format == "qcow2")
        if disk_format == "qcow2":
            assert read_header(path).virtual_size == GIB

    assert not path.exists()


@of("fake", *DRIVERS, "iscsi")
async def test_what_has_no_copy(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1))
    backend.open(BIRCH, "machine")

    for volume_id, disk_format in ((MAPLE, "vmdk"), (CEDAR, "raw"), (BIRCH, "raw"), ("../image", "raw")):
        with pytest.raises(CopyFailed):
            async with backend.volumes.copied(volume_id, disk_format):
                pass


@of("fake", *DRIVERS, RBD)
async def test_a_backup_is_of_one_moment_even_of_an_open_volume(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    backend.open(MAPLE, "machine")
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        await backend.keep(KEPT, copy)
    (facts,) = await backend.volumes.found()
    assert facts.snapshots == ()
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, restores=1, restore_from=KEPT))
    assert backend.holds(BIRCH, "one")


async def test_a_backup_of_a_snapshot_is_of_its_moment(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    backend.write(MAPLE, "two")
    backend.open(MAPLE, "machine")
    async with backend.volumes.copied(MAPLE, "raw", snapshot_id=MONDAY) as copy:
        await backend.keep(KEPT, copy)
    with pytest.raises(CopyFailed):
        async with backend.volumes.copied(MAPLE, "raw", snapshot_id=TUESDAY):
            pass
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, restores=1, restore_from=KEPT))
    assert backend.holds(BIRCH, "one")


async def test_a_backup_is_restored_once_for_each_time_it_is_asked(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        await backend.keep(OTHER, copy)
    backend.write(MAPLE, "one")
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        await backend.keep(KEPT, copy)
    backend.write(MAPLE, "two")
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), restores=1, restore_from=KEPT)
    facts = await ensured(backend, spec)
    assert (facts.restores, facts.snapshots) == (1, (MONDAY,))
    assert backend.holds(MAPLE, "one")
    backend.write(MAPLE, "two")
    await backend.restart()
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "two")
    # Where the backup holds nothing, nothing stays.
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), restores=2, restore_from=OTHER)
    assert (await ensured(backend, spec)).restores == 2
    assert backend.holds(MAPLE, "blank")


async def test_an_open_volume_is_not_restored(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        await backend.keep(KEPT, copy)
    backend.write(MAPLE, "two")
    backend.open(MAPLE, "machine")
    refused = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, restores=1, restore_from=KEPT))
    assert refused.fault is not None
    assert (refused.fault.code, refused.restores, refused.digest) == (409, 0, "")
    assert backend.holds(MAPLE, "two")


async def test_a_stream_that_breaks_off_restores_nothing(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    with pytest.raises(BrokenOff):
        await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, restores=1, restore_from=KEPT))
    assert backend.holds(MAPLE, "one")
    (facts,) = await backend.volumes.found()
    assert facts.restores == 0
