"""Images in a pool of Ceph: one RBD image each, named by its id. Machines' disks can be cloned from such a one.

An upload grows a part, `part-<hex>`, which takes the image's name when all has come. While it is written, and while an
image is read, the cluster knows that it is open. So what cannot be removed now because somebody reads it is set aside
under another name, `gone-<hex>`; such leftovers, and parts of the dead, go at the next look for what is here.

The calls are those of the C library librbd. They block, in threads of this store's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge, Unreachable
from cumulet.lib import librbd
from cumulet.lib.ids import is_uuid, new_hex
from cumulet.lib.librbd import Busy, Exists, Missing, Pool, Volume
from cumulet.lib.whole_file import finished

BATCH = 4 << 20
"""Bytes written or read at once: one of the cluster's objects."""
GROWTH = 1 << 30
"""A part grows by so many bytes at a time; what is not written takes no room."""
PART, GONE = "part-", "gone-"
_THREADS = 4

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RbdImageStore:
    """The image store of one pool."""

    name = "rbd"
    distant = True

    def __init__(self, pool: str, user: str = "admin", conf: str = "/etc/ceph/ceph.conf") -> None:
        self._pool = Pool(pool, user, conf)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rbd")

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        _check(image_id)
        part = PART + new_hex()
        volume = await self._call(self._pool.create, part)
        try:
            try:
                size = await self._write(volume, chunks, limit)
                await self._call(volume.resize, size)
            finally:
                await self._call(volume.close)
            await self._call(self._take_place, part, image_id)
        except BaseException:
            await self._call(self._let_go, part)
            raise
        return size

    async def _write(self, volume: Volume, chunks: AsyncIterator[bytes], limit: int) -> int:
        batch, place, room = bytearray(), 0, 0
        async for chunk in chunks:
            batch += chunk
            if place + len(batch) > limit:
                raise TooLarge(f"an image has more than {limit} bytes")
            if len(batch) >= BATCH:
                room = await self._write_batch(volume, bytes(batch), place, room)
                place += len(batch)
                batch.clear()
        if batch:
            await self._write_batch(volume, bytes(batch), place, room)
        return place + len(batch)

    async def _write_batch(self, volume: Volume, batch: bytes, place: int, room: int) -> int:
        if place + len(batch) > room:
            room = place + len(batch) + GROWTH
            await self._call(volume.resize, room)
        await self._call(volume.write, place, batch)
        return room

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        _check(image_id)
        try:
            volume = await self._call(self._pool.open, image_id)
        except Missing as error:
            raise NotStored(f"no data of image {image_id}") from error
        try:
            size = await self._call(volume.size)
            end = size if length is None else min(start + length, size)
            for place in range(start, end, BATCH >> 2):
                yield await self._call(volume.read, place, min(BATCH >> 2, end - place))
        finally:
            await self._call(volume.close)

    async def remove(self, image_id: str) -> None:
        _check(image_id)
        await self._call(self._let_go, image_id)

    async def found(self) -> list[str]:
        names = await self._call(self._pool.names)
        for name in names:
            if name.startswith((PART, GONE)):
                # What is open is at work; removing it is refused.
                with contextlib.suppress(Busy, Missing):
                    await self._call(self._pool.remove, name)
        return sorted(name for name in names if is_uuid(name))

    async def _call(self, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """In a thread. Raises what callers of a store know."""
        try:
            return await finished(self._threads, act, *args, **kwargs)
        except librbd.Full as error:
            raise StoreFull(str(error)) from error
        except librbd.Unreachable as error:
            raise Unreachable(str(error)) from error

    def close(self) -> None:
        self._threads.shutdown()
        self._pool.close()

    def _take_place(self, part: str, image_id: str) -> None:
        try:
            self._pool.rename(part, image_id)
        except Exists:
            self._let_go(image_id)
            self._pool.rename(part, image_id)

    def _let_go(self, name: str) -> None:
        """Remove an image, or set it aside for its readers."""
        aside = GONE + new_hex()
        try:
            self._pool.rename(name, aside)
        except Missing:
            return
        with contextlib.suppress(Busy, Missing):
            self._pool.remove(aside)


def _check(image_id: str) -> None:
    if not is_uuid(image_id):
        raise ValueError(f"not an id of an image: {image_id!r}")
