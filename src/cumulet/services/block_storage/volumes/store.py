"""The only code that writes rows of volumes, their attachments and snapshots: each write derives the status again.

A change first locks the volume's row and then reads it, so that what is derived is derived from the newest truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.db import Row, Transaction
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.backups import store as backups
from cumulet.services.block_storage.errors import VolumeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots import status as snapshots_status
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import keys
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.block_storage.volumes.status import is_settled, status_of

TOPIC = "block_storage.volume"


def shown_attachments(attachments: Sequence[AttachmentRow]) -> str:
    """What a volume shows of those that have it."""
    shown = [
        {
            "id": row.volume_id,
            "attachment_id": row.id,
            "volume_id": row.volume_id,
            "server_id": row.server_id or None,
            "host_name": row.host or None,
            "device": row.device or None,
            "attached_at": iso_micros(row.attached_at),
        }
        for row in attachments
        if row.status in ("attached", "detaching")
    ]
    return msgspec.json.encode(shown).decode()


async def held(room: BlockStorage, tx: Transaction, volume_id: str) -> VolumeRow:
    """The volume as it is now; nobody else changes it before this transaction ends. Raises VolumeNotFound."""
    await tx.update(VolumeRow, {"id": volume_id}, updated_at=room.clock.now())
    volume = await tx.get(VolumeRow, id=volume_id)
    if volume is None:
        raise VolumeNotFound(f"Volume {volume_id[:64]} could not be found.")
    return volume


async def change(room: BlockStorage, tx: Transaction, volume_id: str, **values: Any) -> VolumeRow:
    """Set columns of a volume, and what follows from them and from its attachments and snapshots."""
    volume = await held(room, tx, volume_id)
    for name, value in values.items():
        setattr(volume, name, value)
    attachments = await tx.find(AttachmentRow, volume_id=volume.id, order_by="created_at")
    snapshots = await tx.find(SnapshotRow, volume_id=volume.id)
    volume.status = status_of(volume, attachments)
    volume.attachments = shown_attachments(attachments)
    volume.unsettled = not is_settled(volume, snapshots)
    derived = ("status", "attachments", "unsettled")
    changes = {name: getattr(volume, name) for name in (*values, *derived)}
    await tx.update(VolumeRow, {"id": volume.id}, **changes)
    for snapshot in snapshots:
        await _derive(tx, snapshot, volume)
    if volume.restore_from:
        await backups.derive(room, tx, volume.restore_from)
    if volume.unsettled:
        tx.wake(TOPIC, volume.id)
    return volume


async def _derive(tx: Transaction, snapshot: SnapshotRow, volume: VolumeRow) -> None:
    returning = volume.made_reverts < volume.reverts and volume.revert_to == snapshot.id
    status = snapshots_status.status_of(snapshot, restoring=returning)
    if status != snapshot.status:
        await tx.update(SnapshotRow, {"id": snapshot.id}, status=status)


async def order(room: BlockStorage, tx: Transaction, volume_id: str, **values: Any) -> VolumeRow:
    """Change what a volume's node is to do; reports of before do not speak of this."""
    volume = await held(room, tx, volume_id)
    return await change(room, tx, volume_id, generation=volume.generation + 1, **values)


async def set_snapshot(room: BlockStorage, tx: Transaction, snapshot_id: str, **values: Any) -> None:
    """Set columns of a snapshot. Its volume's `change` follows, which derives the status of both."""
    await tx.update(SnapshotRow, {"id": snapshot_id}, updated_at=room.clock.now(), **values)


async def remove_snapshot(tx: Transaction, snapshot_id: str) -> None:
    """Forget a snapshot that is gone. Its volume's `change` follows."""
    await tx.delete(SnapshotRow, id=snapshot_id)


async def insert(room: BlockStorage, tx: Transaction, volume: VolumeRow) -> None:
    volume.status = status_of(volume, ())
    volume.unsettled = True
    await tx.insert(volume)
    if volume.restore_from:
        await backups.derive(room, tx, volume.restore_from)
    tx.wake(TOPIC, volume.id)


async def add(tx: Transaction, row: Row) -> None:
    """A new attachment or snapshot; its volume's `change` follows."""
    await tx.insert(row)


async def remove(tx: Transaction, volume: VolumeRow) -> None:
    """Forget a volume that is gone from the world, with its snapshots."""
    for row in await tx.find(AttachmentRow, volume_id=volume.id):
        tx.wake("attachment", row.server_id)
    await tx.delete(AttachmentRow, volume_id=volume.id)
    await tx.delete(SnapshotRow, volume_id=volume.id)
    await tx.delete(VolumeRow, id=volume.id)
    await keys.forget(tx, volume.encryption_key_id)
