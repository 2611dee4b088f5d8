"""A small cloud, seen from its volumes."""

from __future__ import annotations

from typing import Any

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.drivers.volume.fake import FakeVolume
from tests.support.client import Client
from tests.support.small_cloud import SmallCloud


class Shop(SmallCloud):
    """Its client speaks for the member, without a project in the path, at the newest version unless told otherwise."""

    def __init__(self, database: Database, bus: MemoryBus) -> None:
        super().__init__(database, bus)
        self.client = Client(self.volume.door, prefix="/v3").at("3.71")

    async def make(self, size: int = 1, persona: str = "member", **wish: Any) -> str:
        """A settled volume; its id."""
        body = {"volume": {"size": size, **wish}}
        made = (await self.client.as_(persona).post("/volumes", body, 202))["volume"]
        await self.settle()
        return str(made["id"])

    async def take(self, volume_id: str, **wish: Any) -> str:
        """A settled snapshot; its id."""
        made = (await self.client.post("/snapshots", {"snapshot": {"volume_id": volume_id, **wish}}, 202))["snapshot"]
        await self.settle()
        return str(made["id"])

    async def see(self, volume_id: str, persona: str = "member") -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.as_(persona).get(f"/volumes/{volume_id}"))["volume"]
        return found

    async def status(self, volume_id: str) -> str:
        return str((await self.see(volume_id))["status"])

    async def act(self, volume_id: str, verb: str, body: Any = None, status: int = 202, persona: str = "member") -> Any:
        answer = await self.client.as_(persona).post(f"/volumes/{volume_id}/action", {verb: body}, status)
        await self.settle()
        return answer

    async def used(self) -> dict[str, int]:
        """What the member's project holds, of what it holds any."""
        found = (await self.client.get("/limits"))["limits"]["absolute"]
        names = {"volumes": "totalVolumesUsed", "gigabytes": "totalGigabytesUsed", "snapshots": "totalSnapshotsUsed"}
        return {name: found[shown] for name, shown in names.items() if found[shown]}

    def real(self, volume_id: str) -> FakeVolume | None:
        """What the nodes hold of a volume."""
        for world in self.nodes.volumes.values():
            if volume_id in world.volumes:
                return world.volumes[volume_id]
        return None
