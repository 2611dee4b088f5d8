"""Backups: made of volumes and snapshots, adding to each other, restored, and known elsewhere by their records."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from tests.api.block_storage.shop import Shop
from tests.support.personas import ALT, DEMO

pytestmark = pytest.mark.db
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


async def record_of(shop: Shop, backup_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await shop.client.as_("admin").get(f"/backups/{backup_id}/export_record"))["backup-record"]
    return found


def changed(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    inner = msgspec.json.decode(base64.b64decode(record["backup_url"])) | values
    return record | {"backup_url": base64.b64encode(msgspec.json.encode(inner)).decode()}


async def test_a_lost_backup_is_known_again_by_its_record(shop: Shop) -> None:
    volume, admin = await shop.make(1, name="v", metadata={"a": "1"}), shop.client.as_("admin")
    writes(shop, volume, "kept")
    backup = await back_up(shop, volume, name="b")
    record = await record_of(shop, backup)
    await admin.post("/backups/import_record", {"backup-record": record}, 400)
    copy = changed(record, id=NOBODY)
    made = (await admin.post("/backups/import_record", {"backup-record": copy}, 201))["backup"]
    assert (made["id"], made["name"]) == (NOBODY, "b")
    await shop.settle()
    assert (await page(shop, NOBODY, "admin"))["status"] == "available"
    # Two backups have the same bytes now; these go with the last of the two.
    await shop.client.delete(f"/backups/{backup}", 202)
    await shop.settle()
    assert shop.backups.images
    answer = (await admin.post(f"/backups/{NOBODY}/restore", {"restore": None}, 202))["restore"]
    await shop.settle()
    assert holds(shop, answer["volume_id"]) == "kept"
    assert (await shop.see(answer["volume_id"], "admin"))["metadata"] == {"a": "1"}
    await admin.delete(f"/backups/{NOBODY}", 202)
    await shop.settle()
    assert shop.backups.images == {}


async def test_a_record_is_believed_when_the_store_holds_what_it_names(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    backup = await back_up(shop, await shop.make())
    record = await record_of(shop, backup)
    for values in ({"object_id": NOBODY}, {"table_digest": "0" * 64}, {"size": 2}, {"table_length": 3}):
        body = {"backup-record": changed(record, id=NOBODY, **values)}
        await admin.post("/backups/import_record", body, 201)
        await shop.settle()
        found = await page(shop, NOBODY, "admin")
        assert (found["status"], bool(found["fail_reason"])) == ("error", True), values
        await admin.delete(f"/backups/{NOBODY}", 202)
        await shop.settle()
    assert backup in shop.backups.images


@pytest.mark.parametrize(
    "values",
    [
        {"id": "x"}, {"object_id": "../../etc/passwd"}, {"size": 0}, {"size": "1"}, {"size": 1 << 40},
        {"table_start": -1}, {"table_digest": "x"}, {"name": "x" * 256}, {"metadata": {"a": 1}}, {"cow": 1},
        {"description": "\0"}, {"metadata": {"a": "x" * 256}}, {"parent_id": "p"},
        {"parent_id": NOBODY}, {"data_timestamp": 1 << 58},
    ],
)  # fmt: skip
async def test_a_record_that_is_none_is_refused(shop: Shop, values: dict[str, Any]) -> None:
    admin = shop.client.as_("admin")
    record = changed(await record_of(shop, await back_up(shop, await shop.make())), id=NOBODY)
    await admin.post("/backups/import_record", {"backup-record": changed(record, **values)}, 400)
    await shop.client.get(f"/backups/{NOBODY}", 404)


async def test_other_records_are_refused(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    record = await record_of(shop, await back_up(shop, await shop.make()))
    for wrong in ({"backup_service": "cinder.backup.drivers.swift"}, {"backup_url": "no base64!"}, {"backup_url": ""}):
        await admin.post("/backups/import_record", {"backup-record": record | wrong}, 400)
    await shop.client.post("/backups/import_record", {"backup-record": record}, 403)
    await shop.client.as_("stranger").get(f"/os-quota-sets/{ALT}")
