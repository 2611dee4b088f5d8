"""Volumes that go from one backend to another while a server has them: it does not notice, and nothing stays behind."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.backends import Storage
from cumulet.contracts.machines import Power, VolumeConnection
from cumulet.services.block_storage.public import VolumeDoor
from tests.api.block_storage.shop import Shop
from tests.api.block_storage.test_backends import SHARED, host, kind, reasons
from tests.api.block_storage.test_exports import attach, detach, row_of, server_on
from tests.api.block_storage.test_moves_between_backends import quota, worlds_with

RAW = Storage(driver="fake", protocol="iSCSI", opened="", offered="iscsi")
"""A storage that hands on nothing but content, and whose volumes are served to whoever has them."""


async def in_use(shop: Shop, where: str = "one", **wish: Any) -> tuple[str, str]:
    """A volume with something in it, and the server on that node that has it."""
    for node in ("one", "two"):
        shop.nodes.give(node, "attic")
    volume = await shop.make(volume_type=await kind(shop, "plain", volume_backend_name="local"), **wish)
    if not (await host(shop, volume)).startswith("one"):
        await shop.act(volume, "os-migrate_volume", {"host": "one@local#local"}, persona="admin")
    assert worlds_with(shop, volume) == ["one@local"]
    await shop.act(volume, "os-retype", {"new_type": await kind(shop, "any"), "migration_policy": "never"})
    world(shop, "one@local").volumes[volume].content = "precious"
    server = await server_on(shop, where)
    await attach(shop, server, volume)
    return volume, server


def world(shop: Shop, place: str) -> Any:
    node, _, backend = place.partition("@")
    return shop.nodes.drivers[node][backend]._world


def opened(shop: Shop, server: str, volume: str) -> VolumeConnection:
    """How the server's machine has it."""
    [machine] = [one.machines[server] for one in shop.nodes.worlds.values() if server in one.machines]
    assert machine.power in (Power.RUNNING, Power.PAUSED)
    [disk] = [disk for disk in machine.running.disks if disk.id == volume]
    assert disk.volume is not None
    return disk.volume


async def migrate(shop: Shop, volume: str, place: str, status: int = 202) -> str:
    answer = await shop.act(volume, "os-migrate_volume", {"host": place}, status, "admin")
    return str(answer["badRequest"]["message"]) if status == 400 else ""


async def fares(shop: Shop, volume: str) -> tuple[str, str]:
    page = await shop.see(volume, "admin")
    return page["status"], page["migration_status"]


@pytest.mark.db
@pytest.mark.parametrize("server_at", ["one", "two"])
@pytest.mark.parametrize("place", ["one@attic", "two@local", "two@attic"])
async def test_a_volume_goes_and_its_server_runs_on(shop: Shop, server_at: str, place: str) -> None:
    volume, server = await in_use(shop, server_at)
    before = shop.nodes.worlds[server_at].machines[server].started_at
    [shown] = (await shop.see(volume))["attachments"]
    await migrate(shop, volume, place)
    assert await fares(shop, volume) == ("in-use", "success")
    assert (await host(shop, volume)).startswith(place)
    assert worlds_with(shop, volume) == [place]
    assert world(shop, place).volumes[volume].content == "precious"
    assert shop.nodes.worlds[server_at].machines[server].started_at == before
    connection = opened(shop, server, volume)
    node, _, backend = place.partition("@")
    assert (connection.backend, connection.host) == (backend, node if node != server_at else "")
    assert set(world(shop, place).exports) == ({volume} if node != server_at else set())
    assert (await shop.see(volume))["attachments"] == [shown]
    page = await shop.compute.as_("admin").get(f"/servers/{server}/os-volume_attachments")
    assert [one["volumeId"] for one in page["volumeAttachments"]] == [volume]
    actions = await shop.compute.as_("admin").get(f"/servers/{server}/os-instance-actions")
    assert [one["action"] for one in actions["instanceActions"]].count("swap_volume") == 1
    # All that can be done with a volume in use can be done with it there.
    await shop.act(volume, "os-extend", {"new_size": 2})
    assert world(shop, place).volumes[volume].size_gib == 2
    await migrate(shop, volume, "one@local")
    assert worlds_with(shop, volume) == ["one@local"]
    assert world(shop, "one@local").volumes[volume].content == "precious"
    await detach(shop, server, volume)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    assert worlds_with(shop, volume) == []


