"""Servers change their host: what they have on it goes with them, or comes back."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.machines import MachineFacts, Power
from cumulet.contracts.moves import MoveFacts, Stage
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.compute.moves.live import FAULT_SECONDS
from cumulet.services.compute.moves.row import MoveRow
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


# ---- live ------------------------------------------------------------------------------------------------------------

OTHER = {"one": "two", "two": "one"}
LIVE = {"host": None, "block_migration": "auto"}


async def migrations(cloud: SmallCloud, server_id: str) -> list[dict[str, Any]]:
    listed = await cloud.compute.as_("admin").at("2.80").get(f"/os-migrations?instance_uuid={server_id}")
    found: list[dict[str, Any]] = listed["migrations"]
    return found


async def actions(cloud: SmallCloud, server_id: str) -> list[tuple[str, str | None]]:
    """What was done to a server and whether it failed, the newest first."""
    listed = await cloud.compute.get(f"/servers/{server_id}/os-instance-actions")
    return [(action["action"], action["message"]) for action in listed["instanceActions"]]


async def why(cloud: SmallCloud, server_id: str) -> str:
    """What the history says to administrators of the newest action that failed."""
    client = cloud.compute.as_("admin").at("2.84")
    for action in (await client.get(f"/servers/{server_id}/os-instance-actions"))["instanceActions"]:
        path = f"/servers/{server_id}/os-instance-actions/{action['request_id']}"
        for event in (await client.get(path))["instanceAction"]["events"]:
            if event["result"] == "Error":
                return str(event["details"])
    return ""


async def on_its_way(cloud: SmallCloud) -> tuple[dict[str, Any], str, int]:
    """A server whose live move does not come to its end by itself; where it is, and the number of the move."""
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    cloud.nodes.worlds[host].sticks = True
    await cloud.do(server["id"], "os-migrateLive", LIVE, persona="admin", version="2.34")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-STS:task_state"]) == ("MIGRATING", "migrating")
    client = cloud.compute.as_("admin").at("2.80")
    (shown,) = (await client.get(f"/servers/{server['id']}/migrations"))["migrations"]
    assert (shown["status"], shown["source_compute"], shown["dest_compute"]) == ("running", host, OTHER[host])
    assert shown["memory_total_bytes"] >= 0
    assert (await client.get(f"/servers/{server['id']}/migrations/{shown['id']}"))["migration"] == shown
    manager = cloud.compute.as_("manager").at("2.80")
    (shown,) = (await manager.get(f"/servers/{server['id']}/migrations"))["migrations"]
    assert {shown[name] for name in ("source_node", "source_compute", "dest_node", "dest_compute")} == {None}
    return server, host, shown["id"]


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("2.1", {"host": None, "block_migration": True, "disk_over_commit": False}),
        ("2.24", {"host": "other", "block_migration": "True", "disk_over_commit": False}),
        ("2.25", {"host": None, "block_migration": "auto"}),
        ("2.30", {"host": "other", "block_migration": True, "force": True}),
        ("2.68", {"host": "other", "block_migration": "auto"}),
    ],
)
async def test_a_running_server_moves(cloud: SmallCloud, version: str, body: dict[str, Any]) -> None:
    network = await cloud.make_network()
    server = await cloud.make_server(networks=[{"uuid": network}])
    host = (await cloud.page(server["id"]))[HOST]
    before = cloud.nodes.worlds[host].machines[server["id"]]
    cloud.clock.jump(60)
    if body["host"]:
        body = body | {"host": OTHER[host]}
    await cloud.do(server["id"], "os-migrateLive", body, persona="admin", version=version)
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[host])
    assert page["OS-EXT-STS:task_state"] is None
    after = cloud.nodes.worlds[OTHER[host]].machines[server["id"]]
    assert (after.power, after.content, after.started_at) == (Power.RUNNING, before.content, before.started_at)
    assert server["id"] not in cloud.nodes.worlds[host].machines
    assert set(await cloud.placement.claims(server["id"])) == {OTHER[host]}
    (nic,) = await cloud.room.networks.nics(server["id"])
    assert (nic.host, nic.prepared, nic.up) == (OTHER[host], [], True)
    assert nic.port_id not in cloud.nodes.told(host, Kind.PORT)
    (moved,) = await migrations(cloud, server["id"])
    assert (moved["status"], moved["migration_type"]) == ("completed", "live-migration")
    assert (moved["source_compute"], moved["dest_compute"]) == (host, OTHER[host])
    assert (await actions(cloud, server["id"]))[0] == ("live-migration", None)


async def test_a_paused_server_moves_and_is_paused(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "pause")
    host = (await cloud.page(server["id"]))[HOST]
    await cloud.do(server["id"], "os-migrateLive", LIVE, persona="admin", version="2.25")
    assert (await cloud.page(server["id"]))["status"] == "PAUSED"
    assert cloud.machine(server["id"]) == (OTHER[host], Power.PAUSED)
    await cloud.do(server["id"], "unpause")
    assert cloud.machine(server["id"]) == (OTHER[host], Power.RUNNING)


async def volume_on(cloud: SmallCloud, host: str) -> str:
    """A volume whose bytes are on this host."""
    for _ in range(8):
        volume = await cloud.make_volume()
        async with cloud.volume_room.database.read() as tx:
            (row,) = await tx.find(VolumeRow, id=volume)
        if row.node == host:
            return volume
    raise AssertionError(f"no volume comes to {host}")


@pytest.mark.parametrize("reach", [True, False])
async def test_volumes_follow_a_server_if_its_new_host_reaches_them(cloud: SmallCloud, reach: bool) -> None:
    cloud.volume_room.always_exports = reach
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    volume = await volume_on(cloud, host)
    body = {"volumeAttachment": {"volumeId": volume}}
    await cloud.compute.post(f"/servers/{server['id']}/os-volume_attachments", body, 200)
    await cloud.settle()
    await cloud.do(server["id"], "os-migrateLive", LIVE, persona="admin", version="2.34")
    page = await cloud.page(server["id"])
    expected = OTHER[host] if reach else host
    assert (page["status"], page[HOST]) == ("ACTIVE", expected)
    async with cloud.volume_room.database.read() as tx:
        (attachment,) = await tx.find(AttachmentRow, volume_id=volume)
    assert (attachment.status, attachment.host) == ("attached", expected)
    machine = cloud.nodes.worlds[expected].machines[server["id"]]
    assert volume in [disk.id for disk in machine.running.disks]
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["completed" if reach else "error"]


async def test_a_live_move_is_called_off(cloud: SmallCloud) -> None:
    server, host, number = await on_its_way(cloud)
    path = f"/servers/{server['id']}/migrations/{number}"
    await cloud.compute.as_("admin").at("2.24").delete(path, 202)
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert cloud.machine(server["id"]) == (host, Power.RUNNING)
    assert server["id"] not in cloud.nodes.worlds[OTHER[host]].machines
    assert set(await cloud.placement.claims(server["id"])) == {host}
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["cancelled"]
    await cloud.compute.as_("admin").at("2.24").delete(path, 400)
    await cloud.compute.as_("admin").at("2.24").get(path, 404)
    assert (await actions(cloud, server["id"]))[:2] == [("live_migration_abort", None), ("live-migration", "Error")]


async def test_a_live_move_is_forced_to_its_end(cloud: SmallCloud) -> None:
    server, host, number = await on_its_way(cloud)
    path = f"/servers/{server['id']}/migrations/{number}/action"
    await cloud.compute.as_("admin").at("2.22").post(path, {"force_complete": None}, 202)
    await cloud.settle()
    (moved,) = await migrations(cloud, server["id"])
    for known_as in (number, moved["uuid"]):
        path = f"/servers/{server['id']}/migrations/{known_as}/action"
        answer = await cloud.compute.as_("admin").at("2.59").post(path, {"force_complete": None}, 400)
        assert "completed" in answer["badRequest"]["message"]
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[host])
    assert cloud.machine(server["id"]) == (OTHER[host], Power.RUNNING)


async def test_a_host_that_dies_on_the_way_costs_nothing(cloud: SmallCloud) -> None:
    server, host, _ = await on_its_way(cloud)
    cloud.nodes.kill(OTHER[host])
    cloud.bus.wake("server", server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert cloud.nodes.worlds[host].machines[server["id"]].power is Power.RUNNING
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["error"]
    assert f"Host {OTHER[host]} went down" in await why(cloud, server["id"])
    cloud.nodes.revive(OTHER[host])
    await cloud.settle()
    assert server["id"] not in cloud.nodes.worlds[OTHER[host]].machines


async def fails_at(cloud: SmallCloud, node: str, server_id: str) -> None:
    """A node could not look after a machine on its way, and does not say that the way has ended there."""
    fault = Fault(message="The node could not do what was ordered.")
    cloud.nodes.report(node, Kind.MACHINE, server_id, MachineFacts(id=server_id, power=Power.PAUSED, fault=fault))
    await cloud.settle()


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("lasting", [True, False])
async def test_a_host_that_fails_tries_again_for_a_minute(cloud: SmallCloud, old: bool, lasting: bool) -> None:
    server, host, _ = await on_its_way(cloud)
    failing = host if old else OTHER[host]
    await fails_at(cloud, failing, server["id"])
    assert (await cloud.page(server["id"]))["status"] == "MIGRATING"
    if lasting:
        cloud.clock.jump(FAULT_SECONDS + 1)
        await fails_at(cloud, failing, server["id"])
    else:
        for world in cloud.nodes.worlds.values():
            world.note(server["id"])  # both are looked after again
        cloud.clock.jump(FAULT_SECONDS + 1)
        await cloud.settle()
        await fails_at(cloud, failing, server["id"])
        cloud.nodes.worlds[host].sticks = False
        for world in cloud.nodes.worlds.values():
            world.note(server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host if lasting else OTHER[host])
    assert cloud.machine(server["id"]) == (page[HOST], Power.RUNNING)
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["error" if lasting else "completed"]


async def test_what_came_and_ended_there_stays_where_it_was(cloud: SmallCloud) -> None:
    server, host, _ = await on_its_way(cloud)
    fault = Fault(message="The machine ended while its memory came.")
    async with cloud.room.database.read() as tx:
        (move,) = await tx.find(MoveRow, server_id=server["id"])
    ended = MoveFacts(move=move.id, stage=Stage.FAILED)
    facts = MachineFacts(id=server["id"], power=Power.CRASHED, fault=fault, move=ended)
    cloud.nodes.report(OTHER[host], Kind.MACHINE, server["id"], facts)
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert fault.message in await why(cloud, server["id"])


async def test_nothing_else_is_begun_with_a_server_on_its_way(cloud: SmallCloud) -> None:
    server, host, _ = await on_its_way(cloud)
    for action, body in (("migrate", None), ("os-migrateLive", LIVE), ("resize", {"flavorRef": "84"}), ("pause", None)):
        await cloud.do(server["id"], action, body, 409, persona="admin", version="2.34")
    cloud.nodes.kill(host)
    await cloud.compute.as_("admin").at("2.14").post(f"/servers/{server['id']}/action", {"evacuate": {}}, 409)
    await cloud.settle()
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[host])
    assert sorted(move["status"] for move in await migrations(cloud, server["id"])) == ["done", "error"]


async def test_a_server_is_deleted_on_its_way(cloud: SmallCloud) -> None:
    server, _, _ = await on_its_way(cloud)
    await cloud.compute.delete(f"/servers/{server['id']}", 204)
    await cloud.settle()
    await cloud.compute.get(f"/servers/{server['id']}", 404)
    assert cloud.machine(server["id"]) is None
    assert await cloud.placement.claims(server["id"]) == {}


async def test_what_cannot_be_moved_is_refused(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"host": "nowhere", "block_migration": "auto"}, "2.25"),
        ({"host": host, "block_migration": "auto"}, "2.25"),
        ({"host": None, "block_migration": False}, "2.25"),
        ({"host": None, "block_migration": "maybe"}, "2.25"),
        ({"host": None, "block_migration": "auto", "disk_over_commit": False}, "2.24"),
        ({"host": None, "block_migration": "auto", "force": True}, "2.30"),
        ({"host": OTHER[host], "block_migration": "auto", "force": True}, "2.68"),
    ]
    for body, version in wishes:
        await cloud.do(server["id"], "os-migrateLive", body, 400, persona="admin", version=version)
    await cloud.do(server["id"], "os-migrateLive", LIVE, 403, persona="reader", version="2.25")
    await cloud.do(server["id"], "suspend")
    await cloud.do(server["id"], "os-migrateLive", LIVE, 409, persona="admin", version="2.25")
    assert await migrations(cloud, server["id"]) == []
