"""The program that makes and copies disks: always told the format, and held within bounds."""

from __future__ import annotations

from pathlib import Path

from cumulet.lib import process
from cumulet.lib.process import Limits, User

GIB, MIB = 1 << 30, 1 << 20

FORMATS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
"""The formats a disk can be copied into: the image API's names, and QEMU's."""

_SECONDS_TO_CREATE = 60
_SECONDS_TO_COPY = 3600
_WRITER_OVERHEAD = 64 * MIB


async def create_overlay(path: Path, base: str, size: int, user: User | None) -> None:
    """A qcow2 file that holds only what differs from `base`, a qcow2 file beside it. Size 0: the size of the base."""
    arguments = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, str(path)]
    await _run([*arguments, *([str(size)] if size else [])], user, seconds=_SECONDS_TO_CREATE, written=_WRITER_OVERHEAD)


async def create_empty(path: Path, format: str, size: int, user: User | None) -> None:
    """A disk of zeros, which takes no space."""
    await _run(["create", "-q", "-f", format, str(path), str(size)], user, seconds=_SECONDS_TO_CREATE)


async def grow(path: Path, size: int, user: User | None) -> None:
    """Make a qcow2 file look larger."""
    await _run(["resize", "-q", "-f", "qcow2", str(path), str(size)], user, seconds=_SECONDS_TO_CREATE)


async def convert(source: Path, source_format: str, target: Path, format: str, user: User | None) -> None:
    """Copy a whole disk, with all that it is based on, into one file of another format."""
    arguments = ["convert", "-q", "-f", source_format, "-O", format, str(source), str(target)]
    await _run(arguments, user, seconds=_SECONDS_TO_COPY)


async def _run(arguments: list[str], user: User | None, *, seconds: int, written: int | None = None) -> None:
    limits = Limits(cpu_seconds=seconds, memory_bytes=GIB, file_bytes=written, open_files=256)
    await process.run(["qemu-img", *arguments], timeout=seconds, limits=limits, user=user)
