"""Images of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db
VERB = "os-volume_upload_image"


async def begin(shop: Shop, volume_id: str, status: int = 202, persona: str = "member", **wish: Any) -> Any:
    body = {VERB: {"image_name": "kept", **wish}}
    answer = await shop.client.as_(persona).post(f"/volumes/{volume_id}/action", body, status)
    return answer.get(VERB, answer)


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
async def test_a_volume_becomes_an_image_and_is_free_again(shop: Shop, disk_format: str) -> None:
    volume_id = await shop.make()

    begun = await begin(shop, volume_id, disk_format=disk_format, container_format="bare", force=False)

    assert (begun["id"], begun["status"], begun["disk_format"]) == (volume_id, "uploading", disk_format)
    assert (begun["visibility"], begun["protected"]) == ("private", False)
    assert await shop.status(volume_id) == "uploading"
    await begin(shop, volume_id, 400)
    await shop.client.delete(f"/volumes/{volume_id}", 400)
    await shop.settle()
    image = await shop.image.get(f"/images/{begun['image_id']}")
    assert (image["name"], image["status"], image["disk_format"]) == ("kept", "active", disk_format)
    assert image["size"] > 0
    assert await shop.status(volume_id) == "available"


async def test_what_is_refused(shop: Shop) -> None:
    volume_id = await shop.make()

    await begin(shop, volume_id, 400, disk_format="vmdk")
    await begin(shop, volume_id, 400, protected=True)
    await begin(shop, volume_id, 403, visibility="public")
    await begin(shop, volume_id, 403, persona="reader")

    assert await shop.status(volume_id) == "available"
    assert not [image for image in (await shop.image.get("/images"))["images"] if image["name"] == "kept"]


async def test_a_volume_gone_meanwhile_leaves_no_image(shop: Shop) -> None:
    volume_id = await shop.make()
    begun = await begin(shop, volume_id)

    await shop.act(volume_id, "os-force_delete", persona="admin")

    await shop.image.get(f"/images/{begun['image_id']}", 404)
    await shop.client.get(f"/volumes/{volume_id}", 404)


async def test_what_cannot_be_copied_leaves_no_image(shop: Shop) -> None:
    volume_id = await shop.make()
    for world in shop.nodes.volumes.values():
        world.open_in[volume_id] = {"somebody"}
    begun = await begin(shop, volume_id)

    await shop.settle()

    await shop.image.get(f"/images/{begun['image_id']}", 404)
    assert await shop.status(volume_id) == "available"
