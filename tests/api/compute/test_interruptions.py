"""Whoever works on a server may be killed between any two of its acts, or be overtaken by its owner: nothing leaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cumulet.contracts.assignments import Fault
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.errors import Unavailable
from cumulet.core.reconcile import Again, Done
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.compute.moves.placing import claim_elsewhere
from cumulet.services.compute.moves.steps import Moves
from cumulet.services.compute.servers.ladder import ladder
from cumulet.services.compute.servers.look import Look, look_at, resources_of
from cumulet.services.compute.servers.row import DiskRow
from cumulet.services.compute.snapshots.reconciler import SnapshotReconciler
from cumulet.services.compute.snapshots.row import INTENT, SnapshotRow
from tests.support.small_cloud import SmallCloud

HOST = "OS-EXT-SRV-ATTR:host"


async def looked(cloud: SmallCloud, server_id: str) -> Look:
    found = await look_at(cloud.room, server_id)
    assert found is not None
    return found


async def memory_used(cloud: SmallCloud) -> int:
    limits = (await cloud.compute.get("/limits"))["limits"]["absolute"]
    return int(limits["totalRAMUsed"])


async def flavor(cloud: SmallCloud, ram: int) -> str:
    body = {"id": f"m{ram}", "name": f"m{ram}", "ram": ram, "vcpus": 1, "disk": 1}
    await cloud.compute.as_("admin").post("/flavors", {"flavor": body}, 200)
    return f"m{ram}"


async def begun(cloud: SmallCloud, **wish: Any) -> str:
    """A server that nobody has worked on yet; its id."""
    body = {"name": "s", "flavorRef": "42", "imageRef": await cloud.make_image(), **wish}
    made: dict[str, Any] = (await cloud.compute.post("/servers", {"server": body}, 202))["server"]
    return str(made["id"])


async def test_what_a_smaller_size_frees_is_given_back_once(cloud: SmallCloud) -> None:
    large, small = await flavor(cloud, 256), await flavor(cloud, 64)
    server = (await cloud.make_server(flavorRef=large))["id"]
    volume = await cloud.make_volume()
    await cloud.do(server, "resize", {"flavorRef": small})
    await cloud.compute.post(f"/servers/{server}/action", {"confirmResize": None}, 204)
    look = await looked(cloud, server)
    assert look.move is not None
    body = {"volumeAttachment": {"volumeId": volume}}
    await cloud.compute.post(f"/servers/{server}/os-volume_attachments", body, 200)
    await Moves(cloud.room, ladder(cloud.room)).confirm(look, look.move)
    assert await memory_used(cloud) == 256
    await cloud.settle()
    assert (await cloud.page(server))["status"] == "ACTIVE"
    assert await memory_used(cloud) == 64


async def test_a_server_moves_to_the_place_that_was_claimed_before_a_kill(database: Database, bus: MemoryBus) -> None:
    cloud = SmallCloud(database, bus, names=("one", "two", "three"))
    await cloud.start()
    server = (await cloud.make_server())["id"]
    source = (await cloud.page(server))[HOST]
    await cloud.compute.as_("admin").post(f"/servers/{server}/action", {"migrate": None}, 202)
    look = await looked(cloud, server)
    assert look.move is not None
    wanted = resources_of(look.flavor, root_is_volume=False)
    claimed = await claim_elsewhere(cloud.room, look, look.move, wanted)
    assert not isinstance(claimed, Fault)
    await cloud.settle()
    page = await cloud.page(server)
    assert (page["status"], page[HOST]) == ("VERIFY_RESIZE", claimed)
    await cloud.do(server, "confirmResize", None, 204)
    assert set(await cloud.placement.claims(server)) == {claimed}
    assert source != claimed


async def test_a_promise_that_was_never_written_down_ends_with_its_server(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    disk = {"uuid": image, "source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    server = await begun(cloud, imageRef="", block_device_mapping_v2=[disk])
    await cloud.settle()
    (row,) = (await looked(cloud, server)).disks
    await cloud.room.database.write(lambda tx: tx.update(DiskRow, {"id": row.id}, reserved=False))
    await cloud.compute.delete(f"/servers/{server}", 204)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{row.volume_id}"))["volume"]["status"] == "available"
    async with cloud.volume_room.database.read() as tx:
        assert await tx.find(AttachmentRow, server_id=server) == []


async def test_a_server_that_is_built_elsewhere_at_last_takes_its_volume_there(cloud: SmallCloud) -> None:
    volume, image = await cloud.make_volume(), await cloud.make_image()
    async with cloud.volume_room.database.read() as tx:
        (row,) = await tx.find(VolumeRow, id=volume)
    home, other = row.node, {"one": "two", "two": "one"}[row.node]
    await cloud.nodes.set_disabled(home, True)
    root = {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0}
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 1}
    server = await begun(cloud, imageRef=image, block_device_mapping_v2=[root, disk])
    await until_connected(cloud, server)
    cloud.nodes.kill(home)
    await cloud.settle()
    page = await cloud.page(server)
    assert (page["status"], page[HOST]) == ("ERROR", None)
    assert "could not be reached" in page["fault"]["message"]
    cloud.nodes.revive(home)
    await cloud.nodes.set_disabled(home, False)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "reserved"
    cloud.nodes.kill(other)
    await cloud.do(server, "reboot", {"type": "HARD"})
    page = await cloud.page(server)
    assert (page["status"], page[HOST]) == ("ACTIVE", home)
    async with cloud.volume_room.database.read() as tx:
        (attachment,) = await tx.find(AttachmentRow, server_id=server)
    assert (attachment.status, attachment.host) == ("attached", home)
    (found,) = [disk for disk in cloud.nodes.worlds[home].machines[server].running.disks if disk.id == volume]
    assert found.volume is not None
    assert found.volume.protocol == "file"


async def until_connected(cloud: SmallCloud, server_id: str) -> None:
    """Until the server's volumes are offered to its host, and its machine is not ordered yet."""
    for _ in range(200):
        look = await looked(cloud, server_id)
        if all(disk.connection for disk in look.disks if not disk.local):
            assert not look.held
            return
        if cloud.woken:
            reconciler, key = cloud.woken.pop(0)
            if isinstance(await reconciler.step(key), Again) and (reconciler, key) not in cloud.woken:
                cloud.woken.append((reconciler, key))
        await cloud.nodes.obey()
    raise AssertionError("its volumes are not connected")


