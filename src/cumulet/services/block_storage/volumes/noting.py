"""What a report means is written down: of a volume and its snapshots at once, with what their owner is told of it."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.services.block_storage import messages
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.block_storage.volumes.verdict import Verdict

_SEEN_BY_SERVERS = {"made_size", "exported", "looked_after"}
"""Columns that servers wait for."""


async def note(room: BlockStorage, volume_id: str, verdict: Verdict) -> None:
    """Nothing happens to a volume that is gone."""

    async def write(tx: Transaction) -> None:
        volume = await tx.get(VolumeRow, id=volume_id)
        if volume is None:
            return
        await store.held(room, tx, volume_id)
        for made in verdict.made:
            await store.set_snapshot(room, tx, made, made=True)
        for failed in verdict.failed:
            await store.set_snapshot(room, tx, failed, fault=verdict.reason)
        for gone in verdict.gone:
            await store.remove_snapshot(tx, gone)
        # What failed leaves the order: the node is told anew.
        anew = bool(verdict.failed) or "reverts" in verdict.volume
        await (store.order if anew else store.change)(room, tx, volume_id, **verdict.volume)
        await _tell(room, tx, volume, verdict)
        for source in (volume.source_volume_id, await _parent(tx, volume.snapshot_id)):
            if source:
                tx.wake(store.TOPIC, source)
        if verdict.volume.keys() & _SEEN_BY_SERVERS:
            for attachment in await tx.find(AttachmentRow, volume_id=volume_id):
                tx.wake("attachment", attachment.server_id)

    await room.database.write(write)


async def _parent(tx: Transaction, snapshot_id: str) -> str:
    """The volume of a snapshot; empty: there is none."""
    snapshot = await tx.get(SnapshotRow, id=snapshot_id) if snapshot_id else None
    return snapshot.volume_id if snapshot else ""


async def _tell(room: BlockStorage, tx: Transaction, volume: VolumeRow, verdict: Verdict) -> None:
    """A message for each that something was asked of and failed."""
    if verdict.cause is None:
        return
    subjects = [("VOLUME_SNAPSHOT", key) for key in verdict.failed] or [("VOLUME", volume.id)]
    for kind, key in subjects:
        await messages.note(room, tx, volume.project_id, kind, key, verdict.cause, verdict.reason)
