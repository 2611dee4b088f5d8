"""Who finds no place for a server is told by whom it was refused; an administrator also which host, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cumulet.contracts.machines import Power
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.placement.rows import InventoryRow
from tests.support.personas import DEMO
from tests.support.small_cloud import SmallCloud

Wish = dict[str, Any]
Scene = Callable[[SmallCloud], Awaitable[Wish]]
"""Arranges a cloud such that what it returns cannot be had there."""


HINTS = "os:scheduler_hints"


async def make(cloud: SmallCloud, wish: Wish, persona: str = "member") -> dict[str, Any]:
    """A server as its owner sees it when all has settled. Hints stand beside the wish, not in it."""
    client, hints = cloud.compute.as_(persona), {HINTS: wish[HINTS]} if HINTS in wish else {}
    plain = {"name": "s", "flavorRef": "42", **{key: value for key, value in wish.items() if key != HINTS}}
    plain.setdefault("imageRef", await cloud.make_image())
    made = (await client.post("/servers", {"server": plain, **hints}, 202))["server"]
    await cloud.settle()
    page: dict[str, Any] = (await client.get(f"/servers/{made['id']}"))["server"]
    return page


async def flavor(cloud: SmallCloud, extra_specs: dict[str, str] | None = None, **size: int) -> str:
    body = {"id": "asked", "name": "asked", "ram": 64, "vcpus": 1, "disk": 1, **size}
    admin = cloud.compute.as_("admin")
    await admin.post("/flavors", {"flavor": body}, 200)
    if extra_specs:
        await admin.post("/flavors/asked/os-extra_specs", {"extra_specs": extra_specs}, 200)
    return "asked"


async def aggregate(cloud: SmallCloud, hosts: tuple[str, ...], metadata: dict[str, str]) -> None:
    admin = cloud.compute.as_("admin")
    made = (await admin.post("/os-aggregates", {"aggregate": {"name": "a"}}, 200))["aggregate"]
    for host in hosts:
        await admin.post(f"/os-aggregates/{made['id']}/action", {"add_host": {"host": host}}, 200)
    await admin.post(f"/os-aggregates/{made['id']}/action", {"set_metadata": {"metadata": metadata}}, 200)


async def silent(cloud: SmallCloud) -> Wish:
    cloud.nodes.kill("one")
    cloud.nodes.kill("two")
    return {}


async def disabled(cloud: SmallCloud) -> Wish:
    for name in ("one", "two"):
        await cloud.nodes.set_disabled(name, True)
    return {}


async def another_zone(cloud: SmallCloud) -> Wish:
    await aggregate(cloud, ("one",), {"availability_zone": "west"})
    cloud.nodes.kill("one")
    return {"availability_zone": "west"}


async def one_host(cloud: SmallCloud) -> Wish:
    cloud.nodes.kill("one")
    return {"availability_zone": "nova:one", "persona": "admin"}


async def too_large(cloud: SmallCloud) -> Wish:
    return {"flavorRef": await flavor(cloud, vcpus=20)}


async def taken(cloud: SmallCloud) -> Wish:
    half = await flavor(cloud, disk=600)
    for name in ("one", "two"):
        await cloud.make_server(flavorRef=half, availability_zone=f"nova:{name}", persona="admin")
    return {"flavorRef": half}


async def a_trait(cloud: SmallCloud) -> Wish:
    return {"flavorRef": await flavor(cloud, {"trait:HW_CPU_X86_AVX512F": "required"})}


async def a_capability(cloud: SmallCloud) -> Wish:
    return {"flavorRef": await flavor(cloud, {"capabilities:hypervisor_type": "xen"})}


async def another_architecture(cloud: SmallCloud) -> Wish:
    return {"imageRef": await cloud.make_image("arm", hw_architecture="aarch64")}


async def an_aggregate(cloud: SmallCloud) -> Wish:
    return {"flavorRef": await flavor(cloud, {"aggregate_instance_extra_specs:ssd": "true"})}


async def others_aggregate(cloud: SmallCloud) -> Wish:
    await aggregate(cloud, ("one", "two"), {"filter_tenant_id": "another"})
    return {}


async def with_another(cloud: SmallCloud) -> Wish:
    other = await cloud.make_server(availability_zone="nova:one", persona="admin")
    cloud.nodes.kill("one")
    return {HINTS: {"same_host": other["id"]}}


async def apart_from_others(cloud: SmallCloud) -> Wish:
    others = [
        (await cloud.make_server(availability_zone=f"nova:{name}", persona="admin"))["id"] for name in ("one", "two")
    ]
    return {HINTS: {"different_host": others}}


async def in_group(cloud: SmallCloud, policy: str, members: int) -> Wish:
    body = {"server_group": {"name": "g", "policies": [policy]}}
    group = (await cloud.compute.post("/os-server-groups", body, 200))["server_group"]["id"]
    wish = {HINTS: {"group": group}}
    for _ in range(members):
        assert (await make(cloud, wish))["status"] == "ACTIVE"
    return wish


async def apart_from_its_group(cloud: SmallCloud) -> Wish:
    return await in_group(cloud, "anti-affinity", 2)


async def with_its_group(cloud: SmallCloud) -> Wish:
    wish = await in_group(cloud, "affinity", 1)
    (member,) = (await cloud.compute.as_("admin").get("/servers/detail?all_tenants=1"))["servers"]
    cloud.nodes.kill(member["OS-EXT-SRV-ATTR:host"])
    return wish


async def in_large_steps(cloud: SmallCloud) -> Wish:
    await cloud.room.database.write(lambda tx: tx.update(InventoryRow, {"resource_class": "VCPU"}, min_unit=2))
    return {}


@pytest.mark.parametrize(
    ("scene", "by", "why"),
    [
        (silent, "ComputeFilter", "one, two: it has not been heard of lately"),
        (disabled, "ComputeFilter", "one, two: it is disabled"),
        (another_zone, "AvailabilityZoneFilter", "two: it is in zone nova, not west"),
        (one_host, "RequestedHostFilter", "two: only one was asked for"),
        (too_large, "ResourceFilter", "one, two: no server gets so much of it (VCPU 20 >"),
        (taken, "ResourceFilter", "one, two: too little is free (DISK_GB 600 > 400)"),
        (a_trait, "ComputeCapabilitiesFilter", "one, two: the trait HW_CPU_X86_AVX512F is required"),
        (a_capability, "ComputeCapabilitiesFilter", "one, two: its hypervisor_type is not xen"),
        (another_architecture, "ImagePropertiesFilter", "one, two: the image is for aarch64, the host is x86_64"),
        (an_aggregate, "AggregateInstanceExtraSpecsFilter", "one, two: no aggregate of it has ssd true"),
        (others_aggregate, "AggregateMultiTenancyIsolation", "one, two: its aggregate is kept for other projects"),
        (with_another, "SameHostFilter", "two: none of the servers that it should be with is here"),
        (apart_from_others, "DifferentHostFilter", "one, two: a server that it should be apart from is here"),
        (apart_from_its_group, "ServerGroupAntiAffinityFilter", "one, two: 1 of its group are here already"),
        (with_its_group, "ServerGroupAffinityFilter", ": its group is on another host"),
        (in_large_steps, "placement", ": it gives 2 to "),
    ],
)
async def test_it_is_said_who_refused(cloud: SmallCloud, scene: Scene, by: str, why: str) -> None:
    wish = await scene(cloud)
    persona = wish.pop("persona", "member")
    server = await make(cloud, wish, persona)
    assert server["status"] == "ERROR"
    fault = server["fault"]
    assert fault["message"].startswith("No valid host was found. There are not enough hosts available; ")
    assert f"refused by {by}" in fault["message"]
    if persona == "member":
        assert "details" not in fault
        assert server["tenant_id"] == DEMO
    details = (await cloud.page(server["id"]))["fault"]["details"]
    assert f"{by} refused " in details
    assert why in details
    assert await cloud.placement.claims(server["id"]) == {}
    await cloud.compute.as_(persona).delete(f"/servers/{server['id']}", 204)
    await cloud.settle()
    await cloud.compute.as_(persona).get(f"/servers/{server['id']}", 404)


async def test_a_cloud_without_hosts_says_so(database: Database, bus: MemoryBus) -> None:
    cloud = SmallCloud(database, bus, names=())
    await cloud.start()
    server = await cloud.make_server()
    assert (await cloud.page(server["id"]))["fault"]["details"] == "No host has joined this cloud."


async def test_a_server_goes_where_its_volumes_are_or_nowhere(database: Database, bus: MemoryBus) -> None:
    cloud = SmallCloud(database, bus, names=())
    for name in ("one", "two"):
        cloud.nodes.join(name, tunnel_address="")  # others do not reach what lies there
    await cloud.start()
    volume = await cloud.make_volume()
    async with cloud.volume_room.database.read() as tx:
        (row,) = await tx.find(VolumeRow, id=volume)
    here, other = row.node, {"one": "two", "two": "one"}[row.node]
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 1}
    image = await cloud.make_image()
    root = {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0}
    wish = {"imageRef": image, "block_device_mapping_v2": [root, disk]}
    server = await make(cloud, wish | {"availability_zone": f"nova:{other}"}, "admin")
    assert server["fault"]["details"] == (
        f"RequestedHostFilter refused {here}: only {other} was asked for; "
        f"VolumeFilter refused {other}: volumes of it lie on {here}, and no other host reaches them."
    )
    await cloud.compute.as_("admin").delete(f"/servers/{server['id']}", 204)
    await cloud.settle()
    server = await make(cloud, wish)
    assert (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"] == here


async def test_a_server_is_not_evacuated_from_its_volumes(database: Database, bus: MemoryBus) -> None:
    cloud = SmallCloud(database, bus, names=())
    for name in ("one", "two"):
        cloud.nodes.join(name, tunnel_address="")  # others do not reach what lies there
    await cloud.start()
    image, volume = await cloud.make_image(), await cloud.make_volume()
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 1}
    root = {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0}
    server = await make(cloud, {"imageRef": image, "block_device_mapping_v2": [root, disk]})
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    cloud.nodes.kill(host)
    await cloud.settle()
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-SRV-ATTR:host"]) == ("ERROR", host)
    assert f"Its volumes lie on {host}" in page["fault"]["message"]
    # When the host is back, so is the server, with all that it had.
    cloud.nodes.revive(host)
    await cloud.settle()
    await cloud.do(server["id"], "reboot", {"type": "HARD"})
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"
    assert cloud.machine(server["id"]) == (host, Power.RUNNING)


async def test_a_server_goes_nowhere_without_its_volumes(cloud: SmallCloud) -> None:
    image, volume = await cloud.make_image(), await cloud.make_volume()
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 1}
    root = {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0}
    async with cloud.volume_room.database.read() as tx:
        (row,) = await tx.find(VolumeRow, id=volume)
    wish = {"imageRef": image, "block_device_mapping_v2": [root, disk], "availability_zone": f"nova:{row.node}"}
    server = await make(cloud, wish, "admin")
    assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", row.node)
    cloud.nodes.keep_to_itself(row.node)
    await cloud.do(server["id"], "migrate", None, persona="admin")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", row.node)
    assert [one["id"] for one in page["os-extended-volumes:volumes_attached"]] == [volume]


async def test_who_has_room_again_builds_it(cloud: SmallCloud) -> None:
    cloud.nodes.kill("one")
    cloud.nodes.kill("two")
    server = await cloud.make_server()
    assert server["status"] == "ERROR"
    cloud.nodes.revive("one")
    await cloud.do(server["id"], "reboot", {"type": "HARD"})
    page = await cloud.page(server["id"])
    assert (page["status"], "fault" in page) == ("ACTIVE", False)
