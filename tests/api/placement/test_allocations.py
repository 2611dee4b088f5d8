"""Who holds what: written, counted, refused, given back; by project; reshaped."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.lib.ids import new_uuid
from cumulet.services.placement.public import PlacementDoor
from cumulet.services.placement.room import Placement
from tests.api.placement.making import OWNER, provider, wish
from tests.support.client import Client

pytestmark = pytest.mark.db


async def used(placement: Client, id_: str) -> dict[str, int]:
    return dict((await placement.get(f"/resource_providers/{id_}/usages"))["usages"])


async def test_an_allocation_from_writing_to_deleting(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 4, "MEMORY_MB": 64})
    path = f"/allocations/{new_uuid()}"
    assert await placement.get(path) == {"allocations": {}}
    await placement.put(path, wish({id_: {"VCPU": 2, "MEMORY_MB": 8}}), 204)
    assert await placement.get(path) == {
        "allocations": {id_: {"generation": 2, "resources": {"VCPU": 2, "MEMORY_MB": 8}}},
        "consumer_generation": 1,
        "consumer_type": "INSTANCE",
        **OWNER,
    }
    assert await used(placement, id_) == {"VCPU": 2, "MEMORY_MB": 8}
    of_provider = await placement.get(f"/resource_providers/{id_}/allocations")
    assert list(of_provider["allocations"].values()) == [
        {"resources": {"VCPU": 2, "MEMORY_MB": 8}, "consumer_generation": 1}
    ]
    await placement.put(path, wish({id_: {"VCPU": 4}}, 1), 204)
    assert await used(placement, id_) == {"VCPU": 4, "MEMORY_MB": 0}
    await placement.delete(path)
    await placement.delete(path, 404)
    assert await used(placement, id_) == {"VCPU": 0, "MEMORY_MB": 0}


async def test_the_forms_of_older_versions(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 4})
    path = f"/allocations/{new_uuid()}"
    listed = {"allocations": [{"resource_provider": {"uuid": id_}, "resources": {"VCPU": 1}}]}
    await placement.at("1.0").put(path, listed, 204)
    await placement.at("1.8").put(path, listed, 400)
    await placement.at("1.8").put(path, {**listed, **OWNER}, 204)
    await placement.at("1.12").put(path, {**listed, **OWNER}, 400)
    keyed = {"allocations": {id_: {"resources": {"VCPU": 3}}}, **OWNER}
    await placement.at("1.12").put(path, keyed, 204)
    await placement.at("1.27").put(path, {"allocations": {}, **OWNER}, 400)
    await placement.at("1.28").put(path, keyed, 400)
    await placement.at("1.28").put(path, {**keyed, "consumer_generation": 3}, 204)
    await placement.at("1.33").put(path, {**keyed, "consumer_generation": 4, "mappings": {"": [id_]}}, 400)
    await placement.at("1.34").put(path, {**keyed, "consumer_generation": 4, "mappings": {"": [id_]}}, 204)
    await placement.at("1.38").put(path, {**keyed, "consumer_generation": 5}, 400)
    assert set(await placement.at("1.0").get(path)) == {"allocations"}
    assert set(await placement.at("1.12").get(path)) == {"allocations", *OWNER}
    assert (await placement.get(path))["consumer_type"] == "unknown"
    await placement.put(path, wish({}, 5), 204)
    assert await placement.get(path) == {"allocations": {}}


async def test_consumers_have_generations(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 4})
    path = f"/allocations/{new_uuid()}"
    holdings = {id_: {"VCPU": 1}}
    refused = await placement.put(path, wish(holdings, 1), 409)
    assert refused["errors"][0]["code"] == "placement.concurrent_update"
    await placement.put(path, wish(holdings), 204)
    for stale in (None, 0, 2):
        refused = await placement.put(path, wish(holdings, stale), 409)
        assert refused["errors"][0]["code"] == "placement.concurrent_update"
    assert (await placement.get(path))["consumer_generation"] == 1


async def test_nothing_is_given_out_twice(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 4})
    consumers = [new_uuid() for _ in range(8)]
    answers = await asyncio.gather(
        *(placement("PUT", f"/allocations/{consumer}", wish({id_: {"VCPU": 1}})) for consumer in consumers)
    )
    assert sorted(answer.status_code for answer in answers) == [204] * 4 + [409] * 4
    assert await used(placement, id_) == {"VCPU": 4}


async def test_two_writers_of_one_consumer(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 100})
    path = f"/allocations/{new_uuid()}"
    answers = await asyncio.gather(*(placement("PUT", path, wish({id_: {"VCPU": n}})) for n in range(1, 7)))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 5
    held = (await placement.get(path))["allocations"][id_]["resources"]["VCPU"]
    assert await used(placement, id_) == {"VCPU": held}


async def test_what_cannot_be_held(placement: Client) -> None:
    id_ = await provider(placement, "one")
    terms = {"resource_class": "VCPU", "total": 8, "reserved": 2, "min_unit": 2, "max_unit": 4, "step_size": 2}
    await placement.post(f"/resource_providers/{id_}/inventories", terms)
    for n, status in ((1, 409), (3, 409), (6, 409), (2**40, 409), (0, 400), (-1, 400), ("2", 400), (4, 204)):
        await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": n}}), status)  # type: ignore[dict-item]
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 4}}), 409)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"DISK_GB": 1}}), 409)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"NO_SUCH": 1}}), 400)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {}}), 400)
    await placement.put(f"/allocations/{new_uuid()}", wish({new_uuid(): {"VCPU": 2}}), 400)
    await placement.put("/allocations/somebody", wish({id_: {"VCPU": 2}}), 400)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 2}}, colour="red"), 400)
    assert await used(placement, id_) == {"VCPU": 4}


async def test_many_consumers_trade_places_or_nothing_happens(placement: Client) -> None:
    one, two = await provider(placement, "one", {"VCPU": 2}), await provider(placement, "two", {"VCPU": 2})
    anna, bert = new_uuid(), new_uuid()
    await placement.at("1.12").post("/allocations", {anna: wish({one: {"VCPU": 2}})}, 404)
    await placement.post("/allocations", {anna: wish({one: {"VCPU": 2}}), bert: wish({two: {"VCPU": 2}})}, 204)
    trade = {anna: wish({two: {"VCPU": 2}}, 1), bert: wish({one: {"VCPU": 2}}, 1)}
    await placement.post("/allocations", trade, 204)
    assert list((await placement.get(f"/allocations/{anna}"))["allocations"]) == [two]
    await placement.post("/allocations", trade, 409)
    too_much = {anna: wish({one: {"VCPU": 1}}, 2), bert: wish({one: {"VCPU": 2}}, 2)}
    await placement.post("/allocations", too_much, 409)
    assert (await placement.get(f"/allocations/{anna}"))["consumer_generation"] == 2
    await placement.post("/allocations", {anna: wish({}, 2), bert: wish({one: {"VCPU": 1}}, 2)}, 204)
    assert await used(placement, one) == {"VCPU": 1}
    assert await used(placement, two) == {"VCPU": 0}
    await placement.post("/allocations", {}, 400)


async def test_usages_of_a_project(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 10, "MEMORY_MB": 64})
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 1, "MEMORY_MB": 8}}), 204)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 2}}, consumer_type="MIGRATION"), 204)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 4}}, project_id="other"), 204)
    path = f"/usages?project_id={OWNER['project_id']}"
    assert await placement.at("1.37").get(path) == {"usages": {"VCPU": 3, "MEMORY_MB": 8}}
    instance = {"consumer_count": 1, "VCPU": 1, "MEMORY_MB": 8}
    migration = {"consumer_count": 1, "VCPU": 2}
    assert await placement.get(path) == {"usages": {"INSTANCE": instance, "MIGRATION": migration}}
    assert await placement.get(f"{path}&consumer_type=MIGRATION") == {"usages": {"MIGRATION": migration}}
    assert await placement.get(f"{path}&consumer_type=all") == {
        "usages": {"all": {"consumer_count": 2, "VCPU": 3, "MEMORY_MB": 8}}
    }
    assert await placement.get(f"{path}&user_id=nobody") == {"usages": {}}
    for bad in ("/usages", f"{path}&colour=red", f"{path}&consumer_type=lower", f"{path}&user_id="):
        await placement.get(bad, 400)
    await placement.at("1.37").get(f"{path}&consumer_type=all", 400)
    await placement.at("1.8").get(path, 404)


async def test_the_reshaper_moves_inventory_and_holders_together(placement: Client) -> None:
    root = await provider(placement, "root", {"VCPU": 4, "MEMORY_MB": 64})
    child = await provider(placement, "child", parent=root)
    consumer = new_uuid()
    await placement.put(f"/allocations/{consumer}", wish({root: {"VCPU": 4, "MEMORY_MB": 8}}), 204)
    body = {
        "inventories": {
            root: {"resource_provider_generation": 2, "inventories": {"MEMORY_MB": {"total": 64}}},
            child: {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4}}},
        },
        "allocations": {consumer: wish({root: {"MEMORY_MB": 8}, child: {"VCPU": 4}}, 1)},
    }
    await placement.post("/reshaper", body, 403)
    service = placement.as_("service")
    await service.at("1.29").post("/reshaper", body, 404)
    await service.post("/reshaper", {**body, "allocations": {}}, 409)
    await service.post("/reshaper", body, 204)
    assert await used(placement, root) == {"MEMORY_MB": 8}
    assert await used(placement, child) == {"VCPU": 4}
    stale = await service.post("/reshaper", body, 409)
    assert stale["errors"][0]["code"] == "placement.concurrent_update"
    unknown = {**body, "inventories": {new_uuid(): body["inventories"][root]}}
    refused = await service.post("/reshaper", unknown, 400)
    assert refused["errors"][0]["code"] == "placement.resource_provider.not_found"


async def test_claims_of_the_neighbours_are_allocations(placement: Client, room: Placement) -> None:
    door, consumer = PlacementDoor(room), new_uuid()
    id_ = await provider(placement, "node-1", {"VCPU": 4})
    assert await door.claim(consumer, "node-1", {"VCPU": 3}, **OWNER) == ""
    assert await door.claim(consumer, "node-1", {"VCPU": 3}, **OWNER) == ""
    assert await door.claim(new_uuid(), "node-1", {"VCPU": 3}, **OWNER)
    assert (await placement.get(f"/allocations/{consumer}"))["consumer_type"] == "INSTANCE"
    assert await used(placement, id_) == {"VCPU": 3}
    await door.release(consumer)
    assert await used(placement, id_) == {"VCPU": 0}
