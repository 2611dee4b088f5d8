"""`qemu-img`: always told every format, never a shell, and held within bounds, for what it reads may be hostile.

The functions that return argument lists are pure; `run_qemu_img` carries one out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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


class Unmeasured(Exception):
    """QEMU measures how fast it makes keys; where time is measured coarsely that fails by chance."""


class NotReadable(Exception):
    """The source is not what it is said to be, or damaged."""


class NoSuchSnapshot(NotReadable):
    """The file's list of snapshots has none of that name, or was just being written when it was read."""


KEY_MILLISECONDS = 10
"""How long guessing the key of an encrypted disk is made for whoever tries; nobody guesses a random one."""

SOURCE, TARGET = "source", "target"
"""The ids of the secrets that open what is read (or changed in its place), and what is written."""


@dataclass(frozen=True, slots=True)
class Luks:
    """How a new disk is encrypted."""

    key_bits: int
    """Of AES in XTS mode, which takes two keys: 512 for AES-256."""


def create(path: Path, size: int, luks: Luks | None = None) -> list[str]:
    """A new blank disk."""
    return ["create", "-q", "-f", "qcow2", *_new(luks), str(path), str(size)]


def _new(luks: Luks | None) -> list[str]:
    if luks is None:
        return []
    words = {
        "format": "luks",
        "key-secret": TARGET,
        "cipher-alg": f"aes-{luks.key_bits // 2}",
        "cipher-mode": "xts",
        "ivgen-alg": "plain64",
        "iter-time": KEY_MILLISECONDS,
    }
    return ["-o", ",".join(f"encrypt.{name}={value}" for name, value in words.items())]


def resize(path: Path, size: int, *, encrypted: bool = False) -> list[str]:
    """Larger or smaller: that nothing is cut off is the caller's concern."""
    return ["resize", "-q", "--shrink", *_opened(path, "qcow2", encrypted=encrypted), str(size)]


def convert(
    source: Path,
    source_format: str,
    destination: Path,
    *,
    output: str = "qcow2",
    snapshot: str = "",
    shared: bool = False,
    encrypted: bool = False,
    luks: Luks | None = None,
) -> list[str]:
    """A copy of a whole disk that stands alone, as it is now or as it was when a snapshot in its file was taken.

    `shared` reads a file that a machine is writing. That is sound for a snapshot only: what belongs to it is not
    touched again. `encrypted` says what is read is, `luks` how the copy shall be.
    """
    asked = ["-l", f"snapshot.name={snapshot}"] if snapshot else []
    return [
        "convert",
        "-q",
        *(["-U"] if shared else []),
        *asked,
        *("-O", output, *_new(luks), *_opened(source, source_format, encrypted=encrypted), str(destination)),
    ]


def write_over(source: Path, source_format: str, destination: Path, *, encrypted: bool = False) -> list[str]:
    """Give a qcow2 file the content of a disk that is as large. Its snapshots keep what they hold."""
    words = {"driver": "qcow2", "file.driver": "file", "file.filename": str(destination).replace(",", ",,")}
    if encrypted:
        words |= {"encrypt.format": "luks", "encrypt.key-secret": TARGET}
    target = ",".join(f"{name}={value}" for name, value in words.items())
    return ["convert", "-q", "-n", "-f", source_format, "--target-image-opts", str(source), target]


def take_snapshot(path: Path, name: str, *, encrypted: bool = False) -> list[str]:
    return ["snapshot", "-q", "-c", name, *_opened(path, "", encrypted=encrypted)]


def drop_snapshot(path: Path, name: str, *, encrypted: bool = False) -> list[str]:
    return ["snapshot", "-q", "-d", name, *_opened(path, "", encrypted=encrypted)]


def return_to_snapshot(path: Path, name: str, *, encrypted: bool = False) -> list[str]:
    """Make the disk what it was then; its size too."""
    return ["snapshot", "-q", "-a", name, *_opened(path, "", encrypted=encrypted)]


def _opened(path: Path, format: str, *, encrypted: bool) -> list[str]:
    """A file with its format, for subcommands with an option for that and for those without one (qcow2 then)."""
    if format and not encrypted:
        return ["-f", format, str(path)]
    words: dict[str, object] = {"driver": format or "qcow2", "file": {"driver": "file", "filename": str(path)}}
    if encrypted:
        words["encrypt"] = {"format": "luks", "key-secret": SOURCE}
    return ["json:" + json.dumps(words)]


async def run_qemu_img(
    arguments: list[str],
    *,
    user: User | None,
    seconds: float = SHORT_SECONDS,
    writes: int | None = None,
    secrets: Sequence[str] = (),
    folder: Path | None = None,
) -> None:
    """Carry it out; `writes` bounds the file written, by the size of the disk in it. `secrets` are its objects.

    Paths may be those of `folder`, where it begins: then nobody needs a right to what lies above.

    Raises `DiskFull`, `DiskBusy`, `Unmeasured` or `NotReadable` where the cause is known, otherwise what `run` raises.
    """
    # A disk full of data is longer as qcow2 than its content, by less than a hundredth.
    file_bytes = writes + writes // 64 + 64 * _MIB if writes is not None else None
    limits = Limits(cpu_seconds=int(seconds), memory_bytes=_MEMORY_BYTES, file_bytes=file_bytes, open_files=64)
    objects = [word for secret in secrets for word in ("--object", secret)]
    try:
        command = ["qemu-img", arguments[0], *objects, *arguments[1:]]
        await run(command, timeout=seconds, limits=limits, user=user, folder=folder)
    except ProcessTimedOut:
        raise
    except ProcessFailed as error:
        if b"No space left" in error.stderr or b"quota exceeded" in error.stderr:
            raise DiskFull(str(error)) from error
        if b'Failed to get "write" lock' in error.stderr or b'Failed to get shared "write" lock' in error.stderr:
            raise DiskBusy(str(error)) from error
        if b"Failed to load snapshot" in error.stderr:
            raise NoSuchSnapshot(str(error)) from error
        if b"accurate CPU usage" in error.stderr:
            raise Unmeasured(str(error)) from error
        if error.status is not None and error.status > 0:
            raise NotReadable(str(error)) from error
        raise
