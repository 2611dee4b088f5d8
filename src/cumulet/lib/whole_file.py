"""Files that come from a stream and are there whole or not at all, also after a power cut.

A stream goes into a part beside its destination (`receive`); only when it has all arrived and is on the disk does the
part take the destination's name (`publish`). Disks are slow, so both work in threads of the caller's pool, and never
with more than one batch of bytes in hand.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

BATCH_BYTES = 1 << 20
"""Small pieces are gathered up to this size: a hop to a thread costs as much as writing 100 KiB."""
_BATCH_PIECES = 256

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StreamTooLong(Exception):
    """More bytes came than the caller allows."""


async def receive(
    chunks: AsyncIterable[bytes],
    part: Path,
    *,
    limit: int,
    pool: Executor,
    observe: Callable[[bytes], None] = lambda _: None,
) -> int:
    """Write a stream to the new file `part`, on the disk when this returns; the number of bytes.

    `observe` sees every piece, in order, in a thread. However this fails, nothing is left. Raises `StreamTooLong`.
    """
    file = await finished(pool, _open_new, part)
    try:
        size = 0
        batch: list[bytes] = []
        gathered = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise StreamTooLong(f"more than {limit} bytes")
            batch.append(chunk)
            gathered += len(chunk)
            if gathered >= BATCH_BYTES or len(batch) >= _BATCH_PIECES:
                await finished(pool, _write, file, batch, observe)
                batch, gathered = [], 0
        await finished(pool, _write, file, batch, observe)
        await finished(pool, _sync, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        file.close()
    return size


def publish(part: Path, destination: Path) -> None:
    """Give a part, already synced, its final name, for good. Blocks."""
    os.replace(part, destination)
    sync_folder(destination.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Blocks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def finished(pool: Executor, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a blocking call in the pool. It has ended when this returns, even if the caller was cancelled meanwhile.

    Otherwise he would close the file under it.
    """
    running = asyncio.get_running_loop().run_in_executor(pool, lambda: act(*args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _open_new(part: Path) -> BinaryIO:
    return part.open("xb")


def _write(file: BinaryIO, batch: Sequence[bytes], observe: Callable[[bytes], None]) -> None:
    for piece in batch:
        observe(piece)
    file.writelines(batch)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
