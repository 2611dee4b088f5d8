"""How the suites ask for backups and look at what became of them."""

from __future__ import annotations

from typing import Any

from tests.api.block_storage.shop import Shop

NOBODY = "0a0a0a0a-0000-4000-8000-000000000001"


async def ask(shop: Shop, volume_id: str, status: int = 202, persona: str = "member", **wish: Any) -> Any:
    """Wish for a backup."""
    body = {"backup": {"volume_id": volume_id, **wish}}
    answer = await shop.client.as_(persona).post("/backups", body, status)
    return answer.get("backup", answer)


async def back_up(shop: Shop, volume_id: str, **wish: Any) -> str:
    """A settled backup; its id."""
    made = await ask(shop, volume_id, **wish)
    await shop.settle()
    return str(made["id"])


async def page(shop: Shop, backup_id: str, persona: str = "member") -> dict[str, Any]:
    found: dict[str, Any] = (await shop.client.as_(persona).get(f"/backups/{backup_id}"))["backup"]
    return found


async def restore(shop: Shop, backup_id: str, status: int = 202, **wish: Any) -> Any:
    answer = await shop.client.post(f"/backups/{backup_id}/restore", {"restore": wish or None}, status)
    return answer.get("restore", answer)


def writes(shop: Shop, volume_id: str, word: str) -> None:
    """A guest writes over the whole volume."""
    volume = shop.real(volume_id)
    assert volume is not None
    volume.content = word


def holds(shop: Shop, volume_id: str) -> str:
    volume = shop.real(volume_id)
    assert volume is not None
    return volume.content


def opens(shop: Shop, volume_id: str) -> None:
    """A machine has it, whatever else is known."""
    for world in shop.nodes.volumes.values():
        if volume_id in world.volumes:
            world.open_in[volume_id] = {"machine"}


async def held(shop: Shop) -> tuple[int, int]:
    found = (await shop.client.get("/limits"))["limits"]["absolute"]
    return found["totalBackupsUsed"], found["totalBackupGigabytesUsed"]
