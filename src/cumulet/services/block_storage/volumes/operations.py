"""What may be done with volumes? The admission of wishes; `store.py` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.core.errors import Conflict, OverQuota
from cumulet.services.block_storage.backups import store as backups
from cumulet.services.block_storage.errors import InvalidInput, InvalidSnapshot, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import choice, quotas
from cumulet.services.block_storage.volumes import keys, store
from cumulet.services.block_storage.volumes.hints import NO_HINTS, Hints
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.sources import Content, Source, image_content

DELETABLE = {"available", "error", "error_restoring", "error_extending", "error_managing", "creating", "deleting"}


@dataclass(frozen=True)
class Found:
    """A volume that is on a backend and belongs to nobody, which becomes one of somebody's."""

    place: Mapping[str, str]
    """The columns that say where."""
    id: str
    snapshots: tuple[str, ...]

    def columns(self) -> dict[str, Any]:
        return {**self.place, "adopt": self.id, "left": msgspec.json.encode(self.snapshots).decode()}


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
    metadata: Mapping[str, str] = {},
    multiattach: bool = False,
    content: Content | None = None,
    caller: Caller | None = None,
    group_id: str = "",
    hints: Hints = NO_HINTS,
    found: Found | None = None,
) -> VolumeRow:
    """Store the wish for a volume, within the project's quota."""
    content = content or Content(bootable=bool(source.image_id))
    kind = await choice.choose(room, project_id, type_name or content.type_id, caller)
    specs: dict[str, str] = msgspec.json.decode(kind.extra_specs) if kind else {}
    encryption = keys.wished(kind)
    if found and encryption:
        raise InvalidInput(f"the type {type_name} asks for encryption, which what is there has not")
    if content.encrypted and not encryption:
        raise InvalidInput("what it is made of is encrypted; choose a type with encryption")
    now = room.clock.now()
    volume = VolumeRow(
        id=volume_id,
        project_id=project_id,
        user_id=user_id,
        name=name,
        description=description,
        size=size,
        availability_zone=zone or room.zone,
        type_id=kind.id if kind else "",
        type_name=kind.name if kind else "",
        source_image_id=source.image_id,
        source_volume_id=source.volume_id,
        snapshot_id=source.snapshot_id,
        encryption=msgspec.json.encode(encryption).decode() if encryption else "",
        metadata=msgspec.json.encode({**content.metadata, **metadata}).decode(),
        image_metadata=content.image_metadata,
        bootable=content.bootable,
        multiattach=multiattach or specs.get("multiattach", "").lower() == "<is> true",
        group_id=group_id,
        hints=msgspec.json.encode(dict(hints)).decode(),
        restore_from=source.backup_id,
        restores=1 if source.backup_id else 0,
        created_at=now,
        updated_at=now,
        **(found.columns() if found else {}),
    )

    async def write(tx: Transaction) -> None:
        await within_one(room, tx, project_id, size)
        if source.backup_id:
            await backups.held_whole(room, tx, source.backup_id)
        await quotas.take(room, tx, project_id, volume.type_id, volumes=1, gigabytes=size)
        if encryption:
            volume.encryption_key_id = await keys.make(room, tx, project_id)
        await store.insert(room, tx, volume)

    await room.database.write(write)
    return volume


async def give_back(room: BlockStorage, tx: Transaction, volume: VolumeRow, project_id: str, **amounts: int) -> None:
    """The quota of a volume or a snapshot of it: also that of the type which the volume was to have."""
    await quotas.give_back(room, tx, project_id, volume.type_id, **amounts)
    if volume.new_type:
        await quotas.give_back_too(room, tx, project_id, volume.new_type, **amounts)


async def within_one(room: BlockStorage, tx: Transaction, project_id: str, size: int) -> None:
    """Raise OverQuota for a single volume that is larger than a project's volumes may be."""
    most = (await room.quota.limits(tx, project_id))["per_volume_gigabytes"]
    if 0 <= most < size:
        message = f"Requested size {size} is larger than maximum allowed limit {most}. Make a smaller volume."
        raise OverQuota(message, ("per_volume_gigabytes",))


