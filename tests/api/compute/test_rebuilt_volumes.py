"""Servers that boot from volumes are rebuilt: the same volume, another image on it."""

from __future__ import annotations

from typing import Any

from cumulet.contracts.machines import Power
from tests.api.compute.test_images_of_volumes import booted_from_volume
from tests.support.small_cloud import SmallCloud


async def volume_of(cloud: SmallCloud, volume_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await cloud.volume.get(f"/volumes/{volume_id}"))["volume"]
    return found


def content(cloud: SmallCloud, volume_id: str) -> str:
    return next(
        world.volumes[volume_id].content for world in cloud.nodes.volumes.values() if volume_id in world.volumes
    )


async def test_another_image_is_written_over_the_volume_that_is_booted(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    other = await cloud.make_image("other")
    compute = cloud.compute.as_("member").at("2.93")
    wish = {"rebuild": {"imageRef": other, "name": "again"}}
    answer = (await compute.post(f"/servers/{server_id}/action", wish, 202))["server"]
    assert (answer["status"], answer["image"], answer["name"]) == ("REBUILD", "", "again")
    await cloud.settle()
    page = await cloud.page(server_id)
    assert (page["status"], page["image"], page["OS-EXT-STS:task_state"]) == ("ACTIVE", "", None)
    assert [one["id"] for one in page["os-extended-volumes:volumes_attached"]] == volumes
    root, data = [await volume_of(cloud, volume_id) for volume_id in volumes]
    assert (root["status"], root["volume_image_metadata"]["image_id"]) == ("in-use", other)
    assert data["status"] == "in-use"
    assert content(cloud, volumes[0]) == f"image {other}"
    placed = cloud.machine(server_id)
    assert placed is not None
    assert placed[1] == Power.RUNNING
    machine = cloud.nodes.worlds[placed[0]].machines[server_id]
    assert {disk.id for disk in machine.spec.disks} == set(volumes)


async def test_one_that_is_off_stays_off(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    await cloud.do(server_id, "os-stop")
    other = await cloud.make_image("other")
    await cloud.do(server_id, "rebuild", {"imageRef": other}, version="2.93")
    assert (await cloud.page(server_id))["status"] == "SHUTOFF"
    assert content(cloud, volumes[0]) == f"image {other}"


async def test_before_that_version_only_its_own_image_is_taken_and_nothing_written(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    own = (await volume_of(cloud, volumes[0]))["volume_image_metadata"]["image_id"]
    await cloud.do(server_id, "rebuild", {"imageRef": await cloud.make_image("other")}, 400, version="2.92")
    root = next(world.volumes[volumes[0]] for world in cloud.nodes.volumes.values() if volumes[0] in world.volumes)
    root.content = "what its guest wrote"
    await cloud.do(server_id, "rebuild", {"imageRef": own}, version="2.92")
    assert (await cloud.page(server_id))["status"] == "ACTIVE"
    assert content(cloud, volumes[0]) == "what its guest wrote"
    await cloud.do(server_id, "resize", {"flavorRef": "84"})  # still a server without a disk of its own
    assert (await cloud.page(server_id))["image"] == ""


async def test_an_image_that_the_volume_cannot_hold_is_refused(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    large = await cloud.make_image("large", min_disk=3)
    answer = await cloud.do(server_id, "rebuild", {"imageRef": large}, 400, version="2.93")
    assert "too small" in answer["badRequest"]["message"]
    copy = await cloud.do(server_id, "createImage", {"name": "copy"}, version="2.45")
    answer = await cloud.do(server_id, "rebuild", {"imageRef": copy["image_id"]}, 400, version="2.93")
    assert "no bytes" in answer["badRequest"]["message"]
    assert (await cloud.page(server_id))["status"] == "ACTIVE"
    assert content(cloud, volumes[0]) != f"image {large}"


async def test_what_goes_wrong_is_said_and_a_second_try_mends_it(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    other = await cloud.make_image("other")
    for world in cloud.nodes.volumes.values():
        world.open_in[volumes[0]] = {"somebody"}
    await cloud.do(server_id, "rebuild", {"imageRef": other}, version="2.93")
    page = await cloud.page(server_id)
    assert page["status"] == "ERROR"
    assert "in use" in page["fault"]["message"]
    for world in cloud.nodes.volumes.values():
        world.open_in.clear()
    await cloud.do(server_id, "rebuild", {"imageRef": other}, version="2.93")
    assert (await cloud.page(server_id))["status"] == "ACTIVE"
    assert content(cloud, volumes[0]) == f"image {other}"
    assert (await volume_of(cloud, volumes[0]))["status"] == "in-use"


async def test_one_that_is_being_rebuilt_can_be_deleted(cloud: SmallCloud) -> None:
    server_id, volumes = await booted_from_volume(cloud)
    wish = {"rebuild": {"imageRef": await cloud.make_image("other")}}
    await cloud.compute.as_("member").at("2.93").post(f"/servers/{server_id}/action", wish, 202)
    await cloud.compute.as_("member").delete(f"/servers/{server_id}", 204)
    await cloud.settle()
    assert cloud.machine(server_id) is None
    assert (await volume_of(cloud, volumes[1]))["status"] == "available"
