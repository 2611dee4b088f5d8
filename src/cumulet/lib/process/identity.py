"""Which process a number means: for ever one, although numbers are reused."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """One process, for ever: no other process of this or any later boot equals it."""

    pid: int
    started: int
    """Clock ticks from boot to its start."""
    boot: str


def identify(pid: int) -> Identity | None:
    """Who has this number now."""
    found = stat_of(pid)
    return Identity(pid=pid, started=found.started, boot=boot_id()) if found else None


def running(argv: Sequence[str]) -> list[Identity]:
    """Who runs with just these arguments, whoever started it."""
    words = b"".join(word.encode() + b"\0" for word in argv)
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path("/proc", name, "cmdline").read_bytes() == words and (identity := identify(int(name))):
                found.append(identity)
    return found


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs; a zombie does not."""
    found = stat_of(identity.pid)
    return found is not None and found.started == identity.started and identity.boot == boot_id() and not found.ended


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Signal that very process, whatever happens meanwhile; False when it is gone."""
    fd = open_pidfd(identity)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def open_pidfd(identity: Identity) -> int | None:
    """A descriptor that stands for that process and can be polled for its end; None when it is gone. Close it."""
    try:
        fd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    # Checked after the opening: from then on the number cannot change hands.
    if is_alive(identity):
        return fd
    os.close(fd)
    return None


@dataclass(frozen=True, slots=True)
class Stat:
    started: int
    ended: bool


def stat_of(pid: int) -> Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in between may hold anything, so count from its last bracket.
    fields = text[text.rindex(b")") + 2 :].split()
    # The first thread may be a zombie long before the others have let go of locks and files.
    return Stat(started=int(fields[19]), ended=fields[0] in (b"Z", b"X") and int(fields[17]) <= 1)


@cache
def boot_id() -> str:
    """Which boot of this host it is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
