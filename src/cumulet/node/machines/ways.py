"""The way of a machine that leaves while it runs: from this node's agent to the agent of its new node."""

from __future__ import annotations

import asyncio

import msgspec

from cumulet.contracts.asks import Answer
from cumulet.contracts.moves import Departure
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.lib.joined import Ends

SECONDS = 20.0


async def open_way(departure: Departure, what: str) -> Ends:
    """The other agent lets in whoever shows a pass of the control plane; what follows is for the machine alone."""
    sealed = departure.memory_pass if what == "memory" else departure.disks_pass
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await _connect(departure.address)
            writer.write(sealed.encode() + b"\n")
            answer = msgspec.json.decode(await reader.readline(), type=Answer)
    except (OSError, ValueError, TimeoutError, msgspec.DecodeError) as error:
        raise OutOfReach(f"its new node cannot be reached at {departure.address}: {error}") from error
    if answer.status != 200:
        writer.close()
        raise OutOfReach(f"its new node refused: {answer.message}")
    return reader, writer


async def _connect(address: str) -> Ends:
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(address.removeprefix("unix:"))
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))
