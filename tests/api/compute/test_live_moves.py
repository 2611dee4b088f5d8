"""Running servers change their host, and their guests see nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import Power
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from tests.api.compute.moving import HOST, LIVE, OTHER, actions, migrations, on_its_way
from tests.support.small_cloud import SmallCloud


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
