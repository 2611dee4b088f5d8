"""What may be done with snapshots? Their volume's order to its node carries them."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.block_storage.errors import InvalidSnapshot, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.operations import let_snapshot_go
from cumulet.services.block_storage.volumes.row import VolumeRow

DELETABLE = {"available", "error", "error_deleting", "creating", "deleting"}


async def take(
    room: BlockStorage,
    volume: VolumeRow,
    snapshot_id: str,
    *,
    user_id: str,
    name: str = "",
    description: str = "",
    metadata: str = "{}",
    in_use: bool = False,
    group_snapshot_id: str = "",
) -> SnapshotRow:
    """Store the wish for a snapshot, within the project's quota."""

    async def write(tx: Transaction) -> SnapshotRow:
        current = await store.held(room, tx, volume.id)
        allowed = ("available", "in-use") if in_use else ("available",)
        if current.status not in allowed:
            raise InvalidVolume(
                f"Volume {volume.id} status must be {' or '.join(allowed)} to take a snapshot, not {current.status}"
            )
        now = room.clock.now()
        row = SnapshotRow(
            id=snapshot_id,
            project_id=current.project_id,
            user_id=user_id,
            volume_id=current.id,
            name=name,
            description=description,
            size=current.size,
            metadata=metadata,
            group_snapshot_id=group_snapshot_id,
            created_at=now,
            updated_at=now,
        )
        await add(room, tx, current, row)
        return row

    return await room.database.write(write)


async def add(room: BlockStorage, tx: Transaction, volume: VolumeRow, row: SnapshotRow, **values: Any) -> None:
    """A snapshot comes to a volume that is held: it counts, and the volume's node is told. `values` are columns of the
    volume that change with that."""
    await quotas.take(room, tx, row.project_id, volume.type_id, snapshots=1, gigabytes=row.size)
    await store.add(tx, row)
    await store.order(room, tx, volume.id, **values)


async def delete(room: BlockStorage, snapshot: SnapshotRow, *, force: bool = False) -> None:
    """Store the wish that a snapshot goes. Its quota is free at once; doing it again changes nothing."""

    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, snapshot.volume_id)
        current = await tx.get(SnapshotRow, id=snapshot.id)
        if current is None or not current.wanted:
            return
        if not force and current.status not in DELETABLE:
            raise InvalidSnapshot(f"Snapshot {snapshot.id} is {current.status}; it must be available or error")
        if volume.made_reverts < volume.reverts and volume.revert_to == snapshot.id:
            raise InvalidSnapshot(f"volume {volume.id} is returning to snapshot {snapshot.id}; wait until it has")
        await let_snapshot_go(room, tx, current, volume)
        await store.order(room, tx, snapshot.volume_id)

    await room.database.write(write)
