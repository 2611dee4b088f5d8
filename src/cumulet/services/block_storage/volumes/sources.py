"""What a volume can be made of: the admission of its source, and what that means for the volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.core.errors import NotFound
from cumulet.services.block_storage.backups.content import KeptVolume
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.errors import (
    BackupNotFound,
    InvalidInput,
    InvalidSnapshot,
    InvalidVolume,
    SnapshotNotFound,
    VolumeNotFound,
)
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes.row import VolumeRow

_Row = TypeVar("_Row", VolumeRow, SnapshotRow, BackupRow)


@dataclass(frozen=True)
class Source:
    """What a volume's content comes from: at most one of these."""

    image_id: str = ""
    snapshot_id: str = ""
    volume_id: str = ""
    backup_id: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.image_id, self.snapshot_id, self.volume_id, self.backup_id))) > 1:
            raise InvalidInput("give one source at the most: imageRef, snapshot_id, source_volid or backup_id")


@dataclass
class Content:
    """What a source means for the volume made of it."""

    least_gib: int = 1
    bootable: bool = False
    image_metadata: str = "{}"
    metadata: dict[str, str] = field(default_factory=dict)
    """Which the new volume has too, beside its own."""
    encrypted: bool = False
    type_id: str = ""
    """The source's own type, which the copy has too when no other was asked for."""


async def admit(room: BlockStorage, caller: Caller, source: Source) -> Content:
    """The source exists, the caller may use it, and it is complete."""
    if source.image_id:
        return await image_content(room, caller, source.image_id)
    if source.snapshot_id:
        return await _snapshot_content(room, caller, source.snapshot_id)
    if source.volume_id:
        return await _volume_content(room, caller, source.volume_id)
    if source.backup_id:
        async with room.database.read() as tx:
            return content_of(await visible(tx, caller, BackupRow, source.backup_id, BackupNotFound))
    return Content()


def content_of(backup: BackupRow) -> Content:
    """What a backup means for the volume that gets its content."""
    kept = msgspec.json.decode(backup.volume, type=KeptVolume)
    image_metadata = msgspec.json.encode(kept.image_metadata).decode()
    return Content(backup.size, kept.bootable, image_metadata, kept.metadata)


async def visible(tx: Transaction, caller: Caller, kind: type[_Row], id: str, missing: type[NotFound]) -> _Row:
    """A row that the caller may use, or `missing`."""
    row = await tx.get(kind, id=id)
    if row is None or (row.project_id != caller.project_id and not caller.is_admin):
        raise missing(f"{kind.__name__.removesuffix('Row')} {id[:64]} could not be found.")
    return row


async def _snapshot_content(room: BlockStorage, caller: Caller, snapshot_id: str) -> Content:
    async with room.database.read() as tx:
        snapshot = await visible(tx, caller, SnapshotRow, snapshot_id, SnapshotNotFound)
        volume = await tx.get(VolumeRow, id=snapshot.volume_id)
    if snapshot.status != "available" or volume is None:
        raise InvalidSnapshot(f"Originating snapshot status must be one of 'available' values, not {snapshot.status}")
    return _copied(volume, snapshot.size)


async def _volume_content(room: BlockStorage, caller: Caller, volume_id: str) -> Content:
    async with room.database.read() as tx:
        origin = await visible(tx, caller, VolumeRow, volume_id, VolumeNotFound)
    if origin.status not in ("available", "in-use"):
        raise InvalidVolume(f"status must be available or in-use to copy it, not {origin.status}")
    return _copied(origin, origin.size)


def _copied(origin: VolumeRow, size: int) -> Content:
    """What a volume, or a snapshot of it, means for its copy."""
    return Content(
        size,
        origin.bootable,
        origin.image_metadata,
        encrypted=bool(origin.encryption_key_id),
        type_id=origin.type_id,
    )


async def image_content(room: BlockStorage, caller: Caller, image_id: str) -> Content:
    """What an image means for the volume that is to hold it."""
    image = await room.image.get(caller, image_id)
    if image.status != "active":
        raise InvalidInput(f"image {image_id} is {image.status}; only an active image can become a volume")
    if not image.size and "block_device_mapping" in image.properties:
        raise InvalidInput(f"image {image_id} has no bytes of its own: it stands for snapshots of volumes")
    size = image.virtual_size or image.size or 0
    least = max(1, image.min_disk, -(-size // 2**30))
    metadata = {
        "image_id": image.id,
        "image_name": image.name or "",
        "checksum": image.checksum or "",
        "container_format": image.container_format or "",
        "disk_format": image.disk_format or "",
        "min_disk": str(image.min_disk),
        "min_ram": str(image.min_ram),
        "size": str(image.size or 0),
        **image.properties,
    }
    return Content(least, True, msgspec.json.encode(metadata).decode())


async def is_copied(tx: Transaction, volume: VolumeRow) -> bool:
    """Whether another volume is just being made of it, or of one of its snapshots."""
    snapshots = [row.id for row in await tx.find(SnapshotRow, volume_id=volume.id)]
    if await tx.find(VolumeRow, source_volume_id=volume.id, made_size=0, fault="", wanted=True, limit=1):
        return True
    made_of = [] if not snapshots else await tx.find(VolumeRow, snapshot_id=snapshots, made_size=0, fault="")
    return any(row.wanted for row in made_of)
