"""Volumes that get another type with a place elsewhere while a server has them: what counts towards which type."""

from __future__ import annotations

from cumulet.services.block_storage.public import VolumeDoor
from tests.api.block_storage.shop import Shop
from tests.api.block_storage.test_backends import kind
from tests.api.block_storage.test_moves_between_backends import quota
from tests.api.block_storage.test_moves_in_use import goes_on, in_use


async def test_what_is_deleted_on_its_way_to_another_type_is_counted_out_once(shop: Shop) -> None:
    volume, _ = await in_use(shop)
    fast = await kind(shop, "fast", volume_backend_name="attic")
    await shop.make(volume_type=fast)
    shop.nodes.worlds["one"].holds_up = True
    await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "on-demand"})
    attachment = (await shop.see(volume))["attachments"][0]["attachment_id"]
    await shop.client.as_("admin").post(f"/volumes/{volume}/action", {"os-force_delete": None}, 202)
    await VolumeDoor(shop.volume_room).stayed(attachment)
    await shop.settle()
    assert (await quota(shop, "fast"))["volumes"] == (await quota(shop, "fast"))["gigabytes"] == 1
    assert (await quota(shop, "any"))["volumes"] == 0


async def test_a_type_is_kept_for_a_volume_on_its_way_to_it(shop: Shop) -> None:
    volume, server = await in_use(shop)
    fast = await kind(shop, "fast", volume_backend_name="attic")
    shop.nodes.worlds["one"].holds_up = True
    await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "on-demand"})
    admin = shop.client.as_("admin")
    [made] = [one["id"] for one in (await admin.get("/types"))["volume_types"] if one["name"] == "fast"]
    refused = await admin.delete(f"/types/{made}", 400)
    assert "used by volumes" in refused["badRequest"]["message"]
    await goes_on(shop, "one", server)
    assert (await shop.see(volume))["volume_type"] == "fast"
