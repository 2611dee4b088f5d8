"""Two connections made one: what comes in at either end goes out at the other, until one of them ends."""

from __future__ import annotations

import asyncio

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PIECE = 64 * 1024


async def join(one: Ends, other: Ends) -> None:
    """Carry until either side ends, then close both. What was read is written before."""
    both = {asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for _, writer in (one, other):
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
