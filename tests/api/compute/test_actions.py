"""What can be done to a server, and what it shows meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.machines import Power
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db

STORIES = (
    # actions with what is seen at once, and what in the end
    (("os-stop", None, "ACTIVE", "powering-off", "SHUTOFF"), ("os-start", None, "SHUTOFF", "powering-on", "ACTIVE")),
    (("pause", None, "ACTIVE", "pausing", "PAUSED"), ("unpause", None, "PAUSED", "unpausing", "ACTIVE")),
    (("suspend", None, "ACTIVE", "suspending", "SUSPENDED"), ("resume", None, "SUSPENDED", "resuming", "ACTIVE")),
    (("reboot", {"type": "SOFT"}, "REBOOT", "rebooting", "ACTIVE"),),
    (("reboot", {"type": "hard"}, "HARD_REBOOT", "reboot_started_hard", "ACTIVE"),),
    (
        ("shelve", None, "ACTIVE", "shelving_image_pending_upload", "SHELVED_OFFLOADED"),
        ("unshelve", None, "SHELVED_OFFLOADED", "unshelving", "ACTIVE"),
    ),
    (
        ("resize", {"flavorRef": "84"}, "RESIZE", "resize_prep", "VERIFY_RESIZE"),
        ("revertResize", None, "REVERT_RESIZE", "resize_reverting", "ACTIVE"),
    ),
    (("resize", {"flavorRef": "84"}, "RESIZE", "resize_prep", "VERIFY_RESIZE"),
     ("confirmResize", None, "VERIFY_RESIZE", None, "ACTIVE")),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0][0])
async def test_actions_are_seen_at_once_and_end(cloud: SmallCloud, story: tuple) -> None:
    server = await cloud.make_server()
    path = f"/servers/{server['id']}/action"
    for action, body, at_once, task, end in story:
        await cloud.compute.post(path, {action: body}, 204 if action == "confirmResize" else 202)
        page = await cloud.page(server["id"])
        assert (page["status"], page["OS-EXT-STS:task_state"]) == (at_once, task), action
        await cloud.settle()
        page = await cloud.page(server["id"])
        assert (page["status"], page["OS-EXT-STS:task_state"]) == (end, None), (action, page.get("fault"))
    actions = (await cloud.compute.get(f"/servers/{server['id']}/os-instance-actions"))["instanceActions"]
    assert [item["action"] for item in actions][-1] == "create"
    assert len(actions) == 1 + len(story)


async def test_a_resize_is_counted_claimed_and_given_back(cloud: SmallCloud) -> None:
    server = await cloud.make_server(flavorRef="1")
    quota = f"/os-quota-sets/{'d' * 32}/detail"
    await cloud.compute.as_("admin").post(
        "/flavors", {"flavor": {"name": "wide", "ram": 1024, "vcpus": 2, "disk": 1, "id": "wide"}}, 200
    )
    await cloud.do(server["id"], "resize", {"flavorRef": "wide"})
    assert (await cloud.compute.get(quota))["quota_set"]["cores"]["in_use"] == 2
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    assert (await cloud.placement.claims(server["id"]))[host].own["MEMORY_MB"] == 1024
    await cloud.do(server["id"], "revertResize")
    assert (await cloud.compute.get(quota))["quota_set"]["cores"]["in_use"] == 1
    assert (await cloud.placement.claims(server["id"]))[host].own["MEMORY_MB"] == 512


async def test_a_shelved_server_holds_no_host_and_comes_back(cloud: SmallCloud) -> None:
    network = await cloud.make_network()
    server = await cloud.make_server(networks=[{"uuid": network}])
    await cloud.do(server["id"], "shelve")
    page = await cloud.page(server["id"])
    assert page["OS-EXT-SRV-ATTR:host"] is None
    assert cloud.machine(server["id"]) is None
    assert await cloud.placement.claims(server["id"]) == {}
    [image] = [i for i in (await cloud.image.get("/images"))["images"] if i["name"].endswith("-shelved")]
    assert image["status"] == "active"
    await cloud.do(server["id"], "unshelve")
    after = await cloud.page(server["id"])
    assert after["addresses"] == page["addresses"]
    assert cloud.machine(server["id"]) == (after["OS-EXT-SRV-ATTR:host"], Power.RUNNING)
    await cloud.image.get(f"/images/{image['id']}", 404)
    assert after["image"]["id"] == page["image"]["id"]
    assert machine_of(cloud, server["id"]).spec.disks[0].image.id == page["image"]["id"]


async def test_a_shelved_server_is_given_volumes_and_gives_them_up(cloud: SmallCloud) -> None:
    server, volume, other = await cloud.make_server(), await cloud.make_volume(), await cloud.make_volume()
    await cloud.do(server["id"], "shelve")
    for one in (volume, other):
        path = f"/servers/{server['id']}/os-volume_attachments"
        await cloud.compute.post(path, {"volumeAttachment": {"volumeId": one}}, 200)
        await cloud.settle()
        shown = (await cloud.volume.get(f"/volumes/{one}"))["volume"]
        assert (shown["status"], shown["attachments"][0]["server_id"]) == ("in-use", server["id"])
    await cloud.compute.delete(f"{path}/{other}", 202)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{other}"))["volume"]["status"] == "available"
    await cloud.do(server["id"], "unshelve")
    assert [disk.id for disk in machine_of(cloud, server["id"]).running.disks][1:] == [volume]
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "in-use"


def machine_of(cloud: SmallCloud, server_id: str) -> Any:
    node, _ = cloud.machine(server_id) or ("", None)
    return cloud.nodes.worlds[node].machines[server_id]


async def test_a_project_without_a_network_is_given_one(cloud: SmallCloud) -> None:
    wish = {"name": "s", "flavorRef": "42", "imageRef": await cloud.make_image(), "networks": "auto"}
    client = cloud.compute.at("2.37")
    await client.post("/servers", {"server": wish}, 400)  # nobody has prepared that
    admin = cloud.network.as_("admin")
    external = {"name": "public", "router:external": True, "is_default": True}
    network = (await admin.post("/networks", {"network": external}))["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "198.51.100.0/24"}
    await admin.post("/subnets", {"subnet": subnet})
    pool = {"name": "pool", "prefixes": ["10.200.0.0/16"], "is_default": True, "shared": True}
    await admin.post("/subnetpools", {"subnetpool": pool | {"default_prefixlen": 24}})
    made = [(await client.post("/servers", {"server": wish}, 202))["server"]["id"] for _ in range(2)]
    await cloud.settle()
    for id in made:
        assert list((await cloud.page(id))["addresses"]) == ["auto_allocated_network"]


async def test_rebuild_takes_a_new_image_and_keeps_the_place(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    image = await cloud.make_image("other")
    answer = await cloud.do(server["id"], "rebuild", {"imageRef": image, "name": "new", "metadata": {"a": "b"}})
    assert answer["server"]["status"] == "REBUILD"
    assert answer["server"]["adminPass"]
    page = await cloud.page(server["id"])
    assert (page["status"], page["name"], page["image"]["id"]) == ("ACTIVE", "new", image)
    assert page["metadata"] == {"a": "b"}


async def test_rescue_and_back(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    answer = await cloud.do(server["id"], "rescue", {"adminPass": "secret"}, 200)
    assert answer == {"adminPass": "secret"}
    assert (await cloud.page(server["id"]))["status"] == "RESCUE"
    await cloud.do(server["id"], "os-stop", None, 409)
    await cloud.do(server["id"], "unrescue")
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"


async def test_an_image_of_a_server(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    path = f"/servers/{server['id']}/action"
    body = {"createImage": {"name": "copy", "metadata": {"colour": "red"}}}
    answer = await cloud.compute("POST", path, body)
    assert answer.status_code == 202
    image_id = answer.headers["location"].rpartition("/")[2]
    assert (await cloud.page(server["id"]))["OS-EXT-STS:task_state"] == "image_snapshot"
    refusal = await cloud.compute.post(path, body, 409)
    assert "task_state image_snapshot" in refusal["conflictingRequest"]["message"]
    await cloud.settle()
    image = await cloud.image.get(f"/images/{image_id}")
    assert (image["status"], image["colour"], image["instance_uuid"]) == ("active", "red", server["id"])
    answer = await cloud.compute.at("2.45").post(path, body, 202)
    await cloud.settle()
    assert (await cloud.image.get(f"/images/{answer['image_id']}"))["status"] == "active"


async def test_the_wrong_state_is_a_conflict_in_known_words(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    refusal = await cloud.do(server["id"], "os-start", None, 409)
    assert refusal["conflictingRequest"]["message"] == (
        f"Cannot 'start' instance {server['id']} while it is in vm_state active"
    )
    for action in ("unpause", "resume", "unrescue", "revertResize", "confirmResize", "unshelve"):
        await cloud.do(server["id"], action, None, 409)
    await cloud.do(server["id"], "os-nothing", None, 400)


async def test_a_lock_stops_its_owner_but_not_an_administrator(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "lock", {"locked_reason": "mine"}, version="2.73")
    shown = await cloud.page(server["id"], version="2.73")
    assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
    refusal = await cloud.do(server["id"], "os-stop", None, 409)
    assert refusal["conflictingRequest"]["message"] == f"Instance {server['id']} is locked"
    await cloud.compute.delete(f"/servers/{server['id']}", 409)
    await cloud.do(server["id"], "os-stop", persona="admin")
    await cloud.do(server["id"], "unlock")
    await cloud.do(server["id"], "os-start")


async def test_an_administrator_resets_a_state(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "os-resetState", {"state": "error"}, 403)
    await cloud.do(server["id"], "os-resetState", {"state": "error"}, persona="admin")
    assert (await cloud.page(server["id"]))["status"] == "ERROR"
    await cloud.do(server["id"], "os-resetState", {"state": "active"}, persona="admin")
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"


async def test_the_console_shows_its_last_lines(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    cloud.clock.jump(60)
    answer = await cloud.do(server["id"], "os-getConsoleOutput", {"length": 2}, 200)
    assert len(answer["output"].split("\n")) == 2
    assert len(answer["output"].splitlines()) == 1
    assert len((await cloud.do(server["id"], "os-getConsoleOutput", {}, 200))["output"].splitlines()) > 1


async def test_a_lost_host_is_evacuated(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    refused = await cloud.do(server["id"], "evacuate", {}, 400, persona="admin", version="2.14")
    assert "still in use" in refused["badRequest"]["message"]
    cloud.nodes.kill(host)
    await cloud.settle()
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-SRV-ATTR:host"] != host) == ("ACTIVE", True)
    cloud.nodes.revive(host)
    await cloud.settle()
    assert cloud.machine(server["id"]) == (page["OS-EXT-SRV-ATTR:host"], Power.RUNNING)
    assert server["id"] not in cloud.nodes.worlds[host].machines


async def test_a_host_that_was_lost_takes_a_server_again_once_it_has_let_go(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    cloud.nodes.kill(host)
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    other = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    stale = cloud.nodes.worlds[host].machines[server["id"]]
    cloud.nodes.kill(other)
    cloud.nodes.revive(host)  # it lives, and has not yet read what it is to let go of
    await cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", host)
    assert cloud.nodes.worlds[host].machines[server["id"]] is not stale
