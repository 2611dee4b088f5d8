"""Providers, their trees and what belongs to them, old and new."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.lib.ids import new_uuid
from cumulet.services.placement.providers.tree import DEEPEST
from tests.api.placement.making import provider, wish
from tests.support.client import Client

pytestmark = pytest.mark.db


async def test_a_provider_from_making_to_deleting(placement: Client) -> None:
    id_ = new_uuid()
    made = await placement.post("/resource_providers", {"name": "one", "uuid": id_}, 200)
    assert (made["uuid"], made["generation"], made["parent_provider_uuid"]) == (id_, 0, None)
    assert made["root_provider_uuid"] == id_
    rels = {link["rel"] for link in made["links"]}
    assert rels == {"self", "inventories", "usages", "aggregates", "traits", "allocations"}
    assert await placement.get(f"/resource_providers/{id_}") == made
    renamed = await placement.put(f"/resource_providers/{id_}", {"name": "two"})
    assert renamed["name"] == "two"
    assert [one["name"] for one in (await placement.get("/resource_providers?name=two"))["resource_providers"]] == [
        "two"
    ]
    await placement.delete(f"/resource_providers/{id_}")
    gone = await placement.get(f"/resource_providers/{id_}", 404)
    assert gone["errors"][0]["code"] == "placement.undefined_code"
    assert gone["errors"][0]["request_id"].startswith("req-")


async def test_the_same_at_the_oldest_version(placement: Client) -> None:
    old = placement.at("1.0")
    response = await old("POST", "/resource_providers", {"name": "one"})
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["openstack-api-version"] == "placement 1.0"
    path = response.headers["location"].removeprefix("http://cloud.test")
    shown = await old("GET", path)
    assert "cache-control" not in shown.headers
    assert set(shown.json()) == {"uuid", "name", "generation", "links"}
    assert {link["rel"] for link in shown.json()["links"]} == {"self", "inventories", "usages"}
    fault = await old.get(f"/resource_providers/{new_uuid()}", 404)
    assert "code" not in fault["errors"][0]
    await old.get(f"{path}/traits", 404)
    await old.post("/resource_providers", {"name": "child", "parent_provider_uuid": new_uuid()}, 400)
    await old.get("/resource_providers?in_tree=" + new_uuid(), 400)


async def test_versions_and_freshness(placement: Client) -> None:
    document = (await placement.as_("").get("/"))["versions"][0]
    assert (document["min_version"], document["max_version"]) == ("1.0", "1.39")
    too_new = await placement.at("1.40")("GET", "/resource_providers")
    assert too_new.status_code == 406
    assert too_new.json()["errors"][0]["max_version"] == "1.39"
    fresh = await placement.at("1.15")("GET", "/resource_providers")
    assert fresh.headers["cache-control"] == "no-cache"
    assert fresh.headers["last-modified"].endswith("GMT")
    await placement.as_("somebody").get("/resource_providers", 401)


async def test_two_providers_have_two_names(placement: Client) -> None:
    id_ = await provider(placement, "one")
    other = await provider(placement, "two")
    fault = await placement.post("/resource_providers", {"name": "one"}, 409)
    assert fault["errors"][0]["code"] == "placement.duplicate_name"
    await placement.post("/resource_providers", {"name": "three", "uuid": id_}, 409)
    await placement.put(f"/resource_providers/{other}", {"name": "one"}, 409)


async def test_trees(placement: Client) -> None:
    root = await provider(placement, "root")
    child = await provider(placement, "child", parent=root)
    leaf = await provider(placement, "leaf", parent=child)
    other = await provider(placement, "other")
    shown = await placement.get(f"/resource_providers/{leaf}")
    assert (shown["parent_provider_uuid"], shown["root_provider_uuid"]) == (child, root)
    tree = (await placement.get(f"/resource_providers?in_tree={child}"))["resource_providers"]
    assert {one["uuid"] for one in tree} == {root, child, leaf}
    fault = await placement.delete(f"/resource_providers/{root}", 409)
    assert fault["errors"][0]["code"] == "placement.resource_provider.cannot_delete_parent"
    move = {"name": "child", "parent_provider_uuid": other}
    await placement.at("1.36").put(f"/resource_providers/{child}", move, 400)
    await placement.put(f"/resource_providers/{child}", {**move, "parent_provider_uuid": leaf}, 400)
    await placement.put(f"/resource_providers/{child}", {**move, "parent_provider_uuid": child}, 400)
    await placement.put(f"/resource_providers/{child}", {**move, "parent_provider_uuid": new_uuid()}, 400)
    await placement.put(f"/resource_providers/{child}", move)
    assert (await placement.get(f"/resource_providers/{leaf}"))["root_provider_uuid"] == other
    await placement.put(f"/resource_providers/{child}", {**move, "parent_provider_uuid": None})
    assert (await placement.get(f"/resource_providers/{leaf}"))["root_provider_uuid"] == child


async def test_filters(placement: Client) -> None:
    group = new_uuid()
    await provider(placement, "small", {"VCPU": 2}, traits=["HW_CPU_X86_AVX"])
    await provider(placement, "large", {"VCPU": 8, "MEMORY_MB": 64}, aggregates=[group])

    async def names(query: str, at: str = "1.39") -> list[str]:
        found = await placement.at(at).get(f"/resource_providers?{query}")
        return sorted(one["name"] for one in found["resource_providers"])

    assert await names("resources=VCPU:4") == ["large"]
    assert await names("resources=VCPU:1") == ["large", "small"]
    assert await names(f"member_of={group}") == ["large"]
    assert await names(f"member_of=!{group}") == ["small"]
    assert await names(f"member_of=in:{group},{new_uuid()}", "1.3") == ["large"]
    assert await names("required=HW_CPU_X86_AVX", "1.18") == ["small"]
    assert await names("required=!HW_CPU_X86_AVX", "1.22") == ["large"]
    assert await names("required=in:HW_CPU_X86_AVX,HW_CPU_X86_AVX2") == ["small"]
    for bad in (
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=NO_SUCH:1",
        "required=NO_SUCH",
        "required=",
        "required=HW_CPU_X86_AVX,!HW_CPU_X86_AVX",
        "member_of=x",
        "uuid=x",
        "in_tree=x",
        "color=red",
    ):
        await placement.get(f"/resource_providers?{bad}", 400)
    await placement.at("1.21").get("/resource_providers?required=!HW_CPU_X86_AVX", 400)
    await placement.at("1.38").get("/resource_providers?required=in:HW_CPU_X86_AVX", 400)


async def test_inventories(placement: Client) -> None:
    id_ = await provider(placement, "one")
    path = f"/resource_providers/{id_}/inventories"
    made = await placement.post(path, {"resource_class": "VCPU", "total": 4})
    assert made == {
        "resource_provider_generation": 1,
        "total": 4,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }
    await placement.post(path, {"resource_class": "VCPU", "total": 4}, 409)
    await placement.post(path, {"resource_class": "NO_SUCH", "total": 4}, 400)
    stale = {"resource_provider_generation": 0, "total": 8}
    fault = await placement.put(f"{path}/VCPU", stale, 409)
    assert fault["errors"][0]["code"] == "placement.concurrent_update"
    changed = await placement.put(f"{path}/VCPU", {**stale, "resource_provider_generation": 1})
    assert (changed["total"], changed["resource_provider_generation"]) == (8, 2)
    assert await placement.get(f"{path}/VCPU") == changed
    await placement.put(f"{path}/DISK_GB", {"resource_provider_generation": 2, "total": 1}, 400)
    both = {"resource_provider_generation": 2, "inventories": {"VCPU": {"total": 2}, "MEMORY_MB": {"total": 64}}}
    await placement.put(path, {**both, "resource_provider_generation": 1}, 409)
    replaced = await placement.put(path, both)
    assert set(replaced["inventories"]) == {"VCPU", "MEMORY_MB"}
    assert await placement.get(path) == replaced
    consumer = new_uuid()
    await placement.put(f"/allocations/{consumer}", wish({id_: {"VCPU": 1}}), 204)
    for method, target in (("DELETE", f"{path}/VCPU"), ("DELETE", path)):
        refused = await placement(method, target)
        assert refused.status_code == 409
        assert refused.json()["errors"][0]["code"] == "placement.inventory.inuse"
    fault = await placement.delete(f"/resource_providers/{id_}", 409)
    assert fault["errors"][0]["code"] == "placement.resource_provider.inuse"
    await placement.delete(f"{path}/MEMORY_MB")
    await placement.delete(f"{path}/MEMORY_MB", 404)
    await placement.delete(f"/allocations/{consumer}")
    await placement.at("1.4").delete(path, 404)
    await placement.delete(path)
    assert (await placement.get(path))["inventories"] == {}


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"total": 0},
        {"total": "4"},
        {"total": 2**31},
        {"total": 4, "reserved": 5},
        {"total": 4, "reserved": -1},
        {"total": 4, "allocation_ratio": -1},
        {"total": 4, "allocation_ratio": 1e39},
        {"total": 4, "step_size": 0},
        {"total": 4, "colour": "red"},
    ],
)
async def test_terms_that_no_inventory_has(placement: Client, terms: dict[str, object]) -> None:
    id_ = await provider(placement, "one")
    path = f"/resource_providers/{id_}/inventories"
    await placement.post(path, {"resource_class": "VCPU", **terms}, 400)
    await placement.put(path, {"resource_provider_generation": 0, "inventories": {"VCPU": terms}}, 400)


async def test_reserving_everything_came_later(placement: Client) -> None:
    id_ = await provider(placement, "one")
    terms = {"resource_class": "VCPU", "total": 4, "reserved": 4}
    await placement.at("1.25").post(f"/resource_providers/{id_}/inventories", terms, 400)
    await placement.at("1.26").post(f"/resource_providers/{id_}/inventories", terms)


async def test_a_giant_ratio_is_only_a_number(placement: Client) -> None:
    id_ = await provider(placement, "one")
    terms = {"resource_class": "VCPU", "total": 2**31 - 1, "allocation_ratio": 3e38}
    await placement.post(f"/resource_providers/{id_}/inventories", terms)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 2**31 - 1}}), 204)
    found = await placement.get("/allocation_candidates?resources=VCPU:1")
    assert found["provider_summaries"][id_]["resources"]["VCPU"]["capacity"] == 2**63 - 1


async def test_aggregates(placement: Client) -> None:
    id_, group = await provider(placement, "one"), new_uuid()
    path = f"/resource_providers/{id_}/aggregates"
    assert await placement.at("1.18").put(path, [group]) == {"aggregates": [group]}
    await placement.at("1.18").put(path, [group, group], 400)
    await placement.at("1.18").put(path, {"aggregates": [group]}, 400)
    new = {"aggregates": [], "resource_provider_generation": 0}
    assert await placement.put(path, new) == {"aggregates": [], "resource_provider_generation": 1}
    await placement.put(path, new, 409)
    await placement.put(path, {"aggregates": ["x"], "resource_provider_generation": 1}, 400)
    assert await placement.get(path) == {"aggregates": [], "resource_provider_generation": 1}
    await placement.get(f"/resource_providers/{new_uuid()}/aggregates", 404)


async def test_traits(placement: Client) -> None:
    id_ = await provider(placement, "one")
    path = f"/resource_providers/{id_}/traits"
    await placement.put("/traits/CUSTOM_GOLD", status=201)
    await placement.put("/traits/CUSTOM_GOLD", status=204)
    for bad in ("GOLD", "CUSTOM_gold", "CUSTOM_GOLD%0A", "HW_CPU_X86_AVX"):
        await placement.put(f"/traits/{bad}", status=400)
    await placement.get("/traits/CUSTOM_GOLD", 204)
    await placement.get("/traits/HW_CPU_X86_AVX", 204)
    await placement.get("/traits/CUSTOM_NONE", 404)
    new = {"traits": ["CUSTOM_GOLD", "HW_CPU_X86_AVX"], "resource_provider_generation": 0}
    assert (await placement.put(path, new))["resource_provider_generation"] == 1
    await placement.put(path, new, 409)
    await placement.put(path, {"traits": ["NO_SUCH"], "resource_provider_generation": 1}, 400)
    assert (await placement.get("/traits?associated=true"))["traits"] == new["traits"]
    assert "CUSTOM_GOLD" not in (await placement.get("/traits?associated=false"))["traits"]
    assert (await placement.get("/traits?name=startswith:CUSTOM_"))["traits"] == ["CUSTOM_GOLD"]
    assert (await placement.get("/traits?name=in:CUSTOM_GOLD,X"))["traits"] == ["CUSTOM_GOLD"]
    await placement.get("/traits?name=GOLD", 400)
    await placement.get("/traits?associated=perhaps", 400)
    await placement.delete("/traits/CUSTOM_GOLD", 409)
    await placement.delete("/traits/HW_CPU_X86_AVX", 400)
    await placement.delete(path)
    await placement.delete("/traits/CUSTOM_GOLD")
    await placement.delete("/traits/CUSTOM_GOLD", 404)


async def test_resource_classes(placement: Client) -> None:
    response = await placement("POST", "/resource_classes", {"name": "CUSTOM_TAPE"})
    assert (response.status_code, response.headers["location"]) == (
        201,
        "http://cloud.test/resource_classes/CUSTOM_TAPE",
    )
    await placement.post("/resource_classes", {"name": "CUSTOM_TAPE"}, 409)
    await placement.post("/resource_classes", {"name": "VCPU"}, 400)
    await placement.put("/resource_classes/CUSTOM_TAPE", status=204)
    await placement.put("/resource_classes/CUSTOM_DISC", status=201)
    await placement.put("/resource_classes/TAPE", status=400)
    names = [one["name"] for one in (await placement.get("/resource_classes"))["resource_classes"]]
    assert names[0] == "VCPU"
    assert names[-2:] == ["CUSTOM_DISC", "CUSTOM_TAPE"]
    id_ = await provider(placement, "one", {"CUSTOM_TAPE": 2})
    old = placement.at("1.6")
    await old.put("/resource_classes/CUSTOM_TAPE", {"name": "CUSTOM_DISC"}, 409)
    await old.put("/resource_classes/CUSTOM_TAPE", {"name": "CUSTOM_REEL"})
    assert "CUSTOM_REEL" in (await placement.get(f"/resource_providers/{id_}/inventories"))["inventories"]
    await placement.delete("/resource_classes/CUSTOM_REEL", 409)
    await placement.delete("/resource_classes/VCPU", 400)
    await placement.delete("/resource_classes/CUSTOM_DISC")
    await placement.get("/resource_classes/CUSTOM_DISC", 404)
    assert (await placement.get("/resource_classes/VCPU"))["name"] == "VCPU"


async def test_trees_are_only_so_deep(placement: Client) -> None:
    path = [await provider(placement, "level-1")]
    for level in range(2, DEEPEST + 1):
        path.append(await provider(placement, f"level-{level}", parent=path[-1]))
    too_deep = {"name": "one-more", "parent_provider_uuid": path[-1]}
    await placement.post("/resource_providers", too_deep, 400)
    top = await provider(placement, "top")
    await provider(placement, "below", parent=top)
    await placement.put(f"/resource_providers/{top}", {"name": "top", "parent_provider_uuid": path[-2]}, 400)
    await placement.put(f"/resource_providers/{top}", {"name": "top", "parent_provider_uuid": path[-3]})


async def test_two_moves_never_make_a_ring(placement: Client) -> None:
    for n in range(5):
        one, two = await provider(placement, f"one-{n}"), await provider(placement, f"two-{n}")
        answers = await asyncio.gather(
            placement("PUT", f"/resource_providers/{one}", {"name": f"one-{n}", "parent_provider_uuid": two}),
            placement("PUT", f"/resource_providers/{two}", {"name": f"two-{n}", "parent_provider_uuid": one}),
        )
        assert sorted(answer.status_code for answer in answers)[0] == 200
        shown = [await placement.get(f"/resource_providers/{id_}") for id_ in (one, two)]
        assert [place["parent_provider_uuid"] for place in shown].count(None) == 1
        assert shown[0]["root_provider_uuid"] == shown[1]["root_provider_uuid"]
