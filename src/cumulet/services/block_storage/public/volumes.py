"""Volumes and snapshots that servers are made of, or that are made for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.services.block_storage.backends import host_of, pools
from cumulet.services.block_storage.errors import InvalidVolume, VolumeNotFound
from cumulet.services.block_storage.public.part import Part, known
from cumulet.services.block_storage.public.views import SnapshotView, VolumeView
from cumulet.services.block_storage.snapshots import operations as snapshots
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import (
    operations,
    sources,
)
from cumulet.services.block_storage.volumes.row import VolumeRow

_ADMITTED = Caller(user_id="", roles=("admin",))
"""Who may use every source: compute has asked whether its own caller may."""


class Volumes(Part):
    """Those of one room."""

    async def get(self, caller: Caller, volume_id: str) -> VolumeView:
        """A volume that the caller may use."""
        async with self._room.database.read() as tx:
            row = await sources.visible(tx, caller, VolumeRow, volume_id, VolumeNotFound)
        return await self._view(row)

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
            return (await known(tx, volume_id)).reimages

    async def reimage(self, volume_id: str, image_id: str, number: int) -> bool:
        """Let a volume that no machine has hold an image, and nothing else: whether it does by now.

        `number` is one more than `reimages` said before; asked again with it, nothing new begins. Raises InvalidVolume
        when it cannot be.
        """
        async with self._room.database.read() as tx:
            row = await known(tx, volume_id)
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

    async def snapshot(self, caller: Caller, snapshot_id: str) -> SnapshotView:
        """A snapshot that the caller may use and that is complete. Raises SnapshotNotFound, InvalidSnapshot."""
        content = await sources.admit(self._room, caller, sources.Source(snapshot_id=snapshot_id))
        metadata = msgspec.json.decode(content.image_metadata, type=dict[str, str])
        return SnapshotView(snapshot_id, content.least_gib, content.bootable, metadata)

    async def take_snapshot(self, volume_id: str, snapshot_id: str, user_id: str, name: str) -> str:
        """A snapshot of a volume, also of one in use, under an id that the caller chose; asked again, its status."""
        async with self._room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=snapshot_id)
            volume = await known(tx, volume_id) if row is None else None
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
