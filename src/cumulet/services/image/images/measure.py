"""What is learned of bytes while they stream past: their number, their digests, their format."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from cumulet.lib.disk_format import Inspector
from cumulet.services.image.errors import DataRefused, SizeMismatch

PIECE = 1 << 20
"""Bytes handed to the hashing threads at once: enough to make the hand-over cheap, few enough for any memory."""

_ARCHIVES = {"ova", "docker", "compressed"}
"""Containers whose bytes are an archive and not a disk; nothing here opens them."""
_UNKNOWN_FORMATS = {"ploop"}
"""Formats without a signature, which nothing here opens either."""


class Measure:
    """The running digests and the inspection of one stream of bytes."""

    def __init__(self, disk_format: str, container_format: str, announced: int | None = None) -> None:
        self.size = 0
        self.virtual_size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self._announced = announced
        opaque = container_format in _ARCHIVES or disk_format in _UNKNOWN_FORMATS
        self._inspector = None if opaque else Inspector(disk_format)

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha512(self) -> str:
        return self._sha512.hexdigest()

    async def over(self, chunks: AsyncIterator[bytes], pool: ThreadPoolExecutor) -> AsyncIterator[bytes]:
        """The same bytes, measured on their way. Raises at the end when they are refused: then nobody may keep them.

        While the consumer writes one piece, the threads digest it.
        """
        loop = asyncio.get_running_loop()
        async for piece in pieces(chunks):
            self.size += len(piece)
            work = [loop.run_in_executor(pool, self._md5.update, piece), loop.run_in_executor(pool, self._look, piece)]
            try:
                yield piece
            finally:
                await asyncio.gather(*work)
        await loop.run_in_executor(pool, self._finish)

    def _look(self, piece: bytes) -> None:
        self._sha512.update(piece)
        if self._inspector is not None:
            self._inspector.feed(piece)

    def _finish(self) -> None:
        if self._announced is not None and self._announced != self.size:
            raise SizeMismatch(f"{self._announced} bytes were announced but {self.size} came. Send them again.")
        if self._inspector is None:
            return
        found = self._inspector.finish()
        if not found.safe:
            raise DataRefused(
                f"Image data was refused: {'; '.join(found.reasons)}. Convert the file with 'qemu-img convert', or "
                "correct disk_format."
            )
        self.virtual_size = found.virtual_size


async def pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of one size, the last one shorter."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
