"""The life of a volume."""

from __future__ import annotations

import pytest

from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_a_volume_is_made_seen_changed_and_deleted(shop: Shop) -> None:
    wish = {"name": "data", "description": "mine", "size": 2, "metadata": {"tier": "gold"}}
    made = (await shop.client.post("/volumes", {"volume": wish}, 202))["volume"]
    assert (made["status"], made["size"], made["volume_type"]) == ("creating", 2, "__DEFAULT__")
    await shop.settle()
    page = await shop.see(made["id"])
    assert (page["status"], page["name"], page["metadata"], page["bootable"]) == (
        "available", "data", {"tier": "gold"}, "false",
    )  # fmt: skip
    assert "os-vol-host-attr:host" not in page
    assert (await shop.see(made["id"], "admin"))["os-vol-host-attr:host"].endswith("@local#local")
    real = shop.real(made["id"])
    assert real is not None
    assert real.size_gib == 2
    renamed = await shop.client.put(f"/volumes/{made['id']}", {"volume": {"name": "logs", "metadata": {}}})
    assert (renamed["volume"]["name"], renamed["volume"]["metadata"]) == ("logs", {})
    assert await shop.used() == {"volumes": 1, "gigabytes": 2}
    await shop.client.delete(f"/volumes/{made['id']}", 202)
    assert await shop.used() == {}
    assert await shop.status(made["id"]) == "deleting"
    await shop.settle()
    await shop.client.get(f"/volumes/{made['id']}", 404)
    assert shop.real(made["id"]) is None


async def test_an_old_version_does_not_show_what_came_later(shop: Shop) -> None:
    volume = await shop.make()
    old = (await shop.client.at("3.0").get(f"/volumes/{volume}"))["volume"]
    assert not {"group_id", "service_uuid", "volume_type_id", "consumes_quota"} & set(old)
    new = await shop.see(volume)
    assert {"group_id", "service_uuid", "volume_type_id", "consumes_quota"} <= set(new)


async def test_unknown_fields_are_refused_since_3_53(shop: Shop) -> None:
    wish = {"volume": {"size": 1, "colour": "blue"}}
    await shop.client.post("/volumes", wish, 400)
    made = (await shop.client.at("3.52").post("/volumes", wish, 202))["volume"]
    await shop.settle()
    change = {"volume": {"name": "x", "colour": "red"}}
    await shop.client.put(f"/volumes/{made['id']}", change, 400)
    await shop.client.at("3.0").put(f"/volumes/{made['id']}", change)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"size": 0},
        {"size": -1},
        {"size": "big"},
        {"size": 1, "name": "x" * 256},
        {"size": 1, "metadata": {"": "x"}},
        {"size": 1, "metadata": {"k": "x" * 256}},
        {"size": 1, "availability_zone": "nowhere"},
        {"size": 1, "snapshot_id": "no-uuid"},
        {"size": 1, "multiattach": True},
    ],
)
async def test_bad_wishes_are_400(shop: Shop, wish: dict[str, object]) -> None:
    refusal = await shop.client.post("/volumes", {"volume": wish}, 400)
    assert refusal["badRequest"]["message"]