async def test_a_type_that_wants_another_backend_takes_it_there(shop: Shop) -> None:
    volume, server = await in_use(shop)
    await shop.act(volume, "os-retype", {"new_type": await kind(shop, "slow", volume_backend_name="local")})
    fast = await kind(shop, "fast", volume_backend_name="attic")
    several = await kind(shop, "several", volume_backend_name="attic", multiattach="<is> True")
    await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "never"}, 400)
    await shop.act(volume, "os-retype", {"new_type": several, "migration_policy": "on-demand"}, 400)
    shop.nodes.worlds["one"].holds_up = True
    await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "on-demand"})
    assert await fares(shop, volume) == ("retyping", "migrating")
    assert (await quota(shop, "fast"))["volumes"] == (await quota(shop, "slow"))["volumes"] == 1
    await goes_on(shop, "one", server)
    assert await fares(shop, volume) == ("in-use", "success")
    assert (await shop.see(volume))["volume_type"] == "fast"
    assert opened(shop, server, volume).backend == "attic"
    assert (await quota(shop, "fast"))["gigabytes"] == 1
    assert (await quota(shop, "slow"))["volumes"] == 0


async def goes_on(shop: Shop, node: str, server: str) -> None:
    """What was held up comes to its end."""
    shop.nodes.worlds[node].holds_up = False
    shop.nodes.worlds[node].note(server)
    await shop.settle()


