"""The encrypted passwords that guests leave for their owners: one small file each, written once, until cleared."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cumulet.lib.ids import is_uuid


class FilePasswords:
    """A folder of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, machine_id: str) -> bytes:
        try:
            return self._file(machine_id).read_bytes()
        except FileNotFoundError:
            return b""

    def write(self, machine_id: str, password: bytes) -> bool:
        """False if there is one already."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file(machine_id).with_suffix(f".{os.getpid()}")
        draft.write_bytes(password)
        try:
            os.link(draft, self._file(machine_id))
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def clear(self, machine_id: str) -> None:
        """Forget it; the guest may leave another one."""
        self._file(machine_id).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there are others, or there never was one
            self._folder.rmdir()

    def _file(self, machine_id: str) -> Path:
        if not is_uuid(machine_id):
            raise ValueError(f"not the id of a machine: {machine_id[:64]!r}")
        return self._folder / machine_id
