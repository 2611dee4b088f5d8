"""Images as files: `<folder>/images/ab/cd/<id>`, two levels deep so that no folder grows long.

Nothing but bytes is kept here; all that is known of an image is the image service's. Several processes may share the
folder. Each writes its unfinished images into a folder of its own, which it holds locked; those of the dead are swept.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge
from cumulet.lib.ids import is_uuid, new_hex
from cumulet.lib.whole_file import BATCH_BYTES, StreamTooLong, finished, publish, receive, sync_folder

_THREADS = 4
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileImageStore:
    """The image store of one folder."""

    name = "file"
    distant = False

    def __init__(self, folder: Path) -> None:
        self._images = folder / "images"
        self._images.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._parts, self._lock = own_parts(folder / "parts")
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="images")

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        destination = self._path(image_id)
        part = self._parts / new_hex()
        try:
            size = await receive(chunks, part, limit=limit, pool=self._pool)
            await finished(self._pool, _keep, part, destination)
        except StreamTooLong as error:
            raise TooLarge(f"image {image_id} has {error}") from error
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise StoreFull(f"no room for image {image_id}") from error
            raise
        return size

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        try:
            file = await finished(self._pool, _open, self._path(image_id))
        except FileNotFoundError as error:
            raise NotStored(f"no data of image {image_id}") from error
        try:
            place, end = start, None if length is None else start + length
            while end is None or place < end:
                wanted = BATCH_BYTES if end is None else min(end - place, BATCH_BYTES)
                if _is_at_hand(file, place, wanted):
                    piece = os.pread(file, wanted, place)
                else:
                    piece = await finished(self._pool, os.pread, file, wanted, place)
                if not piece:
                    return
                place += len(piece)
                yield piece
        finally:
            os.close(file)

    async def remove(self, image_id: str) -> None:
        await finished(self._pool, _remove, self._path(image_id))

    async def found(self) -> list[str]:
        return await finished(self._pool, lambda: sorted(path.name for path in self._images.glob("*/*/*")))

    def close(self) -> None:
        """Let go of the folder and the threads."""
        self._pool.shutdown()
        shutil.rmtree(self._parts, ignore_errors=True)
        os.close(self._lock)

    def _path(self, image_id: str) -> Path:
        if not is_uuid(image_id):
            raise ValueError(f"not an id of an image: {image_id!r}")
        return self._images / image_id[:2] / image_id[2:4] / image_id


def own_parts(folder: Path) -> tuple[Path, int]:
    """A new folder for this process's parts, and the descriptor that locks it; those of dead processes are removed."""
    folder.mkdir(exist_ok=True, mode=0o750)
    gate = _lock(folder, fcntl.LOCK_EX)
    try:
        for other in folder.iterdir():
            # Held by a living process, or it ends just now and takes its folder with it.
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                os.close(_lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB))
                shutil.rmtree(other)
        own = folder / new_hex()
        own.mkdir(mode=0o750)
        return own, _lock(own, fcntl.LOCK_EX)
    finally:
        os.close(gate)


def _lock(folder: Path, how: int) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _keep(part: Path, destination: Path) -> None:
    for folder in (destination.parent.parent, destination.parent):
        if not folder.exists():
            folder.mkdir(exist_ok=True, mode=0o750)
            sync_folder(folder.parent)
    publish(part, destination)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _is_at_hand(file: int, place: int, length: int) -> bool:
    """Whether the kernel has both ends of a stretch in memory: then reading it costs less than a hop to a thread."""
    try:
        return all(os.preadv(file, [bytearray(1)], at, os.RWF_NOWAIT) for at in (place, place + length - 1))
    except OSError:  # it must be fetched from the disk, or this file system cannot tell
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)
