"""Volumes and cards that know of it, and none left that it has dropped."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, NicRow
from cumulet.services.compute.servers.rungs.attached import let_go
from cumulet.services.compute.servers.store import forget


def is_told(look: Look) -> bool:
    return all(disk.connected or disk.local for disk in look.kept) and all(nic.connected for nic in look.cards)


async def tell_volumes(room: Compute, look: Look) -> Outcome:
    for disk in look.kept:
        if not disk.local and not disk.connected:
            await room.volumes.connected(disk.id)

    async def write(tx: Transaction) -> None:
        await tx.update(DiskRow, {"id": [disk.id for disk in look.kept]}, connected=True)
        await tx.update(NicRow, {"id": [nic.id for nic in look.cards]}, connected=True)

    await room.database.write(write)
    return Again()


def is_trimmed(look: Look) -> bool:
    return not look.dropped


async def trim(room: Compute, look: Look) -> Outcome:
    for row in look.dropped:
        if isinstance(row, DiskRow):
            await let_go(room, row, delete=False)
            continue
        if row.port_id:
            await room.networks.unplug(look.server.id, row.port_id)
        await forget(room, row)
    return Again()
