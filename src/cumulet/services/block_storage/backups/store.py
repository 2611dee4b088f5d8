"""Writing of backups: each write derives the status again. Whoever locks a volume too locks the volume first."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.backups.status import status_of
from cumulet.services.block_storage.errors import BackupNotFound, InvalidBackup
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes.row import VolumeRow

TOPIC = "block_storage.backup"


async def held(room: BlockStorage, tx: Transaction, backup_id: str) -> BackupRow:
    """The backup as it is now; nobody else changes it before this transaction ends. Raises BackupNotFound."""
    await tx.update(BackupRow, {"id": backup_id}, updated_at=room.clock.now())
    backup = await tx.get(BackupRow, id=backup_id)
    if backup is None:
        raise BackupNotFound(f"Backup {backup_id[:64]} could not be found.")
    return backup


async def held_whole(room: BlockStorage, tx: Transaction, backup_id: str) -> BackupRow:
    """The backup, which can be restored. Raises BackupNotFound, InvalidBackup."""
    backup = await held(room, tx, backup_id)
    if backup.status != "available":
        raise InvalidBackup(f"Backup status must be available, not {backup.status}.")
    return backup


async def insert(tx: Transaction, backup: BackupRow) -> None:
    backup.status = status_of(backup)
    await tx.insert(backup)
    tx.wake(TOPIC, backup.id)


async def change(tx: Transaction, backup: BackupRow, **values: Any) -> BackupRow:
    """Set columns of a backup that is held, and what follows from them."""
    for name, value in values.items():
        setattr(backup, name, value)
    restoring = await tx.scalar(_restoring(), {"backup": backup.id}) is not None
    backup.status = status_of(backup, restoring=restoring)
    await tx.update(BackupRow, {"id": backup.id}, status=backup.status, **values)
    tx.wake(TOPIC, backup.id)
    return backup


async def derive(room: BlockStorage, tx: Transaction, backup_id: str) -> None:
    """A volume that is restored from it was changed."""
    with suppress(BackupNotFound):
        await change(tx, await held(room, tx, backup_id))


async def note_dependent(room: BlockStorage, tx: Transaction, parent_id: str, number: int) -> None:
    """A backup that adds to another one has come (1) or is going (-1)."""
    if parent_id:
        with suppress(BackupNotFound):
            parent = await held(room, tx, parent_id)
            await change(tx, parent, dependents=parent.dependents + number)


async def remove(tx: Transaction, backup: BackupRow) -> None:
    """Forget a backup whose bytes are gone."""
    await tx.delete(BackupRow, id=backup.id)
    for volume in await tx.find(VolumeRow, restore_from=backup.id, wanted=True):
        tx.wake("block_storage.volume", volume.id)


@cache
def _restoring() -> Query:
    c = VolumeRow.c
    getting = sa.and_(c.made_restores < c.restores, c.wanted == sa.true(), c.fault == "")
    return Query(sa.select(c.id).where(c.restore_from == sa.bindparam("backup", type_=sa.String), getting).limit(1))
