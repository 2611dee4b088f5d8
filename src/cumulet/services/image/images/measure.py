"""What is learned of bytes while they stream past: their number, their digests, their format."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from cumulet.lib.disk_format import Inspector, is_as_declared
from cumulet.services.image.errors import DataRefused, SizeMismatch

BATCH = 1 << 20
"""Bytes handed to the hashing threads at once: enough to make the hand-over cheap, few enough for any memory."""
_MOST_CHUNKS = 256

_ARCHIVES = {"ova", "docker", "compressed"}
"""Containers whose bytes are an archive and not a disk; nothing here opens them."""


class Measure:
    """The running digests and the inspection of one stream of bytes."""

    def __init__(
        self,
        disk_format: str,
        container_format: str,
        announced: int | None = None,
        *,
        algorithm: str = "sha512",
        value: str = "",
        md5: str = "",
        must_match: bool = True,
    ) -> None:
        """What the bytes are said to be: their format, their number, their digests, one by the algorithm named.

        What could make its reader open another file is refused even where another format is no reason to.
        """
        self.size = 0
        self.virtual_size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self.algorithm = algorithm
        self._named = self._sha512 if algorithm == "sha512" else hashlib.new(algorithm)
        self._announced = announced
        self._expected = (value, md5)
        self._disk_format = disk_format
        self._inspector = None if container_format in _ARCHIVES else Inspector(disk_format if must_match else "")

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha512(self) -> str:
        return self._sha512.hexdigest()

    @property
    def hash_value(self) -> str:
        return self._named.hexdigest()

    async def over(self, chunks: AsyncIterator[bytes], pool: ThreadPoolExecutor) -> AsyncIterator[bytes]:
        """The same bytes, measured on their way. Raises at the end when they are refused: then nobody may keep them.

        While the consumer writes one batch, the threads digest it.
        """
        loop = asyncio.get_running_loop()
        async for batch in batches(chunks):
            self.size += sum(map(len, batch))
            work = [loop.run_in_executor(pool, look, batch) for look in (self._look_for_md5, self._look)]
            try:
                for chunk in batch:
                    yield chunk
            finally:
                await asyncio.gather(*work)
        await loop.run_in_executor(pool, self._finish)

    def _look_for_md5(self, batch: list[bytes]) -> None:
        for chunk in batch:
            self._md5.update(chunk)

    def _look(self, batch: list[bytes]) -> None:
        for chunk in batch:
            self._sha512.update(chunk)
            if self._named is not self._sha512:
                self._named.update(chunk)
            if self._inspector is not None:
                self._inspector.feed(chunk)

    def _finish(self) -> None:
        if self._announced is not None and self._announced != self.size:
            raise SizeMismatch(f"{self._announced} bytes were announced but {self.size} came. Send them again.")
        for wanted, digest in zip(self._expected, (self.hash_value, self.md5), strict=True):
            if wanted and wanted != digest:
                raise DataRefused(f"Image data was refused: its digest is {digest} instead of {wanted}.")
        if self._inspector is None:
            return
        found = self._inspector.finish()
        if not found.safe:
            raise DataRefused(
                f"Image data was refused: {'; '.join(found.reasons)}. Convert the file with 'qemu-img convert', or "
                "correct disk_format."
            )
        if is_as_declared(self._disk_format, found.format):
            self.virtual_size = found.virtual_size


async def batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The same chunks, as many at once as are worth a hop to a thread. None is copied."""
    batch: list[bytes] = []
    gathered = 0
    async for chunk in chunks:
        batch.append(chunk)
        gathered += len(chunk)
        if gathered >= BATCH or len(batch) >= _MOST_CHUNKS:
            yield batch
            batch, gathered = [], 0
    if batch:
        yield batch
