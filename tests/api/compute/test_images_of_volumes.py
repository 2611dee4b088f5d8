"""Images of servers that boot from volumes: no bytes, but snapshots of which new servers get their volumes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cumulet.contracts.machines import Power
from tests.support.personas import DEMO
from tests.support.small_cloud import SmallCloud


async def booted_from_volume(cloud: SmallCloud, **more: Any) -> tuple[str, list[str]]:
    """A server with a root volume and a second one; the ids of both."""
    root = {
        "boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 2,
        "uuid": await cloud.make_image(), "delete_on_termination": True,
    }  # fmt: skip
    data = {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 3}
    wish = {"name": "s", "flavorRef": "42", "block_device_mapping_v2": [root, data], **more}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    await cloud.settle()
    page = await cloud.page(made["id"])
    assert page["status"] == "ACTIVE", page
    return made["id"], [one["id"] for one in page["os-extended-volumes:volumes_attached"]]


async def image_of(cloud: SmallCloud, server_id: str, **more: Any) -> dict[str, Any]:
    answer = await cloud.do(server_id, "createImage", {"name": "copy", **more}, version="2.45")
    image: dict[str, Any] = await cloud.image.get(f"/images/{answer['image_id']}")
    return image


async def snapshots(cloud: SmallCloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cloud.volume.get("/snapshots/detail"))["snapshots"]
    return found


async def test_an_image_stands_for_snapshots_of_all_volumes(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    image = await image_of(cloud, server_id, metadata={"colour": "blue"})
    assert (image["status"], image["size"], image["min_disk"], image["colour"]) == ("active", 0, 0, "blue")
    assert (image["bdm_v2"], image["root_device_name"]) == ("True", "/dev/vda")
    mapping = msgspec.json.decode(image["block_device_mapping"])
    taken = {one["id"]: one for one in await snapshots(cloud)}
    assert {(one["volume_id"], one["size"], one["status"], one["name"]) for one in taken.values()} == {
        (volumes[0], 2, "available", "snapshot for copy"), (volumes[1], 3, "available", "snapshot for copy"),
    }  # fmt: skip
    assert [(one["device_name"], one["boot_index"], one["volume_size"]) for one in mapping] == [
        ("/dev/vda", 0, 2), ("/dev/vdb", None, 3),
    ]  # fmt: skip
    assert {one["snapshot_id"] for one in mapping} == set(taken)
    page = await cloud.page(server_id)
    assert (page["status"], page["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


async def test_servers_are_made_of_such_an_image(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    image = await image_of(cloud, server_id)
    made = await cloud.make_server(image=image["id"])
    assert made["status"] == "ACTIVE"
    assert made["image"] == ""
    own = [one["id"] for one in made["os-extended-volumes:volumes_attached"]]
    assert len(own) == 2
    assert not set(own) & set(volumes)
    origins = {one["snapshot_id"] for one in [(await cloud.volume.get(f"/volumes/{id}"))["volume"] for id in own]}
    assert origins == {one["id"] for one in await snapshots(cloud)}
    assert cloud.machine(made["id"]) is not None


async def test_another_disk_takes_the_place_of_the_image_s(cloud: SmallCloud) -> None:
    server_id, _ = await booted_from_volume(cloud)
    image = await image_of(cloud, server_id)
    other = {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 7}
    wish = {"image": image["id"], "block_device_mapping_v2": [other | {"device_name": "vdb"}]}
    made = await cloud.make_server(**wish)
    own = [one["id"] for one in made["os-extended-volumes:volumes_attached"]]
    sizes = [(await cloud.volume.get(f"/volumes/{id}"))["volume"]["size"] for id in own]
    assert sorted(sizes) == [2, 7]


async def test_an_image_that_cannot_be_whole_leaves_nothing(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    quota = cloud.volume_room.quota
    await cloud.volume_room.database.write(lambda tx: quota.set_limit(tx, DEMO, "snapshots", 1))
    answer = await cloud.do(server_id, "createImage", {"name": "copy"}, version="2.45")
    await cloud.image.get(f"/images/{answer['image_id']}", 404)
    assert await snapshots(cloud) == []
    page = await cloud.page(server_id)
    assert (page["status"], page["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
    actions = (await cloud.compute.get(f"/servers/{server_id}/os-instance-actions"))["instanceActions"]
    assert (actions[0]["action"], actions[0]["message"]) == ("createImage", "Error")
    assert cloud.machine(server_id) is not None
    assert volumes


async def test_a_backup_of_volumes_is_refused(cloud: SmallCloud) -> None:
    server_id, _ = await booted_from_volume(cloud)
    backup = {"name": "b", "backup_type": "daily", "rotation": 1}
    await cloud.do(server_id, "createBackup", backup, 400)
    assert await snapshots(cloud) == []


@pytest.mark.parametrize(
    "mapping",
    [
        "{}",
        '[{"source_type": "magic"}]',
        '[{"source_type": "snapshot", "destination_type": "volume", "snapshot_id": "nonsense", "boot_index": 0}]',
        '[{"source_type": "snapshot", "destination_type": "volume", "boot_index": 0, "volume_size": -1}]',
        '[{"source_type": "volume", "destination_type": "volume", "boot_index": 0, '
        '"volume_id": "6d2c4b28-6b36-4f30-9c6e-4c1f4a6ad3ab"}]',
    ],
)
async def test_a_mapping_that_somebody_wrote_is_judged_like_a_wish(cloud: SmallCloud, mapping: str) -> None:
    image = await cloud.make_image(block_device_mapping=mapping)
    wish = {"name": "s", "flavorRef": "42", "imageRef": image}
    await cloud.compute.post("/servers", {"server": wish}, 400)
    assert (await cloud.compute.get("/servers"))["servers"] == []


async def test_a_stopped_server_has_its_image_too(cloud: SmallCloud) -> None:
    server_id, _ = await booted_from_volume(cloud)
    await cloud.do(server_id, "os-stop")
    assert (await image_of(cloud, server_id))["status"] == "active"
    found = cloud.machine(server_id)
    assert found is not None
    assert found[1] is Power.STOPPED


async def test_volumes_are_made_of_such_an_image(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    image = await image_of(cloud, server_id)
    wish = {"volume": {"size": 2, "imageRef": image["id"]}}
    answer = await cloud.volume.at("3.45").post("/volumes", wish, 400)
    assert "has no bytes" in answer["badRequest"]["message"]
    made = (await cloud.volume.at("3.46").post("/volumes", wish, 202))["volume"]
    await cloud.settle()
    volume = (await cloud.volume.get(f"/volumes/{made['id']}"))["volume"]
    root = next(one["id"] for one in await snapshots(cloud) if one["volume_id"] == volumes[0])
    assert (volume["status"], volume["snapshot_id"], volume["bootable"]) == ("available", root, "true")
    contents = {key: found.content for world in cloud.nodes.volumes.values() for key, found in world.volumes.items()}
    assert contents[made["id"]] == contents[volumes[0]]


@pytest.mark.parametrize("mapping", ["x", "{}", "[]", '[{"source_type": 7}]', '[{"source_type": "blank"}]'])
async def test_an_image_without_bytes_that_stands_for_nothing_makes_no_volume(cloud: SmallCloud, mapping: str) -> None:
    body = {"name": "odd", "disk_format": "raw", "container_format": "bare", "block_device_mapping": mapping}
    made = await cloud.image.post("/images", body)
    octets = {"content-type": "application/octet-stream"}
    await cloud.image("PUT", f"/images/{made['id']}/file", content=b"", headers=octets)
    wish = {"volume": {"size": 2, "imageRef": made["id"]}}
    await cloud.volume.at("3.46").post("/volumes", wish, 400)
    volume = await cloud.make_volume()
    wish = {"os-reimage": {"image_id": made["id"]}}
    await cloud.volume.as_("admin").at("3.68").post(f"/volumes/{volume}/action", wish, 400)
