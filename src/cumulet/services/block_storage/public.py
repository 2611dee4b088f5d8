"""Block storage's door: what compute may ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.volumes import CONTENT
from cumulet.core.access.caller import Caller
from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.within import Within
from cumulet.services.block_storage.attachments import operations as attachments
from cumulet.services.block_storage.backends import host_of, pools
from cumulet.services.block_storage.backups import reading
from cumulet.services.block_storage.errors import InvalidVolume, VolumeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.service import service
from cumulet.services.block_storage.snapshots import operations as snapshots
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import (
    arrival,
    exporting,
    following,
    keys,
    mirroring,
    operations,
    sources,
    store,
)
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

_ADMITTED = Caller(user_id="", roles=("admin",))
"""Who may use every source: compute has asked whether its own caller may."""


class VolumeView(msgspec.Struct):
    """A volume as compute needs to know it."""

    id: str
    name: str
    status: str
    size: int
    project_id: str
    bootable: bool
    multiattach: bool
    availability_zone: str
    encrypted: bool
    image_metadata: dict[str, str]
    fault: str = ""
    node: str = ""
    """The only node that can open it; empty: any can, or it is not placed yet."""


class SnapshotView(msgspec.Struct):
    """A snapshot as compute needs to know it, before a volume is made of it."""

    id: str
    size: int
    bootable: bool
    image_metadata: dict[str, str]


class Promise(NamedTuple):
    """An attachment as compute needs to know it."""

    made_at: int
    moves: bool
    """Its volume is on its way elsewhere, or was called off and may be there all the same."""
    goes: bool
    """It is to go on."""


class VolumeDoor:
    """Wakes the topic `attachment` with a server's id when something about its volumes changed."""

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    @cached_property
    def api(self) -> Within:
        """This service's whole API, for rooms that pass a caller's request on."""
        return Within(service(), self._room)

    async def get(self, caller: Caller, volume_id: str) -> VolumeView:
        """A volume that the caller may use."""
        async with self._room.database.read() as tx:
            row = await sources.visible(tx, caller, VolumeRow, volume_id, VolumeNotFound)
        return await self._view(row)

    async def snapshot(self, caller: Caller, snapshot_id: str) -> SnapshotView:
        """A snapshot that the caller may use and that is complete. Raises SnapshotNotFound, InvalidSnapshot."""
        content = await sources.admit(self._room, caller, sources.Source(snapshot_id=snapshot_id))
        metadata = msgspec.json.decode(content.image_metadata, type=dict[str, str])
        return SnapshotView(snapshot_id, content.least_gib, content.bootable, metadata)

    async def take_snapshot(self, volume_id: str, snapshot_id: str, user_id: str, name: str) -> str:
        """A snapshot of a volume, also of one in use, under an id that the caller chose; asked again, its status."""
        async with self._room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=snapshot_id)
            volume = await _volume(tx, volume_id) if row is None else None
        if volume is not None:
            row = await snapshots.take(self._room, volume, snapshot_id, user_id=user_id, name=name, in_use=True)
        return row.status if row is not None else "deleted"

    async def volume_of_snapshot(self, snapshot_id: str) -> str:
        """The volume that a snapshot is of; empty: there is no such snapshot."""
        async with self._room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=snapshot_id)
        return row.volume_id if row is not None else ""

    async def drop_snapshot(self, snapshot_id: str) -> None:
        """Let go of a snapshot that its maker does not want; nothing happens to one that is gone."""
        async with self._room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=snapshot_id)
        if row is not None:
            await snapshots.delete(self._room, row, force=True)

    async def sizes(self, volume_ids: Sequence[str]) -> dict[str, int]:
        """How large these volumes are now, in GiB, of those that are there."""
        async with self._room.database.read() as tx:
            return {row.id: row.made_size for row in await tx.find(VolumeRow, id=list(volume_ids))}

    async def homes(self, volume_ids: Sequence[str]) -> dict[str, Sequence[str]]:
        """The nodes where each of these volumes is opened at the least cost."""
        async with self._room.database.read() as tx:
            rows = [row for row in await tx.find(VolumeRow, id=list(volume_ids)) if row.node]
        if not rows:
            return {}
        places = {pool.host: [one.node.name for one in pool.services] for pool in await pools(self._room)}
        return {row.id: places.get(host_of(row), [row.node]) for row in rows}

    async def create(
        self,
        project_id: str,
        user_id: str,
        volume_id: str,
        size: int,
        *,
        image_id: str = "",
        snapshot_id: str = "",
        source_volume_id: str = "",
        type: str = "",
        zone: str = "",
        name: str = "",
    ) -> VolumeView:
        """A new volume under an id that the caller chose; the one that is there when it is called again.

        Its source was admitted for whom it is made. `size` in GiB; 0: that of the source.
        """
        async with self._room.database.read() as tx:
            row = await tx.get(VolumeRow, id=volume_id)
        if row is None:
            source = sources.Source(image_id, snapshot_id, source_volume_id)
            content = await sources.admit(self._room, _ADMITTED, source)
            row = await operations.make(
                self._room,
                volume_id,
                project_id,
                user_id,
                source,
                size=size or content.least_gib,
                name=name,
                zone=zone,
                type_name=type,
                content=content,
            )
        return await self._view(row)

    async def reimages(self, volume_id: str) -> int:
        """How often this volume was told to hold another image."""
        async with self._room.database.read() as tx:
            return (await _volume(tx, volume_id)).reimages

    async def reimage(self, volume_id: str, image_id: str, number: int) -> bool:
        """Let a volume that no machine has hold an image, and nothing else: whether it does by now.

        `number` is one more than `reimages` said before; asked again with it, nothing new begins. Raises InvalidVolume
        when it cannot be.
        """
        async with self._room.database.read() as tx:
            row = await _volume(tx, volume_id)
        if row.reimages < number:
            await operations.reimage(self._room, _ADMITTED, row, image_id, reserved=True, number=number)
            return False
        if row.fault:
            raise InvalidVolume(row.fault)
        return row.made_reimages >= number

    async def delete(self, volume_id: str) -> None:
        """Let a volume go, whoever holds it. One with snapshots stays: nobody asked for these to go."""
        with suppress(InvalidVolume):
            await operations.let_go(self._room, volume_id)

    async def reserve(self, volume_id: str, server_id: str, attachment_id: str, *, mode: str = "rw") -> None:
        """Promise a volume to a server. Raises VolumeInUse."""

        async def write(tx: Transaction) -> None:
            if await tx.get(AttachmentRow, id=attachment_id):
                return
            await attachments.reserve(
                self._room, tx, volume_id, attachment_id, server_id=server_id, mode=mode, by_compute=True
            )

        try:
            await self._room.database.write(write)
        except Duplicate:
            return  # the same promise was made at this very moment

    async def promised(self, server_id: str) -> dict[str, Promise]:
        """The attachments that were made for a server."""
        async with self._room.database.read() as tx:
            rows = await tx.find(AttachmentRow, server_id=server_id)
        return {row.id: Promise(row.created_at, bool(row.move), row.move == mirroring.GO) for row in rows}

    async def connect(self, attachment_id: str, host: str, device: str) -> VolumeConnection | None:
        """How a host reaches the volume of an attachment; None: it will, but is not made or not offered yet."""
        nodes = {node.name: node for node in await self._room.fleet.nodes()}

        async def write(tx: Transaction) -> VolumeConnection | None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None:
                return None
            volume = await _volume(tx, attachment.volume_id)
            if volume.fault or not volume.made_size:
                return None
            connection = await exporting.connect(self._room, tx, volume, host, nodes)
            if connection is not None and not await following.follows(self._room, tx, volume, host):
                connection = None
            if attachment.status == "reserved" or not attachment.host:
                await attachments.set_to(self._room, tx, attachment_id, status="attaching", host=host, device=device)
            return connection

        return await self._room.database.write(write)

    async def connected(self, attachment_id: str) -> None:
        """The machine has the volume now."""
        await self._set(attachment_id, "attached")

    async def disconnect(self, attachment_id: str) -> None:
        """The machine is to give the volume up."""
        await self._set(attachment_id, "detaching")

    async def keep(self, attachment_id: str) -> None:
        """No machine has the volume now, but the server keeps its promise: it moves, or is shelved."""
        await self._set(attachment_id, "reserved")

    async def target(self, attachment_id: str, host: str) -> VolumeConnection | None:
        """How a host reaches the place where the volume of an attachment should be; None: it will, but does not yet,
        or the volume is to stay."""
        nodes = {node.name: node for node in await self._room.fleet.nodes()}

        async def write(tx: Transaction) -> VolumeConnection | None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None or attachment.move != mirroring.GO:
                return None
            volume = await store.held(self._room, tx, attachment.volume_id)
            return await mirroring.target(self._room, tx, volume, host, nodes)

        return await self._room.database.write(write)

    async def went(self, attachment_id: str) -> str:
        """The machine goes on at the place where its volume should be. The only node that can open it there; empty:
        any can."""
        await mirroring.ended(self._room, attachment_id, arrival.SUCCESS)
        async with self._room.database.read() as tx:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            volume = await tx.get(VolumeRow, id=attachment.volume_id) if attachment is not None else None
        return (await self._view(volume)).node if volume is not None else ""

    async def call_off(self, attachment_id: str, reason: str) -> None:
        """The volume cannot go to where it should be. The machine is to stay where it is, and `stayed` to follow."""
        await mirroring.call_off(self._room, attachment_id, reason)

    async def stayed(self, attachment_id: str, reason: str = "") -> None:
        """The machine has the volume where it was, and does not bring it elsewhere."""
        await mirroring.ended(self._room, attachment_id, arrival.ERROR, reason)

    async def moved(self, attachment_id: str, host: str) -> None:
        """The machine that has the volume is on this host now."""

        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is not None and attachment.host != host:
                await attachments.set_to(self._room, tx, attachment_id, host=host)
                await following.follows(self._room, tx, await _volume(tx, attachment.volume_id), host)

        await self._room.database.write(write)

    async def release(self, attachment_id: str) -> None:
        """No machine has the volume by this attachment any more."""

        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None:
                return
            await attachments.remove(self._room, tx, attachment)

        await self._room.database.write(write)

    async def key(self, volume_id: str) -> str:
        """What opens an encrypted volume, for the node that holds it."""
        return await keys.of_volume(self._room, volume_id)

    async def file(self, volume_id: str) -> AsyncIterator[bytes]:
        """A volume on its way with its holes, from the node that has it: its file, or what it holds."""
        async with self._room.database.read() as tx:
            volume = await _volume(tx, volume_id)
        what = "volume_data" if volume.carried == CONTENT else "volume_file"
        pieces = self._room.fleet.stream(volume.node, what, backend=volume.backend, volume=volume_id)
        async for piece in pieces:
            yield piece

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        """The content of a backup as a file with holes on its way, for the node that restores it."""
        return reading.content(self._room, backup_id)

    async def _set(self, attachment_id: str, status: str) -> None:
        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None or attachment.status == status:
                return
            now = self._room.clock.now()
            also: dict[str, dict[str, Any]] = {"attached": {"attached_at": now}, "reserved": {"host": ""}}
            await attachments.set_to(self._room, tx, attachment_id, status=status, **also.get(status, {}))

        await self._room.database.write(write)

    async def _view(self, row: VolumeRow) -> VolumeView:
        anywhere = bool(row.cluster) or not row.node or exporting.reaches_out(await self._room.fleet.node(row.node))
        return VolumeView(
            row.id,
            row.name,
            row.status,
            row.size,
            row.project_id,
            row.bootable,
            row.multiattach,
            row.availability_zone,
            bool(row.encryption_key_id),
            msgspec.json.decode(row.image_metadata),
            row.fault,
            "" if anywhere else row.node,
        )


async def _volume(tx: Transaction, volume_id: str) -> VolumeRow:
    volume = await tx.get(VolumeRow, id=volume_id)
    if volume is None:
        raise VolumeNotFound(f"Volume {volume_id[:64]} could not be found.")
    return volume
