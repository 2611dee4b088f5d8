"""A bootable disk from a kernel, an initramfs and a folder: no loop device, no mount, no root.

Layout: an MBR, a FAT partition with the kernel and two boot loaders (syslinux for BIOS, systemd-boot for UEFI), and
the root partition last, so that it can grow.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cumulet.programs.images.commands import run

TOOL_PACKAGES = ("dosfstools", "mtools", "syslinux", "syslinux-common", "systemd-boot-efi")
"""The boot loaders and what writes them: unpacked into a folder, and run from there."""

_SECTOR = 512
_MIB = 1 << 20
_EFI_TYPE = 0xEF
_LINUX_TYPE = 0x83


@dataclass(frozen=True, slots=True)
class Partition:
    """A place on the disk, in sectors."""

    start: int
    size: int
    type: int
    bootable: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What the disk shall hold."""

    kernel: Path
    initramfs: Path
    command_line: str
    root: Path
    """The root file system, a whole number of MiB long."""


def boot_record(code: bytes, partitions: Sequence[Partition]) -> bytes:
    """The first sector of a disk: the loader's code and up to four partitions."""
    table = b"".join(
        # Cylinders and heads mean nothing any more; all ones say so.
        struct.pack("<B3sB3sII", 0x80 if p.bootable else 0, b"\xfe\xff\xff", p.type, b"\xfe\xff\xff", p.start, p.size)
        for p in partitions
    )
    return code[:440].ljust(446, b"\0") + table.ljust(64, b"\0") + b"\x55\xaa"


def syslinux_config(command_line: str) -> str:
    return (
        f"DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n LINUX /vmlinuz\n INITRD /initrd\n APPEND {command_line}\n"
    )


def systemd_boot_entry(command_line: str) -> str:
    return f"title Linux\nlinux /vmlinuz\ninitrd /initrd\noptions {command_line}\n"


def root_file_system(folder: Path, image: Path, *, label: str, mib: int, options: Sequence[str] = ()) -> None:
    """Write a folder into a new ext4 file system, owned by root."""
    with image.open("wb") as file:
        file.truncate(mib * _MIB)
    # In a user namespace an ordinary user's own files are root's, as they shall be in the guest.
    as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    arguments = ["-q", "-t", "ext4", "-L", label, "-E", "root_owner=0:0", *options, "-d", str(folder), str(image)]
    run([*as_root, "mke2fs", *arguments], timeout=600)


def make(contents: Contents, tools: Path, work: Path, destination: Path) -> None:
    """Write the disk as a compressed qcow2 file, whole or not at all. `work` is where its parts may lie meanwhile."""
    boot_mib = (contents.kernel.stat().st_size + contents.initramfs.stat().st_size) // _MIB + 4
    boot = Partition(start=_MIB // _SECTOR, size=boot_mib * _MIB // _SECTOR, type=_EFI_TYPE, bootable=True)
    root_size = contents.root.stat().st_size
    root = Partition(start=boot.start + boot.size, size=root_size // _SECTOR, type=_LINUX_TYPE)
    code = (tools / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    disk = work / "disk.raw"
    with disk.open("wb") as file:
        file.write(boot_record(code, [boot, root]))
        file.truncate((root.start + root.size) * _SECTOR)
    boot_image = _boot_file_system(contents, tools, work, boot)
    for source, place in ((boot_image, boot), (contents.root, root)):
        target = [f"of={disk}", "bs=1M", f"seek={place.start * _SECTOR // _MIB}", "conv=notrunc,sparse"]
        run(["dd", f"if={source}", *target], timeout=300)
        source.unlink()
    finished = destination.with_name(destination.name + ".part")
    run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", str(disk), str(finished)], timeout=1800)
    disk.unlink()
    os.replace(finished, destination)


def _boot_file_system(contents: Contents, tools: Path, work: Path, place: Partition) -> Path:
    image = work / "boot.fat"
    with image.open("wb") as file:
        file.truncate(place.size * _SECTOR)
    (work / "syslinux.cfg").write_text(syslinux_config(contents.command_line))
    (work / "linux.conf").write_text(systemd_boot_entry(contents.command_line))
    path = f"{tools}/usr/bin:{tools}/usr/sbin:{tools}/sbin"
    run(["mkfs.vfat", "-n", "BOOT", "-h", str(place.start), str(image)], timeout=60, path=path)
    run(["mmd", "-i", str(image), "::EFI", "::EFI/BOOT", "::loader", "::loader/entries"], timeout=60, path=path)
    files = {
        contents.kernel: "vmlinuz",
        contents.initramfs: "initrd",
        work / "syslinux.cfg": "syslinux.cfg",
        work / "linux.conf": "loader/entries/linux.conf",
        tools / "usr/lib/systemd/boot/efi/systemd-bootx64.efi": "EFI/BOOT/BOOTX64.EFI",
    }
    for source, name in files.items():
        run(["mcopy", "-i", str(image), str(source), f"::{name}"], timeout=60, path=path)
    run(["syslinux", "--install", str(image)], timeout=60, path=path)
    return image
