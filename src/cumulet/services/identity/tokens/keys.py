"""Key repositories. That of Fernet: numbered files, the highest number being the key that seals.

`0` is staged: every process can read what it seals before any process seals with it. Rotating makes the staged key the
new primary, stages another one, and forgets the oldest, so that what was sealed before stays readable for a while.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, MultiFernet

STAGED = 0
LOOKS = 10


class Keys(Protocol):
    """What every key repository can do."""

    directory: Path

    def make(self) -> None:
        """Make the first keys, unless there are some."""
        ...

    def rotate(self) -> None:
        """From now on another key seals."""
        ...

    def turned(self) -> bool:
        """Have keys come or gone since the last call? Whoever turns them is mostly another process."""
        ...

    @property
    def primary(self) -> str:
        """The name of the key that seals."""
        ...


class KeyRepository:
    """The Fernet keys in a directory, read again when the directory has changed."""

    def __init__(self, directory: Path, active: int) -> None:
        self.directory = directory
        self.active = active
        self._seen = self._noticed = 0
        self._fernet: MultiFernet | None = None

    def make(self) -> None:
        """Make the first keys, unless there are some."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._numbers():
            self._write(STAGED)
            self._write(1)

    def rotate(self) -> None:
        """Promote the staged key, stage a new one, forget the oldest."""
        numbers = self._numbers()
        primary = max(numbers) + 1
        os.rename(self.directory / str(STAGED), self.directory / str(primary))
        self._write(STAGED)
        numbers = sorted(number for number in self._numbers() if number != STAGED)
        for number in numbers[: max(0, len(numbers) + 1 - self.active)]:
            (self.directory / str(number)).unlink()

    def turned(self) -> bool:
        """Have keys come or gone since the last call? Whoever turns them is mostly another process."""
        before, self._noticed = self._noticed, changed_at(self.directory)
        return self._noticed != before

    @property
    def fernet(self) -> MultiFernet:
        """Seals with the primary key, opens with every key. Raises FileNotFoundError when there is none."""
        changed = changed_at(self.directory)
        if self._fernet is None or changed != self._seen:
            keys = self._keys()
            if not keys:
                raise FileNotFoundError(f"there is no key in {self.directory}")
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])
            self._seen = changed
        return self._fernet

    @property
    def primary(self) -> str:
        """The number of the key that seals."""
        return str(max(self._numbers()))

    def _keys(self) -> list[bytes]:
        """All keys, the primary one first."""
        for _ in range(LOOKS):
            # Another process may turn the keys just now: what the list names is renamed or forgotten.
            with contextlib.suppress(FileNotFoundError):
                return [(self.directory / str(number)).read_bytes() for number in sorted(self._numbers(), reverse=True)]
        raise FileNotFoundError(f"the keys in {self.directory} change faster than they can be read")

    def _numbers(self) -> list[int]:
        return [int(name) for name in os.listdir(self.directory) if name.isdigit()]

    def _write(self, number: int) -> None:
        write_key(self.directory / str(number), Fernet.generate_key())


def changed_at(directory: Path) -> int:
    """When a name in it came or went; 0 while there is no such directory."""
    try:
        return os.stat(directory).st_mtime_ns
    except FileNotFoundError:
        return 0


def write_key(path: Path, key: bytes) -> None:
    """Write a key for its owner's eyes only."""
    # Written aside and renamed: nobody ever reads half a key.
    aside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    os.rename(aside, path)