async def test_an_encrypted_volume_goes_to_a_storage_of_another_kind(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    locked = (await admin.post("/types", {"volume_type": {"name": "locked"}}, 200))["volume_type"]["id"]
    wish = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
    await admin.post(f"/types/{locked}/encryption", {"encryption": wish}, 200)
    volume = await shop.make(volume_type="locked")
    raw = shop.nodes.give("two", "raw", RAW)
    server = await server_on(shop, "one")
    await attach(shop, server, volume)
    key = next(one.volumes[volume].key for one in shop.nodes.volumes.values() if volume in one.volumes)
    await migrate(shop, volume, "two@raw")
    assert await fares(shop, volume) == ("in-use", "success")
    assert worlds_with(shop, volume) == ["two@raw"]
    assert raw.volumes[volume].key == key
    connection = opened(shop, server, volume)
    assert (connection.protocol, connection.encrypted) == ("iscsi", True)


async def test_shared_storage_is_opened_by_the_host_of_its_machine(shop: Shop) -> None:
    volume, server = await in_use(shop, "two")
    shared = shop.nodes.give("one", "nfs", SHARED)
    shop.nodes.give("two", "nfs", SHARED, shared)
    await migrate(shop, volume, f"{SHARED.cluster}@nfs")
    assert await fares(shop, volume) == ("in-use", "success")
    connection = opened(shop, server, volume)
    assert (connection.protocol, connection.shared, connection.host) == ("file", True, "")
    assert shared.volumes[volume].content == "precious"
    snapshot = await shop.take(volume, force=True)
    await migrate(shop, volume, "one@attic", 400)
    await shop.client.delete(f"/snapshots/{snapshot}", 202)
    await shop.settle()
    await migrate(shop, volume, "one@attic")
    assert worlds_with(shop, volume) == ["one@attic"]
    assert shared.volumes == {}


async def test_shared_storage_is_looked_after_where_its_machine_is(shop: Shop) -> None:
    """Whichever of its hosts is named: only the machine's own QEMU can take a snapshot, or let the volume grow."""
    volume, _ = await in_use(shop, "two")
    shared = shop.nodes.give("one", "nfs", SHARED)
    shop.nodes.give("two", "nfs", SHARED, shared)
    await migrate(shop, volume, "one@nfs")
    assert await fares(shop, volume) == ("in-use", "success")
    row = await row_of(shop, volume)
    assert (row.node, row.looked_after) == ("two", "two")


async def test_while_it_is_on_its_way_nothing_else_is_done_with_it(shop: Shop) -> None:
    volume, server = await in_use(shop)
    shop.nodes.worlds["one"].holds_up = True
    await migrate(shop, volume, "two@attic")
    assert await fares(shop, volume) == ("maintenance", "migrating")
    assert sorted(worlds_with(shop, volume)) == ["one@local", "two@attic"]
    await migrate(shop, volume, "one@attic", 400)
    await shop.act(volume, "os-extend", {"new_size": 2}, 400)
    await shop.client.post("/snapshots", {"snapshot": {"volume_id": volume, "force": True}}, 400)
    await shop.client.delete(f"/volumes/{volume}", 400)
    path = f"/servers/{server}/os-volume_attachments/{volume}"
    refused = await shop.compute.as_("admin").delete(path, 409)
    assert "on its way to another backend" in refused["conflictingRequest"]["message"]
    page = await shop.page(server)
    assert (page["status"], page["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
    # Its server may be paused, and started anew; then it begins again.
    await shop.do(server, "reboot", {"type": "HARD"}, persona="admin")
    await shop.do(server, "pause", persona="admin")
    assert await fares(shop, volume) == ("maintenance", "migrating")
    await goes_on(shop, "one", server)
    assert await fares(shop, volume) == ("in-use", "success")
    assert worlds_with(shop, volume) == ["two@attic"]


ENDS: dict[str, Any] = {
    "stopped": ("os-stop", None),
    "suspended": ("suspend", None),
    "moved": ("os-migrateLive", {"host": None, "block_migration": "auto"}),
    "shelved": ("shelve", None),
}


@pytest.mark.parametrize("went", [False, True])
@pytest.mark.parametrize("end", [*ENDS, "deleted", "called off", "late", "gone there"])
async def test_whatever_happens_meanwhile_it_is_in_one_place(shop: Shop, end: str, went: bool) -> None:
    """`went`: the machine is there, and has not said so yet."""
    volume, server = await in_use(shop)
    shop.nodes.worlds["one"].holds_up = True
    await migrate(shop, volume, "two@attic")
    if went:
        shop.nodes.worlds["one"].holds_up = False
        await shop.nodes.hypervisors["one"].found()
    if end in ENDS:
        verb, body = ENDS[end]
        await shop.do(server, verb, body, persona="admin", version="2.34")
    elif end == "deleted":
        await shop.compute.as_("admin").delete(f"/servers/{server}", 204)
    elif end == "called off":
        await shop.act(volume, "os-reset_status", {"migration_status": "error"}, persona="admin")
    elif end == "late":
        shop.clock.jump(25 * 3600)
    else:
        shop.nodes.kill("two")
    await shop.settle()
    for room, key in (("block_storage.volume", volume), ("server", server)):
        shop.bus.wake(room, key)
    await shop.settle()
    if end == "gone there" and not went:
        assert worlds_with(shop, volume) == ["one@local", "two@attic"]
        shop.nodes.revive("two")
        await shop.settle()
    status, migration = await fares(shop, volume)
    place = "two@attic" if went else "one@local"
    assert migration == ("success" if went else "error")
    assert worlds_with(shop, volume) == [place]
    assert world(shop, place).volumes[volume].content == "precious"
    expected = {"deleted": "available", "shelved": "reserved"}.get(end, "in-use")
    if end != "gone there" or not went:
        assert status == expected
    if not went:
        assert await reasons(shop, volume)
    if end in ("called off", "late"):
        assert opened(shop, server, volume).backend == ("attic" if went else "local")


async def test_what_a_machine_cannot_bring_is_refused(shop: Shop) -> None:
    volume, server = await in_use(shop)
    other = await server_on(shop, "two")
    shared = await kind(shop, "several", multiattach="<is> True")
    both = await shop.make(volume_type=shared)
    for one in (server, other):
        await attach(shop, one, both)
    assert "in use by several" in await migrate(shop, both, "two@attic", 400)
    await shop.act(volume, "os-reserve", None, 400)
    await shop.do(server, "os-stop", persona="admin")
    assert "start it" in await migrate(shop, volume, "two@attic", 400)
    await shop.do(server, "os-start", persona="admin")
    await shop.act(volume, "os-migrate_volume", {"host": "two@attic"}, 403)
    assert (await shop.see(volume))["status"] == "in-use"


async def test_a_place_that_the_machine_does_not_reach(shop: Shop) -> None:
    volume, server = await in_use(shop)
    shop.nodes.worlds["one"].holds_up = True
    await migrate(shop, volume, "two@attic")
    world(shop, "two@attic").exports.clear()
    await goes_on(shop, "one", server)
    assert await fares(shop, volume) == ("in-use", "error")
    assert "could not be reached" in await reasons(shop, volume)
    assert worlds_with(shop, volume) == ["one@local"]
    await migrate(shop, volume, "two@attic")
    assert await fares(shop, volume) == ("in-use", "success")


async def test_the_end_of_one_move_is_not_taken_for_that_of_the_next(shop: Shop) -> None:
    """Compute was killed when it had said that the machine is there, and says it again after the next move began."""
    volume, server = await in_use(shop)
    attachment = (await shop.see(volume))["attachments"][0]["attachment_id"]
    volumes = VolumeDoor(shop.volume_room)
    for place in ("two@attic", "one@attic", "one@local"):
        before = opened(shop, server, volume)
        shop.nodes.worlds["one"].holds_up = True
        await migrate(shop, volume, place)
        await volumes.went(attachment, before)
        await shop.settle()
        assert await fares(shop, volume) == ("maintenance", "migrating")
        assert len(worlds_with(shop, volume)) == 2
        await goes_on(shop, "one", server)
        assert await fares(shop, volume) == ("in-use", "success")
        assert worlds_with(shop, volume) == [place]
        assert world(shop, place).volumes[volume].content == "precious"


async def test_another_volume_is_not_put_in_its_place(shop: Shop) -> None:
    volume, other, server = await shop.make(), await shop.make(), (await shop.make_server())["id"]
    await attach(shop, server, volume)
    path, body = f"/servers/{server}/os-volume_attachments/{volume}", {"volumeAttachment": {"volumeId": other}}
    await shop.compute.at("2.85").put(path, body, 403)
    refused = await shop.compute.as_("admin").put(path, body, 409)
    assert "migrate" in refused["conflictingRequest"]["message"]
    await shop.act(volume, "os-migrate_volume_completion", {"new_volume": other}, 400, "admin")
