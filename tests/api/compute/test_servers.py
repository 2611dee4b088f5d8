"""The life of a server."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import Power
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db


async def test_a_server_is_made_seen_changed_and_deleted(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    network = await cloud.make_network()
    wish = {"name": "web", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    assert made["adminPass"]
    fresh = await cloud.page(made["id"])
    assert (fresh["status"], fresh["OS-EXT-STS:task_state"]) == ("BUILD", "scheduling")
    await cloud.settle()
    page = await cloud.page(made["id"])
    assert page["status"] == "ACTIVE", page
    assert page["OS-EXT-STS:power_state"] == 1
    [address] = page["addresses"]["private"]
    assert address["version"] == 4
    assert cloud.machine(made["id"]) == (page["OS-EXT-SRV-ATTR:host"], Power.RUNNING)
    renamed = await cloud.compute.put(f"/servers/{made['id']}", {"server": {"name": "db"}})
    assert renamed["server"]["name"] == "db"
    assert [s["name"] for s in (await cloud.compute.get("/servers"))["servers"]] == ["db"]
    await cloud.compute.delete(f"/servers/{made['id']}")
    await cloud.settle()
    await cloud.compute.get(f"/servers/{made['id']}", 404)
    assert cloud.machine(made["id"]) is None
    assert await cloud.placement.claims(made["id"]) == {}
    assert (await cloud.network.get(f"/ports?device_id={made['id']}"))["ports"] == []


async def test_a_deleted_server_leaves_a_tombstone_for_those_who_ask(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.compute.delete(f"/servers/{server['id']}")
    await cloud.settle()
    assert (await cloud.compute.get("/servers"))["servers"] == []
    admin = cloud.compute.as_("admin")
    [gone] = (await admin.get("/servers/detail?all_tenants=1&deleted=true"))["servers"]
    assert (gone["status"], gone["OS-EXT-STS:vm_state"]) == ("DELETED", "deleted")
    [changed] = (await cloud.compute.get("/servers/detail?changes-since=2020-01-01T00:00:00Z"))["servers"]
    assert changed["status"] == "DELETED"


async def test_a_quota_that_is_full_is_403_and_counts_again_after_a_delete(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    wish = {"name": "s", "imageRef": image, "flavorRef": "42", "min_count": 10}
    await cloud.compute.post("/servers", {"server": wish}, 202)
    refusal = await cloud.compute.post("/servers", {"server": {**wish, "min_count": 1}}, 403)
    assert refusal["forbidden"]["message"] == (
        "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"
    )
    await cloud.settle()
    servers = (await cloud.compute.get("/servers?sort_key=display_name&sort_dir=asc"))["servers"]
    assert sorted(server["name"] for server in servers) == sorted(f"s-{n}" for n in range(1, 11))
    await cloud.compute.delete(f"/servers/{servers[0]['id']}")
    await cloud.settle()
    await cloud.compute.post("/servers", {"server": {**wish, "min_count": 1}}, 202)


async def test_strangers_do_not_see_it_and_readers_do_not_change_it(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    path = f"/servers/{server['id']}"
    await cloud.compute.as_("stranger").get(path, 404)
    await cloud.compute.as_("stranger").delete(path, 404)
    await cloud.compute.as_("reader").get(path)
    await cloud.compute.as_("reader").delete(path, 403)
    await cloud.compute.as_("reader").get("/servers?all_tenants=1", 403)
    assert len((await cloud.compute.as_("admin").get("/servers?all_tenants=1"))["servers"]) == 1
    assert (await cloud.compute.as_("admin").get("/servers"))["servers"] == []


async def test_no_host_is_an_error_with_its_reason(cloud: SmallCloud) -> None:
    big = {"name": "big", "ram": 1 << 20, "vcpus": 1, "disk": 1, "id": "big"}
    await cloud.compute.as_("admin").post("/flavors", {"flavor": big}, 200)
    await cloud.compute.as_("admin").put(f"/os-quota-sets/{'d' * 32}", {"quota_set": {"ram": -1}})
    server = await cloud.make_server(flavorRef="big")
    assert server["status"] == "ERROR"
    assert server["fault"]["message"].startswith("No valid host was found.")
    assert "ResourceFilter" in server["fault"]["message"]
    assert "MEMORY_MB" in (await cloud.page(server["id"]))["fault"]["details"]
    await cloud.compute.delete(f"/servers/{server['id']}")
    await cloud.settle()
    await cloud.compute.get(f"/servers/{server['id']}", 404)


async def test_a_server_that_found_no_host_and_is_turned_off_is_built_off_when_there_is_one(cloud: SmallCloud) -> None:
    for host in ("one", "two"):
        cloud.nodes.kill(host)
    await cloud.settle()
    server = await cloud.make_server()
    assert server["status"] == "ERROR"
    for host in ("one", "two"):
        cloud.nodes.revive(host)
    await cloud.settle()
    await cloud.do(server["id"], "os-stop")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-STS:task_state"], page["OS-EXT-STS:power_state"]) == ("SHUTOFF", None, 4)
    assert page["OS-SRV-USG:launched_at"] is not None
    await cloud.do(server["id"], "os-start")
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"


async def test_a_server_on_a_dead_node_can_be_deleted(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))["OS-EXT-SRV-ATTR:host"]
    cloud.nodes.kill(host)
    await cloud.settle()
    assert (await cloud.page(server["id"], version="2.16"))["host_status"] == "UNKNOWN"
    await cloud.compute.delete(f"/servers/{server['id']}")
    await cloud.settle()
    await cloud.compute.get(f"/servers/{server['id']}", 404)
    cloud.nodes.revive(host)
    await cloud.settle()
    assert cloud.machine(server["id"]) is None


async def test_a_guest_that_shuts_down_stays_off(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    node, _ = cloud.machine(server["id"]) or ("", None)
    cloud.nodes.worlds[node].machines[server["id"]].power = Power.STOPPED
    await cloud.nodes.tell_machine(node, server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-STS:task_state"], page["OS-EXT-STS:power_state"]) == ("SHUTOFF", None, 4)
    await cloud.do(server["id"], "os-start")
    assert (await cloud.page(server["id"]))["status"] == "ACTIVE"


async def test_refusals_name_what_is_wrong(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    good = {"name": "s", "imageRef": image, "flavorRef": "42"}
    for change, status, words in (
        ({"name": ""}, 400, "name"),
        ({"imageRef": "00000000-0000-4000-8000-000000000000"}, 400, "could not be found"),
        ({"imageRef": ""}, 400, "imageRef"),
        ({"flavorRef": "nope"}, 400, "Flavor nope"),
        ({"key_name": "nope"}, 400, "key_name"),
        ({"min_count": 3, "max_count": 2}, 400, "min_count"),
        ({"metadata": {"a" * 256: "x"}}, 400, "metadata"),
        ({"metadata": {f"k{n}": "x" for n in range(129)}}, 403, "metadata items"),
        ({"availability_zone": "nope"}, 400, "availability zone"),
        ({"networks": [{"uuid": "00000000-0000-4000-8000-000000000000"}]}, 400, "could not be found"),
        ({"security_groups": [{"name": "nope"}]}, 400, "nope"),
        ({"user_data": "not base64!"}, 400, "user_data"),
        ({"accessIPv4": "1.2.3"}, 400, "accessIPv4"),
        ({"description": "too early"}, 400, "description"),
    ):
        refusal = await cloud.compute.post("/servers", {"server": {**good, **change}}, status)
        [fault] = refusal.values()
        assert words in fault["message"], (change, fault)
    assert (await cloud.compute.get("/servers"))["servers"] == []


async def test_a_pattern_has_the_length_of_a_name_at_most(cloud: SmallCloud) -> None:
    for name in ("name", "ip"):
        await cloud.compute.get(f"/servers?{name}={'%5C[' * 3000}", 400)
        assert (await cloud.compute.get(f"/servers?{name}=.*web"))["servers"] == []


async def test_what_is_remembered_of_hosts_refuses_nobody_and_misleads_nobody(cloud: SmallCloud) -> None:
    first = await cloud.make_server()
    host = (await cloud.page(first["id"]))["OS-EXT-SRV-ATTR:host"]
    other = {"one": "two", "two": "one"}[host]
    admin = cloud.compute.as_("admin")
    body = {"host": other, "binary": "nova-compute"}
    await admin.put("/os-services/disable", body)
    second = await cloud.make_server()
    assert (await cloud.page(second["id"]))["OS-EXT-SRV-ATTR:host"] == host
    await admin.put("/os-services/disable", {"host": host, "binary": "nova-compute"})
    third = await cloud.make_server()
    assert (await cloud.page(third["id"]))["status"] == "ERROR"

    # A place that only becomes free after the survey is found all the same.
    await admin.put("/os-services/enable", body)
    fourth = await cloud.make_server()
    assert (await cloud.page(fourth["id"]))["OS-EXT-SRV-ATTR:host"] == other


async def test_given_files_come_with_a_config_drive(cloud: SmallCloud) -> None:
    network = await cloud.make_network()
    wish = {
        "name": "s", "flavorRef": "42", "imageRef": await cloud.make_image(), "networks": [{"uuid": network}],
        "personality": [{"path": "/etc/motd", "contents": "aGVsbG8="}],
    }  # fmt: skip
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    await cloud.settle()
    placed = cloud.machine(made["id"])
    assert placed is not None
    spec = cloud.nodes.worlds[placed[0]].machines[made["id"]].spec
    assert (spec.guest.files, spec.config_drive) == ((("/etc/motd", "aGVsbG8="),), True)


async def test_what_no_machine_has_is_refused_with_the_reason(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    admin = cloud.compute.as_("admin")
    flavor = {"name": "own", "ram": 64, "vcpus": 1, "disk": 1}
    made = (await admin.post("/flavors", {"flavor": flavor}, 200))["flavor"]["id"]
    server = await cloud.make_server(image=image)
    await admin.post(f"/flavors/{made}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated"}}, 200)
    wish = {"name": "s", "flavorRef": made, "imageRef": image, "networks": []}
    answer = await cloud.compute.post("/servers", {"server": wish}, 400)
    assert "hw:cpu_policy dedicated: processors are shared" in answer["badRequest"]["message"]
    await cloud.do(server["id"], "resize", {"flavorRef": made}, 400)
    secret = await cloud.make_image("secret", hw_mem_encryption="True")
    answer = await cloud.do(server["id"], "rebuild", {"imageRef": secret}, 400)
    assert "memory is not encrypted" in answer["badRequest"]["message"]
