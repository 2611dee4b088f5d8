"""What all parts of the door stand on."""

from __future__ import annotations

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.block_storage.errors import VolumeNotFound
from cumulet.services.block_storage.public.views import VolumeView
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import (
    exporting,
)
from cumulet.services.block_storage.volumes.row import VolumeRow


class Part:
    """Asks the room."""

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

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


async def known(tx: Transaction, volume_id: str) -> VolumeRow:
    volume = await tx.get(VolumeRow, id=volume_id)
    if volume is None:
        raise VolumeNotFound(f"Volume {volume_id[:64]} could not be found.")
    return volume
