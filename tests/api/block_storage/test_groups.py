"""Groups of volumes, their types, and snapshots of whole groups."""

from __future__ import annotations

import pytest

from cumulet.services.block_storage.groups.operations import MOST_VOLUMES
from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def group(shop: Shop) -> str:
    """A group for volumes of the default type."""
    admin = shop.client.as_("admin")
    kind = (await admin.post("/group_types", {"group_type": {"name": "g"}}, 202))["group_type"]["id"]
    wish = {"name": "both", "group_type": kind, "volume_types": ["__DEFAULT__"]}
    return str((await shop.client.post("/groups", {"group": wish}, 202))["group"]["id"])


async def test_a_group_is_made_seen_changed_and_deleted(shop: Shop) -> None:
    key = await group(shop)
    path = f"/groups/{key}"
    page = (await shop.client.get(path))["group"]
    assert (page["name"], page["status"], len(page["volume_types"])) == ("both", "available", 1)
    volume, other = await shop.make(group_id=key, volume_type="__DEFAULT__"), await shop.make()
    assert (await shop.see(volume))["group_id"] == key
    await shop.client.delete(f"/volumes/{volume}", 400)
    change = {"name": "one", "add_volumes": other, "remove_volumes": volume}
    await shop.client.put(path, {"group": change}, 202)
    page = (await shop.client.get(f"{path}?list_volume=True"))["group"]
    assert (page["name"], page["volumes"]) == ("one", [other])
    await shop.client.put(path, {"group": {}}, 400)
    await shop.client.put(path, {"group": {"remove_volumes": volume}}, 400)
    await shop.client.as_("stranger").get(path, 404)
    await shop.client.as_("reader").put(path, {"group": {"name": "x"}}, 403)
    await shop.client.at("3.12").get(path, 404)
    assert "group_snapshot_id" not in (await shop.client.at("3.13").get(path))["group"]
    await shop.client.post(f"{path}/action", {"delete": {}}, 400)
    await shop.client.post(f"{path}/action", {"delete": {"delete-volumes": True}}, 202)
    await shop.settle()
    await shop.client.get(path, 404)
    await shop.client.get(f"/volumes/{other}", 404)
    assert await shop.status(volume) == "available"


async def test_a_snapshot_of_a_group_and_a_group_of_that(shop: Shop) -> None:
    key = await group(shop)
    wish = {"group_snapshot": {"group_id": key, "name": "then"}}
    await shop.client.post("/group_snapshots", wish, 400)
    volume = await shop.make(group_id=key)
    made = (await shop.client.post("/group_snapshots", wish, 202))["group_snapshot"]
    path = f"/group_snapshots/{made['id']}"
    assert (await shop.client.get(path))["group_snapshot"]["status"] == "creating"
    await shop.settle()
    assert (await shop.client.get(path))["group_snapshot"]["status"] == "available"
    [shown] = (await shop.client.get("/group_snapshots/detail"))["group_snapshots"]
    assert (shown["name"], shown["status"], shown["group_id"]) == ("then", "available", key)
    [part] = (await shop.client.get("/snapshots/detail"))["snapshots"]
    assert (part["volume_id"], part["group_snapshot_id"]) == (volume, made["id"])
    for source in ({"group_snapshot_id": made["id"]}, {"source_group_id": key}):
        copy = (await shop.client.post("/groups/action", {"create-from-src": source}, 202))["group"]["id"]
        await shop.settle()
        [member] = (await shop.client.get(f"/groups/{copy}?list_volume=1"))["group"]["volumes"]
        assert await shop.status(member) == "available"
    await shop.client.post("/groups/action", {"create-from-src": {}}, 400)
    await shop.client.post(f"/groups/{key}/action", {"delete": {"delete-volumes": True}}, 400)
    admin = shop.client.as_("admin")
    await admin.post(f"{path}/action", {"reset_status": {"status": "error"}}, 202)
    assert (await shop.client.get(path))["group_snapshot"]["status"] == "error"
    await shop.client.delete(path, 202)
    await shop.settle()
    await shop.client.get(path, 404)
    assert (await shop.client.get("/snapshots"))["snapshots"] == []


