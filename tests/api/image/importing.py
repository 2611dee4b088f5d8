"""Staging data, and asking for an import."""

from __future__ import annotations

from typing import Any

from tests.api.image.making import OCTETS, RAW, queued
from tests.support.client import Client


async def staged(image: Client, data: bytes = RAW, **fields: Any) -> str:
    path = f"/images/{(await queued(image, **fields))['id']}"
    await image.put(f"{path}/stage", status=204, content=data, headers=OCTETS)
    assert (await image.get(path))["status"] == "uploading"
    return path


async def ask(image: Client, path: str, name: str, status: int = 202, **more: Any) -> Any:
    stores = more.pop("stores", None)
    extra = {"stores": stores} if stores else {}
    for word in ("all_stores", "all_stores_must_succeed"):
        if word in more:
            extra[word] = more.pop(word)
    return await image.post(f"{path}/import", {"method": {"name": name, **more}, **extra}, status)
