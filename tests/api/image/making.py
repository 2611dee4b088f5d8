"""Short ways to have an image in a test."""

from __future__ import annotations

from typing import Any

from tests.support.client import Client

RAW = bytes(range(256)) * 4
OCTETS = {"content-type": "application/octet-stream"}
PATCH = "application/openstack-images-v2.1-json-patch"
OLD_PATCH = "application/openstack-images-v2.0-json-patch"


async def queued(image: Client, **fields: Any) -> dict[str, Any]:
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **fields}
    made: dict[str, Any] = await image.post("/images", body)
    return made


async def active(image: Client, data: bytes = RAW, **fields: Any) -> dict[str, Any]:
    made = await queued(image, **fields)
    await image.put(f"/images/{made['id']}/file", status=204, content=data, headers=OCTETS)
    shown: dict[str, Any] = await image.get(f"/images/{made['id']}")
    return shown


async def patch(image: Client, image_id: str, *changes: dict[str, Any], status: int = 200, media: str = PATCH) -> Any:
    return await image.patch(f"/images/{image_id}", list(changes), status, headers={"content-type": media})
