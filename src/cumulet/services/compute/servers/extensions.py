"""Volumes that grew under a server: its machine is told, where it does not see it by itself, and it is written down
among what happened to the server.

Nobody reports it: block storage wakes whom it concerns, and the size that a disk was last known to have tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.reconcile import Done, Outcome
from cumulet.services.compute import history
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import store
from cumulet.services.compute.servers.row import DiskRow, ServerRow
from cumulet.services.compute.servers.spec import is_open_as_file


class ExtensionReconciler:
    """Notes the size of each server's volumes."""

    topic = "attachment"
    also: tuple[str, ...] = ()

    def __init__(self, room: Compute) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            disks = await tx.find(DiskRow, server_id=key, local=False, connected=True, wanted="attached")
        sizes = await self._room.volumes.sizes([disk.volume_id for disk in disks]) if disks else {}
        for disk in disks:
            size = sizes.get(disk.volume_id, 0)
            if size > disk.size:
                await self._note(disk, size)
        return Done()

    async def _note(self, disk: DiskRow, size: int) -> None:
        async def write(tx: Transaction) -> None:
            server = await tx.get(ServerRow, id=disk.server_id)
            grown = await tx.update(DiskRow, {"id": disk.id, "size": disk.size}, size=size)
            # A disk whose size nobody had asked for is only now known.
            if grown and disk.size and server is not None:
                await history.record_ended(tx, server, "extend_volume", self._room.clock.now())
                if not is_open_as_file(disk) and not server.deleted_at:
                    row = store.copy_of(server)
                    store.touch(row, self._room.clock.now())
                    await store.save(tx, self._room, server, row)
                    tx.wake("server", server.id)

        await self._room.database.write(write)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return ()

    async def every(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_servers(), {"after": after, "most": limit})]


@cache
def _servers() -> Query:
    c = DiskRow.c
    with_volumes = sa.and_(c.local == sa.false(), c.server_id > sa.bindparam("after", type_=sa.String))
    statement = sa.select(c.server_id).where(with_volumes).distinct().order_by(c.server_id)
    return Query(statement.limit(sa.bindparam("most", type_=sa.Integer)))
