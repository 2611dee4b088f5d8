"""One process at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOOKS = 20
PAUSE_SECONDS = 0.02


class AlreadyRunning(Exception):
    """Another process holds the lock."""


def hold(path: Path, pause: Callable[[], None] = lambda: time.sleep(PAUSE_SECONDS)) -> IO[str]:
    """Lock a file until the process ends, however it ends; it then holds our process id. Raises AlreadyRunning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    for left in reversed(range(LOOKS)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            # Whoever only looks whether somebody holds it has it for an instant.
            if left:
                pause()
                continue
            file.seek(0)
            raise AlreadyRunning(f"process {file.read().strip() or '?'} holds {path}") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until no other process is in between, and keep the others waiting until we leave or end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def holder(path: Path, pause: Callable[[], None] = lambda: time.sleep(PAUSE_SECONDS)) -> int | None:
    """The process that holds the lock now."""
    try:
        file = path.open("r+")
    except FileNotFoundError:
        return None
    with file:
        for _ in range(LOOKS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                if (text := file.read().strip()).isdigit():
                    return int(text)
                pause()  # it has the lock, and is about to say who it is
            else:
                return None
    return None
