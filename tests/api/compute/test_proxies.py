"""What compute passes on to its neighbours for clients of before 2.36."""

from __future__ import annotations

import pytest

from tests.support.personas import ALT
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db
NOWHERE = "11111111-2222-3333-4444-555555555555"


async def test_security_groups_and_their_rules(cloud: SmallCloud) -> None:
    compute = cloud.compute
    group = (await compute.post("/os-security-groups", {"security_group": {"name": "g", "description": "d"}}, 200))[
        "security_group"
    ]
    assert group["rules"] == []
    await compute.post("/os-security-groups", {"security_group": {"name": "g", "description": "d"}}, 400)
    wish = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr": "10.0.0.0/8"}
    rule = (await compute.post("/os-security-group-rules", {"security_group_rule": wish}, 200))["security_group_rule"]
    assert rule["ip_range"] == {"cidr": "10.0.0.0/8"}
    assert rule["group"] == {}
    await compute.post("/os-security-group-rules", {"security_group_rule": wish}, 400)
    await compute.post("/os-security-group-rules", {"security_group_rule": wish | {"from_port": 23}}, 400)
    inside = {"parent_group_id": group["id"], "group_id": group["id"]}
    made = (await compute.post("/os-security-group-rules", {"security_group_rule": inside}, 200))["security_group_rule"]
    assert made["group"] == {"name": "g", "tenant_id": group["tenant_id"]}
    shown = (await compute.get(f"/os-security-groups/{group['id']}"))["security_group"]
    assert {one["id"] for one in shown["rules"]} == {rule["id"], made["id"]}
    await compute.delete(f"/os-security-group-rules/{rule['id']}", 202)
    changed = {"security_group": {"name": "h", "description": ""}}
    assert (await compute.put(f"/os-security-groups/{group['id']}", changed))["security_group"]["name"] == "h"
    assert {one["name"] for one in (await compute.get("/os-security-groups"))["security_groups"]} == {"default", "h"}
    await cloud.compute.as_("stranger").get(f"/os-security-groups/{group['id']}", 404)
    await compute.delete(f"/os-security-groups/{group['id']}", 202)
    await compute.get(f"/os-security-groups/{group['id']}", 404)
    await compute.get("/os-security-groups/7", 400)
    await compute.delete("/os-security-groups/", 404)
    await compute.at("2.36").get("/os-security-groups", 404)


async def test_the_groups_of_a_server(cloud: SmallCloud) -> None:
    network = await cloud.make_network()
    server = await cloud.make_server(networks=[{"uuid": network}])
    (group,) = (await cloud.compute.get(f"/servers/{server['id']}/os-security-groups"))["security_groups"]
    (known,) = (await cloud.compute.get("/os-security-groups"))["security_groups"]
    assert (group["name"], group["id"]) == ("default", known["id"])


async def test_networks_by_their_old_names(cloud: SmallCloud) -> None:
    network = await cloud.make_network("lan")
    compute = cloud.compute
    expected = {"id": network, "label": "lan", "cidr": "None"}
    assert (await compute.get("/os-tenant-networks"))["networks"] == [expected]
    assert (await compute.get(f"/os-tenant-networks/{network}"))["network"] == expected
    assert (await compute.get(f"/os-networks/{network}"))["network"]["label"] == "lan"
    assert [one["id"] for one in (await compute.get("/os-networks"))["networks"]] == [network]
    await compute.get(f"/os-networks/{NOWHERE}", 404)
    await compute.post("/os-networks", {"network": {}}, 410)


async def test_a_floating_ip_is_given_to_a_server_and_taken_back(cloud: SmallCloud) -> None:
    admin = cloud.network.as_("admin")
    outside = (await admin.post("/networks", {"network": {"name": "outside", "router:external": True}}))["network"][
        "id"
    ]
    wish = {"network_id": outside, "ip_version": 4, "cidr": "198.51.100.0/24"}
    await admin.post("/subnets", {"subnet": wish})
    inside = await cloud.make_network()
    member = cloud.network
    router = (await member.post("/routers", {"router": {"external_gateway_info": {"network_id": outside}}}))["router"]
    subnet = (await member.get(f"/networks/{inside}"))["network"]["subnets"][0]
    await member.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    server = await cloud.make_server(networks=[{"uuid": inside}])

    compute = cloud.compute
    assert (await compute.get("/os-floating-ip-pools"))["floating_ip_pools"] == [{"name": "outside"}]
    await compute.post("/os-floating-ips", {"pool": "nowhere"}, 404)
    floating = (await compute.post("/os-floating-ips", {"pool": "outside"}, 200))["floating_ip"]
    assert floating["instance_id"] is None
    await cloud.do(server["id"], "removeFloatingIp", {"address": floating["ip"]}, 409)
    await cloud.do(server["id"], "addFloatingIp", {"address": floating["ip"]})
    shown = (await compute.get(f"/os-floating-ips/{floating['id']}"))["floating_ip"]
    assert shown["instance_id"] == server["id"]
    kinds = {one["OS-EXT-IPS:type"] for one in (await cloud.page(server["id"]))["addresses"]["private"]}
    assert kinds == {"fixed", "floating"}
    assert (await compute.get("/os-floating-ips"))["floating_ips"] == [shown]
    await cloud.do(server["id"], "removeFloatingIp", {"address": floating["ip"]})
    assert (await compute.get(f"/os-floating-ips/{floating['id']}"))["floating_ip"]["fixed_ip"] is None
    await compute.delete(f"/os-floating-ips/{floating['id']}", 202)
    await compute.delete(f"/os-floating-ips/{floating['id']}", 404)


