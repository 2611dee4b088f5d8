"""A folder in which images are converted, by `qemu-img`, held within bounds and running as somebody without rights.

What is converted was looked into while it arrived, and is opened under the format that it was found to have. A process
works in a folder of its own, which it holds locked; those of the dead are swept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from cumulet.drivers.image_store.base import StoreFull, TooLarge
from cumulet.drivers.image_store.files import own_parts
from cumulet.lib.disk_format import qemu_format
from cumulet.lib.ids import new_hex
from cumulet.lib.process import ProcessFailed, User
from cumulet.lib.qemu_img import LONG_SECONDS, DiskFull, NotReadable, convert, run_qemu_img
from cumulet.lib.whole_file import BATCH_BYTES, StreamTooLong, finished, receive

AT_ONCE = 2


class NotConverted(Exception):
    """The image cannot be read as what it is, or not in time."""


class Workshop:
    """The place of one process."""

    def __init__(self, folder: Path, user: User | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._lock = own_parts(folder)
        self._user = user
        if user is not None:
            os.chown(self._folder, user.uid, user.gid)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="workshop")
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def converted(
        self, chunks: AsyncIterator[bytes], disk_format: str, wanted: str, limit: int, virtual_size: Callable[[], int]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of the same disk in another format. `virtual_size` knows its size once all bytes have come.

        Raises `TooLarge`, `StoreFull`, `NotConverted`, and whatever the stream raises.
        """
        part = self._folder / new_hex()
        made = part.with_suffix(".made")
        async with self._turns:
            try:
                await receive(chunks, part, limit=limit, pool=self._pool)
                if virtual_size() > limit:
                    raise TooLarge(f"the disk in the image has more than {limit} bytes")
                if self._user is not None:
                    os.chown(part, self._user.uid, self._user.gid)
                arguments = convert(
                    Path(part.name), qemu_format(disk_format), Path(made.name), output=qemu_format(wanted)
                )
                await run_qemu_img(
                    arguments, user=self._user, seconds=LONG_SECONDS, writes=virtual_size(), folder=self._folder
                )
                yield self._read(made)
            except StreamTooLong as error:
                raise TooLarge(f"an image has {error}") from error
            except DiskFull as error:
                raise StoreFull("no room to convert an image") from error
            except (NotReadable, ProcessFailed) as error:
                raise NotConverted(f"The image cannot be converted from {disk_format} to {wanted}.") from error
            finally:
                for leftover in (part, made):
                    leftover.unlink(missing_ok=True)

    async def _read(self, path: Path) -> AsyncIterator[bytes]:
        file = await finished(self._pool, lambda: path.open("rb", buffering=0))
        with file:
            while piece := await finished(self._pool, file.read, BATCH_BYTES):
                yield piece
