"""What every volume driver promises."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from cumulet.contracts.machines import ImageRef, VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec, export_name
from cumulet.drivers.hypervisor.base import ImageUnusable
from cumulet.drivers.volume.base import CopyFailed, Volumes
from cumulet.drivers.volume.exports import EXPORT, Exports
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from cumulet.drivers.volume.files import FileVolumes
from cumulet.lib.qcow2 import read_header
from cumulet.lib.qemu_img import create, drop_snapshot, resize, take_snapshot
from cumulet.lib.sparse import BrokenOff, Parcel, parcel
from tests.support.exports import found_at
from tests.support.supplies import Vault

GIB = 1 << 30
MAPLE, BIRCH, CEDAR, LOCKED = (f"{number:08x}-1111-4000-8000-000000000000" for number in range(4))
MONDAY, TUESDAY = (f"{number:08x}-2222-4000-8000-000000000000" for number in range(2))
IMAGE = ImageRef(id="11112222-3333-4444-8555-666677778888", sha512="0" * 128, disk_format="qcow2", size=200_000)


class Backend(Protocol):
    """A driver, the guest that writes its volumes, and the machines that hold them open."""

    volumes: Volumes

    def write(self, volume_id: str, word: str) -> None: ...

    def holds(self, volume_id: str, word: str) -> bool: ...

    async def keep(self, backup_id: str, copy: Path) -> None:
        """Let this raw copy of a volume be the content of a backup."""

    def image_word(self) -> str: ...

    async def send(self, volume_id: str, file: AbstractAsyncContextManager[Parcel]) -> None:
        """Let this be what arrives when the volume is to."""

    def open(self, volume_id: str, machine: str) -> None: ...

    def lets_in(self, volume_id: str, address: str, secret: str, word: str) -> bool:
        """Whether who comes to this address with this secret finds the volume, with this content."""
        ...

    async def restart(self) -> None:
        """The process ends and another begins."""


class FakeBackend:
    def __init__(self) -> None:
        self.world = VolumeWorld(capacity_gib=100)
        self.vault = Vault()
        self.keep = self.vault.keep
        self.send = self.vault.send
        self.volumes: Volumes = FakeVolumes(self.world, self.vault)

    def write(self, volume_id: str, word: str) -> None:
        self.world.volumes[volume_id].content = word

    def holds(self, volume_id: str, word: str) -> bool:
        return self.world.volumes[volume_id].content == word

    def image_word(self) -> str:
        return f"image {IMAGE.id}"

    def lets_in(self, volume_id: str, address: str, secret: str, word: str) -> bool:
        place, _, target = address.rpartition("/")
        host, _, port = place.rpartition(":")
        way = VolumeConnection(volume_id=volume_id, host=host, port=int(port), target=target, secret=secret)
        return self.world.lets_in(way) and self.holds(volume_id, word)

    def open(self, volume_id: str, machine: str) -> None:
        self.world.open_in.setdefault(volume_id, set()).add(machine)

    async def restart(self) -> None:
        self.volumes = FakeVolumes(self.world, self.vault)


class Machines:
    """Machines that have volumes open: they change the files as QEMU does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open: dict[str, str] = {}
        self.asked: list[str] = []

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return [self.open[volume_id]] if volume_id in self.open else []

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        self._run("resize", resize(self._file(volume_id), size_bytes))

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        self._run("take", take_snapshot(self._file(volume_id), snapshot_id))

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        self._run("drop", drop_snapshot(self._file(volume_id), snapshot_id))

    def _file(self, volume_id: str) -> Path:
        return self.folder / "volumes" / f"{volume_id}.qcow2"

    def _run(self, what: str, arguments: list[str]) -> None:
        self.asked.append(what)
        qemu_img(arguments)


