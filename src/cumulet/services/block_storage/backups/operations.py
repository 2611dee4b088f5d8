"""What may be done with backups? The admission of wishes; `store.py` writes them."""

from __future__ import annotations

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.backups import store
from cumulet.services.block_storage.backups.content import KeptVolume
from cumulet.services.block_storage.backups.row import HOLD, BackupRow
from cumulet.services.block_storage.errors import InvalidBackup, InvalidSnapshot, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import operations as volumes
from cumulet.services.block_storage.volumes import store as volume_store
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.sources import Source, content_of

DELETABLE = {"available", "error", "error_deleting"}


async def make(
    room: BlockStorage,
    caller: Caller,
    volume: VolumeRow,
    snapshot: SnapshotRow | None,
    *,
    incremental: bool,
    force: bool,
    zone: str,
    name: str = "",
    description: str = "",
    container: str = "",
    metadata: str = "{}",
) -> BackupRow:
    """Store the wish for a backup, within the project's quota. What it is made of is held until it is."""
    if volume.encryption_key_id:
        raise InvalidVolume("it is encrypted, and its backup would not be; copy what matters inside a server")

    async def write(tx: Transaction) -> BackupRow:
        current = await volume_store.held(room, tx, volume.id)
        now = room.clock.now()
        moment = await _hold_snapshot(room, tx, snapshot) if snapshot else _check_volume(current, now, force=force)
        size = snapshot.size if snapshot else current.size
        parent = await _newest(tx, volume.id, moment) if incremental else None
        row = BackupRow(
            id=new_uuid(),
            project_id=caller.project_id,
            user_id=caller.user_id,
            volume_id=volume.id,
            snapshot_id=snapshot.id if snapshot else "",
            parent_id=parent.id if parent else "",
            dependents=0,
            name=name,
            description=description,
            availability_zone=zone or current.availability_zone,
            container=container,
            metadata=metadata,
            volume=msgspec.json.encode(_kept(current)).decode(),
            size=size,
            data_timestamp=moment,
            wanted=True,
            made=False,
            attempts=0,
            object_id="",
            table_start=0,
            table_length=0,
            table_digest="",
            fault="",
            forced_status="",
            status="",
            created_at=now,
            updated_at=now,
        )
        await room.quota.take(tx, row.project_id, backups=1, backup_gigabytes=size)
        await store.insert(tx, row)
        await store.note_dependent(room, tx, row.parent_id, 1)
        # After the snapshot's own hold, so that the status of both follows.
        await volume_store.change(room, tx, volume.id, **({} if snapshot else {"hold": HOLD}))
        return row

    return await room.database.write(write)


def _check_volume(volume: VolumeRow, now: int, *, force: bool) -> int:
    """The moment of a copy of the volume as it is."""
    if volume.status == "in-use" and not force:
        raise InvalidVolume(f"Volume {volume.id} is in use: ask for its backup with force, or detach it first.")
    if volume.status not in ("available", "in-use"):
        raise InvalidVolume(f"Volume status must be available or in-use to be backed up, not {volume.status}.")
    return now


async def _hold_snapshot(room: BlockStorage, tx: Transaction, snapshot: SnapshotRow) -> int:
    current = await tx.get(SnapshotRow, id=snapshot.id)
    if current is None or current.status != "available":
        word = current.status if current else "gone"
        raise InvalidSnapshot(f"Snapshot {snapshot.id} must be available to be backed up, not {word}")
    await volume_store.set_snapshot(room, tx, snapshot.id, hold=HOLD)
    return current.created_at


async def _newest(tx: Transaction, volume_id: str, before: int) -> BackupRow:
    """The backup that an incremental one adds to: the newest of the volume, of an earlier moment."""
    known = await tx.find(BackupRow, volume_id=volume_id, status="available", order_by="-data_timestamp")
    for backup in known:
        if backup.data_timestamp <= before:
            return backup
    raise InvalidBackup("No backups available to do an incremental backup. Make a full one first.")


def _kept(volume: VolumeRow) -> KeptVolume:
    return KeptVolume(
        name=volume.name,
        description=volume.description,
        metadata=msgspec.json.decode(volume.metadata),
        image_metadata=msgspec.json.decode(volume.image_metadata),
        bootable=volume.bootable,
    )


def kept(backup: BackupRow) -> KeptVolume:
    """What was kept of its volume beside the bytes."""
    return msgspec.json.decode(backup.volume, type=KeptVolume)


async def let_go(room: BlockStorage, backup: BackupRow, *, force: bool = False) -> None:
    """Store the wish that a backup goes. Its quota is free at once; doing it again changes nothing."""

    async def write(tx: Transaction) -> None:
        await release(room, tx, backup)
        current = await store.held(room, tx, backup.id)
        if not current.wanted:
            return
        if not force and current.status not in DELETABLE:
            raise InvalidBackup("Backup status must be available or error")
        if current.dependents:
            raise InvalidBackup("Incremental backups exist for this backup.")
        await room.quota.give_back(tx, current.project_id, backups=1, backup_gigabytes=current.size)
        await store.note_dependent(room, tx, current.parent_id, -1)
        await store.change(tx, current, wanted=False)

    await room.database.write(write)


async def release(room: BlockStorage, tx: Transaction, backup: BackupRow) -> None:
    """What a backup was to be made of is free again, if it was still held for that."""
    current = await tx.get(BackupRow, id=backup.id)
    if current is None or current.made or current.fault or current.object_id:
        return
    volume = await tx.get(VolumeRow, id=backup.volume_id)
    if volume is None:
        return
    volume = await volume_store.held(room, tx, volume.id)
    if not backup.snapshot_id:
        if volume.hold == HOLD:
            await volume_store.change(room, tx, volume.id, hold="")
    elif await tx.get(SnapshotRow, id=backup.snapshot_id, hold=HOLD):
        await volume_store.set_snapshot(room, tx, backup.snapshot_id, hold="")
        await volume_store.change(room, tx, volume.id)


async def restore_as_new(room: BlockStorage, caller: Caller, backup: BackupRow, name: str) -> VolumeRow:
    """A new volume with the content of a backup."""
    return await volumes.make(
        room,
        new_uuid(),
        caller.project_id,
        caller.user_id,
        Source(backup_id=backup.id),
        size=backup.size,
        name=name or f"restore_backup_{backup.id}",
        description="auto-created_from_restore_from_backup",
        zone=backup.availability_zone,
        content=content_of(backup),
        caller=caller,
    )


async def restore_over(room: BlockStorage, backup: BackupRow, volume: VolumeRow) -> VolumeRow:
    """Let a volume that nobody has hold what the backup holds, in the place of its own content."""
    found = kept(backup)

    async def write(tx: Transaction) -> VolumeRow:
        current = await volume_store.held(room, tx, volume.id)
        if current.status != "available":
            raise InvalidVolume(f"Volume to be restored to must be available, not {current.status}")
        if current.size < backup.size:
            raise InvalidVolume(
                f"volume size {current.size} is too small to restore backup of size {backup.size}; extend it first"
            )
        await store.held_whole(room, tx, backup.id)
        metadata = {**msgspec.json.decode(current.metadata, type=dict[str, str]), **found.metadata}
        image_metadata = {"image_metadata": _written(found.image_metadata)} if found.image_metadata else {}
        return await volume_store.order(
            room,
            tx,
            volume.id,
            restores=current.restores + 1,
            restore_from=backup.id,
            metadata=_written(metadata),
            bootable=current.bootable or found.bootable,
            **image_metadata,
        )

    return await room.database.write(write)


def _written(pairs: dict[str, str]) -> str:
    return msgspec.json.encode(pairs).decode()
