"""Volume types, and what belongs to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def kind(shop: Shop, **wish: Any) -> str:
    made = await shop.client.as_("admin").post("/types", {"volume_type": {"name": "fast", **wish}}, 200)
    return str(made["volume_type"]["id"])


async def test_a_cloud_begins_with_a_default_type(shop: Shop) -> None:
    [default] = (await shop.client.get("/types"))["volume_types"]
    assert (default["name"], default["is_public"]) == ("__DEFAULT__", True)
    assert (await shop.client.get("/types/default"))["volume_type"]["id"] == default["id"]
    await shop.client.as_("admin").delete(f"/types/{default['id']}", 400)
    rename = {"volume_type": {"name": "x"}}
    await shop.client.as_("admin").put(f"/types/{default['id']}", rename, 400)


async def test_a_type_is_made_seen_changed_and_deleted(shop: Shop) -> None:
    key = await kind(shop, description="quick", extra_specs={"a:b": "c"})
    admin, path = shop.client.as_("admin"), f"/types/{key}"
    page = (await shop.client.get(path))["volume_type"]
    assert (page["name"], page["description"], page["extra_specs"]) == ("fast", "quick", {"a:b": "c"})
    assert "qos_specs_id" not in page
    await admin.post("/types", {"volume_type": {"name": "fast"}}, 409)
    await admin.post("/types", {"volume_type": {"name": " "}}, 400)
    await shop.client.post("/types", {"volume_type": {"name": "mine"}}, 403)
    assert (await admin.put(path, {"volume_type": {"name": "faster"}}))["volume_type"]["name"] == "faster"
    await admin.put(path, {"volume_type": {}}, 400)
    volume = await shop.make(volume_type="faster")
    assert (await shop.see(volume))["volume_type_id"] == key
    await admin.delete(path, 400)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await admin.delete(path, 202)
    await shop.client.get(path, 404)


async def test_extra_specs(shop: Shop) -> None:
    path = f"/types/{await kind(shop)}/extra_specs"
    admin = shop.client.as_("admin")
    assert await admin.post(path, {"extra_specs": {"a": "1"}}, 200) == {"extra_specs": {"a": "1"}}
    assert await admin.put(f"{path}/a", {"a": "2"}) == {"a": "2"}
    await admin.put(f"{path}/a", {"b": "2"}, 400)
    await admin.put(f"{path}/a", {"a": "1", "b": "2"}, 400)
    await admin.post(path, {"extra_specs": {"a b/c": "1"}}, 400)
    assert await shop.client.get(f"{path}/a") == {"a": "2"}
    await shop.client.post(path, {"extra_specs": {}}, 403)
    await admin.delete(f"{path}/a", 202)
    await admin.delete(f"{path}/a", 404)
    assert await admin.get(path) == {"extra_specs": {}}


async def test_what_no_backend_offers_cannot_be_placed(shop: Shop) -> None:
    await kind(shop, extra_specs={"volume_backend_name": "other"})
    volume = await shop.make(volume_type="fast")
    assert await shop.status(volume) == "error"
    [message] = (await shop.client.get("/messages"))["messages"]
    assert "volume_backend_name" in message["user_message"]


async def test_private_types(shop: Shop) -> None:
    key = await kind(shop, **{"os-volume-type-access:is_public": False})
    admin, path = shop.client.as_("admin"), f"/types/{key}"
    await shop.client.get(path, 404)
    await shop.client.post("/volumes", {"volume": {"size": 1, "volume_type": "fast"}}, 404)
    await shop.client.post(f"{path}/action", {"addProjectAccess": {"project": DEMO}}, 404)
    await admin.post(f"{path}/action", {"addProjectAccess": {"project": DEMO}}, 202)
    await admin.post(f"{path}/action", {"addProjectAccess": {"project": DEMO}}, 409)
    assert (await admin.get(f"{path}/os-volume-type-access"))["volume_type_access"] == [
        {"volume_type_id": key, "project_id": DEMO}
    ]
    assert {one["name"] for one in (await shop.client.get("/types"))["volume_types"]} == {"__DEFAULT__", "fast"}
    assert len((await admin.get("/types"))["volume_types"]) == 1
    assert len((await admin.get("/types?is_public=None"))["volume_types"]) == 2
    assert len((await admin.get("/types?is_public=False"))["volume_types"]) == 1
    await shop.make(volume_type="fast")
    await admin.post(f"{path}/action", {"removeProjectAccess": {"project": DEMO}}, 202)
    await admin.post(f"{path}/action", {"removeProjectAccess": {"project": DEMO}}, 404)


async def test_default_types_of_projects(shop: Shop) -> None:
    key = await kind(shop)
    admin, path = shop.client.as_("admin"), f"/default-types/{DEMO}"
    await shop.client.put(path, {"default_type": {"volume_type": "fast"}}, 403)
    await admin.put(path, {"default_type": {"volume_type": "slow"}}, 400)
    said = await admin.put(path, {"default_type": {"volume_type": "fast"}})
    assert said == {"default_type": {"project_id": DEMO, "volume_type_id": key}}
    assert await admin.get(path) == said
    assert (await admin.get("/default-types"))["default_types"] == [said["default_type"]]
    assert (await shop.see(await shop.make()))["volume_type"] == "fast"
    await admin.delete(path)
    await admin.get(path, 404)
    await admin.at("3.61").get("/default-types", 404)


async def test_encryption_is_remembered(shop: Shop) -> None:
    path = f"/types/{await kind(shop)}/encryption"
    admin = shop.client.as_("admin")
    assert await admin.get(path) == {}
    wish = {"provider": "luks", "control_location": "front-end", "key_size": 256}
    made = (await admin.post(path, {"encryption": wish}, 200))["encryption"]
    await admin.post(path, {"encryption": wish}, 400)
    await admin.put(f"{path}/{made['encryption_id']}", {"encryption": {"cipher": "aes"}})
    assert (await admin.get(path))["cipher"] == "aes"
    assert await admin.get(f"{path}/provider") == {"provider": "luks"}
    await shop.client.get(path, 403)
    await admin.delete(f"{path}/{made['encryption_id']}", 202)
    assert await admin.get(path) == {}


async def test_retype(shop: Shop) -> None:
    await kind(shop, extra_specs={"multiattach": "<is> True"})
    volume = await shop.make()
    await shop.act(volume, "os-retype", {"new_type": "none"}, 404)
    await shop.act(volume, "os-retype", {"new_type": "fast", "migration_policy": "never"})
    page = await shop.see(volume)
    assert (page["volume_type"], page["multiattach"]) == ("fast", True)
    await shop.act(volume, "os-retype", {"new_type": "fast"}, 400)


async def test_qos_specs(shop: Shop) -> None:
    admin, key = shop.client.as_("admin"), await kind(shop)
    wish = {"name": "calm", "consumer": "front-end", "total_iops_sec": "100"}
    made = (await admin.post("/qos-specs", {"qos_specs": wish}, 200))["qos_specs"]
    assert (made["consumer"], made["specs"]) == ("front-end", {"total_iops_sec": "100"})
    path = f"/qos-specs/{made['id']}"
    await admin.post("/qos-specs", {"qos_specs": wish}, 409)
    await admin.post("/qos-specs", {"qos_specs": {"name": "x", "consumer": "nobody"}}, 400)
    await shop.client.get("/qos-specs", 403)
    await shop.client.get(path, 403)
    assert await admin.put(path, {"qos_specs": {"read_iops_sec": "5"}}) == {"qos_specs": {"read_iops_sec": "5"}}
    await admin.put(f"{path}/delete_keys", {"keys": ["total_iops_sec"]}, 202)
    await admin.put(f"{path}/delete_keys", {"keys": ["total_iops_sec"]}, 400)
    assert (await admin.get(path))["qos_specs"]["specs"] == {"read_iops_sec": "5"}
    await admin.get(f"{path}/associate?vol_type_id={key}", 202)
    [found] = (await admin.get(f"{path}/associations"))["qos_associations"]
    assert found == {"association_type": "volume_type", "name": "fast", "id": key}
    assert (await admin.get(f"/types/{key}"))["volume_type"]["qos_specs_id"] == made["id"]
    await admin.delete(path, 400)
    await admin.get(f"{path}/disassociate?vol_type_id={key}", 202)
    await admin.get(f"{path}/associate?vol_type_id={key}", 202)
    await admin.get(f"{path}/disassociate_all", 202)
    await admin.delete(path, 202)
    await admin.get(path, 404)


async def held(shop: Shop, name: str, persona: str = "member") -> dict[str, int]:
    """What a project holds of a type."""
    found = (await shop.client.as_(persona).get(f"/os-quota-sets/{DEMO}?usage=True"))["quota_set"]
    return {resource: found[f"{resource}_{name}"]["in_use"] for resource in ("volumes", "gigabytes", "snapshots")}


async def test_what_a_project_may_hold_of_one_type(shop: Shop) -> None:
    key, admin, path = await kind(shop), shop.client.as_("admin"), f"/os-quota-sets/{DEMO}"
    assert (await shop.client.get(path))["quota_set"]["volumes_fast"] == -1
    set_to = (await admin.put(path, {"quota_set": {"volumes_fast": "2", "gigabytes_fast": 4}}))["quota_set"]
    assert (set_to["volumes_fast"], set_to["gigabytes_fast"], set_to["snapshots_fast"]) == (2, 4, -1)
    volume = await shop.make(2, volume_type="fast")
    await shop.take(volume)
    assert await held(shop, "fast") == {"volumes": 1, "gigabytes": 4, "snapshots": 1}
    refusal = await shop.client.post("/volumes", {"volume": {"size": 1, "volume_type": "fast"}}, 413)
    assert "gigabytes_fast: requested 1, but already used 4 of 4" in refusal["overLimit"]["message"]
    await shop.act(volume, "os-extend", {"new_size": 3}, 413)
    other = await shop.make(1)
    await shop.act(other, "os-retype", {"new_type": "fast"}, 413)
    assert (await shop.see(other))["volume_type"] == "__DEFAULT__"
    await shop.act(volume, "os-retype", {"new_type": "__DEFAULT__"})
    assert await held(shop, "fast") == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    assert await held(shop, "__DEFAULT__") == {"volumes": 2, "gigabytes": 5, "snapshots": 1}
    await admin.put(f"/types/{key}", {"volume_type": {"name": "quick"}})
    assert (await shop.client.get(path))["quota_set"]["volumes_quick"] == 2
    await shop.client.delete(f"/volumes/{volume}?cascade=True", 202)
    await shop.settle()
    assert await held(shop, "__DEFAULT__") == {"volumes": 1, "gigabytes": 1, "snapshots": 0}


async def test_limits_of_types_for_everybody(shop: Shop) -> None:
    await kind(shop)
    admin, path = shop.client.as_("admin"), "/os-quota-class-sets/default"
    found = (await admin.put(path, {"quota_class_set": {"volumes_fast": 0}}))["quota_class_set"]
    assert found["volumes_fast"] == 0
    await shop.client.post("/volumes", {"volume": {"size": 1, "volume_type": "fast"}}, 413)
    for wrong in ({"volumes_slow": 1}, {"volumes_fast": -2}, {"volumes_fast": True}, {"volumes_fast": "many"}):
        await admin.put(path, {"quota_class_set": wrong}, 400)
    await admin.put(f"/os-quota-sets/{DEMO}", {"quota_set": {"volumes_fast": 1}})
    await shop.make(1, volume_type="fast")
    await admin.delete(f"/os-quota-sets/{DEMO}", 200)
    await shop.client.post("/volumes", {"volume": {"size": 1, "volume_type": "fast"}}, 413)


async def test_specs_that_are_set_at_the_same_time_are_all_kept(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    kind = (await admin.post("/types", {"volume_type": {"name": "t"}}, 200))["volume_type"]["id"]
    group = (await admin.post("/group_types", {"group_type": {"name": "g"}}, 202))["group_type"]["id"]
    qos = (await admin.post("/qos-specs", {"qos_specs": {"name": "q"}}, 200))["qos_specs"]["id"]
    keys = [f"k{number}" for number in range(8)]
    await asyncio.gather(
        *(admin.put(f"/types/{kind}/extra_specs/{key}", {key: "v"}) for key in keys),
        *(admin.put(f"/group_types/{group}/group_specs/{key}", {key: "v"}) for key in keys),
        *(admin.put(f"/qos-specs/{qos}", {"qos_specs": {key: "v"}}) for key in keys),
    )
    assert set((await admin.get(f"/types/{kind}/extra_specs"))["extra_specs"]) == set(keys)
    assert set((await admin.get(f"/group_types/{group}/group_specs"))["group_specs"]) == set(keys)
    assert set((await admin.get(f"/qos-specs/{qos}"))["qos_specs"]["specs"]) == set(keys)
