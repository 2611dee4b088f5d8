"""Drivers of volumes as their contract meets them: each with a guest that writes, machines that hold volumes open, and
what volumes need from elsewhere."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from cumulet.contracts.machines import ImageRef, VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.hypervisor.base import ImageUnusable
from cumulet.drivers.volume.base import Volumes
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.drivers.volume.nfs import NfsVolumes
from cumulet.lib.mounts import Mount
from cumulet.lib.qcow2 import read_header
from cumulet.lib.qemu_img import create, drop_snapshot, resize, take_snapshot
from cumulet.lib.sparse import Parcel
from tests.support.exports import found_at
from tests.support.patience import HANG_SECONDS
from tests.support.supplies import Vault

GIB = 1 << 30
MAPLE, BIRCH, CEDAR, LOCKED = (f"{number:08x}-1111-4000-8000-000000000000" for number in range(4))
MONDAY, TUESDAY = (f"{number:08x}-2222-4000-8000-000000000000" for number in range(2))
KEPT, OTHER = (f"{number:08x}-4444-4000-8000-000000000000" for number in range(2))
RED, BLUE = "ab" * 32, "cd" * 32
"""Secrets of exports."""
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
    subprocess.run(["qemu-img", *arguments], check=True, timeout=HANG_SECONDS)


def opens_without_key(file: Path) -> bool:
    plain = ["qemu-io", "-r", "-f", "qcow2", "-c", "read 1M 64k", str(file)]
    return subprocess.run(plain, timeout=HANG_SECONDS, capture_output=True).returncode == 0


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
    subprocess.run(["qemu-io", *opened(file), "-c", words], check=True, timeout=HANG_SECONDS, capture_output=True)


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

    def _start(self) -> FileVolumes | NfsVolumes:
        self.exports = Exports(self.short, "")
        return FileVolumes(self.folder, OneImage(self.folder), self.vault, machines=self.machines, exports=self.exports)

    def write(self, volume_id: str, word: str) -> None:
        guest_writes(Path(self.files.path(volume_id)), word)

    def holds(self, volume_id: str, word: str) -> bool:
        file = Path(self.files.path(volume_id))
        read = ["qemu-io", "-r", *opened(file), "-c", f"read -P {PATTERNS[word]} 1M 64k"]
        ended = subprocess.run(read, timeout=HANG_SECONDS, capture_output=True, text=True)
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


class NfsBackend(FileBackend):
    """A share that is there already, as it is once the kernel has mounted it."""

    def __init__(self, folder: Path) -> None:
        self.share = Mount("nfs", "192.0.2.5:/export/volumes", "", folder / "share")
        super().__init__(folder)

    def _start(self) -> NfsVolumes:
        self.machines.folder = self.share.point
        self.exports = Exports(self.short, "")
        return NfsVolumes(self.share, "one", self._files, self.mount)

    async def mount(self, share: Mount) -> None:
        assert share is self.share
        share.point.mkdir(exist_ok=True)

    def _files(self, folder: Path, parts: Path) -> FileVolumes:
        return FileVolumes(
            folder, OneImage(self.folder), self.vault, machines=self.machines, exports=self.exports, parts=parts
        )


DRIVERS = {"files": FileBackend, "nfs": NfsBackend}
RBD = pytest.param("rbd", marks=pytest.mark.root)
"""Over a cluster of Ceph, which takes its time."""


def of(*drivers: object) -> pytest.MarkDecorator:
    """A promise that only some drivers make, or that needs not be proved over Ceph again."""
    return pytest.mark.parametrize("backend", drivers, indirect=True)


@asynccontextmanager
async def begun(driver: str, folder: Path) -> AsyncIterator[Backend]:
    """A backend of this driver, empty; it ends with the block."""
    if driver == "fake":
        yield FakeBackend()
        return
    files = DRIVERS[driver](folder)
    yield files
    await files.exports.halt()
    shutil.rmtree(files.short)
    files.files.close()


async def ensured(backend: Backend, spec: VolumeSpec) -> VolumeFacts:
    facts = await backend.volumes.ensure(spec)
    assert facts.fault is None, facts.fault
    assert facts.digest == digest_of(spec)
    return facts
