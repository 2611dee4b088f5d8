"""What may be done with groups and their snapshots?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.errors import (
    GroupNotFound,
    GroupTypeNotFound,
    InvalidInput,
    InvalidVolume,
    TypeNotFound,
    VolumeNotFound,
)
from cumulet.services.block_storage.group_types import GroupTypeRow
from cumulet.services.block_storage.groups.rows import GroupRow, GroupSnapshotRow
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots import operations as snapshots
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import choice
from cumulet.services.block_storage.volumes import operations as volumes
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.sources import Source, admit

MOST_VOLUMES = 100
"""Volumes of one group that are copied or taken snapshots of at once."""


async def make(room: BlockStorage, caller: Caller, wish: dict[str, Any]) -> GroupRow:
    """A group of some type, for volumes of some types."""
    types = await types_for(room, caller, wish["volume_types"])
    async with room.database.read() as tx:
        key = wish["group_type"]
        kind = await tx.get(GroupTypeRow, id=key) or await tx.get(GroupTypeRow, name=key)
        if kind is None or not (kind.public or caller.is_admin):
            raise GroupTypeNotFound(f"Group type {key[:64]} could not be found.")
    return await _insert(room, caller, wish, kind.id, types, wish.get("availability_zone") or room.zone)


async def types_for(room: BlockStorage, caller: Caller, names: Sequence[str]) -> list[str]:
    """The ids of volume types that the caller may use. Raises TypeNotFound."""
    await choice.ensure_default(room)
    async with room.database.read() as tx:
        types: list[str] = []
        for name in names:
            row = await choice.find(tx, name)
            if row is None or not await choice.usable(tx, row, caller.project_id, caller):
                raise TypeNotFound(f"Volume type {name[:64]} could not be found.")
            types.append(row.id)
    return types


async def _insert(
    room: BlockStorage,
    caller: Caller,
    wish: dict[str, Any],
    kind: str,
    types: Sequence[str],
    zone: str,
    *,
    of_snapshot: str = "",
    of_group: str = "",
) -> GroupRow:
    row = GroupRow(
        id=new_uuid(),
        project_id=caller.project_id,
        user_id=caller.user_id,
        name=wish.get("name") or "",
        description=wish.get("description") or "",
        availability_zone=zone,
        group_type_id=kind,
        volume_types=msgspec.json.encode(list(types)).decode(),
        group_snapshot_id=of_snapshot,
        source_group_id=of_group,
        forced_status="",
        created_at=room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        await room.quota.take(tx, row.project_id, groups=1)
        await tx.insert(row)

    await room.database.write(write)
    return row


async def make_from(room: BlockStorage, caller: Caller, wish: dict[str, Any]) -> GroupRow:
    """A group like another one, its volumes made of that one's volumes or their snapshots."""
    snapshot_id, group_id = wish.get("group_snapshot_id") or "", wish.get("source_group_id") or ""
    if bool(snapshot_id) == bool(group_id):
        raise InvalidInput("give either group_snapshot_id or source_group_id")
    async with room.database.read() as tx:
        taken = await tx.get(GroupSnapshotRow, id=snapshot_id) if snapshot_id else None
        origin = await tx.get(GroupRow, id=group_id or (taken.group_id if taken else ""))
        if origin is None or (origin.project_id != caller.project_id and not caller.is_admin):
            raise GroupNotFound(f"Group {(group_id or snapshot_id)[:64]} could not be found.")
        members = await _members(tx, origin)
        parts = await tx.find(SnapshotRow, group_snapshot_id=snapshot_id, wanted=True) if snapshot_id else []
    sources = [(Source(snapshot_id=part.id), part.name) for part in parts]
    if group_id:
        sources = [(Source(volume_id=member.id), member.name) for member in members]
    admitted = [(source, name, await admit(room, caller, source)) for source, name in sources]
    types: list[str] = msgspec.json.decode(origin.volume_types)
    row = await _insert(
        room,
        caller,
        wish,
        origin.group_type_id,
        types,
        origin.availability_zone,
        of_snapshot=snapshot_id,
        of_group=group_id,
    )
    try:
        for source, name, content in admitted:
            await volumes.make(
                room,
                new_uuid(),
                caller.project_id,
                caller.user_id,
                source,
                size=content.least_gib,
                name=name,
                zone=row.availability_zone,
                content=content,
                caller=caller,
                group_id=row.id,
            )
    except CloudError:
        await delete(room, row, volumes_too=True)
        raise
    return row


