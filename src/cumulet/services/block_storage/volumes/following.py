"""Who looks after a volume of shared storage while a machine has it open: that machine's node, which alone can have its
QEMU take a snapshot, or let it grow."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.exporting import users
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow


async def follows(room: BlockStorage, tx: Transaction, volume: VolumeRow, host: str) -> bool:
    """Whether a host may open a volume by itself now. The first one waits until it looks after it; whoever comes then,
    as the new node of a machine that moves does, opens what is open elsewhere."""
    if not volume.cluster or volume.export_secret:
        return True
    if any(one.host != host for one in users(await tx.find(AttachmentRow, volume_id=volume.id))):
        return True
    if volume.node != host:
        await store.order(room, tx, volume.id, node=host)
        return False
    return volume.looked_after == host
