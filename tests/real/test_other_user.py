"""Images are converted and volumes made by another user than ours, who can reach nothing else."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cumulet.contracts.machines import ImageRef
from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.drivers.volume.raw.files import FileStore
from cumulet.drivers.volume.raw.volumes import RawVolumes
from cumulet.lib.process import User
from cumulet.lib.qcow2 import read_header
from cumulet.node.images.cache import ImageCache
from tests.support.clock import JumpingClock
from tests.support.supplies import Vault

pytestmark = pytest.mark.root

OTHER = User(uid=64321, gid=64321)
STORAGE = User(uid=64322, gid=64321)
MIB = 1 << 20
DATA = b"\1" * MIB + bytes(7 * MIB)
IMAGE = ImageRef(
    id="11112222-3333-4444-8555-666677778888",
    sha512=hashlib.sha512(DATA).hexdigest(),
    disk_format="raw",
    size=len(DATA),
)
MAPLE = "00000000-1111-4000-8000-000000000000"
BIRCH = "00000001-1111-4000-8000-000000000000"
KEPT = "00000000-4444-4000-8000-000000000000"
MONDAY = "00000000-2222-4000-8000-000000000000"


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may pass through; the folders of pytest are for their owner only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def fetch(image: ImageRef) -> AsyncIterator[bytes]:
    yield DATA


async def test_an_image_becomes_a_volume_by_the_hands_of_the_other_user(folder: Path) -> None:
    images = ImageCache(folder / "images", fetch, JumpingClock(), user=OTHER)
    vault = Vault()
    volumes = FileVolumes(folder / "local", images, vault, user=OTHER)
    try:
        for spec in (
            VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE),
            VolumeSpec(id=MAPLE, size_gib=2, image=IMAGE, snapshots=(MONDAY,)),
            VolumeSpec(id=BIRCH, size_gib=2, snapshot_id=MONDAY),
        ):
            facts = await volumes.ensure(spec)
            assert facts.fault is None, facts.fault
        async with volumes.copied(BIRCH, "raw", open_too=True) as copy:
            await vault.keep(KEPT, copy)
        facts = await volumes.ensure(VolumeSpec(id=MAPLE, size_gib=2, restores=1, restore_from=KEPT))
        assert (facts.fault, facts.restores) == (None, 1)
        image = os.stat(await images.path(IMAGE))
        assert (image.st_uid, image.st_mode & 0o777) == (0, 0o444)
        for volume_id in (MAPLE, BIRCH):
            path = Path(volumes.path(volume_id))
            status = path.stat()
            assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (OTHER.uid, OTHER.gid, 0o600)
            assert read_header(path).virtual_size == 2 << 30
        # Where the finished ones lie he can add nothing and list nothing.
        assert [(path.stat().st_uid, path.stat().st_mode & 0o777) for path in (folder / "local/volumes",)] == [
            (0, 0o711)
        ]
    finally:
        volumes.close()
        await images.close()


async def test_snapshots_of_raw_volumes_are_read_by_whoever_opens_these(folder: Path) -> None:
    images = ImageCache(folder / "images", fetch, JumpingClock(), user=OTHER)
    vault, store = Vault(), FileStore(folder / "raw", STORAGE)
    volumes = RawVolumes("iscsi", store, folder / "local", images, vault, user=OTHER, daemon_user=STORAGE)
    try:
        for spec in (
            VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE, snapshots=(MONDAY,)),
            VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY, encrypted=True, key_bits=512),
        ):
            facts = await volumes.ensure(spec)
            assert facts.fault is None, facts.fault
        async with volumes.copied(MAPLE, "raw", snapshot_id=MONDAY) as copy:
            assert copy.open("rb").read(len(DATA)) == DATA
            assert copy.stat().st_uid == OTHER.uid
        for file in (folder / "raw").glob("*/*"):
            status = file.stat()
            assert (status.st_uid, status.st_mode & 0o777) in ((STORAGE.uid, 0o600), (0, 0o644)), file
    finally:
        await volumes.halt()
        volumes.close()
        await images.close()
