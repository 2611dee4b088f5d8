"""Backups that cannot be made or believed, and what an administrator may say of them."""

from __future__ import annotations

import pytest

from tests.api.block_storage.backing_up import ask, back_up, held, holds, page, restore, writes
from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db


async def test_an_administrator_says_what_a_backup_is(shop: Shop) -> None:
    backup, admin = await back_up(shop, await shop.make()), shop.client.as_("admin")
    verb = f"/backups/{backup}/action"
    await admin.post(verb, {"os-reset_status": {"status": "well"}}, 400)
    await admin.post(verb, {"os-reset_status": {"status": "error"}}, 202)
    assert (await page(shop, backup))["status"] == "error"
    await restore(shop, backup, 400)
    await admin.post(verb, {"os-reset_status": {"status": "available"}}, 202)
    assert (await page(shop, backup))["status"] == "available"
    await admin.post(verb, {"os-reset_status": {"status": "creating"}}, 202)
    await shop.client.delete(f"/backups/{backup}", 400)
    await admin.post(verb, {"os-force_delete": None}, 202)
    await shop.settle()
    await shop.client.get(f"/backups/{backup}", 404)


async def test_a_backup_deleted_by_force_lets_its_volume_go(shop: Shop) -> None:
    volume = await shop.make()
    backup = await ask(shop, volume)
    await shop.client.as_("admin").post(f"/backups/{backup['id']}/action", {"os-force_delete": None}, 202)
    assert await shop.status(volume) == "available"
    await shop.settle()
    await shop.client.get(f"/backups/{backup['id']}", 404)
    assert shop.backups.images == {}


async def test_a_volume_taken_away_fails_its_backup_and_says_so(shop: Shop) -> None:
    volume = await shop.make()
    backup = await ask(shop, volume)
    await shop.act(volume, "os-force_delete", persona="admin")
    found = await page(shop, backup["id"])
    assert (found["status"], found["object_count"]) == ("error", 0)
    assert found["fail_reason"]
    (told,) = (await shop.client.get("/messages"))["messages"]
    assert (told["resource_type"], told["resource_uuid"]) == ("VOLUME_BACKUP", backup["id"])
    await shop.client.delete(f"/backups/{backup['id']}", 202)
    await shop.settle()
    assert await held(shop) == (0, 0)


async def test_a_full_store_fails_the_backup(shop: Shop) -> None:
    volume = await shop.make()
    writes(shop, volume, "something")
    shop.backups.capacity_bytes = 1000
    backup = await back_up(shop, volume)
    assert "no room" in (await page(shop, backup))["fail_reason"]
    assert await shop.status(volume) == "available"


async def test_damage_is_found_before_a_byte_is_believed(shop: Shop) -> None:
    volume = await shop.make()
    writes(shop, volume, "truth")
    backup = await back_up(shop, volume)
    shop.backups.images[backup] = shop.backups.images[backup].replace(b"truth", b"fraud")
    new = (await restore(shop, backup))["volume_id"]
    await shop.settle()
    assert (await shop.status(new), holds(shop, new)) == ("error", "blank")
    found = await page(shop, backup)
    assert found["status"] == "error"
    assert "damaged" in found["fail_reason"]
    admin = shop.client.as_("admin")
    await admin.post(f"/backups/{backup}/action", {"os-reset_status": {"status": "available"}}, 202)
    await restore(shop, backup, volume_id=volume)
    await shop.settle()
    assert (await shop.status(volume), holds(shop, volume)) == ("error_restoring", "truth")
    assert (await page(shop, backup))["status"] == "error"
    await shop.act(volume, "os-reset_status", {"status": "available"}, persona="admin")
    assert await shop.status(volume) == "available"
    told = [one["user_message"] for one in (await shop.client.get("/messages"))["messages"]]
    assert all("damaged" in one for one in told)
    assert len(told) == 2
    for volume_id in (new, volume):
        await shop.client.delete(f"/volumes/{volume_id}", 202)
    await shop.settle()
    assert not any(world.volumes for world in shop.nodes.volumes.values())