async def let_go(room: BlockStorage, volume_id: str, *, cascade: bool = False) -> None:
    """Store the wish that a volume goes. Its quota is free at once; doing it again changes nothing."""

    async def write(tx: Transaction) -> None:
        if not await tx.get(VolumeRow, id=volume_id):
            return
        volume = await store.held(room, tx, volume_id)
        if not volume.wanted:
            return
        for snapshot in await tx.find(SnapshotRow, volume_id=volume_id, wanted=True):
            if not cascade:
                raise InvalidVolume("it has snapshots; delete these first, or ask for cascade")
            await let_snapshot_go(room, tx, snapshot, volume)
        await give_back(room, tx, volume, volume.project_id, volumes=1, gigabytes=volume.size)
        await store.change(room, tx, volume_id, wanted=False)

    await room.database.write(write)


async def let_snapshot_go(room: BlockStorage, tx: Transaction, snapshot: SnapshotRow, volume: VolumeRow) -> None:
    """A snapshot is to go; its volume's order follows. Its quota is free at once."""
    await give_back(room, tx, volume, snapshot.project_id, snapshots=1, gigabytes=snapshot.size)
    await store.set_snapshot(room, tx, snapshot.id, wanted=False)


async def delete(room: BlockStorage, volume: VolumeRow, *, force: bool = False, cascade: bool = False) -> None:
    """Delete a volume that nobody holds."""
    if volume.group_id and volume.wanted and not force:
        raise InvalidVolume(f"it belongs to group {volume.group_id}; remove it from there, or delete the group")
    if not force and volume.status not in DELETABLE:
        raise InvalidVolume(
            "Volume status must be available or error or error_restoring or error_extending or error_managing and must "
            "not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated "
            f"from snapshots after volume transfer. This one is {volume.status}."
        )
    await let_go(room, volume.id, cascade=cascade or force)


async def extend(room: BlockStorage, volume: VolumeRow, size: int, *, in_use: bool) -> None:
    """Make a volume larger."""
    allowed = ("available", "in-use") if in_use else ("available",)

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, volume.id)
        if current.status not in allowed:
            words = " or ".join(allowed)
            raise InvalidVolume(f"Volume {volume.id} status must be {words} to extend, not {current.status}")
        if size <= current.size:
            raise InvalidInput(
                f"New size for extend must be greater than current size. (current: {current.size}, extended: {size})."
            )
        await within_one(room, tx, volume.project_id, size)
        await quotas.take(room, tx, volume.project_id, current.type_id, gigabytes=size - current.size)
        await store.order(room, tx, volume.id, size=size, fault="")

    await room.database.write(write)


async def reimage(
    room: BlockStorage, caller: Caller, volume: VolumeRow, image_id: str, *, reserved: bool, number: int = 0
) -> None:
    """Let a volume that nobody has hold what an image holds. `number`: which time this is, if that is known."""
    content = await image_content(room, caller, image_id)
    allowed = ("available", "error", "reserved") if reserved else ("available", "error")

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, volume.id)
        if number and current.reimages >= number:
            return
        if current.status not in allowed or not current.made_size:
            raise InvalidVolume(f"status must be {' or '.join(allowed)} to reimage it, not {current.status}")
        if current.size < content.least_gib:
            raise InvalidInput(f"its {current.size} GiB are too few: image {image_id} needs {content.least_gib} GiB")
        await store.order(
            room,
            tx,
            volume.id,
            source_image_id=image_id,
            reimages=number or current.reimages + 1,
            image_metadata=content.image_metadata,
            bootable=True,
            forced_status="",
            fault="",
        )

    await room.database.write(write)


async def revert(room: BlockStorage, volume: VolumeRow, snapshot_id: str) -> None:
    """Return a volume to what it held at its latest snapshot."""

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, volume.id)
        snapshots = await tx.find(SnapshotRow, volume_id=volume.id, wanted=True, order_by="-created_at")
        if not snapshots or snapshots[0].id != snapshot_id:
            raise InvalidSnapshot(f"{snapshot_id[:64]} is not the latest snapshot of volume {volume.id}")
        if snapshots[0].size != current.size:
            raise InvalidVolume("its size must be that of the snapshot; it was extended since")
        if current.status != "available" or snapshots[0].status != "available":
            raise Conflict(
                f"The volume is {current.status} and its snapshot {snapshots[0].status}; both must be available to "
                "return to the snapshot. Detach the volume first."
            )
        await store.order(room, tx, volume.id, reverts=current.reverts + 1, revert_to=snapshot_id)

    await room.database.write(write)
