"""What nodes get for their volumes: keys, and bytes on their way."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cumulet.contracts.volumes import CONTENT
from cumulet.services.block_storage.backups import reading
from cumulet.services.block_storage.public.part import Part, known
from cumulet.services.block_storage.volumes import (
    keys,
)


class Sending(Part):
    """The fleet asks for it in the name of a node."""

    async def key(self, volume_id: str) -> str:
        """What opens an encrypted volume, for the node that holds it."""
        return await keys.of_volume(self._room, volume_id)

    async def file(self, volume_id: str) -> AsyncIterator[bytes]:
        """A volume on its way with its holes, from the node that has it: its file, or what it holds."""
        async with self._room.database.read() as tx:
            volume = await known(tx, volume_id)
        what = "volume_data" if volume.carried == CONTENT else "volume_file"
        pieces = self._room.fleet.stream(volume.node, what, backend=volume.backend, volume=volume_id)
        async for piece in pieces:
            yield piece

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        """The content of a backup as a file with holes on its way, for the node that restores it."""
        return reading.content(self._room, backup_id)
