"""The life of a server."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import Power
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db


async def test_a_server_is_made_seen_changed_and_deleted(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    network = await cloud.make_network()
    wish = {"name": "web", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    assert made["adminPass"]
    fresh = await cloud.page(made["id"])
    assert (fresh["status"], fresh["OS-EXT-STS:task_state"]) == ("BUILD", "scheduling")
    await cloud.settle()
    page = await cloud.page(made["id"])
    assert page["status"] == "ACTIVE", page
    assert page["OS-EXT-STS:power_state"] == 1
    [address] = page["addresses"]["private"]
    assert address["version"] == 4
    assert cloud.machine(made["id"]) == (page["OS-EXT-SRV-ATTR:host"], Power.RUNNING)
    renamed = await cloud.compute.put(f"/servers/{made['id']}", {"server": {"name": "db"}})
    assert renamed["server"]["name"] == "db"
    assert [s["name"] for s in (await cloud.compute.get("/servers"))["servers"]] == ["db"]
    await cloud.compute.delete(f"/servers/{made['id']}")
    await cloud.settle()
    await cloud.compute.get(f"/servers/{made['id']}", 404)
    assert cloud.machine(made["id"]) is None
    assert await cloud.placement.claims(made["id"]) == {}
    assert (await cloud.network.get("/ports"))["ports"] == []
