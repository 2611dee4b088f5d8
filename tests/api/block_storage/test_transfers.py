"""A volume changes its owner."""

from __future__ import annotations

import pytest

from tests.api.block_storage.shop import Shop
from tests.support.personas import ALT, DEMO

pytestmark = pytest.mark.db


async def test_a_volume_goes_to_who_has_the_key(shop: Shop) -> None:
    volume = await shop.make(size=2)
    await shop.take(volume)
    await shop.client.post("/os-volume-transfer", {"transfer": {"volume_id": volume}}, 400)
    made = (await shop.client.post("/volume-transfers", {"transfer": {"volume_id": volume, "name": "gift"}}, 202))[
        "transfer"
    ]
    assert await shop.status(volume) == "awaiting-transfer"
    await shop.client.delete(f"/volumes/{volume}", 400)
    path = f"/volume-transfers/{made['id']}"
    assert (await shop.client.get(path))["transfer"]["source_project_id"] == DEMO
    assert "auth_key" not in (await shop.client.get(path))["transfer"]
    assert len((await shop.client.get("/volume-transfers/detail"))["transfers"]) == 1
    stranger = shop.client.as_("stranger")
    await stranger.get(path, 404)
    await stranger.delete(path, 404)
    assert (await stranger.get("/volume-transfers"))["transfers"] == []
    await stranger.post(f"{path}/accept", {"accept": {"auth_key": "wrong"}}, 400)
    got = await stranger.post(f"{path}/accept", {"accept": {"auth_key": made["auth_key"]}}, 202)
    assert got["transfer"]["volume_id"] == volume
    assert (await shop.see(volume, "stranger"))["os-vol-tenant-attr:tenant_id"] == ALT
    assert len((await stranger.get("/snapshots"))["snapshots"]) == 1
    await shop.client.get(f"/volumes/{volume}", 404)
    assert await shop.used() == {}
    await stranger.delete(f"/volumes/{volume}?cascade=true", 202)


async def test_an_offer_can_be_taken_back(shop: Shop) -> None:
    volume = await shop.make()
    made = (await shop.client.at("3.0").post("/os-volume-transfer", {"transfer": {"volume_id": volume}}, 202))[
        "transfer"
    ]
    assert set(made) == {"id", "volume_id", "name", "created_at", "links", "auth_key"}
    await shop.client.delete(f"/os-volume-transfer/{made['id']}", 202)
    assert await shop.status(volume) == "available"
    await shop.client.get(f"/os-volume-transfer/{made['id']}", 404)
    await shop.client.at("3.54").get("/volume-transfers", 404)


async def test_a_full_quota_keeps_it_where_it_is(shop: Shop) -> None:
    volume = await shop.make()
    made = (await shop.client.post("/volume-transfers", {"transfer": {"volume_id": volume}}, 202))["transfer"]
    await shop.client.as_("admin").put(f"/os-quota-sets/{ALT}", {"quota_set": {"volumes": 0}})
    body = {"accept": {"auth_key": made["auth_key"]}}
    await shop.client.as_("stranger").post(f"/volume-transfers/{made['id']}/accept", body, 413)
    assert await shop.status(volume) == "awaiting-transfer"
    assert await shop.used() == {"volumes": 1, "gigabytes": 1}


async def test_a_volume_of_a_group_is_not_given_away_with_the_right_to_delete_it(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    kind = (await admin.post("/group_types", {"group_type": {"name": "g"}}, 202))["group_type"]["id"]
    wish = {"group_type": kind, "volume_types": ["__DEFAULT__"]}
    group = (await shop.client.post("/groups", {"group": wish}, 202))["group"]["id"]
    volume = await shop.make(group_id=group)
    offer = {"transfer": {"volume_id": volume}}
    await shop.client.post("/volume-transfers", offer, 400)
    await shop.client.post("/os-volume-transfer", offer, 400)
    await shop.client.put(f"/groups/{group}", {"group": {"remove_volumes": volume}}, 202)
    made = (await shop.client.post("/volume-transfers", offer, 202))["transfer"]
    await shop.client.put(f"/groups/{group}", {"group": {"add_volumes": volume}}, 400)
    accept = {"accept": {"auth_key": made["auth_key"]}}
    await shop.client.as_("stranger").post(f"/volume-transfers/{made['id']}/accept", accept, 202)
    await shop.client.post(f"/groups/{group}/action", {"delete": {"delete-volumes": True}}, 202)
    assert (await shop.see(volume, "stranger"))["status"] == "available"
