"""Files that come from elsewhere and are thrown away when their content has been used."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path

from cumulet.lib.process import User
from cumulet.lib.qemu_img import DiskFull
from cumulet.lib.sparse import receive
from cumulet.lib.whole_file import finished


def emptied(parts: Path, user: User | None) -> None:
    """A folder for what is being made, which the user may read and write; what was left there by a crash goes."""
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(mode=0o700)
    if user is not None:
        os.chown(parts, user.uid, user.gid)


async def fetched(pool: Executor, stream: AsyncIterator[bytes], part: Path, most: int, user: User | None) -> None:
    """A file from elsewhere, of at most so many bytes. Raises `DiskFull`, and as `receive` and fetching do."""
    file = await finished(pool, part.open, "xb")
    try:
        if user is not None:
            os.chown(part, user.uid, user.gid)
        await receive(file.fileno(), stream, most=most)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(str(error)) from error
        raise
    finally:
        file.close()