async def test_group_types(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    made = (await admin.post("/group_types", {"group_type": {"name": "t", "group_specs": {"a": "1"}}}, 202))[
        "group_type"
    ]
    path = f"/group_types/{made['id']}"
    wish = {"group_type": made["id"], "volume_types": ["__DEFAULT__"]}
    user = (await shop.client.post("/groups", {"group": wish}, 202))["group"]["id"]
    await admin.delete(path, 400)
    await shop.client.post(f"/groups/{user}/action", {"delete": {}}, 202)
    await admin.post("/group_types", {"group_type": {"name": "t"}}, 409)
    assert "group_specs" not in (await shop.client.get(path))["group_type"]
    assert (await admin.put(path, {"group_type": {"name": "u"}}))["group_type"]["name"] == "u"
    specs = f"{path}/group_specs"
    assert await admin.post(specs, {"group_specs": {"b": "2"}}, 202) == {"group_specs": {"b": "2"}}
    assert await admin.put(f"{specs}/b", {"b": "3"}) == {"b": "3"}
    assert await admin.get(specs) == {"group_specs": {"a": "1", "b": "3"}}
    await admin.delete(f"{specs}/b", 202)
    await admin.get(f"{specs}/b", 404)
    await shop.client.delete(path, 403)
    await admin.delete(path, 202)
    await admin.get(path, 404)
    await admin.at("3.10").get("/group_types", 404)


@pytest.mark.parametrize(
    "verb", ["enable_replication", "disable_replication", "failover_replication", "list_replication_targets"]
)
async def test_no_group_is_replicated(shop: Shop, verb: str) -> None:
    path = f"/groups/{await group(shop)}/action"
    refusal = await shop.client.post(path, {verb: {}}, 400)
    assert "not a replication group" in refusal["badRequest"]["message"]
    older = await shop.client.at("3.37").post(path, {verb: {}}, 400)
    assert "no such action" in older["badRequest"]["message"]


async def test_consistency_groups_are_groups_of_one_type(shop: Shop) -> None:
    one, path = shop.client, "/consistencygroups"
    wish = {"name": "c", "description": "d", "volume_types": "__DEFAULT__", "status": "creating"}
    made = (await one.post(path, {"consistencygroup": wish}, 202))["consistencygroup"]
    assert set(made) == {"id", "name"}
    page = (await one.get(f"{path}/{made['id']}"))["consistencygroup"]
    assert (page["name"], page["description"], page["status"], len(page["volume_types"])) == ("c", "d", "available", 1)
    plain = await group(shop)
    assert [row["id"] for row in (await one.get(path))["consistencygroups"]] == [made["id"]]
    assert [row["id"] for row in (await one.get(f"{path}/detail"))["consistencygroups"]] == [made["id"]]
    await one.get(f"{path}/{plain}", 404)
    assert (await one.get(f"/groups/{made['id']}"))["group"]["name"] == "c"

    volume = await shop.make()
    await one.put(f"{path}/{made['id']}/update", {"consistencygroup": {"add_volumes": volume}}, 202)
    assert (await shop.see(volume))["group_id"] == made["id"]
    await one.put(f"{path}/{made['id']}/update", {"consistencygroup": {}}, 400)
    taken = {"cgsnapshot": {"consistencygroup_id": made["id"], "name": "t"}}
    snapshot = (await one.post("/cgsnapshots", taken, 202))["cgsnapshot"]
    await shop.settle()
    page = (await one.get(f"/cgsnapshots/{snapshot['id']}"))["cgsnapshot"]
    assert (page["status"], page["consistencygroup_id"], page["name"]) == ("available", made["id"], "t")
    assert [row["id"] for row in (await one.get("/cgsnapshots"))["cgsnapshots"]] == [snapshot["id"]]
    assert (await one.get("/cgsnapshots/detail"))["cgsnapshots"][0]["status"] == "available"
    for source in ({"cgsnapshot_id": snapshot["id"]}, {"source_cgid": made["id"]}):
        body = {"consistencygroup-from-src": {"name": "copy", **source}}
        copy = (await one.post(f"{path}/create_from_src", body, 202))["consistencygroup"]
        await shop.settle()
        await one.post(f"{path}/{copy['id']}/delete", {"consistencygroup": {"force": False}}, 400)
        await one.post(f"{path}/{copy['id']}/delete", {"consistencygroup": {"force": True}}, 202)
        await shop.settle()
        await one.get(f"{path}/{copy['id']}", 404)
    await one.delete(f"/cgsnapshots/{snapshot['id']}", 202)
    await shop.settle()
    await one.get(f"/cgsnapshots/{snapshot['id']}", 404)
    await one.post(f"{path}/{made['id']}/delete", {"consistencygroup": {"force": True}}, 202)
    await shop.settle()
    await one.get(f"/volumes/{volume}", 404)


async def test_consistency_groups_that_are_none(shop: Shop) -> None:
    path = "/consistencygroups"
    for wish, status in (
        ({}, 400),
        ({"volume_types": " , "}, 400),
        ({"volume_types": ["a"]}, 400),
        ({"volume_types": "unknown"}, 404),
        ({"volume_types": "__DEFAULT__", "name": "x" * 256}, 400),
    ):
        await shop.client.post(path, {"consistencygroup": wish}, status)
    wish = {"consistencygroup": {"volume_types": "__DEFAULT__"}}
    await shop.client.as_("reader").post(path, wish, 403)
    made = (await shop.client.post(path, wish, 202))["consistencygroup"]["id"]
    await shop.client.as_("stranger").get(f"{path}/{made}", 404)
    await shop.client.post("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": made}}, 400)
    await shop.client.post("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": "nobody"}}, 404)
    await shop.client.post(f"{path}/create_from_src", {"consistencygroup-from-src": {}}, 400)


