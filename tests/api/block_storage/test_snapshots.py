"""Snapshots: what a volume held at one moment."""

from __future__ import annotations

import pytest

from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_a_snapshot_is_taken_seen_changed_and_deleted(shop: Shop) -> None:
    volume = await shop.make(size=2)
    wish = {"volume_id": volume, "name": "before", "metadata": {"a": "1"}}
    made = (await shop.client.post("/snapshots", {"snapshot": wish}, 202))["snapshot"]
    assert (made["status"], made["size"], made["volume_id"]) == ("creating", 2, volume)
    await shop.settle()
    path = f"/snapshots/{made['id']}"
    page = (await shop.client.get(path))["snapshot"]
    assert (page["status"], page["os-extended-snapshot-attributes:progress"]) == ("available", "100%")
    assert page["os-extended-snapshot-attributes:project_id"] == DEMO
    real = shop.real(volume)
    assert real is not None
    assert list(real.snapshots) == [made["id"]]
    assert await shop.used() == {"volumes": 1, "gigabytes": 4, "snapshots": 1}
    renamed = (await shop.client.put(path, {"snapshot": {"name": "after"}}))["snapshot"]
    assert renamed["name"] == "after"
    assert await shop.client.put(f"{path}/metadata/a", {"meta": {"a": "2"}}) == {"meta": {"a": "2"}}
    await shop.client.delete(path, 202)
    assert await shop.used() == {"volumes": 1, "gigabytes": 2}
    await shop.settle()
    await shop.client.get(path, 404)
    assert real.snapshots == {}
    assert await shop.status(volume) == "available"


async def test_versions(shop: Shop) -> None:
    snapshot = await shop.take(await shop.make())
    old = (await shop.client.at("3.0").get(f"/snapshots/{snapshot}"))["snapshot"]
    assert not {"user_id", "group_snapshot_id", "consumes_quota"} & set(old)
    assert {"user_id", "group_snapshot_id", "consumes_quota"} <= set(
        (await shop.client.get(f"/snapshots/{snapshot}"))["snapshot"]
    )


async def test_a_volume_of_a_snapshot_holds_what_it_held(shop: Shop) -> None:
    volume = await shop.make(size=2, imageRef=await shop.make_image())
    snapshot = await shop.take(volume)
    await shop.client.post("/volumes", {"volume": {"size": 1, "snapshot_id": snapshot}}, 400)
    copy = await shop.make(size=3, snapshot_id=snapshot)
    page = await shop.see(copy)
    assert (page["status"], page["size"], page["snapshot_id"], page["bootable"]) == ("available", 3, snapshot, "true")
    real, origin = shop.real(copy), shop.real(volume)
    assert real is not None
    assert origin is not None
    assert real.content == origin.content


async def test_a_snapshot_goes_only_when_what_is_made_of_it_is_made(shop: Shop) -> None:
    volume = await shop.make()
    snapshot = await shop.take(volume)
    copy = (await shop.client.post("/volumes", {"volume": {"snapshot_id": snapshot, "size": 1}}, 202))["volume"]["id"]
    await shop.client.delete(f"/snapshots/{snapshot}", 202)
    await shop.settle()
    await shop.settle()
    assert await shop.status(copy) == "available"
    await shop.client.get(f"/snapshots/{snapshot}", 404)


async def test_a_volume_with_snapshots_goes_only_with_them(shop: Shop) -> None:
    volume = await shop.make()
    snapshot = await shop.take(volume)
    await shop.client.delete(f"/volumes/{volume}", 400)
    await shop.client.delete(f"/volumes/{volume}?cascade=True", 202)
    await shop.settle()
    await shop.client.get(f"/volumes/{volume}", 404)
    await shop.client.get(f"/snapshots/{snapshot}", 404)
    assert await shop.used() == {}


async def test_a_volume_returns_to_its_latest_snapshot(shop: Shop) -> None:
    volume = await shop.make()
    first, second = await shop.take(volume), await shop.take(volume)
    real = shop.real(volume)
    assert real is not None
    real.content = "overwritten"
    await shop.act(volume, "revert", {"snapshot_id": first}, 400)
    await shop.client.post(f"/volumes/{volume}/action", {"revert": {"snapshot_id": second}}, 202)
    assert await shop.status(volume) == "reverting"
    assert (await shop.client.get(f"/snapshots/{second}"))["snapshot"]["status"] == "restoring"
    await shop.client.delete(f"/snapshots/{second}", 400)
    await shop.settle()
    assert await shop.status(volume) == "available"
    assert real.content == "blank"
    await shop.client.at("3.39").post(f"/volumes/{volume}/action", {"revert": {"snapshot_id": second}}, 400)


