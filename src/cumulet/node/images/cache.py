"""The image cache of a node.

An image is named by the digest of its bytes, so a file in the cache is right for ever and is never fetched twice. What
arrives is not trusted: the digest is computed and the format inspected again, though the control plane has done both.
In the cache all images are qcow2 files that stand alone; other formats are converted, once.

Unfinished files lie in a folder of their own, which is emptied at the start: after a crash the cache holds whole images
and nothing else. One process uses the cache.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cumulet.contracts.machines import ImageRef
from cumulet.drivers.hypervisor.base import ImageUnusable
from cumulet.lib.clock import SECOND, Clock
from cumulet.lib.disk_format import Inspection, Inspector, qemu_format
from cumulet.lib.ids import new_hex
from cumulet.lib.process import User
from cumulet.lib.qemu_img import LONG_SECONDS, NotReadable, convert, run_qemu_img
from cumulet.lib.whole_file import StreamTooLong, finished, publish, receive

Fetch = Callable[[ImageRef], AsyncIterator[bytes]]
"""Brings the bytes of an image from the control plane."""

GRACE_SECONDS = 600
"""An image that was asked for so recently may be about to be used, though no machine shows it yet."""

MAX_VIRTUAL_BYTES = 16 << 40
"""No disk is larger; a header that claims more only wants to keep us busy."""

_SHA512 = re.compile(r"[0-9a-f]{128}")
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class CachedImage:
    """One file of the cache."""

    sha512: str
    size: int
    used_at: int
    """Microseconds since 1970."""
    path: Path


class ImageCache:
    """Images of one folder. What they are fetched with, and as whom they are converted, is given."""

    def __init__(self, folder: Path, fetch: Fetch, clock: Clock, user: User | None = None) -> None:
        self._images = folder / "images"
        self._parts = folder / "parts"
        self._fetch = fetch
        self._clock = clock
        self._user = user
        shutil.rmtree(self._parts, ignore_errors=True)
        # Whoever knows the digest may read, and nobody can list.
        for path in (folder, self._images):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)
        self._parts.mkdir(mode=0o700)
        if user is not None:
            os.chown(self._parts, user.uid, user.gid)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="image-cache")
        self._fetching: dict[Path, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def path(self, image: ImageRef) -> str:
        """The file of an image, fetched if it is not here. All who ask meanwhile share one fetch."""
        place = self._place(image)
        if not place.exists():
            task = self._fetching.get(place)
            if task is None:
                task = asyncio.create_task(self._bring(image, place))
                self._fetching[place] = task
                task.add_done_callback(functools.partial(self._forget, place))
            # One who loses patience does not spoil it for the others, nor for his own next attempt.
            await asyncio.shield(task)
        self._note_use(place)
        return str(place)

    def found(self) -> list[CachedImage]:
        """All images of the cache, the one used longest ago first."""
        images = []
        for path in self._images.iterdir():
            status = path.stat()
            images.append(CachedImage(path.name.split(".")[0], _room(status), status.st_mtime_ns // 1000, path))
        return sorted(images, key=lambda image: image.used_at)

    async def evict(self, limit_bytes: int, in_use: Collection[str]) -> list[str]:
        """Remove what was not used for longest until the cache fits; the digests of what went.

        `in_use` names the digests (sha512) of images that machines of this node still read. They stay, as do those
        that were asked for within the last minutes, even if the cache then exceeds its limit.
        """
        # Without a pause from looking to removing: nobody can ask for an image in between.
        images = self.found()
        size = sum(image.size for image in images)
        newest = self._clock.now() - GRACE_SECONDS * SECOND
        gone = []
        for image in images:
            if size <= limit_bytes:
                break
            if image.sha512 not in in_use and image.used_at < newest:
                image.path.unlink()
                size -= image.size
                gone.append(image.sha512)
        return gone

    async def close(self) -> None:
        """Stop fetching, and let go of the threads."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown()

    def _place(self, image: ImageRef) -> Path:
        if not _SHA512.fullmatch(image.sha512):
            raise ImageUnusable(f"Image {image.id} has no SHA-512 digest, so its data cannot be verified.")
        # The same bytes may be two images, each with its own claim of a format.
        return self._images / f"{image.sha512}.{qemu_format(image.disk_format)}.qcow2"

    def _note_use(self, place: Path) -> None:
        now = self._clock.now() * 1000
        os.utime(place, ns=(now, now))

    def _forget(self, place: Path, task: asyncio.Task[None]) -> None:
        del self._fetching[place]
        # All who waited may have gone away; then nobody else looks at how it ended.
        if not task.cancelled():
            task.exception()

    async def _bring(self, image: ImageRef, place: Path) -> None:
        part = self._parts / new_hex()
        converted = part.with_suffix(".qcow2")
        async with self._turns:
            try:
                verdict = await self._receive(image, part)
                if image.disk_format == "qcow2":
                    await finished(self._pool, _finish, part, place)
                else:
                    await self._convert(image, verdict, part, converted)
                    await finished(self._pool, _finish, converted, place)
            finally:
                for leftover in (part, converted):
                    leftover.unlink(missing_ok=True)

    async def _receive(self, image: ImageRef, part: Path) -> Inspection:
        digest = hashlib.sha512()
        inspector = Inspector(image.disk_format)

        def observe(piece: bytes) -> None:
            digest.update(piece)
            inspector.feed(piece)

        try:
            size = await receive(self._fetch(image), part, limit=image.size, pool=self._pool, observe=observe)
        except StreamTooLong as error:
            raise ImageUnusable(f"Image {image.id} has more data than the {image.size} bytes it should.") from error
        if size != image.size or digest.hexdigest() != image.sha512:
            raise ImageUnusable(f"The data of image {image.id} does not have the digest it should.")
        verdict = inspector.finish()
        _approve(image, verdict)
        return verdict

    async def _convert(self, image: ImageRef, verdict: Inspection, part: Path, converted: Path) -> None:
        if self._user is not None:
            os.chown(part, self._user.uid, self._user.gid)
        arguments = convert(part, qemu_format(image.disk_format), converted)
        try:
            await run_qemu_img(arguments, user=self._user, seconds=LONG_SECONDS, writes=verdict.virtual_size)
        except NotReadable as error:
            raise ImageUnusable(f"Image {image.id} cannot be read as {image.disk_format}.") from error


def _approve(image: ImageRef, verdict: Inspection) -> None:
    if not verdict.safe:
        raise ImageUnusable(f"Image {image.id} is not safe to use: {'; '.join(verdict.reasons)}.")
    if verdict.virtual_size > MAX_VIRTUAL_BYTES:
        raise ImageUnusable(f"Image {image.id} claims a disk of {verdict.virtual_size} bytes, which is too large.")


def _finish(part: Path, place: Path) -> None:
    """Make the file ours again, readable for all and writable for none, and give it its name."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if os.geteuid() == 0:
            os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0o444)
    finally:
        os.close(descriptor)
    publish(part, place)


def _room(status: os.stat_result) -> int:
    """What a file takes of the disk; holes are free."""
    return status.st_blocks * 512