async def test_a_refused_snapshot_of_a_group_leaves_nothing_behind(shop: Shop) -> None:
    key = await group(shop)
    for _ in range(2):
        await shop.make(group_id=key, volume_type="__DEFAULT__")
    await shop.client.as_("admin").put(f"/os-quota-sets/{DEMO}", {"quota_set": {"snapshots": 1}})
    await shop.client.post("/group_snapshots", {"group_snapshot": {"group_id": key}}, 413)
    await shop.settle()
    assert (await shop.client.get("/group_snapshots"))["group_snapshots"] == []
    assert (await shop.client.get("/snapshots"))["snapshots"] == []


async def test_a_refused_copy_of_a_group_leaves_nothing_behind(shop: Shop) -> None:
    key = await group(shop)
    for _ in range(2):
        await shop.make(group_id=key, volume_type="__DEFAULT__")
    before = (await shop.used(), len((await shop.client.get("/volumes"))["volumes"]))
    await shop.client.as_("admin").put(f"/os-quota-sets/{DEMO}", {"quota_set": {"volumes": 3}})
    await shop.client.post("/groups/action", {"create-from-src": {"source_group_id": key}}, 413)
    await shop.settle()
    assert [row["id"] for row in (await shop.client.get("/groups"))["groups"]] == [key]
    assert (await shop.used(), len((await shop.client.get("/volumes"))["volumes"])) == before


async def test_no_volume_of_a_group_is_left_out_of_its_snapshot(shop: Shop) -> None:
    key = await group(shop)
    await shop.client.as_("admin").put(f"/os-quota-sets/{DEMO}", {"quota_set": {"volumes": 200}})
    for _ in range(MOST_VOLUMES + 1):
        await shop.client.post("/volumes", {"volume": {"size": 1, "group_id": key}}, 202)
    last = (await shop.client.get("/volumes?limit=1"))["volumes"][0]["id"]
    await shop.settle()
    refusal = await shop.client.post("/group_snapshots", {"group_snapshot": {"group_id": key}}, 400)
    assert "more than 100 volumes" in refusal["badRequest"]["message"]
    await shop.client.post("/groups/action", {"create-from-src": {"source_group_id": key}}, 400)
    await shop.client.put(f"/groups/{key}", {"group": {"remove_volumes": last}}, 202)
