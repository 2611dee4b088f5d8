"""Reading backups back, for the nodes that restore them. One that turns out to be damaged is remembered as such."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cumulet.core.db import Transaction
from cumulet.services.block_storage.backups import store
from cumulet.services.block_storage.backups.content import Damaged, Place, restored, table_at
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.errors import BackupNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes.row import VolumeRow


def place_of(backup: BackupRow) -> Place:
    """Where the table of a backup lies."""
    return Place(backup.object_id, backup.table_start, backup.table_length, backup.table_digest)


async def content(room: BlockStorage, backup_id: str) -> AsyncIterator[bytes]:
    """The disk as a file with holes on its way, all of it checked. Raises BackupNotFound, Damaged."""
    async with room.database.read() as tx:
        backup = await tx.get(BackupRow, id=backup_id)
    if backup is None or not backup.made or backup.fault:
        raise BackupNotFound(f"Backup {backup_id[:64]} has nothing to restore.")
    try:
        table = await table_at(room.backup_store, place_of(backup))
        async for piece in restored(room.backup_store, table):
            yield piece
    except Damaged as error:
        await _note_damage(room, backup_id, str(error))
        raise


async def _note_damage(room: BlockStorage, backup_id: str, reason: str) -> None:
    """What should get this content gets its fault, instead of waiting for ever."""

    async def write(tx: Transaction) -> None:
        waiting = await tx.find(VolumeRow, restore_from=backup_id, wanted=True)
        backup = await store.held(room, tx, backup_id)
        await store.change(tx, backup, fault=f"The backup is damaged: {reason}")
        for volume in waiting:
            tx.wake("block_storage.volume", volume.id)

    await room.database.write(write)