async def _members(tx: Transaction, group: GroupRow) -> list[VolumeRow]:
    """All volumes of a group. Raises InvalidInput for too many."""
    found = await tx.find(VolumeRow, group_id=group.id, wanted=True, limit=MOST_VOLUMES + 1)
    if len(found) > MOST_VOLUMES:
        raise InvalidInput(f"group {group.id} has more than {MOST_VOLUMES} volumes; remove some of them first")
    return found


async def update(
    room: BlockStorage, row: GroupRow, given: dict[str, str], add: Sequence[str], drop: Sequence[str]
) -> None:
    """Rename a group; let volumes come and go."""
    types: list[str] = msgspec.json.decode(row.volume_types)

    async def write(tx: Transaction) -> None:
        for key in drop:
            volume = await store.held(room, tx, key)
            if volume.group_id != row.id:
                raise InvalidVolume(f"volume {volume.id} is not in group {row.id}")
            await store.change(room, tx, volume.id, group_id="")
        for key in add:
            volume = await store.held(room, tx, key)
            if volume.project_id != row.project_id:
                raise VolumeNotFound(f"Volume {key[:64]} could not be found.")
            if volume.group_id or volume.type_id not in types or volume.status not in ("available", "in-use"):
                raise InvalidVolume(
                    f"volume {volume.id} must be available or in-use, of one of the group's types, and in no group"
                )
            await store.change(room, tx, volume.id, group_id=row.id)
        if given:
            await tx.update(GroupRow, {"id": row.id}, **given)

    await room.database.write(write)


async def delete(room: BlockStorage, row: GroupRow, *, volumes_too: bool) -> None:
    """A group goes, with its volumes where that was asked for."""
    async with room.database.read() as tx:
        members = await tx.find(VolumeRow, group_id=row.id, wanted=True)
        if members and not volumes_too:
            raise InvalidInput(f"group {row.id} has volumes; ask for delete-volumes, or remove them first")
        if await tx.find(GroupSnapshotRow, group_id=row.id, limit=1):
            raise InvalidInput(f"group {row.id} has snapshots; delete these first")
        if busy := [one.id for one in members if one.status not in volumes.DELETABLE]:
            raise InvalidVolume(f"these are in use: {', '.join(busy)}")
    for member in members:
        await volumes.let_go(room, member.id, cascade=True)

    async def write(tx: Transaction) -> None:
        if await tx.delete(GroupRow, id=row.id):
            await room.quota.give_back(tx, row.project_id, groups=1)

    await room.database.write(write)


async def take(room: BlockStorage, caller: Caller, group: GroupRow, wish: dict[str, Any]) -> GroupSnapshotRow:
    """A snapshot of each volume of a group."""
    async with room.database.read() as tx:
        members = await _members(tx, group)
    if not members:
        raise InvalidInput(f"group {group.id} has no volumes to take a snapshot of")
    if busy := [one.id for one in members if one.status not in ("available", "in-use")]:
        raise InvalidVolume(f"these must be available or in-use: {', '.join(busy)}")
    row = GroupSnapshotRow(
        id=new_uuid(),
        project_id=group.project_id,
        user_id=caller.user_id,
        group_id=group.id,
        group_type_id=group.group_type_id,
        name=wish.get("name") or "",
        description=wish.get("description") or "",
        forced_status="",
        created_at=room.clock.now(),
    )
    await room.database.write(lambda tx: tx.insert(row))
    try:
        for member in members:
            await snapshots.take(
                room,
                member,
                new_uuid(),
                user_id=caller.user_id,
                name=row.name,
                description=row.description,
                in_use=True,
                group_snapshot_id=row.id,
            )
    except CloudError:
        await drop(room, row)
        raise
    return row


async def drop(room: BlockStorage, row: GroupSnapshotRow) -> None:
    """The snapshots of a group's volumes go together."""
    async with room.database.read() as tx:
        parts = await tx.find(SnapshotRow, group_snapshot_id=row.id, wanted=True)
    for part in parts:
        await snapshots.delete(room, part, force=True)
    await room.database.write(lambda tx: tx.delete(GroupSnapshotRow, id=row.id))
