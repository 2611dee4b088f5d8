"""What belongs to a server: metadata, tags, cards, volumes, its history."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from cumulet.services.compute.servers.rungs.wired import WIRING_SECONDS
from tests.support.client import Client
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db


async def test_metadata_item_by_item_and_all_at_once(cloud: SmallCloud) -> None:
    server = await cloud.make_server(metadata={"a": "1"})
    path = f"/servers/{server['id']}/metadata"
    compute = cloud.compute
    assert (await compute.post(path, {"metadata": {"b": "2"}}, 200))["metadata"] == {"a": "1", "b": "2"}
    assert (await compute.put(f"{path}/b", {"meta": {"b": "3"}}))["meta"] == {"b": "3"}
    await compute.put(f"{path}/b", {"meta": {"c": "3"}}, 400)
    assert (await compute.get(f"{path}/b"))["meta"] == {"b": "3"}
    await compute.delete(f"{path}/a")
    await compute.get(f"{path}/a", 404)
    assert (await compute.put(path, {"metadata": {"z": "9"}}))["metadata"] == {"z": "9"}
    await compute.post(path, {"metadata": {f"k{n}": "x" for n in range(128)}}, 403)
    await cloud.settle()
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"
    assert (await compute.get(path))["metadata"] == {"z": "9"}


async def test_tags_and_the_lists_they_narrow(cloud: SmallCloud) -> None:
    one, two = await cloud.make_server(name="one"), await cloud.make_server(name="two")
    client = cloud.compute.at("2.26")
    await cloud.compute.get(f"/servers/{one['id']}/tags", 404)
    assert (await client("PUT", f"/servers/{one['id']}/tags/red")).status_code == 201
    assert (await client("PUT", f"/servers/{one['id']}/tags/red")).status_code == 204
    await client.put(f"/servers/{two['id']}/tags", {"tags": ["red", "blue"]})
    for query, names in (
        ("tags=red", {"one", "two"}),
        ("tags=red,blue", {"two"}),
        ("tags-any=blue,green", {"two"}),
        ("not-tags=red,blue", {"one"}),
        ("not-tags-any=blue", {"one"}),
    ):
        assert {s["name"] for s in (await client.get(f"/servers?{query}"))["servers"]} == names, query
    await client.get(f"/servers/{one['id']}/tags/red", 204)
    await client.delete(f"/servers/{one['id']}/tags/red")
    await client.get(f"/servers/{one['id']}/tags/red", 404)
    await client.put(f"/servers/{one['id']}/tags", {"tags": ["a/b"]}, 400)


async def test_a_card_is_plugged_and_unplugged(cloud: SmallCloud) -> None:
    network = await cloud.make_network()
    server = await cloud.make_server(networks=[{"uuid": network}])
    second = await cloud.make_network("second")
    path = f"/servers/{server['id']}/os-interface"
    made = (await cloud.compute.post(path, {"interfaceAttachment": {"net_id": second}}, 200))["interfaceAttachment"]
    assert made["net_id"] == second
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert set(page["addresses"]) == {"private", "second"}
    host, _ = cloud.machine(server["id"]) or ("", None)
    assert len(cloud.nodes.worlds[host].machines[server["id"]].running.nics) == 2
    await cloud.compute.delete(f"{path}/{made['port_id']}", 202)
    await cloud.settle()
    assert set((await cloud.page(server["id"]))["addresses"]) == {"private"}
    await cloud.network.get(f"/ports/{made['port_id']}", 404)
    await cloud.compute.delete(f"{path}/{made['port_id']}", 404)
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"


async def test_a_card_that_never_works_is_taken_back_and_hinders_nothing(cloud: SmallCloud) -> None:
    server = await cloud.make_server(networks=[{"uuid": await cloud.make_network()}])
    volume, second = await cloud.make_volume(), await cloud.make_network("second")
    path = f"/servers/{server['id']}"
    wish = {"interfaceAttachment": {"net_id": second}}
    port = (await cloud.compute.post(f"{path}/os-interface", wish, 200))["interfaceAttachment"]["port_id"]
    cloud.nodes.broken.add(port)
    await cloud.compute.post(f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}, 200)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] in ("reserved", "attaching")
    cloud.clock.jump(WIRING_SECONDS + 1)
    cloud.bus.wake("server", server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], set(page["addresses"])) == ("ACTIVE", {"private"})
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "in-use"
    await cloud.network.get(f"/ports/{port}", 404)
    actions = (await cloud.compute.get(f"{path}/os-instance-actions"))["instanceActions"]
    assert next(one["message"] for one in actions if one["action"] == "attach_interface") == "Error"


async def test_a_volume_is_attached_and_detached(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    volume = await cloud.make_volume()
    path = f"/servers/{server['id']}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volume}}
    made = (await cloud.compute.post(path, body, 200))["volumeAttachment"]
    assert made["device"] == "/dev/vdb"
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] in ("reserved", "attaching")
    await cloud.compute.post(path, body, 400)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "in-use"
    assert (await cloud.page(server["id"]))["os-extended-volumes:volumes_attached"] == [{"id": volume}]
    shown = (await cloud.compute.at("2.89").get(f"{path}/{volume}"))["volumeAttachment"]
    assert set(shown) == {
        "serverId", "volumeId", "device", "tag", "delete_on_termination", "attachment_id", "bdm_uuid",
    }  # fmt: skip
    await cloud.compute.delete(f"{path}/{volume}", 202)
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "available"
    assert (await cloud.compute.get(path))["volumeAttachments"] == []


async def test_a_server_from_a_volume_made_of_an_image(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    disk = {
        "boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 1,
        "delete_on_termination": True,
    }  # fmt: skip
    wish = {"name": "v", "flavorRef": "42", "imageRef": "", "block_device_mapping_v2": [disk]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    await cloud.settle()
    page = await cloud.page(made["id"])
    assert (page["status"], page["image"]) == ("ACTIVE", ""), page.get("fault")
    [attached] = page["os-extended-volumes:volumes_attached"]
    assert (await cloud.volume.get(f"/volumes/{attached['id']}"))["volume"]["status"] == "in-use"
    await cloud.compute.delete(f"/servers/{made['id']}")
    await cloud.settle()
    await cloud.volume.get(f"/volumes/{attached['id']}", 404)


async def test_a_server_from_a_snapshot_is_as_large_and_knows_its_image(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    wish = {"size": 2, "imageRef": image}
    volume = (await cloud.volume.post("/volumes", {"volume": wish}, 202))["volume"]["id"]
    await cloud.settle()
    wish = {"volume_id": volume}
    snapshot = (await cloud.volume.post("/snapshots", {"snapshot": wish}, 202))["snapshot"]["id"]
    await cloud.settle()
    disk = {"boot_index": 0, "uuid": snapshot, "source_type": "snapshot", "destination_type": "volume"}
    wish = {"name": "v", "flavorRef": "42", "imageRef": "", "block_device_mapping_v2": [disk]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    await cloud.settle()

    page = await cloud.page(made["id"])
    assert page["status"] == "ACTIVE", page.get("fault")
    [attached] = page["os-extended-volumes:volumes_attached"]
    copy = (await cloud.volume.get(f"/volumes/{attached['id']}"))["volume"]
    assert (copy["size"], copy["snapshot_id"]) == (2, snapshot)
    assert copy["volume_image_metadata"]["image_id"] == image

    disk["volume_size"] = 1
    refused = await cloud.compute.post("/servers", {"server": wish}, 400)
    assert "smaller than the snapshot" in refused["badRequest"]["message"]
    del disk["volume_size"]
    refused = await cloud.compute.as_("stranger").post("/servers", {"server": wish}, 400)
    assert f"failed to get snapshot {snapshot}" in refused["badRequest"]["message"]


async def test_a_given_volume_is_held_at_once_and_free_again_when_refused(cloud: SmallCloud) -> None:
    volume = await cloud.make_volume()
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume"}
    image = await cloud.make_image()
    wish = {"name": "v", "flavorRef": "42", "imageRef": image, "block_device_mapping_v2": [disk]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "reserved"
    await cloud.compute.post("/servers", {"server": wish}, 400)
    assert len((await cloud.compute.get("/servers"))["servers"]) == 1
    await cloud.settle()
    assert (await cloud.page(made["id"]))["status"] == "ACTIVE"
    await cloud.compute.delete(f"/servers/{made['id']}")
    await cloud.settle()
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "available"


async def test_the_history_tells_who_did_what_and_how_it_ended(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "os-stop")
    path = f"/servers/{server['id']}/os-instance-actions"
    stop, create = (await cloud.compute.get(path))["instanceActions"]
    assert (stop["action"], create["action"]) == ("stop", "create")
    shown = (await cloud.compute.at("2.51").get(f"{path}/{stop['request_id']}"))["instanceAction"]
    [event] = shown["events"]
    assert (event["event"], event["result"]) == ("compute_stop_instance", "Success")
    assert "traceback" not in event
    page = await cloud.compute.at("2.58").get(f"{path}?limit=1")
    assert len(page["instanceActions"]) == 1
    assert "links" in page


async def test_groups_keep_servers_apart(cloud: SmallCloud) -> None:
    body = {"server_group": {"name": "g", "policies": ["anti-affinity"]}}
    group = (await cloud.compute.post("/os-server-groups", body, 200))["server_group"]
    image = await cloud.make_image()
    hosts, pages = set(), []
    for _ in range(3):
        wish = {"server": {"name": "s", "flavorRef": "42", "imageRef": image}}
        wish["os:scheduler_hints"] = {"group": group["id"]}
        made = (await cloud.compute.post("/servers", wish, 202))["server"]
        await cloud.settle()
        pages.append(await cloud.page(made["id"], version="2.71"))
        hosts.add(pages[-1]["OS-EXT-SRV-ATTR:host"])
    assert [page["status"] for page in pages] == ["ACTIVE", "ACTIVE", "ERROR"]
    assert "ServerGroupAntiAffinityFilter" in pages[2]["fault"]["message"]
    assert hosts == {"one", "two", None}
    members = (await cloud.compute.get(f"/os-server-groups/{group['id']}"))["server_group"]["members"]
    assert len(members) == 3
    assert pages[0]["server_groups"] == [group["id"]]


async def test_a_console_opens_for_its_machine_only_and_ends_with_it(cloud: SmallCloud) -> None:
    from cumulet.core.errors import NotFound
    from cumulet.services.compute.public import ComputeDoor

    server = await cloud.make_server()
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    opened = (await cloud.compute.at("2.6").post(f"/servers/{server['id']}/remote-consoles", body, 200))[
        "remote_console"
    ]
    query = parse_qs(urlsplit(opened["url"]).query)
    (token,), path = query["token"], query["path"]
    assert path == [f"console/ws?token={token}"]
    door = ComputeDoor(cloud.room)
    host, _ = cloud.machine(server["id"]) or ("", None)
    assert await door.console(token) == (host, "vnc", server["id"])
    with pytest.raises(NotFound):
        await door.console(token[::-1])
    await cloud.compute.delete(f"/servers/{server['id']}")
    await cloud.settle()
    with pytest.raises(NotFound):
        await door.console(token)


async def test_the_password_that_a_guest_has_left_for_its_owner(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.settle()
    path, compute = f"/servers/{server['id']}/os-server-password", cloud.compute
    assert await compute.get(path) == {"password": ""}
    cloud.nodes.passwords[server["id"]] = b"c2VjcmV0"
    assert await compute.get(path) == {"password": "c2VjcmV0"}
    await compute.delete(path)
    await compute.delete(path)
    assert await compute.get(path) == {"password": ""}


async def test_an_agent_in_the_guest_changes_a_password(cloud: SmallCloud) -> None:
    change = {"changePassword": {"adminPass": "Newpass1234"}}
    plain = await cloud.make_server()
    await cloud.settle()
    refused = await cloud.compute("POST", f"/servers/{plain['id']}/action", change)
    assert (refused.status_code, "hw_qemu_guest_agent=yes" in refused.text) == (409, True)
    for who, properties in {
        "root": {},
        "cirros": {"os_admin_user": "cirros"},
        "Administrator": {"os_type": "windows"},
    }.items():
        image = await cloud.make_image(who, hw_qemu_guest_agent="yes", **properties)
        server = await cloud.make_server(imageRef=image)
        await cloud.settle()
        await cloud.compute.post(f"/servers/{server['id']}/action", change, 202)
        host, _ = cloud.machine(server["id"]) or ("", None)
        machine = cloud.nodes.worlds[host].machines[server["id"]]
        assert machine.passwords == {who: "Newpass1234"}
        await cloud.settle()
        actions = (await cloud.compute.get(f"/servers/{server['id']}/os-instance-actions"))["instanceActions"]
        assert [one["action"] for one in actions] == ["changePassword", "create"]
    await cloud.compute.post(f"/servers/{server['id']}/action", {"os-stop": None}, 202)
    await cloud.settle()
    await cloud.compute.post(f"/servers/{server['id']}/action", change, 409)


async def test_a_volume_that_grew_is_remembered_among_what_happened(cloud: SmallCloud) -> None:
    server, volume = await cloud.make_server(), await cloud.make_volume()
    path = f"/servers/{server['id']}"
    await cloud.compute.post(f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}, 200)
    await cloud.settle()

    grow = {"os-extend": {"new_size": 3}}
    await cloud.volume.at("3.42").post(f"/volumes/{volume}/action", grow, 202)
    await cloud.settle()

    actions = (await cloud.compute.get(f"{path}/os-instance-actions"))["instanceActions"]
    assert [one["action"] for one in actions] == ["extend_volume", "attach_volume", "create"]
    request = actions[0]["request_id"]
    page = (await cloud.compute.as_("admin").get(f"{path}/os-instance-actions/{request}"))["instanceAction"]
    (event,) = page["events"]
    assert (event["event"], event["result"]) == ("compute_extend_volume", "Success")
    await cloud.settle()
    assert len((await cloud.compute.get(f"{path}/os-instance-actions"))["instanceActions"]) == 3


async def test_a_machine_is_told_what_a_volume_behind_a_relay_has_grown_by(cloud: SmallCloud) -> None:
    cloud.volume_room.always_exports = True
    server, volume = await cloud.make_server(), await cloud.make_volume()
    path = f"/servers/{server['id']}/os-volume_attachments"
    await cloud.compute.post(path, {"volumeAttachment": {"volumeId": volume}}, 200)
    await cloud.settle()
    for size in (1, 3):
        if size > 1:
            grow = {"os-extend": {"new_size": size}}
            await cloud.volume.at("3.42").post(f"/volumes/{volume}/action", grow, 202)
            await cloud.settle()
        [machine] = [machine for world in cloud.nodes.worlds.values() for machine in world.machines.values()]
        assert [disk.size_gib for disk in machine.spec.disks if disk.id == volume] == [size]


async def test_bare_metal_is_another_service_s(compute: Client) -> None:
    admin, path = compute.as_("admin").at("2.35"), "/os-baremetal-nodes"
    await admin.get(path, 503)
    await admin.get(f"{path}/x", 503)
    await compute.as_("member").get(path, 403)
    await admin.post(path, {"node": {}}, 400)
    await admin.delete(f"{path}/x", 400)
    await admin.post(f"{path}/x/action", {"add_interface": {}}, 400)
    await compute.as_("admin").at("2.36").get(path, 404)


async def test_versions_have_pages_inside_of_the_newer_one(compute: Client) -> None:
    for name in ("v2.0", "v2.1"):
        assert (await compute.get(f"/versions/{name}"))["version"]["id"] == name
    await compute.get("/versions/v3.0", 404)


async def test_a_last_slash_leads_to_nothing(compute: Client) -> None:
    for path in ("/servers/", "/flavors/", "/os-volumes/", "/os-keypairs/"):
        await compute.get(path, 404)
        await compute.get(path.rstrip("/"))
