"""Servers change their host while they are off: what they have on it goes with them, or comes back."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import Power
from tests.api.compute.moving import HOST, LIVE, OTHER, content, move_cold
from tests.support.small_cloud import SmallCloud


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


async def test_a_server_is_in_the_zone_of_the_host_that_it_came_to(cloud: SmallCloud) -> None:
    admin = cloud.compute.as_("admin")
    made = (await admin.post("/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "west"}}, 200))[
        "aggregate"
    ]
    await admin.post(f"/os-aggregates/{made['id']}/action", {"add_host": {"host": "one"}}, 200)
    server = await cloud.make_server()
    zones = {"one": "west", "two": "nova"}
    for action, body, version in (("migrate", None, "2.1"), ("os-migrateLive", LIVE, "2.34")):
        before = (await cloud.page(server["id"]))[HOST]
        await cloud.do(server["id"], action, body, persona="admin", version=version)
        if action == "migrate":
            await cloud.do(server["id"], "confirmResize", None, 204)
        page = await cloud.page(server["id"])
        assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[before])
        assert page["OS-EXT-AZ:availability_zone"] == zones[page[HOST]]


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


@pytest.mark.parametrize(
    ("version", "wish", "status"),
    [("2.1", {"host": None}, 202), ("2.55", {"host": "nowhere"}, 202), ("2.56", {}, 202), ("2.56", {"host": None}, 202),
     ("2.56", {"host": "nowhere"}, 400), ("2.56", "", 400), ("2.56", {"host": 1}, 400), ("2.56", {"at": "one"}, 400)],
)  # fmt: skip
async def test_a_host_is_heard_of_since_2_56(cloud: SmallCloud, version: str, wish: object, status: int) -> None:
    server = await cloud.make_server()
    admin = cloud.compute.as_("admin").at(version)
    await admin.post(f"/servers/{server['id']}/action", {"migrate": wish}, status)


async def test_a_move_from_a_host_that_is_lost_meanwhile_ends_so_that_the_server_can_be_evacuated(
    cloud: SmallCloud,
) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    path = f"/servers/{server['id']}"
    await cloud.compute.as_("admin").post(f"{path}/action", {"migrate": None}, 202)
    cloud.nodes.kill(host)
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-STS:task_state"], page["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", None, host)
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-SRV-ATTR:host"] != host) == ("ACTIVE", True)
    cloud.nodes.revive(host)
    await cloud.settle()
    assert cloud.machine(server["id"]) == (page["OS-EXT-SRV-ATTR:host"], Power.RUNNING)
