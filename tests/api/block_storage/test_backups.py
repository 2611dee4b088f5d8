"""Backups: made of volumes and snapshots, adding to each other, and restored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.block_storage.backing_up import NOBODY, ask, back_up, held, holds, opens, page, restore, writes
from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_a_volume_is_backed_up_and_comes_back_when_it_is_gone(shop: Shop) -> None:
    volume = await shop.make(2, name="ledger", metadata={"a": "1"})
    writes(shop, volume, "figures")
    begun = await ask(shop, volume, name="evening", description="all of it", container="shelf")
    assert set(begun) == {"id", "name", "links"}
    assert await shop.status(volume) == "backing-up"
    assert (await page(shop, begun["id"]))["status"] == "creating"
    await ask(shop, volume, 400)
    await shop.client.delete(f"/volumes/{volume}", 400)
    await shop.settle()
    assert await shop.status(volume) == "available"
    found = await page(shop, begun["id"])
    assert (found["status"], found["size"], found["object_count"], found["container"]) == ("available", 2, 1, "shelf")
    assert (found["is_incremental"], found["has_dependent_backups"], found["fail_reason"]) == (False, False, None)
    assert (found["volume_id"], found["snapshot_id"], found["user_id"]) == (volume, None, "member-id")
    assert found["data_timestamp"] == found["created_at"]
    assert await held(shop) == (1, 2)

    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    again = await restore(shop, begun["id"])
    assert (again["backup_id"], again["volume_name"]) == (begun["id"], f"restore_backup_{begun['id']}")
    assert (await page(shop, begun["id"]))["status"] == "restoring"
    await restore(shop, begun["id"], 400)
    await shop.client.delete(f"/backups/{begun['id']}", 400)
    await shop.settle()
    restored = await shop.see(again["volume_id"])
    assert (restored["status"], restored["size"], restored["metadata"]) == ("available", 2, {"a": "1"})
    assert holds(shop, again["volume_id"]) == "figures"
    assert (await page(shop, begun["id"]))["status"] == "available"

    await shop.client.delete(f"/backups/{begun['id']}", 202)
    assert (await page(shop, begun["id"]))["status"] == "deleting"
    assert await held(shop) == (0, 0)
    await shop.settle()
    await shop.client.get(f"/backups/{begun['id']}", 404)
    assert shop.backups.images == {}


async def test_a_backup_is_restored_over_a_volume(shop: Shop) -> None:
    volume, small = await shop.make(2), await shop.make(1)
    writes(shop, volume, "before")
    backup = await back_up(shop, volume)
    writes(shop, volume, "after")
    await restore(shop, backup, 400, volume_id=small)
    await restore(shop, backup, 404, volume_id=NOBODY)
    answer = await restore(shop, backup, volume_id=volume)
    assert answer["volume_id"] == volume
    assert await shop.status(volume) == "restoring-backup"
    await shop.settle()
    assert (await shop.status(volume), holds(shop, volume)) == ("available", "before")
    writes(shop, volume, "later")
    await shop.settle()
    assert holds(shop, volume) == "later"
    # As often as it is asked for.
    await restore(shop, backup, volume_id=volume)
    await shop.settle()
    assert holds(shop, volume) == "before"


async def test_a_bootable_volume_comes_back_as_one(shop: Shop) -> None:
    image = await shop.make_image()
    volume = await shop.make(1, imageRef=image)
    backup = await back_up(shop, volume)
    answer = await restore(shop, backup, name="back")
    await shop.settle()
    restored = await shop.see(answer["volume_id"])
    assert (restored["name"], restored["bootable"]) == ("back", "true")
    assert restored["volume_image_metadata"]["image_id"] == image
    assert holds(shop, answer["volume_id"]) == f"image {image}"


async def test_a_volume_in_use_is_backed_up_by_force(shop: Shop) -> None:
    server, volume = await shop.make_server(), await shop.make()
    attach = {"volumeAttachment": {"volumeId": volume}}
    await shop.compute.post(f"/servers/{server['id']}/os-volume_attachments", attach, 200)
    await shop.settle()
    opens(shop, volume)
    await ask(shop, volume, 400)
    backup = await ask(shop, volume, force=True)
    assert await shop.status(volume) == "backing-up"
    await shop.settle()
    assert (await page(shop, backup["id"]))["status"] == "available"
    assert await shop.status(volume) == "in-use"
    await restore(shop, backup["id"], 400, volume_id=volume)


async def test_a_snapshot_is_backed_up_as_it_was(shop: Shop) -> None:
    volume, other = await shop.make(), await shop.make()
    writes(shop, volume, "monday")
    snapshot = await shop.take(volume)
    writes(shop, volume, "tuesday")
    await ask(shop, other, 400, snapshot_id=snapshot)
    await ask(shop, volume, 404, snapshot_id=NOBODY)
    begun = await ask(shop, volume, snapshot_id=snapshot)
    assert (await shop.client.get(f"/snapshots/{snapshot}"))["snapshot"]["status"] == "backing-up"
    assert await shop.status(volume) == "available"
    await ask(shop, volume, 400, snapshot_id=snapshot)
    await shop.client.delete(f"/snapshots/{snapshot}", 400)
    await shop.settle()
    taken = (await shop.client.get(f"/snapshots/{snapshot}"))["snapshot"]
    assert taken["status"] == "available"
    assert (await page(shop, begun["id"]))["data_timestamp"] == taken["created_at"]
    answer = await restore(shop, begun["id"])
    await shop.settle()
    assert holds(shop, answer["volume_id"]) == "monday"


async def test_backups_add_to_each_other_and_go_in_their_order(shop: Shop) -> None:
    volume = await shop.make()
    await ask(shop, volume, 400, incremental=True)
    writes(shop, volume, "one")
    first = await back_up(shop, volume)
    second = await back_up(shop, volume, incremental=True)
    writes(shop, volume, "three")
    third = await back_up(shop, volume, incremental=True)
    shown = {key: await page(shop, key) for key in (first, second, third)}
    assert [one["is_incremental"] for one in shown.values()] == [False, True, True]
    assert [one["has_dependent_backups"] for one in shown.values()] == [True, True, False]
    assert len(shop.backups.images[second]) < len(shop.backups.images[first]) // 100
    await shop.client.delete(f"/backups/{first}", 400)
    await shop.client.as_("admin").post(f"/backups/{first}/action", {"os-force_delete": None}, 400)
    for backup, word in ((third, "three"), (second, "one")):
        answer = await restore(shop, backup)
        await shop.settle()
        assert holds(shop, answer["volume_id"]) == word
    for backup in (third, second, first):
        await shop.client.delete(f"/backups/{backup}", 202)
    await shop.settle()
    assert shop.backups.images == {}


async def test_a_volume_is_made_of_a_backup(shop: Shop) -> None:
    volume = await shop.make(2, metadata={"a": "1"})
    writes(shop, volume, "kept")
    backup = await back_up(shop, volume)
    new = shop.client.at("3.47")
    await new.post("/volumes", {"volume": {"size": 1, "backup_id": backup}}, 400)
    await new.post("/volumes", {"volume": {"size": 2, "backup_id": backup, "source_volid": volume}}, 400)
    await new.post("/volumes", {"volume": {"size": 2, "backup_id": NOBODY}}, 404)
    await new.as_("stranger").post("/volumes", {"volume": {"size": 2, "backup_id": backup}}, 404)
    # Clients name a backup with every volume, mostly none.
    await new.post("/volumes", {"volume": {"size": 1, "backup_id": None}}, 202)
    made = (await new.post("/volumes", {"volume": {"backup_id": backup, "metadata": {"b": "2"}}}, 202))["volume"]
    larger = await new.post("/volumes", {"volume": {"size": 3, "backup_id": backup}}, 400)
    assert "restoring" in larger["badRequest"]["message"]
    await shop.settle()
    found = await shop.see(made["id"])
    assert (found["status"], found["size"], found["metadata"]) == ("available", 2, {"a": "1", "b": "2"})
    assert holds(shop, made["id"]) == "kept"


async def test_lists(shop: Shop) -> None:
    volume, other = await shop.make(), await shop.make(2)
    ids = [await back_up(shop, volume, name=f"b{number}") for number in range(3)]
    await back_up(shop, other, name="other", metadata={"k": "v"})
    listed = await shop.client.get("/backups?limit=2&sort=name:asc&with_count=True")
    assert [one["name"] for one in listed["backups"]] == ["b0", "b1"]
    assert listed["count"] == 4
    assert set(listed["backups"][0]) == {"id", "name", "links"}
    assert "backups_links" in listed
    rest = await shop.client.get(f"/backups?marker={ids[1]}&sort=name:asc")
    assert [one["name"] for one in rest["backups"]] == ["b2", "other"]
    for question, names in (
        (f"volume_id={volume}", {"b0", "b1", "b2"}),
        ("name=other", {"other"}),
        ("name~=b", {"b0", "b1", "b2"}),
        ("status=error", set()),
        ("metadata={'k':'v'}", {"other"}),
    ):
        found = (await shop.client.get(f"/backups/detail?{question}"))["backups"]
        assert {one["name"] for one in found} == names, question
    assert (await shop.client.as_("stranger").get("/backups"))["backups"] == []
    everywhere = await shop.client.as_("admin").get("/backups/detail?all_tenants=1")
    assert {one["os-backup-project-attr:project_id"] for one in everywhere["backups"]} == {DEMO}
    await shop.client.get("/backups?marker=nobody", 404)


async def test_fields_come_with_their_versions(shop: Shop) -> None:
    backup = await back_up(shop, await shop.make(), metadata={"a": "1"}, availability_zone="nova")
    newest = await page(shop, backup)
    assert newest["metadata"] == {"a": "1"}
    assert not {"metadata", "user_id"} & set((await shop.client.at("3.42").get(f"/backups/{backup}"))["backup"])
    assert "user_id" not in (await shop.client.at("3.55").get(f"/backups/{backup}"))["backup"]
    await shop.client.at("3.8").put(f"/backups/{backup}", {"backup": {"name": "x"}}, 404)
    renamed = (await shop.client.at("3.9").put(f"/backups/{backup}", {"backup": {"name": "x"}}))["backup"]
    assert (renamed["id"], renamed["name"]) == (backup, "x")
    await shop.client.put(f"/backups/{backup}", {"backup": {"description": "d", "metadata": {"b": "2"}}})
    found = await page(shop, backup)
    assert (found["name"], found["description"], found["metadata"]) == ("x", "d", {"b": "2"})
    volume = await shop.make()
    old = {"backup": {"volume_id": volume, "availability_zone": "nova"}}
    await shop.client.at("3.50").post("/backups", old, 400)


@pytest.mark.parametrize(
    "wish",
    [
        {"volume_id": "here"},
        {"volume_id": None},
        {"name": "x" * 256},
        {"name": 5},
        {"container": "x" * 256},
        {"incremental": "perhaps"},
        {"metadata": {"a": 1}},
        {"availability_zone": "the moon"},
        {"cow": 1},
    ],
)
async def test_bad_wishes_leave_no_trace(shop: Shop, wish: dict[str, Any]) -> None:
    volume = await shop.make()
    await shop.client.post("/backups", {"backup": {"volume_id": volume, **wish}}, 400)
    assert (await shop.client.get("/backups"))["backups"] == []
    assert (await shop.status(volume), await held(shop)) == ("available", (0, 0))


async def test_what_others_may(shop: Shop) -> None:
    volume = await shop.make()
    backup = await back_up(shop, volume)
    reader, stranger = shop.client.as_("reader"), shop.client.as_("stranger")
    await reader.get(f"/backups/{backup}")
    await reader.post("/backups", {"backup": {"volume_id": volume}}, 403)
    await reader.post(f"/backups/{backup}/restore", {"restore": None}, 403)
    await reader.delete(f"/backups/{backup}", 403)
    await stranger.get(f"/backups/{backup}", 404)
    await stranger.post(f"/backups/{backup}/restore", {"restore": None}, 404)
    await stranger.post("/backups", {"backup": {"volume_id": volume}}, 404)
    await shop.client.get(f"/backups/{backup}/export_record", 403)
    await shop.client.post(f"/backups/{backup}/action", {"os-reset_status": {"status": "error"}}, 403)
    await shop.client.post("/backups", {"backup": {"volume_id": NOBODY}}, 404)


async def test_full_quotas(shop: Shop) -> None:
    volume, admin = await shop.make(3), shop.client.as_("admin")
    await admin.put(f"/os-quota-sets/{DEMO}", {"quota_set": {"backup_gigabytes": 2}})
    await ask(shop, volume, 413)
    assert await shop.status(volume) == "available"
    await admin.put(f"/os-quota-sets/{DEMO}", {"quota_set": {"backup_gigabytes": 3, "volumes": 1}})
    backup = await back_up(shop, volume)
    await ask(shop, volume, 413)
    await restore(shop, backup, 413)
    assert (await page(shop, backup))["status"] == "available"