class NobodyAnswers:
    """Block storage whose backend is away; what is dropped is dropped."""

    async def take_snapshot(self, *asked: str) -> str:
        raise Unavailable("The backend does not answer.")

    async def drop_snapshot(self, snapshot_id: str) -> None:
        return None


async def test_an_image_does_not_wait_for_ever_for_a_backend_that_is_away(cloud: SmallCloud) -> None:
    root = {
        "uuid": await cloud.make_image(), "source_type": "image", "destination_type": "volume", "boot_index": 0,
        "volume_size": 1,
    }  # fmt: skip
    server = await begun(cloud, imageRef="", block_device_mapping_v2=[root])
    await cloud.settle()
    client = cloud.compute.at("2.45")
    asked = await client.post(f"/servers/{server}/action", {"createImage": {"name": "copy"}}, 202)
    volumes: Any = NobodyAnswers()
    reconciler = SnapshotReconciler(replace(cloud.room, volumes=volumes))
    assert isinstance(await reconciler.step(asked["image_id"]), Again)
    assert (await cloud.page(server))["OS-EXT-STS:task_state"] == "image_snapshot"
    cloud.clock.jump(6 * 3600 + 1)
    assert isinstance(await reconciler.step(asked["image_id"]), Done)
    assert (await cloud.page(server))["OS-EXT-STS:task_state"] is None
    await cloud.image.get(f"/images/{asked['image_id']}", 404)
    assert await told_of(cloud, server, "createImage") == ("The image was not complete after 6 hours.",) * 2


async def test_an_image_is_dropped_or_begun_but_never_both(cloud: SmallCloud) -> None:
    """One process took the request for dead, and was killed itself before it had taken everything back."""
    server = (await cloud.make_server())["id"]
    image = (await cloud.image.post("/images", {"name": "copy"}))["id"]
    row = SnapshotRow(image, server, INTENT, 0, "[]", 0, cloud.clock.now())
    await cloud.room.database.write(lambda tx: tx.insert(row))
    cloud.clock.jump(61)
    reconciler = SnapshotReconciler(replace(cloud.room, images=KilledHere()))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await reconciler.step(image)
    began = await cloud.room.database.write(lambda tx: tx.update(SnapshotRow, {"id": image, "kind": INTENT}, kind="x"))
    assert not began
    assert isinstance(await SnapshotReconciler(cloud.room).step(image), Done)
    await cloud.image.get(f"/images/{image}", 404)
    async with cloud.room.database.read() as tx:
        assert await tx.find(SnapshotRow) == []


class Killed(BaseException):
    """The process ends."""


class KilledHere:
    async def abandon(self, image_id: str) -> None:
        raise Killed


async def told_of(cloud: SmallCloud, server_id: str, action: str) -> tuple[str | None, str | None]:
    """What the owner and what an administrator is told of how an action ended."""
    path = f"/servers/{server_id}/os-instance-actions"
    admin = cloud.compute.as_("admin").at("2.84")
    listed = (await admin.get(path))["instanceActions"]
    (request,) = {found["request_id"] for found in listed if found["action"] == action}
    (seen,) = (await admin.get(f"{path}/{request}"))["instanceAction"]["events"]
    (own,) = (await cloud.compute.at("2.84").get(f"{path}/{request}"))["instanceAction"]["events"]
    assert "traceback" not in own
    return own["details"], seen["traceback"]


async def test_the_history_says_why_and_to_administrators_more(cloud: SmallCloud) -> None:
    server = (await cloud.make_server())["id"]
    host = (await cloud.page(server))[HOST]
    other = {"one": "two", "two": "one"}[host]
    cloud.nodes.kill(other)
    await cloud.do(server, "migrate", None, persona="admin")
    short, long = await told_of(cloud, server, "migrate")
    assert short == (
        "No valid host was found. There are not enough hosts available; 1 refused by ComputeFilter, 1 refused by "
        "RequestedHostFilter."
    )
    assert f"ComputeFilter refused {other}: it has not been heard of lately" in str(long)
    cloud.nodes.kill(host)
    stillborn = (await cloud.make_server())["id"]
    short, long = await told_of(cloud, stillborn, "create")
    assert short == "No valid host was found. There are not enough hosts available; 2 refused by ComputeFilter."
    assert "one, two: it has not been heard of lately." in str(long)