async def test_a_return_that_fails_leaves_the_volume_and_a_message(shop: Shop) -> None:
    volume = await shop.make()
    snapshot = await shop.take(volume)
    for world in shop.nodes.volumes.values():
        world.open_in[volume] = {"somebody"}
    await shop.act(volume, "revert", {"snapshot_id": snapshot})
    assert await shop.status(volume) == "available"
    [message] = (await shop.client.get("/messages"))["messages"]
    assert "in use" in message["user_message"]
    for world in shop.nodes.volumes.values():
        world.open_in.clear()
    await shop.act(volume, "revert", {"snapshot_id": snapshot})
    assert len((await shop.client.get("/messages"))["messages"]) == 1


async def test_a_snapshot_that_fails_is_an_error_and_the_volume_stays(shop: Shop) -> None:
    volume = await shop.make(size=2)
    for world in shop.nodes.volumes.values():
        world.capacity_gib = 3
    snapshot = await shop.take(volume)
    assert (await shop.client.get(f"/snapshots/{snapshot}"))["snapshot"]["status"] == "error"
    assert await shop.status(volume) == "available"
    [message] = (await shop.client.get("/messages?resource_type=VOLUME_SNAPSHOT"))["messages"]
    assert message["resource_uuid"] == snapshot
    await shop.client.delete(f"/snapshots/{snapshot}", 202)
    await shop.settle()
    await shop.client.get(f"/snapshots/{snapshot}", 404)
    assert await shop.used() == {"volumes": 1, "gigabytes": 2}


async def test_bad_wishes_and_full_quotas(shop: Shop) -> None:
    volume = await shop.make()
    await shop.client.post("/snapshots", {"snapshot": {}}, 400)
    await shop.client.post("/snapshots", {"snapshot": {"volume_id": "x"}}, 400)
    unknown = "00000000-0000-4000-8000-000000000000"
    await shop.client.post("/snapshots", {"snapshot": {"volume_id": unknown}}, 404)
    await shop.client.as_("stranger").post("/snapshots", {"snapshot": {"volume_id": volume}}, 404)
    await shop.client.as_("reader").post("/snapshots", {"snapshot": {"volume_id": volume}}, 403)
    await shop.client.as_("admin").put(f"/os-quota-sets/{DEMO}", {"quota_set": {"snapshots": 0}})
    await shop.client.post("/snapshots", {"snapshot": {"volume_id": volume}}, 413)


async def test_a_volume_in_use_needs_force_until_3_66(shop: Shop) -> None:
    volume = await shop.make()
    await shop.act(volume, "os-attach", {"instance_uuid": volume, "mountpoint": "/dev/vdb"})
    old, wish = shop.client.at("3.65"), {"volume_id": volume}
    await old.post("/snapshots", {"snapshot": wish}, 400)
    await old.post("/snapshots", {"snapshot": {**wish, "force": True}}, 202)
    await shop.client.post("/snapshots", {"snapshot": {**wish, "force": False}}, 400)
    await shop.client.post("/snapshots", {"snapshot": wish}, 202)


async def test_administrators_say_what_a_snapshot_is(shop: Shop) -> None:
    snapshot = await shop.take(await shop.make())
    path = f"/snapshots/{snapshot}/action"
    admin = shop.client.as_("admin")
    await shop.client.post(path, {"os-reset_status": {"status": "error"}}, 403)
    await admin.post(path, {"os-reset_status": {"status": "error_deleting"}}, 202)
    assert (await shop.client.get(f"/snapshots/{snapshot}"))["snapshot"]["status"] == "error_deleting"
    await admin.post(path, {"os-reset_status": {"status": "happy"}}, 400)
    await admin.post(path, {"os-reset_status": {"status": "creating"}}, 202)
    await admin.post(path, {"os-update_snapshot_status": {"status": "available", "progress": "80%"}}, 202)
    await admin.post(path, {"os-update_snapshot_status": {"status": "error"}}, 400)
    await admin.post(path, {"os-force_delete": {}}, 202)
    await shop.settle()
    await shop.client.get(f"/snapshots/{snapshot}", 404)


async def test_lists(shop: Shop) -> None:
    volume, other = await shop.make(), await shop.make()
    for name in "ab":
        await shop.take(volume, name=name)
    await shop.take(other, name="c")

    async def names(query: str) -> list[str]:
        return [one["name"] for one in (await shop.client.get(f"/snapshots?sort=name:asc&{query}"))["snapshots"]]

    assert await names("") == ["a", "b", "c"]
    assert await names(f"volume_id={volume}") == ["a", "b"]
    assert await names("name=c&status=available") == ["c"]
    assert (await shop.client.get("/snapshots/detail?limit=1&with_count=1"))["count"] == 3
    assert (await shop.client.as_("stranger").get("/snapshots/detail"))["snapshots"] == []
