"""What may be done with volumes? The admission of wishes; `store.py` writes them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume, VolumeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import VolumeRow

DELETABLE = {"available", "error", "error_restoring", "error_extending", "error_managing", "creating"}


@dataclass(frozen=True)
class Source:
    """What a volume's content comes from: at most one of these."""

    image_id: str = ""
    snapshot_id: str = ""
    volume_id: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.image_id, self.snapshot_id, self.volume_id))) > 1:
            raise InvalidInput("give one source at the most: imageRef, snapshot_id or source_volid")


@dataclass
class Content:
    """What a source means for the volume made of it."""

    least_gib: int = 1
    bootable: bool = False
    image_metadata: str = "{}"


async def admit(room: BlockStorage, caller: Caller, source: Source) -> Content:
    """The source exists, the caller may use it, and it is complete."""
    if source.image_id:
        return await _image_content(room, caller, source.image_id)
    if source.volume_id:
        async with room.database.read() as tx:
            origin = await tx.get(VolumeRow, id=source.volume_id)
        if origin is None or (origin.project_id != caller.project_id and not caller.is_admin):
            raise VolumeNotFound(f"Volume {source.volume_id[:64]} could not be found.")
        if origin.status not in ("available", "in-use"):
            raise InvalidVolume(f"status must be available or in-use to copy it, not {origin.status}")
        return Content(origin.size, origin.bootable, origin.image_metadata)
    return Content()


async def _image_content(room: BlockStorage, caller: Caller, image_id: str) -> Content:
    image = await room.image.get(caller, image_id)
    if image.status != "active":
        raise InvalidInput(f"image {image_id} is {image.status}; only an active image can become a volume")
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


async def make(
    room: BlockStorage,
    volume_id: str,
    project_id: str,
    user_id: str,
    source: Source,
    *,
    size: int,
    name: str = "",
    description: str = "",
    zone: str = "",
    type_name: str = "",
    type_id: str = "",
    metadata: str = "{}",
    multiattach: bool = False,
    content: Content | None = None,
) -> VolumeRow:
    """Store the wish for a volume, within the project's quota."""
    content = content or Content(bootable=bool(source.image_id))
    now = room.clock.now()
    volume = VolumeRow(
        id=volume_id,
        project_id=project_id,
        user_id=user_id,
        name=name,
        description=description,
        size=size,
        availability_zone=zone or room.zone,
        type_id=type_id,
        type_name=type_name,
        source_image_id=source.image_id,
        source_volume_id=source.volume_id,
        snapshot_id=source.snapshot_id,
        metadata=metadata,
        image_metadata=content.image_metadata,
        bootable=content.bootable,
        multiattach=multiattach,
        read_only=False,
        wanted=True,
        generation=1,
        node="",
        backend="",
        made_size=0,
        fault="",
        forced_status="",
        status="",
        attachments="[]",
        unsettled=True,
        created_at=now,
        updated_at=now,
    )

    async def write(tx: Transaction) -> None:
        await room.quota.take(tx, project_id, volumes=1, gigabytes=size)
        await store.insert(tx, volume)

    await room.database.write(write)
    return volume


async def let_go(room: BlockStorage, volume_id: str) -> None:
    """Store the wish that a volume goes. Its quota is free at once; doing it again changes nothing."""

    async def write(tx: Transaction) -> None:
        volume = await tx.get(VolumeRow, id=volume_id)
        if volume is None or not volume.wanted:
            return
        await room.quota.give_back(tx, volume.project_id, volumes=1, gigabytes=volume.size)
        await store.change(room, tx, volume, wanted=False)

    await room.database.write(write)


async def delete(room: BlockStorage, volume: VolumeRow, *, force: bool = False) -> None:
    """Delete a volume that nobody holds."""
    if not force and volume.status not in DELETABLE:
        raise InvalidVolume(
            "Volume status must be available or error or error_restoring or error_extending or error_managing and must "
            "not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated "
            f"from snapshots after volume transfer. This one is {volume.status}."
        )
    await let_go(room, volume.id)


async def extend(room: BlockStorage, volume: VolumeRow, size: int, *, in_use: bool) -> None:
    """Make a volume larger."""
    allowed = ("available", "in-use") if in_use else ("available",)
    if volume.status not in allowed:
        raise InvalidVolume(f"Volume {volume.id} status must be {' or '.join(allowed)} to extend, not {volume.status}")
    if size <= volume.size:
        raise InvalidInput(f"New size for extend must be greater than current size. (current: {volume.size}, {size})")

    async def write(tx: Transaction) -> None:
        current = await tx.get(VolumeRow, id=volume.id)
        if current is None or current.size != volume.size:
            raise InvalidVolume("the volume changed at this moment; look at it again")
        await room.quota.take(tx, volume.project_id, gigabytes=size - volume.size)
        await store.change(room, tx, current, size=size, generation=current.generation + 1, fault="")

    await room.database.write(write)
