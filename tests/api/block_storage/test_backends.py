"""Several backends side by side: what each is, how a volume finds one, and the words of administrators about each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cumulet.contracts.backends import Storage, Terms
from cumulet.drivers.volume.fake import VolumeWorld
from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db

SHARED = Storage(driver="fake", protocol="nfs", cluster="share", content="fake")


async def kind(shop: Shop, name: str, **specs: str) -> str:
    """A volume type with these extra specs; its name."""
    admin = shop.client.as_("admin")
    made = (await admin.post("/types", {"volume_type": {"name": name, "extra_specs": specs}}, 200))["volume_type"]
    return str(made["name"])


async def host(shop: Shop, volume: str) -> str:
    return str((await shop.see(volume, "admin"))["os-vol-host-attr:host"])


async def reasons(shop: Shop, volume: str) -> str:
    [message] = (await shop.client.get(f"/messages?resource_uuid={volume}"))["messages"]
    return str(message["user_message"])


async def test_types_choose_backends(shop: Shop) -> None:
    shop.nodes.give("one", "fast", terms=Terms(pool="gold", capabilities={"disk": "ssd"}))
    admin = shop.client.as_("admin")
    pools = (await admin.get("/scheduler-stats/get_pools?detail=True"))["pools"]
    assert [pool["name"] for pool in pools] == ["one@fast#gold", "one@local#local", "two@local#local"]
    assert pools[0]["capabilities"]["disk"] == "ssd"
    assert (await admin.get("/capabilities/one@fast"))["volume_backend_name"] == "gold"
    hosts = (await admin.get("/os-hosts"))["hosts"]
    assert {one["host_name"] for one in hosts} == {"one@fast", "one@local", "two@local"}
    gold = await shop.make(volume_type=await kind(shop, "gold", volume_backend_name="gold"))
    ssd = await shop.make(volume_type=await kind(shop, "ssd", **{"capabilities:disk": "<or> nvme <or> ssd"}))
    assert await host(shop, gold) == await host(shop, ssd) == "one@fast#gold"
    for _ in range(3):
        assert await host(shop, await shop.make(volume_type=await kind_once(shop))) != "one@fast#gold"
    assert gold in shop.nodes.drivers["one"]["fast"]._world.volumes
    copy = await shop.make(source_volid=gold)
    assert await host(shop, copy) == "one@fast#gold"
    elsewhere = await shop.make(source_volid=gold, volume_type=await kind_once(shop))
    assert (await shop.status(elsewhere)) == "error"
    assert "CapabilitiesFilter: the source lives on one@fast#gold" in await reasons(shop, elsewhere)


async def kind_once(shop: Shop) -> str:
    """The type of what every node has of itself."""
    found = (await shop.client.as_("admin").get("/types"))["volume_types"]
    if not any(one["name"] == "plain" for one in found):
        await kind(shop, "plain", volume_backend_name="local")
    return "plain"


async def test_no_place_is_explained_pool_by_pool(shop: Shop) -> None:
    shop.nodes.give("one", "fast", terms=Terms(filter_function="volume.size < 5"))
    volume = await shop.make(size=900, volume_type=await kind(shop, "odd", volume_backend_name="<or> fast <or> none"))
    assert await shop.status(volume) == "error"
    said = await reasons(shop, volume)
    assert "one@fast#fast: DriverFilter: its filter_function says no: volume.size < 5" in said
    assert "two@local#local: CapabilitiesFilter: the type asks for volume_backend_name" in said


async def test_each_backend_is_a_service(shop: Shop) -> None:
    shop.nodes.give("one", "fast")
    admin = shop.client.as_("admin").at("3.0")
    fast = await kind(shop, "fast", volume_backend_name="fast")

    async def states() -> dict[str, str]:
        found = (await admin.get("/os-services?binary=cinder-volume"))["services"]
        return {one["host"]: one["status"] for one in found}

    await admin.put("/os-services/disable", {"host": "one@fast", "binary": "cinder-volume"})
    assert await states() == {"one@fast": "disabled", "one@local": "enabled", "two@local": "enabled"}
    volume = await shop.make(volume_type=fast)
    assert "one@fast#fast: ServiceFilter: it is disabled" in await reasons(shop, volume)
    await admin.put("/os-services/enable", {"host": "one@fast", "binary": "cinder-volume"})
    kept = await shop.make(volume_type=fast)
    await admin.put("/os-services/freeze", {"host": "one@fast"})
    found = (await admin.get("/os-services?host=one@fast"))["services"]
    assert [(one["frozen"], one["disabled_reason"]) for one in found] == [(True, "frozen")]
    assert await shop.status(await shop.make(volume_type=fast)) == "error"
    assert await shop.status(kept) == "available"
    await admin.put("/os-services/thaw", {"host": "one@fast"})
    assert await shop.status(await shop.make(volume_type=fast)) == "available"
    await admin.put("/os-services/disable", {"host": "one", "binary": "cinder-volume"})
    assert await states() == {"one@fast": "disabled", "one@local": "disabled", "two@local": "enabled"}
    [total, *_] = (await admin.get("/os-hosts/one@fast"))["host"]
    assert total["resource"]["volume_count"] == "2"
    # Servers are another matter: the node takes them still.
    assert not (await shop.nodes.nodes())[0].disabled


async def test_a_backend_that_is_out_of_order_takes_nothing(shop: Shop) -> None:
    shop.nodes.give("one", "fast", Storage(driver="fake", fault="the share is not mounted"))
    admin = shop.client.as_("admin").at("3.49")
    [one] = (await admin.get("/os-services?host=one@fast"))["services"]
    assert (one["state"], one["backend_state"]) == ("down", "down")
    volume = await shop.make(volume_type=await kind(shop, "fast", volume_backend_name="fast"))
    assert "one@fast#fast: ServiceFilter: the share is not mounted" in await reasons(shop, volume)


async def test_hints(shop: Shop) -> None:
    first = await shop.make()
    home = await host(shop, first)

    async def made(**said: Any) -> str:
        body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": said}
        volume = (await shop.client.post("/volumes", body, 202))["volume"]["id"]
        await shop.settle()
        return str(volume)

    for _ in range(2):
        assert await host(shop, await made(same_host=first)) == home
        assert await host(shop, await made(different_host=[first])) != home
    lost = await made(local_to_instance="00000000-0000-4000-8000-000000000000")
    assert "InstanceLocalityFilter: the server it should be near is on no node" in await reasons(shop, lost)
    body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": 5}}
    await shop.client.post("/volumes", body, 400)
    assert await made(unknown={"to": "us"})


async def test_nodes_of_one_storage_are_a_cluster(shop: Shop) -> None:
    world = shop.nodes.give("one", "nfs", SHARED)
    shop.nodes.give("two", "nfs", SHARED, world)
    admin = shop.client.as_("admin")
    pools = (await admin.get("/scheduler-stats/get_pools?detail=True"))["pools"]
    assert [pool["name"] for pool in pools] == ["one@local#local", "share@nfs#nfs", "two@local#local"]
    [cluster] = (await admin.get("/clusters/detail"))["clusters"]
    assert (cluster["name"], cluster["num_hosts"], cluster["num_down_hosts"]) == ("share@nfs", 2, 0)
    assert (await admin.get("/clusters?name=else"))["clusters"] == []
    assert (await admin.get("/clusters/share@nfs"))["cluster"]["state"] == "up"
    await admin.get("/clusters/share", 404)
    found = (await admin.get("/os-services"))["services"]
    assert [one["host"] for one in found if one["cluster"] == "share@nfs"] == ["one@nfs", "two@nfs"]
    nfs = await kind(shop, "nfs", storage_protocol="nfs")
    volume = await shop.make(size=7, volume_type=nfs)
    assert (await shop.see(volume, "admin"))["cluster_name"] == "share@nfs#nfs"
    assert volume in world.volumes
    [pool] = (await admin.get("/scheduler-stats/get_pools?detail=True&name=share@nfs%23nfs"))["pools"]
    assert pool["capabilities"]["allocated_capacity_gb"] == 7
    await admin.put("/clusters/disable", {"name": "share@nfs", "disabled_reason": "new disks"})
    assert (await admin.get("/clusters/share@nfs"))["cluster"]["disabled_reason"] == "new disks"
    assert "ServiceFilter: it is disabled" in await reasons(shop, await shop.make(volume_type=nfs))
    await admin.put("/clusters/enable", {"name": "share@nfs"})
    await admin.put("/os-services/disable", {"host": "one@nfs", "binary": "cinder-volume"})
    for _ in range(3):
        assert (await host(shop, await shop.make(volume_type=nfs))) == "two@nfs#nfs"


async def test_what_fails_in_one_place_is_made_in_another(shop: Shop) -> None:
    for node in ("one", "two"):
        shop.nodes.give(node, "fast", world=VolumeWorld(capacity_gib=1))
        facts = (await shop.nodes.node(node)).facts  # type: ignore[union-attr]
        roomy = [
            msgspec.structs.replace(one, storage=msgspec.structs.replace(one.storage, total_gib=5000, free_gib=5000))
            if one.name == "fast"
            else one
            for one in facts.backends
        ]
        (await shop.nodes.node(node)).facts = msgspec.structs.replace(facts, backends=tuple(roomy))  # type: ignore[union-attr]
    volume = await shop.make(size=2)
    assert await shop.status(volume) == "available"
    assert (await host(shop, volume)).endswith("@local#local")
    assert not (await shop.client.get(f"/messages?resource_uuid={volume}"))["messages"]
    lost = await shop.make(size=2, volume_type=await kind(shop, "fast", volume_backend_name="fast"))
    assert await shop.status(lost) == "error"
    said = await reasons(shop, lost)
    assert "one@fast#fast: RetryFilter: it failed here: The backend of this volume has no room left." in said
    await shop.client.delete(f"/volumes/{lost}", 202)
    await shop.settle()
    await shop.client.get(f"/volumes/{lost}", 404)
