"""Identity's limits bound servers and what is in them, under the names they have there."""

from __future__ import annotations

import pytest

from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db


async def test_servers_and_their_sizes(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    flavor = {"name": "two", "vcpus": 2, "ram": 64, "disk": 3, "OS-FLV-EXT-DATA:ephemeral": 1}
    flavor_id = (await cloud.compute.as_("admin").post("/flavors", {"flavor": flavor}, 200))["flavor"]["id"]
    wish = {"name": "s", "flavorRef": flavor_id, "imageRef": image, "networks": "none"}
    compute = cloud.compute.at("2.37")
    for name, most in {"servers": 0, "class:VCPU": 1, "class:MEMORY_MB": 63, "class:DISK_GB": 3}.items():
        cloud.projects.limits = {name: most}
        await compute.post("/servers", {"server": wish}, 403)
    cloud.projects.limits = {"servers": 1, "class:VCPU": 2, "class:MEMORY_MB": 64, "class:DISK_GB": 4}
    made = (await compute.post("/servers", {"server": wish}, 202))["server"]
    await cloud.settle()
    await compute.post("/servers", {"server": wish}, 403)
    absolute = (await compute.get("/limits"))["limits"]["absolute"]
    assert (absolute["maxTotalInstances"], absolute["totalCoresUsed"]) == (1, 2)
    assert "disk" not in (await compute.get(f"/os-quota-sets/{'d' * 32}"))["quota_set"]

    await compute.delete(f"/servers/{made['id']}")
    await cloud.settle()
    await compute.post("/servers", {"server": wish}, 202)


async def test_a_move_counts_the_larger_of_both_sizes_until_it_is_settled(cloud: SmallCloud) -> None:
    admin = cloud.compute.as_("admin")
    larger = {"name": "larger", "vcpus": 1, "ram": 128, "disk": 5}
    flavor_id = (await admin.post("/flavors", {"flavor": larger}, 200))["flavor"]["id"]
    server = await cloud.make_server()
    used = await _used(cloud)
    cloud.projects.limits = {"class:DISK_GB": 4}
    resize = {"resize": {"flavorRef": flavor_id}}
    await cloud.compute.post(f"/servers/{server['id']}/action", resize, 403)
    cloud.projects.limits = {}
    await cloud.compute.post(f"/servers/{server['id']}/action", resize, 202)
    await cloud.settle()
    assert (await _used(cloud))["disk"] == 5
    await cloud.compute.post(f"/servers/{server['id']}/action", {"revertResize": None}, 202)
    await cloud.settle()
    assert await _used(cloud) == used


async def _used(cloud: SmallCloud) -> dict[str, int]:
    async with cloud.room.database.read() as tx:
        return await cloud.room.quota.usage(tx, "d" * 32)