async def test_a_card_gets_a_second_address_and_loses_it(cloud: SmallCloud) -> None:
    network = await cloud.make_network()
    server = await cloud.make_server(networks=[{"uuid": network}])
    await cloud.do(server["id"], "addFixedIp", {"networkId": NOWHERE}, 400)
    await cloud.do(server["id"], "addFixedIp", {"networkId": network})
    first, second = (await cloud.page(server["id"]))["addresses"]["private"]
    await cloud.do(server["id"], "removeFixedIp", {"address": second["addr"]})
    assert (await cloud.page(server["id"]))["addresses"]["private"] == [first]
    await cloud.do(server["id"], "removeFixedIp", {"address": second["addr"]}, 400)
    await cloud.do(server["id"], "addFixedIp", {"networkId": network}, 400, version="2.44")


async def test_volumes_and_snapshots_by_their_old_names(cloud: SmallCloud) -> None:
    compute = cloud.compute
    wish = {"size": 1, "display_name": "v", "metadata": {"a": "b"}}
    volume = (await compute.post("/os-volumes", {"volume": wish}, 200))["volume"]
    assert (volume["displayName"], volume["metadata"], volume["attachments"]) == ("v", {"a": "b"}, [{}])
    await cloud.settle()
    assert (await compute.get(f"/os-volumes/{volume['id']}"))["volume"]["status"] == "available"
    wish = {"volume_id": volume["id"], "display_name": "s"}
    snapshot = (await compute.post("/os-snapshots", {"snapshot": wish}, 200))["snapshot"]
    assert (snapshot["volumeId"], snapshot["displayName"]) == (volume["id"], "s")
    await cloud.settle()
    assert len((await compute.get("/os-snapshots/detail"))["snapshots"]) == 1
    await compute.delete(f"/os-snapshots/{snapshot['id']}", 202)
    await cloud.settle()
    assert (await compute.get("/os-volumes/detail?limit=0"))["volumes"] == []
    await compute.delete(f"/os-volumes/{volume['id']}", 202)
    await cloud.settle()
    await compute.get(f"/os-volumes/{volume['id']}", 404)
    await compute.get("/os-volumes?limit=-1", 400)


async def test_images_and_their_metadata(cloud: SmallCloud) -> None:
    one, two = await cloud.make_image("one"), await cloud.make_image("two")
    compute = cloud.compute
    shown = (await compute.get(f"/images/{one}"))["image"]
    assert (shown["status"], shown["progress"], shown["metadata"]) == ("ACTIVE", 100, {})
    page = await compute.get("/images?limit=1")
    assert [image["id"] for image in page["images"]] == [two]
    assert f"marker={two}" in page["images_links"][0]["href"]
    assert [image["id"] for image in (await compute.get("/images/detail?name=one"))["images"]] == [one]
    assert len((await compute.get("/images/detail?status=ACTIVE"))["images"]) == 2
    assert (await compute.get("/images?status=SAVING"))["images"] == []
    path = f"/images/{one}/metadata"
    assert (await compute.post(path, {"metadata": {"a": "1", "b": "2"}}, 200))["metadata"] == {"a": "1", "b": "2"}
    assert (await compute.put(f"{path}/a", {"meta": {"a": "3"}}))["meta"] == {"a": "3"}
    await compute.put(f"{path}/a", {"meta": {"z": "3"}}, 400)
    assert (await compute.put(path, {"metadata": {"a": "4"}}))["metadata"] == {"a": "4"}
    assert (await compute.get(f"{path}/a"))["meta"] == {"a": "4"}
    await compute.delete(f"{path}/a")
    await compute.delete(f"{path}/a", 404)
    await compute.get("/images?changes-since=yesterday", 400)
    await compute.delete(f"/images/{one}")
    await compute.get(f"/images/{one}", 404)
    await compute.at("2.39").get(path, 404)


async def test_what_has_ended_says_so(cloud: SmallCloud) -> None:
    for path in ("/os-cells", "/os-fping", "/os-agents", "/os-security-group-default-rules", f"/os-certificates/{ALT}"):
        await cloud.compute.get(path, 410)
