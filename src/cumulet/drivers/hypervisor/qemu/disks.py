"""The disks of a machine that are this node's own: made once, made anew when asked, grown, and described to QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from cumulet.contracts.machines import Bus, DeviceType, DiskSpec, GuestData, ImageRef, MachineSpec
from cumulet.drivers.hypervisor.base import ImageFiles, MachineFailed, Unfit, VolumeFiles
from cumulet.drivers.hypervisor.qemu import config_drive, qemu_img, volumes
from cumulet.drivers.hypervisor.qemu.devices import CONFIG, RESCUE, Disk, Words, boot_order, config_disks
from cumulet.drivers.hypervisor.qemu.firmware import Firmware
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.qemu_img import GIB, MIB
from cumulet.lib import process
from cumulet.lib.process import Limits, User
from cumulet.lib.qcow2 import read_header

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SECONDS_TO_FORMAT = 300
LARGEST_DISK = 1 << 46

RenderGuest = Callable[[GuestData, str], Mapping[str, bytes]]
"""The files of a config drive by path, for a guest and the id of its machine."""

_FILE_SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "ext2": ("mkfs.ext2", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", "-L"),
    "ext3": ("mkfs.ext3", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", "-L"),
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-L"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K", "-L"),
    "vfat": ("mkfs.vfat", "-n"),
    "swap": ("mkswap", "-L"),
}
"""The programs that make a file system on a file; the label and the file follow."""


class Disks:
    """Makes what machines stand on. A file that has its final name is whole; making what is there does nothing."""

    def __init__(self, images: ImageFiles, volumes: VolumeFiles, render_guest: RenderGuest, user: User | None) -> None:
        self._images = images
        self._volumes = volumes
        self._render_guest = render_guest
        self._user = user

    async def prepare(self, folder: Folder, spec: MachineSpec) -> None:
        """Everything for a start from disks."""
        for disk in spec.disks:
            if disk.volume is not None:
                self.grant_volume(disk)
            elif disk.id != CONFIG:
                await self._ensure_own(folder, disk)
        if spec.rescue is not None:
            await self._ensure_image(folder, RESCUE, spec.rescue, 0)
        if config_disks(spec):
            # Anew at every start, so that it says what is true now.
            content = config_drive.disk(self._render_guest(spec.guest, spec.id))
            await asyncio.to_thread(self._write, folder.disks / "config.iso", content)

    async def make_room(self, folder: Folder, spec: MachineSpec, sizes: Mapping[str, int]) -> None:
        """Everything for a start whose own disks come from another node: their files are made anew, and empty."""
        for disk in own_disks(spec):
            path, _ = self.path(folder, disk)
            size = sizes.get(path.name, 0)
            if not 0 < size <= LARGEST_DISK:
                raise MachineFailed(f"The machine has no disk {disk.id} on its old node.")
            path.unlink(missing_ok=True)
            if disk.image is None:
                await qemu_img.create_empty(path, "raw", size, self._user)
                continue
            base = path.with_suffix(".base")
            if not _is_made(base):
                self._link(Path(await self._images.path(disk.image)), base)
            await qemu_img.create_overlay(path, base.name, size, self._user)
        others = tuple(disk for disk in spec.disks if disk.volume is not None)
        await self.prepare(folder, msgspec.structs.replace(spec, disks=others, config_drive=bool(config_disks(spec))))

    def flash(self, folder: Folder, firmware: Firmware) -> Path:
        """This machine's own firmware variables."""
        own = folder.disks / "flash.fd"
        if not _is_made(own):
            self._write(own, Path(firmware.variables).read_bytes())
        return own

    def grant_volume(self, disk: DiskSpec) -> None:
        """Let the user that QEMU runs as open a volume's file."""
        if disk.volume is not None and disk.volume.protocol == "file" and self._user is not None:
            try:
                # It is his already if he has opened it before, and a share may not let us say so again.
                path = Path(self._volumes.path(disk.volume))
                if path.stat().st_uid != self._user.uid:
                    os.chown(path, self._user.uid, self._user.gid)
            except FileNotFoundError:
                raise MachineFailed(f"Volume {disk.volume.volume_id} is not on this node.") from None

    async def forget(self, folder: Folder, rescue_only: bool) -> None:
        """Throw the machine's own disks away (or its rescue disk), to be made anew."""
        for file in sorted(folder.disks.iterdir()):
            if not rescue_only or file.name.startswith(f"{RESCUE}."):
                await asyncio.to_thread(file.unlink, missing_ok=True)

    def layout(self, folder: Folder, spec: MachineSpec, numbers: Mapping[str, int]) -> tuple[Disk, ...]:
        """All disks of a start, in the order in which the guest finds them. Pure but for asking where volumes are."""
        places = boot_order(spec.disks, spec.rescue is not None)
        plain = [disk for disk in spec.disks if disk.id != CONFIG]
        if spec.rescue is not None:
            bus = plain[0].bus if plain else Bus.VIRTIO
            plain.insert(0, DiskSpec(id=RESCUE, device="", image=spec.rescue, bus=bus))
        plain += config_disks(spec)
        return tuple(self.disk(folder, disk, numbers[disk.id], places.get(disk.id)) for disk in plain)

    def disk(
        self, folder: Folder, spec: DiskSpec, number: int, boot_index: int | None = None, *, way: int | None = None
    ) -> Disk:
        """`way` is the number in the names of what leads to its bytes, if it is not that of the device."""
        read_only = spec.id == CONFIG or spec.device_type is DeviceType.CDROM
        way = number if way is None else way
        source = self._source(folder, spec, way)
        return Disk(number=number, spec=spec, source=source, way=way, boot_index=boot_index, read_only=read_only)

    def path(self, folder: Folder, spec: DiskSpec) -> tuple[Path, str]:
        """The file of a disk and its format."""
        if not _ID.fullmatch(spec.id):
            raise Unfit(f"{spec.id!r} is no id of a disk")
        if spec.volume is not None:
            return Path(self._volumes.path(spec.volume)), "qcow2"
        if spec.id == CONFIG:
            return folder.disks / "config.iso", "raw"
        return (folder.disks / f"{spec.id}.qcow2", "qcow2") if spec.image else (folder.disks / f"{spec.id}.raw", "raw")

    def _source(self, folder: Folder, spec: DiskSpec, way: int) -> Words:
        if spec.volume is not None:
            return volumes.source_of(spec.volume, self._volumes.path, secret_id(way), folder.relay(way))
        path, format = self.path(folder, spec)
        source = volumes.source_of_file(str(path), format)
        if spec.image is not None:
            # Said in full rather than read from the files, so that no file can name another one.
            below = volumes.source_of_file(str(folder.disks / f"{spec.id}.base"), "qcow2")
            source["backing"] = {**below, "read-only": True, "backing": None}
        return source

    async def _ensure_own(self, folder: Folder, spec: DiskSpec) -> None:
        size = spec.size_gib * GIB or spec.size_mib * MIB
        path, _ = self.path(folder, spec)
        if spec.image is not None:
            await self._ensure_image(folder, spec.id, spec.image, size)
            if size > read_header(path).virtual_size:
                await qemu_img.grow(path, size, self._user)
        elif not _is_made(path):
            await self._make_blank(path, spec, size)

    async def _ensure_image(self, folder: Folder, id: str, image: ImageRef, size: int) -> None:
        path, base = folder.disks / f"{id}.qcow2", folder.disks / f"{id}.base"
        if _is_made(path):
            return
        self._link(Path(await self._images.path(image)), base)
        if size and size < read_header(base).virtual_size:
            raise Unfit("the flavor's disk is too small for the image")
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        await qemu_img.create_overlay(new, base.name, size, self._user)
        new.rename(path)

    def _link(self, image: Path, base: Path) -> None:
        """Hold on to an image under a name of the machine's own: it stays, whatever happens to the node's cache."""
        if self._user is not None:
            mode = stat.S_IMODE(image.stat().st_mode)
            os.chown(image, -1, self._user.gid)
            image.chmod(mode | stat.S_IRGRP)
        base.unlink(missing_ok=True)
        try:
            os.link(image.resolve(), base)
        except OSError:
            base.symlink_to(image.resolve())  # On another file system, or one without links.

    async def _make_blank(self, path: Path, spec: DiskSpec, size: int) -> None:
        if size <= 0:
            raise Unfit(f"disk {spec.id} has neither a source nor a size")
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        await qemu_img.create_empty(new, "raw", size, self._user)
        if spec.format:
            make = _FILE_SYSTEMS.get(spec.format)
            if make is None:
                raise Unfit(f"there is no file system {spec.format!r} to make on a blank disk")
            limits = Limits(cpu_seconds=_SECONDS_TO_FORMAT, memory_bytes=GIB, open_files=64)
            await process.run(
                [*make, spec.id[:11], str(new)], timeout=_SECONDS_TO_FORMAT, limits=limits, user=self._user
            )
        new.rename(path)

    def _write(self, path: Path, content: bytes) -> None:
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with new.open("xb") as file:
            file.write(content)
            if self._user is not None:
                os.fchown(file.fileno(), self._user.uid, self._user.gid)
        new.rename(path)

    def write_key(self, folder: Folder, key: bytes) -> None:
        """What opens the secrets of one start, until QEMU has read it."""
        self._write(folder.secrets, key)


def own_disks(spec: MachineSpec) -> list[DiskSpec]:
    """Those that this node keeps, and that a guest writes to."""
    return [disk for disk in spec.disks if disk.volume is None and disk.id != CONFIG]


async def remove(folder: Folder) -> None:
    """Destroy the folder of a machine. The journal goes last, so that what is half removed is still known."""
    for name in ("disks", "run"):
        await asyncio.to_thread(shutil.rmtree, folder.path / name, ignore_errors=True)
    for file in (folder.memory, folder.log, folder.lock, folder.journal):
        file.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(shutil.rmtree, folder.path)


def _is_made(path: Path) -> bool:
    """Whether a disk is there. A guest that took over its QEMU could have put something else in its place."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise MachineFailed("A disk of the machine is not a plain file.", str(path))
    return True


def secret_id(way: int) -> str:
    return f"secret{way}"
