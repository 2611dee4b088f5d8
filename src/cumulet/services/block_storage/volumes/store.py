"""The only code that writes volumes' and attachments' rows: each write derives the status again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.room import BlockStorage
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
            "server_id": row.server_id,
            "host_name": row.host or None,
            "device": row.device or None,
            "attached_at": iso_micros(row.attached_at),
        }
        for row in attachments
        if row.status in ("attached", "detaching")
    ]
    return msgspec.json.encode(shown).decode()


async def change(room: BlockStorage, tx: Transaction, volume: VolumeRow, **values: Any) -> VolumeRow:
    """Set columns of a volume, and what follows from them."""
    for name, value in values.items():
        setattr(volume, name, value)
    attachments = await tx.find(AttachmentRow, volume_id=volume.id, order_by="created_at")
    volume.status = status_of(volume, attachments)
    volume.attachments = shown_attachments(attachments)
    volume.unsettled = not is_settled(volume)
    volume.updated_at = room.clock.now()
    derived = ("status", "attachments", "unsettled", "updated_at")
    changes = {name: getattr(volume, name) for name in (*values, *derived)}
    await tx.update(VolumeRow, {"id": volume.id}, **changes)
    if volume.unsettled:
        tx.wake(TOPIC, volume.id)
    return volume


async def insert(tx: Transaction, volume: VolumeRow) -> None:
    volume.status = status_of(volume, ())
    volume.unsettled = True
    await tx.insert(volume)
    tx.wake(TOPIC, volume.id)


async def remove(tx: Transaction, volume: VolumeRow) -> None:
    """Forget a volume that is gone from the world."""
    await tx.delete(AttachmentRow, volume_id=volume.id)
    await tx.delete(VolumeRow, id=volume.id)
