"""`qemu-img`: always told every format, never a shell, and held within bounds, for what it reads may be hostile.

The functions that return argument lists are pure; `run_qemu_img` carries one out.
"""

from __future__ import annotations

import json
from pathlib import Path

from cumulet.lib.process import Limits, ProcessFailed, ProcessTimedOut, User, run

_MIB = 1 << 20
SHORT_SECONDS = 60.0
LONG_SECONDS = 3600.0
_MEMORY_BYTES = 2048 * _MIB


class DiskFull(Exception):
    """There is no room for what should be written."""


class DiskBusy(Exception):
    """Another program has the disk open."""


class NotReadable(Exception):
    """The source is not what it is said to be, or damaged."""


class NoSuchSnapshot(NotReadable):
    """The file's list of snapshots has none of that name, or was just being written when it was read."""


def create(path: Path, size: int) -> list[str]:
    """A new blank disk."""
    return ["create", "-q", "-f", "qcow2", str(path), str(size)]


def resize(path: Path, size: int) -> list[str]:
    """Larger or smaller: that nothing is cut off is the caller's concern."""
    return ["resize", "-q", "--shrink", "-f", "qcow2", str(path), str(size)]


def convert(
    source: Path,
    source_format: str,
    destination: Path,
    *,
    output: str = "qcow2",
    snapshot: str = "",
    shared: bool = False,
) -> list[str]:
    """A copy of a whole disk that stands alone, as it is now or as it was when a snapshot in its file was taken.

    `shared` reads a file that a machine is writing. That is sound for a snapshot only: what belongs to it is not
    touched again.
    """
    asked = ["-l", f"snapshot.name={snapshot}"] if snapshot else []
    return [
        "convert",
        "-q",
        *(["-U"] if shared else []),
        *asked,
        *("-f", source_format, "-O", output, str(source), str(destination)),
    ]


def write_over(source: Path, destination: Path) -> list[str]:
    """Give a qcow2 file the content of a raw one that is as large. Its snapshots keep what they hold."""
    return ["convert", "-q", "-n", "-f", "raw", "-O", "qcow2", str(source), str(destination)]


def take_snapshot(path: Path, name: str) -> list[str]:
    return ["snapshot", "-q", "-c", name, _as_qcow2(path)]


def drop_snapshot(path: Path, name: str) -> list[str]:
    return ["snapshot", "-q", "-d", name, _as_qcow2(path)]


def return_to_snapshot(path: Path, name: str) -> list[str]:
    """Make the disk what it was then; its size too."""
    return ["snapshot", "-q", "-a", name, _as_qcow2(path)]


def _as_qcow2(path: Path) -> str:
    """The file with its format, for subcommands that have no option for that."""
    return "json:" + json.dumps({"driver": "qcow2", "file": {"driver": "file", "filename": str(path)}})


async def run_qemu_img(
    arguments: list[str], *, user: User | None, seconds: float = SHORT_SECONDS, writes: int | None = None
) -> None:
    """Carry it out; `writes` bounds the file written, by the size of the disk in it.

    Raises `DiskFull`, `DiskBusy` or `NotReadable` where the cause is known, otherwise what `run` raises.
    """
    # A disk full of data is longer as qcow2 than its content, by less than a hundredth.
    file_bytes = writes + writes // 64 + 64 * _MIB if writes is not None else None
    limits = Limits(cpu_seconds=int(seconds), memory_bytes=_MEMORY_BYTES, file_bytes=file_bytes, open_files=64)
    try:
        await run(["qemu-img", *arguments], timeout=seconds, limits=limits, user=user)
    except ProcessTimedOut:
        raise
    except ProcessFailed as error:
        if b"No space left" in error.stderr or b"quota exceeded" in error.stderr:
            raise DiskFull(str(error)) from error
        if b'Failed to get "write" lock' in error.stderr or b'Failed to get shared "write" lock' in error.stderr:
            raise DiskBusy(str(error)) from error
        if b"Failed to load snapshot" in error.stderr:
            raise NoSuchSnapshot(str(error)) from error
        if error.status is not None and error.status > 0:
            raise NotReadable(str(error)) from error
        raise
