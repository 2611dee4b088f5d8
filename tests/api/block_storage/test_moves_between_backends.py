"""Volumes that go from one backend to another, and storage that several nodes look after together."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.backends import Storage
from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.volume.fake import FakeVolume, VolumeWorld
from cumulet.services.block_storage.volumes.store import TOPIC
from tests.api.block_storage.shop import Shop
from tests.api.block_storage.test_backends import SHARED, host, kind
from tests.api.block_storage.test_exports import HOST, attach, detach, server_on
from tests.support.personas import DEMO

OTHER = Storage(driver="fake", protocol="ceph", cluster="pool", many=True)
"""A storage that hands on nothing but content."""


async def quota(shop: Shop, name: str) -> dict[str, int]:
    """What counts towards a type."""
    path = f"/os-quota-sets/{DEMO}?usage=True"
    found = (await shop.client.as_("admin").get(path))["quota_set"]
    return {what: found[f"{what}_{name}"]["in_use"] for what in ("volumes", "gigabytes", "snapshots")}


def worlds_with(shop: Shop, volume: str) -> list[str]:
    """`NODE@BACKEND` of each driver whose world has the volume."""
    drivers = shop.nodes.drivers
    return [f"{n}@{b}" for n in drivers for b, d in drivers[n].items() if volume in d._world.volumes]


async def test_a_type_that_wants_another_backend_takes_the_volume_there(shop: Shop) -> None:
    for node in ("one", "two"):
        shop.nodes.give(node, "fast")
    slow, fast = (
        await kind(shop, "slow", volume_backend_name="local"),
        await kind(shop, "fast", volume_backend_name="fast"),
    )
    volume = await shop.make(size=2, volume_type=slow)
    snapshot = await shop.take(volume)
    home = (await host(shop, volume)).partition("@")[0]
    before = shop.real(volume)
    assert before is not None
    before.content = "precious"
    refused = await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "never"}, 400)
    assert f"{home}@local#local: CapabilitiesFilter" in refused["badRequest"]["message"]
    await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "on-demand"})
    seen = await shop.see(volume, "admin")
    assert (seen["status"], seen["volume_type"], seen["migration_status"]) == ("available", "fast", "success")
    assert (await host(shop, volume)).endswith("@fast#fast")
    [place] = worlds_with(shop, volume)
    node, _, backend = place.partition("@")
    world = shop.nodes.drivers[node][backend]._world
    assert (world.volumes[volume].content, list(world.volumes[volume].snapshots)) == ("precious", [snapshot])
    assert await quota(shop, "fast") == {"volumes": 1, "gigabytes": 4, "snapshots": 1}
    assert await quota(shop, "slow") == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    # What fits where it is stays there.
    await shop.act(volume, "os-retype", {"new_type": await kind(shop, "any"), "migration_policy": "on-demand"})
    assert worlds_with(shop, volume) == [place]
    assert await quota(shop, "fast") == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    await shop.client.delete(f"/snapshots/{snapshot}", 202)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    assert worlds_with(shop, volume) == []


async def test_between_two_backends_of_one_node(shop: Shop) -> None:
    """One order speaks of both."""
    shop.nodes.give("one", "fast")
    volume = await shop.make(volume_type=await kind(shop, "plain", volume_backend_name="<or> local <or> fast"))
    if (await host(shop, volume)).startswith("one@fast"):
        await shop.act(volume, "os-migrate_volume", {"host": "two@local#local"}, persona="admin")
    if (await host(shop, volume)).startswith("two"):
        await shop.act(volume, "os-migrate_volume", {"host": "one@local#local"}, persona="admin")
    await shop.act(volume, "os-migrate_volume", {"host": "one@fast#fast"}, persona="admin")
    assert (await shop.see(volume, "admin"))["migration_status"] == "success"
    assert worlds_with(shop, volume) == ["one@fast"]
    await shop.act(volume, "os-migrate_volume", {"host": "one@fast#fast"}, 400, "admin")
    await shop.act(volume, "os-migrate_volume", {"host": "one@slow"}, 404, "admin")
    await shop.act(volume, "os-migrate_volume", {"host": "one@local"}, persona="admin")
    assert worlds_with(shop, volume) == ["one@local"]


async def test_a_storage_of_another_kind_gets_the_content(shop: Shop) -> None:
    world = shop.nodes.give("one", "ceph", OTHER)
    admin = shop.client.as_("admin")
    volume = await shop.make(size=3)
    real = shop.real(volume)
    assert real is not None
    real.content = "precious"
    snapshot = await shop.take(volume)
    refused = await shop.act(volume, "os-migrate_volume", {"host": "pool@ceph"}, 400, "admin")
    assert "snapshots" in refused["badRequest"]["message"]
    await shop.client.delete(f"/snapshots/{snapshot}", 202)
    await shop.settle()
    await shop.act(volume, "os-migrate_volume", {"cluster": "pool@ceph"}, persona="admin")
    assert (await shop.see(volume, "admin"))["cluster_name"] == "pool@ceph#ceph"
    assert worlds_with(shop, volume) == ["one@ceph"]
    assert (world.volumes[volume].size_gib, world.volumes[volume].content) == (3, "precious")
    await shop.act(volume, "os-extend", {"new_size": 4})
    assert world.volumes[volume].size_gib == 4
    locked = (await admin.post("/types", {"volume_type": {"name": "locked"}}, 200))["volume_type"]["id"]
    wish = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
    await admin.post(f"/types/{locked}/encryption", {"encryption": wish}, 200)
    secret = await shop.make(volume_type="locked")
    refused = await shop.act(secret, "os-migrate_volume", {"host": "pool@ceph"}, 400, "admin")
    assert "encrypted" in refused["badRequest"]["message"]


async def test_a_move_that_fails_leaves_the_volume_where_it_was(shop: Shop) -> None:
    full = VolumeWorld(capacity_gib=1000)
    shop.nodes.give("one", "fast", world=full)
    fast = await kind(shop, "fast", volume_backend_name="fast")
    plain = await kind(shop, "plain", volume_backend_name="local")
    volume = await shop.make(size=2, volume_type=plain)
    home = worlds_with(shop, volume)

    async def breaks(spec: object) -> object:
        raise OSError("the disk is broken")

    driver = shop.nodes.drivers["one"]["fast"]
    driver._arrive = breaks  # type: ignore[method-assign, assignment]
    with pytest.raises(OSError, match="broken"):
        await shop.act(volume, "os-retype", {"new_type": fast, "migration_policy": "on-demand"})
    assert (await shop.see(volume))["status"] == "retyping"
    assert await quota(shop, "fast") == {"volumes": 1, "gigabytes": 2, "snapshots": 0}
    shop.nodes.kill("one")
    del driver._arrive
    shop.bus.wake(TOPIC, volume)
    await shop.settle()
    shop.nodes.revive("one")
    await shop.settle()
    seen = await shop.see(volume, "admin")
    assert (seen["status"], seen["volume_type"], seen["migration_status"]) == ("available", "plain", "error")
    assert worlds_with(shop, volume) == home
    assert await quota(shop, "fast") == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    assert await quota(shop, "plain") == {"volumes": 1, "gigabytes": 2, "snapshots": 0}


# ---- shared storage -------------------------------------------------------------------------------------------------


async def test_a_move_that_is_called_off_leaves_nothing_where_it_was_to_end(shop: Shop) -> None:
    world = shop.nodes.give("one", "fast")
    fast = await kind(shop, "fast", volume_backend_name="fast")
    plain = await kind(shop, "plain", volume_backend_name="local")
    volume = await shop.make(size=2, volume_type=plain)
    home = worlds_with(shop, volume)
    retype = {"new_type": fast, "migration_policy": "on-demand"}
    await shop.client.post(f"/volumes/{volume}/action", {"os-retype": retype}, 202)
    world.volumes[volume] = FakeVolume(2, "half of it")
    await shop.act(volume, "os-reset_status", {"migration_status": "none"}, persona="admin")
    seen = await shop.see(volume, "admin")
    assert (seen["status"], seen["volume_type"], seen["migration_status"]) == ("available", "plain", None)
    assert worlds_with(shop, volume) == home
    assert await quota(shop, "fast") == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    assert await quota(shop, "plain") == {"volumes": 1, "gigabytes": 2, "snapshots": 0}


async def shared(shop: Shop) -> tuple[VolumeWorld, str, str]:
    """A storage that both nodes have, a volume there, and the node that looks after it."""
    world = shop.nodes.give("one", "nfs", SHARED)
    shop.nodes.give("two", "nfs", SHARED, world)
    volume = await shop.make(volume_type=await kind(shop, "nfs", volume_backend_name="nfs"))
    return world, volume, (await host(shop, volume)).partition("@")[0]


async def test_another_node_looks_after_the_volumes_of_one_that_is_lost(shop: Shop) -> None:
    world, volume, lost = await shared(shop)
    other = {"one": "two", "two": "one"}[lost]
    shop.nodes.kill(lost)
    snapshot = await shop.take(volume)
    assert await host(shop, volume) == f"{other}@nfs#nfs"
    assert list(world.volumes[volume].snapshots) == [snapshot]
    # Back again, it lets go of what it was told, and destroys nothing.
    shop.nodes.revive(lost)
    await shop.act(volume, "os-extend", {"new_size": 2})
    assert (world.volumes[volume].size_gib, list(world.volumes[volume].snapshots)) == (2, [snapshot])
    assert not shop.nodes.told(lost, Kind.VOLUME)
    copy = await shop.make(snapshot_id=snapshot)
    assert await host(shop, copy) == f"{other}@nfs#nfs"
    # By word of an administrator it goes back, without a byte moved.
    await shop.act(volume, "os-migrate_volume", {"host": f"{lost}@nfs#nfs"}, persona="admin")
    assert await host(shop, volume) == f"{lost}@nfs#nfs"
    assert (await shop.see(volume, "admin"))["status"] == "available"
    assert not [key for key in shop.nodes.told(other, Kind.VOLUME) if key == volume]


async def test_a_volume_is_deleted_though_the_node_that_looked_after_it_is_lost(shop: Shop) -> None:
    world, volume, lost = await shared(shop)
    shop.nodes.kill(lost)
    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    await shop.client.get(f"/volumes/{volume}", 404)
    assert volume not in world.volumes
    shop.nodes.revive(lost)
    await shop.settle()
    assert not shop.nodes.told(lost, Kind.VOLUME)


async def test_from_shared_storage_to_a_node_and_back(shop: Shop) -> None:
    world, volume, _ = await shared(shop)
    world.volumes[volume].content = "precious"
    await shop.act(volume, "os-retype", {"new_type": await kind(shop, "any")})
    for there, where in (("one@local#local", ["one@local"]), ("share@nfs#nfs", ["one@nfs", "two@nfs"])):
        await shop.act(volume, "os-migrate_volume", {"host": there}, persona="admin")
        assert (await shop.see(volume, "admin"))["migration_status"] == "success"
        assert worlds_with(shop, volume) == where
    assert world.volumes[volume].content == "precious"


async def test_the_node_of_the_server_looks_after_its_volume_and_it_moves_live(shop: Shop) -> None:
    world, volume, home = await shared(shop)
    other = {"one": "two", "two": "one"}[home]
    server = await server_on(shop, other)
    await attach(shop, server, volume)
    assert await shop.status(volume) == "in-use"
    assert await host(shop, volume) == f"{other}@nfs#nfs"
    [disk] = [disk for disk in shop.nodes.worlds[other].machines[server].running.disks if disk.id == volume]
    assert disk.volume == VolumeConnection(volume_id=volume, backend="nfs", shared=True)
    assert not world.exports
    snapshot = await shop.take(volume, force=True)
    assert list(world.volumes[volume].snapshots) == [snapshot]
    body = {"os-migrateLive": {"host": home, "block_migration": "auto"}}
    await shop.compute.as_("admin").at("2.60").post(f"/servers/{server}/action", body, 202)
    await shop.settle()
    assert (await shop.page(server))[HOST] == home
    assert await host(shop, volume) == f"{home}@nfs#nfs"
    await shop.act(volume, "os-extend", {"new_size": 2})
    assert world.volumes[volume].size_gib == 2
    await detach(shop, server, volume)
    assert await shop.status(volume) == "available"


async def test_while_another_volume_is_made_of_it_a_volume_stays(shop: Shop) -> None:
    """What is copied is looked for where the volume was when that was asked for."""
    volume = await shop.make()
    place = "two@local" if (await host(shop, volume)).startswith("one") else "one@local"
    admin, path, move = shop.client.as_("admin"), f"/volumes/{volume}/action", {"host": place}
    made = (await shop.client.post("/volumes", {"volume": {"size": 1, "source_volid": volume}}, 202))["volume"]
    refused = await admin.post(path, {"os-migrate_volume": move}, 400)
    assert "another volume is just being made of it" in refused["badRequest"]["message"]
    await shop.settle()
    assert await shop.status(made["id"]) == "available"
    await shop.act(volume, "os-migrate_volume", move, persona="admin")
    assert worlds_with(shop, volume) == [place]