class OneImage:
    """The images of a node that has one."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "image.qcow2"

    async def path(self, image: ImageRef) -> str:
        if image != IMAGE:
            raise ImageUnusable(f"Image {image.id} is not safe to use.")
        if not self.file.exists():
            qemu_img(create(self.file, 8 << 20))
            guest_writes(self.file, "image")
        return str(self.file)


def qemu_img(arguments: list[str]) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, timeout=20)


def opens_without_key(file: Path) -> bool:
    plain = ["qemu-io", "-r", "-f", "qcow2", "-c", "read 1M 64k", str(file)]
    return subprocess.run(plain, timeout=20, capture_output=True).returncode == 0


PATTERNS = {"blank": 0, "image": 1, "one": 2, "two": 3}


def opened(file: Path) -> list[str]:
    """What opens a volume, as its machine does."""
    if not read_header(file).encrypted:
        return ["--image-opts", f"driver=qcow2,file.filename={file}"]
    key = hashlib.sha256(file.stem.encode()).hexdigest()
    return [
        *("--object", f"secret,id=k,data={key}"),
        *("--image-opts", f"driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename={file}"),
    ]


def guest_writes(file: Path, word: str) -> None:
    words = f"write -P {PATTERNS[word]} 1M 64k"
    subprocess.run(["qemu-io", *opened(file), "-c", words], check=True, timeout=20, capture_output=True)


class FileBackend:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines = Machines(folder)
        # The test's own folder is too deep for sockets.
        self.short = Path(tempfile.mkdtemp(prefix="cumulet-"))
        self.vault = Vault()
        self.keep = self.vault.keep
        self.send = self.vault.send
        self.files = self._start()
        self.volumes: Volumes = self.files

    def _start(self) -> FileVolumes:
        self.exports = Exports(self.short, "")
        return FileVolumes(self.folder, OneImage(self.folder), self.vault, machines=self.machines, exports=self.exports)

    def write(self, volume_id: str, word: str) -> None:
        guest_writes(Path(self.files.path(volume_id)), word)

    def holds(self, volume_id: str, word: str) -> bool:
        file = Path(self.files.path(volume_id))
        read = ["qemu-io", "-r", *opened(file), "-c", f"read -P {PATTERNS[word]} 1M 64k"]
        ended = subprocess.run(read, timeout=20, capture_output=True, text=True)
        return ended.returncode == 0 and "failed" not in ended.stdout

    def image_word(self) -> str:
        return "image"

    def lets_in(self, volume_id: str, address: str, secret: str, word: str) -> bool:
        return found_at(address, secret, f"read -P {PATTERNS[word]} 1M 64k")

    def open(self, volume_id: str, machine: str) -> None:
        self.machines.open[volume_id] = machine

    async def restart(self) -> None:
        await self.exports.close()
        self.files.close()
        self.volumes = self.files = self._start()


@pytest.fixture(params=["fake", "files"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "fake":
        yield FakeBackend()
        return
    files = FileBackend(tmp_path)
    yield files
    await files.exports.halt()
    shutil.rmtree(files.short)
    files.files.close()


async def ensured(backend: Backend, spec: VolumeSpec) -> VolumeFacts:
    facts = await backend.volumes.ensure(spec)
    assert facts.fault is None, facts.fault
    assert facts.digest == digest_of(spec)
    return facts


async def test_a_blank_volume_is_made_once_and_grows(backend: Backend) -> None:
    facts = await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    assert (facts.id, facts.size_gib, facts.snapshots, facts.connected_to) == (MAPLE, 1, (), ())
    assert backend.holds(MAPLE, "blank")
    backend.write(MAPLE, "one")
    assert (await ensured(backend, VolumeSpec(id=MAPLE, size_gib=3))).size_gib == 3
    assert backend.holds(MAPLE, "one")
    # It never shrinks: that would cut off what the guest has written.
    assert (await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=2))).size_gib == 3


async def test_a_volume_from_an_image_has_its_content_once(backend: Backend) -> None:
    spec = VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE)
    assert (await ensured(backend, spec)).size_gib == 1
    assert backend.holds(MAPLE, backend.image_word())
    backend.write(MAPLE, "one")
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "one")


async def test_a_copy_has_the_content_and_a_life_of_its_own(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    facts = await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    assert (facts.size_gib, facts.snapshots) == (2, ())
    backend.write(MAPLE, "two")
    assert backend.holds(BIRCH, "one")
    await backend.volumes.remove(MAPLE)
    assert backend.holds(BIRCH, "one")


async def test_a_copy_leaves_no_trace_in_its_source(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE))
    (facts,) = [one for one in await backend.volumes.found() if one.id == MAPLE]
    assert facts.snapshots == (MONDAY,)


async def test_snapshots_are_exactly_those_ordered(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY, TUESDAY))
    assert (await ensured(backend, spec)).snapshots == (MONDAY, TUESDAY)
    assert (await ensured(backend, spec)).snapshots == (MONDAY, TUESDAY)
    assert (await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(TUESDAY,)))).snapshots == (TUESDAY,)


async def test_a_volume_from_a_snapshot_has_the_content_of_that_moment(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    backend.write(MAPLE, "two")
    # Its size is that of that moment, too.
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=5, snapshots=(MONDAY,)))
    assert (await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY))).size_gib == 1
    assert backend.holds(BIRCH, "one")
    assert (await ensured(backend, VolumeSpec(id=CEDAR, size_gib=2, snapshot_id=MONDAY))).size_gib == 2


async def test_a_volume_returns_to_a_snapshot_once_for_each_time_it_is_asked(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    backend.write(MAPLE, "two")
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    assert (await ensured(backend, spec)).reverts == 1
    assert backend.holds(MAPLE, "one")
    backend.write(MAPLE, "two")
    await backend.restart()
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "two")
    again = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), reverts=2, revert_to=MONDAY)
    assert (await ensured(backend, again)).reverts == 2
    assert backend.holds(MAPLE, "one")


async def test_an_open_volume_grows_and_has_snapshots_but_does_not_return_to_them(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    facts = await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    assert (facts.size_gib, facts.snapshots, facts.connected_to) == (2, (MONDAY,), ("machine",))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    spec = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    refused = await backend.volumes.ensure(spec)
    assert refused.fault is not None
    assert refused.fault.code == 409
    assert (refused.digest, refused.reverts) == ("", 0)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=BIRCH), 404, id="no such volume"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=MAPLE), 404, id="a copy of itself"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, snapshot_id=MONDAY), 404, id="no such snapshot"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=CEDAR), 400, id="smaller than its source"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, snapshot_id=TUESDAY), 400, id="smaller than its snapshot"),
        pytest.param(VolumeSpec(id=CEDAR, size_gib=3, reverts=1, revert_to=MONDAY), 404, id="back to nowhere"),
    ],
)
async def test_what_cannot_be_made_is_a_fault_and_leaves_nothing(backend: Backend, spec: VolumeSpec, code: int) -> None:
    await ensured(backend, VolumeSpec(id=CEDAR, size_gib=3, snapshots=(TUESDAY,)))
    facts = await backend.volumes.ensure(spec)
    assert facts.fault is not None
    assert facts.fault.code == code
    assert facts.digest == ""
    assert [one.id for one in await backend.volumes.found()] == [CEDAR]


async def test_volumes_are_found_after_a_restart_until_removed(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2))
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    await backend.restart()
    found = [(facts.id, facts.size_gib, facts.snapshots) for facts in await backend.volumes.found()]
    assert found == [(MAPLE, 1, (MONDAY,)), (BIRCH, 2, ())]
    await backend.volumes.remove(MAPLE)
    await backend.volumes.remove(MAPLE)
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


async def test_many_at_once(backend: Backend) -> None:
    ids = [f"{number:08x}-3333-4000-8000-000000000000" for number in range(6)]
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    async with asyncio.TaskGroup() as group:
        for key in ids:
            group.create_task(ensured(backend, VolumeSpec(id=key, size_gib=1, volume_id=MAPLE)))
    assert all(backend.holds(key, "one") for key in ids)


async def test_capacity_is_told(backend: Backend) -> None:
    told = await backend.volumes.about()
    total, free = told.total_gib, told.free_gib
    assert (told.driver, told.fault, told.cluster) == (backend.volumes.name, "", "")
    assert total >= free > 0


async def test_the_fake_world_fills() -> None:
    volumes = FakeVolumes(VolumeWorld(capacity_gib=10), Vault())
    assert (await volumes.ensure(VolumeSpec(id=MAPLE, size_gib=6))).fault is None
    for spec in (
        VolumeSpec(id=BIRCH, size_gib=5),
        VolumeSpec(id=MAPLE, size_gib=11),
        VolumeSpec(id=MAPLE, size_gib=6, snapshots=(MONDAY,)),
    ):
        fault = (await volumes.ensure(spec)).fault
        assert fault is not None
        assert fault.code == 507
    told = await volumes.about()
    assert (told.total_gib, told.free_gib) == (10, 4)


async def test_open_files_are_changed_by_their_machine_only(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    assert backend.machines.asked == ["resize", "take", "drop", "take", "drop"]
    backend.files.close()


async def test_a_file_held_by_an_unknown_program_is_a_fault(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    holder = await asyncio.create_subprocess_exec("qemu-io", "-f", "qcow2", backend.files.path(MAPLE), **pipes)
    try:
        assert holder.stdout is not None
        assert await asyncio.wait_for(holder.stdout.readexactly(8), 10) == b"qemu-io>"
        facts = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=2))
    finally:
        holder.kill()
        await asyncio.wait_for(holder.wait(), 10)
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


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
async def test_a_copy_is_there_while_it_is_wanted(backend: Backend, disk_format: str) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))

    async with backend.volumes.copied(MAPLE, disk_format) as path:
        with path.open("rb") as opened:
            assert (opened.read(4) == b"QFI\xfb") == (disk_format == "qcow2")
        if disk_format == "qcow2":
            assert read_header(path).virtual_size == GIB

    assert not path.exists()


async def test_what_has_no_copy(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1))
    backend.open(BIRCH, "machine")

    for volume_id, disk_format in ((MAPLE, "vmdk"), (CEDAR, "raw"), (BIRCH, "raw"), ("../image", "raw")):
        with pytest.raises(CopyFailed):
            async with backend.volumes.copied(volume_id, disk_format):
                pass


KEPT, OTHER = (f"{number:08x}-4444-4000-8000-000000000000" for number in range(2))


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


async def test_the_moment_of_a_copy_that_was_killed_goes_with_the_next_look(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    source = Path(backend.files.path(MAPLE))
    qemu_img(take_snapshot(source, "moment-x"))
    await backend.restart()
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    assert list(read_header(source).snapshots) == []
    backend.files.close()


async def test_an_encrypted_volume_has_the_life_of_any_other(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, encrypted=True, key_bits=256))
    backend.write(MAPLE, "one")
    spec = VolumeSpec(id=MAPLE, size_gib=2, encrypted=True, key_bits=256, snapshots=(MONDAY,))
    assert (await ensured(backend, spec)).size_gib == 2
    backend.write(MAPLE, "two")
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, encrypted=True, snapshot_id=MONDAY))
    assert backend.holds(BIRCH, "one")
    assert backend.holds(MAPLE, "two")
    with pytest.raises(CopyFailed):
        async with backend.volumes.copied(BIRCH, "raw"):
            pass
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, encrypted=True, key_bits=256))
    await backend.volumes.remove(MAPLE)
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


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


async def test_what_is_there_is_taken_over_under_another_id(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    backend.write(MAPLE, "one")
    await backend.restart()
    spec = VolumeSpec(id=BIRCH, size_gib=2, adopt=MAPLE, snapshots=(MONDAY,))
    for _ in range(2):
        facts = await ensured(backend, spec)
        assert (facts.size_gib, facts.snapshots, facts.snapshot_sizes) == (2, (MONDAY,), (2,))
        assert backend.holds(BIRCH, "one")
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


@pytest.mark.parametrize(("adopt", "code"), [(MAPLE, 409), (CEDAR, 404), (BIRCH, 404), (LOCKED, 400)])
async def test_what_cannot_be_taken_over_stays_where_it_is(backend: Backend, adopt: str, code: int) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    await ensured(backend, VolumeSpec(id=LOCKED, size_gib=1, encrypted=code == 400))
    backend.open(MAPLE, "machine")
    facts = await backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, adopt=adopt))
    assert facts.fault is not None
    assert (facts.fault.code, facts.size_gib) == (code, 0)
    assert {facts.id: facts.encrypted for facts in await backend.volumes.found()} == {MAPLE: False, LOCKED: code == 400}


async def test_a_volume_arrives_with_all_that_is_in_it(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    spec = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    await ensured(backend, spec)
    backend.write(MAPLE, "two")
    await backend.send(MAPLE, backend.volumes.file(MAPLE))
    await backend.volumes.remove(MAPLE)
    for _ in range(2):
        facts = await ensured(backend, msgspec.structs.replace(spec, arrives=True))
        assert (facts.size_gib, facts.snapshots, facts.reverts) == (2, (MONDAY,), 1)
        assert backend.holds(MAPLE, "two")
    await ensured(backend, msgspec.structs.replace(spec, reverts=2))
    assert backend.holds(MAPLE, "one")


async def test_nothing_arrives_of_what_breaks_off(backend: Backend) -> None:
    with pytest.raises(BrokenOff):
        await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, arrives=True))
    assert await backend.volumes.found() == []


async def test_an_open_volume_does_not_leave(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    for volume_id in (MAPLE, BIRCH, "../image"):
        with pytest.raises(CopyFailed):
            async with backend.volumes.file(volume_id):
                pass


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
    facts = await backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, arrives=True))
    assert facts.fault is not None
    assert "names other files" in facts.fault.message
    assert await backend.volumes.found() == []
    assert list((tmp_path / "parts").iterdir()) == []
    backend.files.close()


async def test_a_volume_gets_the_content_of_an_image_once_for_each_time_it_is_asked(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    spec = VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE, snapshots=(MONDAY,), reimages=1)
    for _ in range(2):
        facts = await ensured(backend, spec)
        assert (facts.reimages, facts.snapshots) == (1, (MONDAY,))
    assert backend.holds(MAPLE, backend.image_word())
    backend.write(MAPLE, "two")
    await backend.restart()
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "two")
    await ensured(backend, msgspec.structs.replace(spec, reimages=2))
    assert backend.holds(MAPLE, backend.image_word())
    await ensured(backend, msgspec.structs.replace(spec, reimages=2, reverts=1, revert_to=MONDAY))
    assert backend.holds(MAPLE, "one")
    backend.open(MAPLE, "machine")
    refused = await backend.volumes.ensure(msgspec.structs.replace(spec, reimages=3))
    assert refused.fault is not None
    assert (refused.fault.code, refused.reimages) == (409, 2)


# ---- exports -----------------------------------------------------------------------------------------------------

RED, BLUE = "ab" * 32, "cd" * 32


@pytest.mark.parametrize("encrypted", [False, True])
async def test_who_has_the_secret_of_an_export_reaches_the_volume(backend: Backend, encrypted: bool) -> None:
    plain = VolumeSpec(id=MAPLE, size_gib=1, encrypted=encrypted)
    assert (await ensured(backend, plain)).exported == ""
    backend.write(MAPLE, "one")
    spec = msgspec.structs.replace(plain, export_secret=RED)
    facts = await ensured(backend, spec)
    assert facts.connected_to == (EXPORT,)
    assert facts.exported.endswith(f"/{export_name(RED)}")
    assert RED not in facts.exported
    assert backend.lets_in(MAPLE, facts.exported, RED, "one")
    assert not backend.lets_in(MAPLE, facts.exported, BLUE, "one")
    assert await ensured(backend, spec) == facts
    await backend.restart()
    assert [found.exported for found in await backend.volumes.found()] == [facts.exported]
    assert await ensured(backend, spec) == facts
    assert backend.lets_in(MAPLE, facts.exported, RED, "one")

    # Another secret is another export; without one there is none.
    other = await ensured(backend, msgspec.structs.replace(plain, export_secret=BLUE))
    assert backend.lets_in(MAPLE, other.exported, BLUE, "one")
    assert not backend.lets_in(MAPLE, facts.exported, RED, "one")
    gone = await ensured(backend, plain)
    assert (gone.exported, gone.connected_to) == ("", ())
    assert not backend.lets_in(MAPLE, other.exported, BLUE, "one")
    assert backend.holds(MAPLE, "one")
    last = await ensured(backend, spec)
    await backend.volumes.remove(MAPLE)
    assert not backend.lets_in(MAPLE, last.exported, RED, "one")


async def test_an_exported_volume_grows_and_has_snapshots_and_copies_but_does_not_return(backend: Backend) -> None:
    spec = VolumeSpec(id=MAPLE, size_gib=1, export_secret=RED)
    await ensured(backend, spec)
    taken = msgspec.structs.replace(spec, snapshots=(MONDAY, TUESDAY))
    assert set((await ensured(backend, taken)).snapshots) == {MONDAY, TUESDAY}
    taken = msgspec.structs.replace(spec, snapshots=(MONDAY,))
    assert (await ensured(backend, taken)).snapshots == (MONDAY,)
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY))
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        assert copy.exists()
    with pytest.raises(CopyFailed, match="in use"):
        async with backend.volumes.copied(MAPLE, "raw"):
            pass
    before = (await ensured(backend, taken)).exported
    taken = msgspec.structs.replace(taken, size_gib=2)
    larger = await ensured(backend, taken)
    assert (larger.size_gib, larger.exported) == (2, before)
    assert backend.lets_in(MAPLE, before, RED, "blank")
    back = await backend.volumes.ensure(msgspec.structs.replace(taken, reverts=1, revert_to=MONDAY))
    assert back.fault is not None
    assert (back.fault.code, back.reverts) == (409, 0)
    # Ended by the same order, the export is in nobody's way.
    free = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,))
    assert (await ensured(backend, free)).size_gib == 2
