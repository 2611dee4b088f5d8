"""The ways by which a machine leaves its node: to its QEMU a socket, and beyond that what leads to the other node."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from cumulet.contracts.moves import Departure
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.lib.joined import Ends, join

MEMORY, DISKS = "memory", "disks"
_SECONDS_TO_DRAIN = 30.0


class Way:
    """A socket at which this machine's QEMU reaches its counterpart on the other node."""

    def __init__(self, machine: Machine, departure: Departure, what: str) -> None:
        self._machine = machine
        self._departure = departure
        self._what = what
        self._open: list[Ends] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Be there before QEMU asks: until it is answered it does nothing else, and its guest stands still."""
        if self._machine.host.open_way is None:
            raise MachineFailed("This node knows no way to others.")
        self._open.append(await self._machine.host.open_way(self._departure, self._what))

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.close()
            return
        self._tasks.add(asyncio.ensure_future(_carry((reader, writer), self._open.pop())))

    async def drained(self) -> None:
        """All that was sent has gone out."""
        async with asyncio.timeout(_SECONDS_TO_DRAIN):
            for task in list(self._tasks):
                await task

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _, writer in self._open:
            writer.close()


async def _carry(here: Ends, there: Ends) -> None:
    await join(here, there)
    with contextlib.suppress(OSError):
        await there[1].wait_closed()


@contextlib.asynccontextmanager
async def way(machine: Machine, departure: Departure, what: str) -> AsyncIterator[Way]:
    path = machine.folder.sockets.memory if what == MEMORY else machine.folder.sockets.disks
    path.unlink(missing_ok=True)
    made = Way(machine, departure, what)
    server = await asyncio.start_unix_server(made.accept, path)
    if machine.host.user is not None:
        # A guest that took over its QEMU must not have this node change the owner of something else.
        os.chown(path, machine.host.user.uid, machine.host.user.gid, follow_symlinks=False)
    try:
        yield made
    finally:
        server.close()
        await made.close()
        path.unlink(missing_ok=True)
