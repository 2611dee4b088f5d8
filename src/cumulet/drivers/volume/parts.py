"""Files that are made, or come from elsewhere, and are thrown away when their content has been used."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from pathlib import Path

from cumulet.lib.process import User
from cumulet.lib.qemu_img import DiskFull
from cumulet.lib.sparse import receive
from cumulet.lib.whole_file import finished


class Parts:
    """A folder of them, which a user may read and write. What was left there by a crash goes."""

    def __init__(self, path: Path, user: User | None, pool: Executor) -> None:
        self.path = path
        self._user = user
        self._pool = pool
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        if user is not None:
            os.chown(path, user.uid, user.gid)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The place for one. Nothing is there at first, and nothing is left of what still is there in the end."""
        part = self.path / name
        part.unlink(missing_ok=True)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    async def fetch(self, stream: AsyncIterator[bytes], part: Path, most: int) -> None:
        """A file from elsewhere, of at most so many bytes. Raises `DiskFull`, and as `receive` and the stream do."""
        file = await finished(self._pool, part.open, "xb")
        try:
            if self._user is not None:
                os.chown(part, self._user.uid, self._user.gid)
            await receive(file.fileno(), stream, most=most)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DiskFull(str(error)) from error
            raise
        finally:
            file.close()
