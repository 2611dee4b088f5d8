"""All that may have a volume open, as one: a node's machines, and the daemons that serve machines of other nodes."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.drivers.volume.base import OpenVolumes


class Holders:
    """Asks whoever has it."""

    def __init__(self, *parts: OpenVolumes) -> None:
        self._parts = parts

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return [machine for part in self._parts for machine in await part.machines_with(volume_id)]

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        for part in await self._with(volume_id):
            await part.resize_volume(volume_id, size_bytes)

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        for part in await self._with(volume_id):
            await part.take_volume_snapshot(volume_id, snapshot_id)

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        for part in await self._with(volume_id):
            await part.drop_volume_snapshot(volume_id, snapshot_id)

    async def _with(self, volume_id: str) -> list[OpenVolumes]:
        return [part for part in self._parts if await part.machines_with(volume_id)]
