"""The log of a serial console. The guest writes it, through a process that it may have taken over: read with care."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


class NotOurs(Exception):
    """What lies where the log should be is not the log."""


def newest(log: Path, limit: int) -> bytes:
    """The last `limit` bytes; nothing if there is no log yet."""
    try:
        with _opened(log, os.O_RDONLY) as fd:
            size = os.fstat(fd).st_size
            return os.pread(fd, limit, max(0, size - limit))
    except FileNotFoundError:
        return b""


def trim(log: Path, limit: int) -> None:
    """Keep the newest part of a log that has grown to more than twice its limit.

    QEMU appends, so it goes on behind what is kept. What the guest says in between may be lost.
    """
    with contextlib.suppress(FileNotFoundError), _opened(log, os.O_RDWR | os.O_APPEND) as fd:
        size = os.fstat(fd).st_size
        if size > 2 * limit:
            kept = os.pread(fd, limit, size - limit)
            os.ftruncate(fd, 0)
            os.write(fd, kept)


@contextlib.contextmanager
def _opened(log: Path, flags: int) -> Iterator[int]:
    """Open it only if it is a plain file and the only name of it: a link could lead to any file of this node."""
    try:
        fd = os.open(log, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotOurs(f"{log} is not a console log") from error
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            raise NotOurs(f"{log} is not a console log")
        yield fd
    finally:
        os.close(fd)