@pytest.mark.parametrize("field", ["source_volid", "snapshot_id", "volume_type"])
async def test_what_it_should_be_made_of_must_exist(shop: Shop, field: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    await shop.client.post("/volumes", {"volume": {"size": 1, field: unknown}}, 404)


async def test_a_quota_that_is_full_is_413_and_counts_again_after_a_delete(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    await admin.put(f"/os-quota-sets/{DEMO}", {"quota_set": {"volumes": 1, "per_volume_gigabytes": 3}})
    await shop.client.post("/volumes", {"volume": {"size": 4}}, 413)
    volume = await shop.make(size=1)
    refusal = await shop.client.post("/volumes", {"volume": {"size": 1}}, 413)
    assert "volumes" in refusal["overLimit"]["message"]
    await shop.act(volume, "os-extend", {"new_size": 4}, 413)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.client.post("/volumes", {"volume": {"size": 1}}, 202)


async def test_strangers_do_not_see_it_and_readers_do_not_change_it(shop: Shop) -> None:
    volume = await shop.make(name="mine")
    stranger, reader = shop.client.as_("stranger"), shop.client.as_("reader")
    await stranger.get(f"/volumes/{volume}", 404)
    await stranger.delete(f"/volumes/{volume}", 404)
    await stranger.post(f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}, 404)
    await stranger.post("/volumes", {"volume": {"source_volid": volume}}, 404)
    await reader.get(f"/volumes/{volume}")
    await reader.delete(f"/volumes/{volume}", 403)
    assert (await stranger.get("/volumes"))["volumes"] == []
    assert (await shop.client.as_("admin").get("/volumes"))["volumes"] == []
    assert len((await shop.client.as_("admin").get("/volumes?all_tenants=1"))["volumes"]) == 1


async def test_another_projects_id_in_the_path_is_400(shop: Shop) -> None:
    assert (await shop.client("GET", f"/{DEMO}/volumes")).status_code == 200
    assert (await shop.client("GET", f"/{'a' * 32}/volumes")).status_code == 400


async def test_it_grows(shop: Shop) -> None:
    volume = await shop.make(size=1)
    await shop.act(volume, "os-extend", {"new_size": 1}, 400)
    await shop.client.post(f"/volumes/{volume}/action", {"os-extend": {"new_size": 3}}, 202)
    assert await shop.status(volume) == "extending"
    await shop.settle()
    page = await shop.see(volume)
    assert (page["status"], page["size"]) == ("available", 3)
    assert await shop.used() == {"volumes": 1, "gigabytes": 3}


async def test_a_copy_holds_what_its_source_held(shop: Shop) -> None:
    image = await shop.make_image()
    source = await shop.make(size=2, imageRef=image)
    page = await shop.see(source)
    assert page["bootable"] == "true"
    assert page["volume_image_metadata"]["image_id"] == image
    await shop.client.post("/volumes", {"volume": {"size": 1, "source_volid": source}}, 400)
    copy = await shop.make(size=3, source_volid=source)
    assert (await shop.see(copy))["bootable"] == "true"
    real, origin = shop.real(copy), shop.real(source)
    assert real is not None
    assert origin is not None
    assert real.content == origin.content
    assert real.size_gib == 3


async def test_a_source_goes_only_when_its_copies_are_made(shop: Shop) -> None:
    source = await shop.make()
    copy = (await shop.client.post("/volumes", {"volume": {"source_volid": source}}, 202))["volume"]["id"]
    await shop.client.delete(f"/volumes/{source}", 202)
    await shop.settle()
    await shop.settle()
    assert await shop.status(copy) == "available"
    await shop.client.get(f"/volumes/{source}", 404)


async def test_no_room_is_an_error_with_its_message(shop: Shop) -> None:
    volume = await shop.make(size=1000)
    await shop.client.as_("admin").put(f"/os-quota-sets/{DEMO}", {"quota_set": {"gigabytes": -1}})
    big = await shop.make(size=5000)
    assert await shop.status(big) == "error"
    [message] = (await shop.client.get(f"/messages?resource_uuid={big}"))["messages"]
    assert "CapacityFilter" in message["user_message"]
    assert message["event_id"] == "VOLUME_VOLUME_001_001"
    assert (await shop.client.as_("stranger").get("/messages"))["messages"] == []
    await shop.client.at("3.2").get(f"/messages/{message['id']}", 404)
    await shop.client.delete(f"/messages/{message['id']}")
    await shop.client.get(f"/messages/{message['id']}", 404)
    for one in (big, volume):
        await shop.client.delete(f"/volumes/{one}", 202)
    await shop.settle()
    assert await shop.used() == {}


async def test_a_dead_node_does_not_hold_up_a_delete(shop: Shop) -> None:
    volume = await shop.make()
    host = (await shop.see(volume, "admin"))["os-vol-host-attr:host"].partition("@")[0]
    await shop.nodes.set_forced_down(host, True)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    await shop.client.get(f"/volumes/{volume}", 404)
    assert shop.real(volume) is not None
    await shop.nodes.set_forced_down(host, False)
    await shop.settle()
    assert shop.real(volume) is None


async def test_lists_are_filtered_sorted_and_paged(shop: Shop) -> None:
    await shop.client.get("/volumes/", 404)
    await shop.client.delete("/volumes/", 404)
    for name, tier in (("a", "gold"), ("b", "tin"), ("c", "gold")):
        await shop.make(name=name, metadata={"tier": tier})

    async def names(query: str) -> list[str]:
        return [one["name"] for one in (await shop.client.get(f"/volumes/detail?{query}"))["volumes"]]

    assert await names("sort=name:asc") == ["a", "b", "c"]
    assert await names("sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert await names("name=b") == ["b"]
    assert await names("status=error") == []
    assert await names("sort=name:asc&metadata={'tier': 'gold'}") == ["a", "c"]
    assert await names('metadata={"tier": "go"}') == []
    await shop.client.get("/volumes?metadata=nonsense", 400)
    await shop.client.get("/volumes?sort=colour", 400)
    await shop.client.get("/volumes?limit=x", 400)
    assert await names(f"limit={'9' * 5000}&sort=name:asc") == ["a", "b", "c"]
    await shop.client.get(f"/volumes?offset={'9' * 5000}", 400)
    last = (await shop.client.get("/volumes?name=b"))["volumes"][0]["id"]
    assert await names(f"marker={last}&sort=" + ",".join(["name:asc"] * 500)) == ["c"]
    first = await shop.client.get("/volumes?sort=name:asc&limit=2&with_count=true")
    assert [one["name"] for one in first["volumes"]] == ["a", "b"]
    assert first["count"] == 3
    assert (await shop.client.get("/volumes?limit=0"))["volumes"] == []
    assert await names("sort=name:asc&offset=2") == ["c"]
    await shop.client.get("/volumes?offset=-1", 400)
    await shop.client.get("/volumes?marker=00000000-0000-4000-8000-000000000000", 404)
    [link] = first["volumes_links"]
    rest = await shop.client.get("/volumes?" + link["href"].partition("?")[2])
    assert [one["name"] for one in rest["volumes"]] == ["c"]
    summary = (await shop.client.get("/volumes/summary"))["volume-summary"]
    assert (summary["total_count"], summary["total_size"]) == (3, 3)
    assert sorted(summary["metadata"]["tier"]) == ["gold", "tin"]


async def test_metadata(shop: Shop) -> None:
    volume = await shop.make(metadata={"a": "1"})
    path = f"/volumes/{volume}/metadata"
    assert await shop.client.post(path, {"metadata": {"b": "2"}}, 200) == {"metadata": {"a": "1", "b": "2"}}
    assert await shop.client.put(f"{path}/a", {"meta": {"a": "3"}}) == {"meta": {"a": "3"}}
    await shop.client.put(f"{path}/a", {"meta": {"b": "3"}}, 400)
    assert await shop.client.get(f"{path}/a") == {"meta": {"a": "3"}}
    await shop.client.delete(f"{path}/a", 200)
    await shop.client.get(f"{path}/a", 404)
    await shop.client.delete(f"{path}/a", 404)
    assert await shop.client.put(path, {"metadata": {"c": "4"}}) == {"metadata": {"c": "4"}}
    assert await shop.client.get(path) == {"metadata": {"c": "4"}}
    await shop.client.post(path, {"metadata": {f"k{n}": "" for n in range(128)}}, 400)
    await shop.client.as_("reader").post(path, {"metadata": {}}, 403)


async def test_what_an_administrator_says_stands_until_he_says_otherwise(shop: Shop) -> None:
    volume = await shop.make()
    await shop.act(volume, "os-reset_status", {"status": "error"}, 403)
    await shop.act(volume, "os-reset_status", {"status": "maintenance"}, persona="admin")
    assert await shop.status(volume) == "maintenance"
    await shop.client.delete(f"/volumes/{volume}", 400)
    await shop.act(volume, "os-reset_status", {"status": "dancing"}, 400, "admin")
    await shop.act(volume, "os-reset_status", {"status": "available"}, persona="admin")
    assert await shop.status(volume) == "available"
    await shop.act(volume, "os-reset_status", {"status": "maintenance"}, persona="admin")
    await shop.act(volume, "os-force_delete", {}, persona="admin")
    await shop.client.get(f"/volumes/{volume}", 404)


async def test_flags_and_image_metadata(shop: Shop) -> None:
    volume = await shop.make()
    await shop.act(volume, "os-set_bootable", {"bootable": True}, 200)
    await shop.act(volume, "os-update_readonly_flag", {"readonly": True})
    page = await shop.see(volume)
    assert (page["bootable"], page["metadata"]) == ("true", {"readonly": "True"})
    said = await shop.act(volume, "os-set_image_metadata", {"metadata": {"os": "debian"}}, 200)
    assert said == {"metadata": {"os": "debian"}}
    assert await shop.act(volume, "os-show_image_metadata", {}, 200) == {"metadata": {"os": "debian"}}
    await shop.act(volume, "os-unset_image_metadata", {"key": "os"}, 200)
    await shop.act(volume, "os-unset_image_metadata", {"key": "os"}, 404)
    assert await shop.client.get(f"/volumes/{volume}/encryption") == {"encryption_key_id": None}


async def test_a_volume_gets_another_image(shop: Shop) -> None:
    old, new = await shop.make_image("old"), await shop.make_image("new")
    volume = await shop.make(1, imageRef=old)
    await shop.client.post(f"/volumes/{volume}/action", {"os-reimage": {"image_id": new}}, 202)
    assert await shop.status(volume) == "downloading"
    await shop.act(volume, "os-reimage", {"image_id": new}, 400)
    await shop.settle()
    page = await shop.see(volume)
    assert (page["status"], page["volume_image_metadata"]["image_id"]) == ("available", new)
    real = shop.real(volume)
    assert real is not None
    assert real.content == f"image {new}"
    real.content = "written since"
    await shop.settle()
    assert real.content == "written since"
    await shop.act(volume, "os-reimage", {"image_id": new})
    assert real.content == f"image {new}"


async def test_volumes_that_get_no_other_image(shop: Shop) -> None:
    image, large = await shop.make_image(), await shop.make_image("large", min_disk=9)
    volume = await shop.make(1)
    await shop.act(volume, "os-reimage", {"image_id": large}, 400)
    await shop.act(volume, "os-reimage", {"image_id": volume}, 404)
    await shop.act(volume, "os-reimage", {}, 400)
    await shop.act(volume, "os-reimage", {"image_id": image}, 403, "reader")
    await shop.client.at("3.67").post(f"/volumes/{volume}/action", {"os-reimage": {"image_id": image}}, 400)
    for world in shop.nodes.volumes.values():
        world.open_in[volume] = {"machine"}
    await shop.act(volume, "os-reimage", {"image_id": image})
    assert await shop.status(volume) == "error"
    (told,) = (await shop.client.get("/messages"))["messages"]
    assert "in use" in told["user_message"]
    for world in shop.nodes.volumes.values():
        world.open_in.clear()
    # It is tried again when it is asked for again.
    await shop.act(volume, "os-reimage", {"image_id": image})
    assert await shop.status(volume) == "available"
    real = shop.real(volume)
    assert real is not None
    assert real.content == f"image {image}"
