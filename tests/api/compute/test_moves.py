"""Servers change their host: what they have on it goes with them, or comes back."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import Power
from tests.support.small_cloud import SmallCloud

HOST = "OS-EXT-SRV-ATTR:host"


def content(cloud: SmallCloud, node: str, server_id: str) -> str:
    return cloud.nodes.worlds[node].machines[server_id].content


async def move_cold(cloud: SmallCloud, server_id: str) -> tuple[str, str]:
    """Its host before and after."""
    before = (await cloud.page(server_id))[HOST]
    await cloud.do(server_id, "migrate", None, persona="admin")
    page = await cloud.page(server_id)
    assert page["status"] == "VERIFY_RESIZE"
    return before, page[HOST]


async def test_a_disk_goes_with_its_server(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    disk = content(cloud, host, server["id"])
    cloud.clock.jump(60)
    source, destination = await move_cold(cloud, server["id"])
    assert (source, destination) in (("one", "two"), ("two", "one"))
    assert content(cloud, destination, server["id"]) == disk
    assert cloud.nodes.worlds[source].machines[server["id"]].power is Power.STOPPED
    await cloud.do(server["id"], "confirmResize", None, 204)
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"
    assert cloud.machine(server["id"]) == (destination, Power.RUNNING)
    assert server["id"] not in cloud.nodes.worlds[source].machines
    assert set(await cloud.placement.claims(server["id"])) == {destination}


async def test_a_reverted_move_leaves_nothing_behind(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    disk = content(cloud, host, server["id"])
    source, destination = await move_cold(cloud, server["id"])
    await cloud.do(server["id"], "revertResize")
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", source)
    assert content(cloud, source, server["id"]) == disk
    assert server["id"] not in cloud.nodes.worlds[destination].machines
    assert set(await cloud.placement.claims(server["id"])) == {source}


async def test_a_server_that_is_off_moves_and_stays_off(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "os-stop")
    host = (await cloud.page(server["id"]))[HOST]
    disk = content(cloud, host, server["id"])
    _, destination = await move_cold(cloud, server["id"])
    await cloud.do(server["id"], "confirmResize", None, 204)
    assert (await cloud.page(server["id"]))["status"] == "SHUTOFF"
    assert cloud.machine(server["id"]) == (destination, Power.STOPPED)
    assert content(cloud, destination, server["id"]) == disk


async def test_it_goes_where_it_is_told_and_back(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    for _ in range(2):
        page = await cloud.page(server["id"])
        disk = content(cloud, page[HOST], server["id"])
        other = {"one": "two", "two": "one"}[page[HOST]]
        await cloud.do(server["id"], "migrate", {"host": other}, persona="admin", version="2.56")
        await cloud.do(server["id"], "confirmResize", None, 204)
        assert (await cloud.page(server["id"]))[HOST] == other
        assert content(cloud, other, server["id"]) == disk


async def test_a_server_that_outgrows_its_host_takes_its_disk_to_another(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    disk = content(cloud, host, server["id"])
    await cloud.compute.as_("admin").post(
        "/flavors", {"flavor": {"id": "wide", "name": "wide", "ram": 64, "vcpus": 1, "disk": 600}}, 200
    )
    await cloud.make_server(flavorRef="wide", availability_zone=f"nova:{host}", persona="admin")
    await cloud.do(server["id"], "resize", {"flavorRef": "wide"})
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("VERIFY_RESIZE", {"one": "two", "two": "one"}[host])
    assert content(cloud, page[HOST], server["id"]) == disk


@pytest.mark.parametrize("dead", ["one", "two"])
async def test_no_move_begins_without_a_host_that_lives(cloud: SmallCloud, dead: str) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    cloud.nodes.kill({"one": "two", "two": "one"}[host])
    await cloud.do(server["id"], "migrate", None, persona="admin")
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert set(await cloud.placement.claims(server["id"])) == {host}
