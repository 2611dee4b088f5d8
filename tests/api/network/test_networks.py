"""The life of a network, its subnets and its ports."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.network.conftest import Maker
from tests.support.client import Client

pytestmark = pytest.mark.db


async def test_a_network_lives(network: Client, make: Maker) -> None:
    made = await make.network(name="blue")
    assert made["status"] == "ACTIVE"
    assert made["admin_state_up"] is True
    assert made["shared"] is False
    assert made["tenant_id"] == made["project_id"] == "d" * 32
    assert made["mtu"] == 1450
    assert "provider:network_type" not in made
    assert (await network.get(f"/networks/{made['id']}"))["network"] == made
    changed = (await network.put(f"/networks/{made['id']}", {"network": {"name": "red", "description": "x"}}))[
        "network"
    ]
    assert (changed["name"], changed["description"]) == ("red", "x")
    assert changed["revision_number"] > made["revision_number"]
    assert [n["name"] for n in (await network.get("/networks?name=red"))["networks"]] == ["red"]
    assert (await network.get("/networks?name=blue"))["networks"] == []
    await network.delete(f"/networks/{made['id']}")
    refusal = await network.get(f"/networks/{made['id']}", 404)
    assert refusal["NeutronError"]["type"] == "NetworkNotFound"


async def test_a_subnet_gives_addresses_and_dhcp(network: Client, make: Maker) -> None:
    net = await make.network()
    subnet = await make.subnet(net)
    assert subnet["gateway_ip"] == "10.0.0.1"
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    dhcp = (await network.get(f"/ports?network_id={net['id']}&device_owner=network:dhcp"))["ports"]
    assert [p["fixed_ips"] for p in dhcp] == [[{"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}]]
    port = await make.port(net, name="p")
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.3"}]
    assert port["mac_address"].startswith("fa:16:3e:")
    assert port["status"] == "DOWN"
    assert port["dns_assignment"][0]["hostname"] == "host-10-0-0-3"
    groups = (await network.get("/security-groups"))["security_groups"]
    assert port["security_groups"] == [groups[0]["id"]]
    assert (await network.get(f"/networks/{net['id']}"))["network"]["subnets"] == [subnet["id"]]
    found = (await network.get("/ports?fixed_ips=ip_address%3D10.0.0.3&fields=id"))["ports"]
    assert found == [{"id": port["id"]}]
    for path in (f"/networks/{net['id']}", f"/subnets/{subnet['id']}"):
        assert "InUse" in (await network.delete(path, 409))["NeutronError"]["type"]
    await network.delete(f"/ports/{port['id']}")
    await network.delete(f"/networks/{net['id']}")
    assert (await network.get("/subnets"))["subnets"] == (await network.get("/ports"))["ports"] == []
    used = (await network.as_("admin").get(f"/quotas/{'d' * 32}/details"))["quota"]
    assert [used[name]["used"] for name in ("network", "subnet", "port")] == [0, 0, 0]


async def test_one_address_has_no_room_for_dhcp(network: Client, make: Maker) -> None:
    net = await make.network()
    wish = {"network_id": net["id"], "cidr": "10.1.0.7/32", "ip_version": 4, "gateway_ip": None}
    await network.post("/subnets", {"subnet": wish}, 400)
    one = (await network.post("/subnets", {"subnet": wish | {"enable_dhcp": False}}))["subnet"]
    await network.put(f"/subnets/{one['id']}", {"subnet": {"enable_dhcp": True}}, 400)
    await network.put(f"/subnets/{one['id']}", {"subnet": {"name": "one"}})


async def test_addresses_asked_for_and_taken(network: Client, make: Maker) -> None:
    net = await make.network()
    subnet = await make.subnet(net, "10.1.0.0/29", enable_dhcp=False)
    first = await make.port(net, fixed_ips=[{"ip_address": "10.1.0.5"}])
    assert first["fixed_ips"][0]["ip_address"] == "10.1.0.5"
    body = {"port": {"network_id": net["id"], "fixed_ips": [{"ip_address": "10.1.0.5"}]}}
    assert (await network.post("/ports", body, 409))["NeutronError"]["type"] == "IpAddressAlreadyAllocated"
    body["port"]["fixed_ips"] = [{"ip_address": "10.9.0.5"}]
    assert (await network.post("/ports", body, 400))["NeutronError"]["type"] == "InvalidIpForNetwork"
    body["port"]["fixed_ips"] = [{"subnet_id": subnet["id"], "ip_address": "10.9.0.5"}]
    assert (await network.post("/ports", body, 400))["NeutronError"]["type"] == "InvalidIpForSubnet"
    others = [(await make.port(net))["fixed_ips"][0]["ip_address"] for _ in range(4)]
    assert sorted([*others, "10.1.0.5"]) == ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"]
    refusal = await network.post("/ports", {"port": {"network_id": net["id"]}}, 409)
    assert refusal["NeutronError"]["type"] == "IpAddressGenerationFailure"
    mac = {"port": {"network_id": net["id"], "mac_address": first["mac_address"], "fixed_ips": []}}
    assert (await network.post("/ports", mac, 409))["NeutronError"]["type"] == "MacAddressInUse"


async def test_many_at_once_have_addresses_of_their_own(network: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    bulk = await network.post("/ports", {"ports": [{"network_id": net["id"], "name": f"p{n}"} for n in range(20)]})
    await asyncio.gather(*(make.port(net) for _ in range(10)))
    ports = (await network.get("/ports?device_id="))["ports"]
    assert [port["name"] for port in bulk["ports"]] == [f"p{n}" for n in range(20)]
    assert len({port["fixed_ips"][0]["ip_address"] for port in ports}) == 30
    refusal = {"ports": [{"network_id": net["id"]}, {"network_id": net["id"], "colour": "red"}]}
    await network.post("/ports", refusal, 400)
    assert len((await network.get("/ports?device_id="))["ports"]) == 30


async def test_a_port_changes(network: Client, make: Maker) -> None:
    net = await make.network()
    subnet = await make.subnet(net)
    port = await make.port(net)
    path = f"/ports/{port['id']}"
    change = {
        "name": "n",
        "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "10.0.0.77"}],
        "allowed_address_pairs": [{"ip_address": "10.0.0.200"}],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
        "dns_name": "web",
        "device_id": "x",
    }
    changed = (await network.put(path, {"port": change}))["port"]
    assert changed["fixed_ips"] == change["fixed_ips"]
    assert changed["allowed_address_pairs"] == [{"ip_address": "10.0.0.200", "mac_address": port["mac_address"]}]
    assert changed["extra_dhcp_opts"] == [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]
    assert changed["dns_assignment"][0]["fqdn"] == "web.openstacklocal."
    off = {"port": {"port_security_enabled": False, "security_groups": [], "allowed_address_pairs": []}}
    assert (await network.put(path, off))["port"]["security_groups"] == []
    on = {"port": {"security_groups": port["security_groups"]}}
    assert (await network.put(path, on, 409))["NeutronError"]["type"] == "PortSecurityPortHasSecurityGroup"
    other = {"port": {"security_groups": ["00000000-0000-4000-8000-000000000000"]}}
    assert (await network.put(path, other, 404))["NeutronError"]["type"] == "SecurityGroupNotFound"


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"colour": "red"}, "Unrecognized attribute(s) 'colour'"),
        ({"status": "ACTIVE"}, "Attribute 'status' not allowed in POST"),
        ({"name": 5}, "Invalid input for name"),
        ({"name": "a\x00b"}, "Invalid input for name"),
        ({"admin_state_up": "perhaps"}, "Invalid input for admin_state_up"),
        ({"mtu": 9000}, "MTU"),
        ({"project_id": "x", "tenant_id": "y"}, "do not match"),
        ({"project_id": "x"}, "admin privileges"),
    ],
)
async def test_bad_attributes_are_named(network: Client, attributes: dict, words: str) -> None:
    refusal = await network.post("/networks", {"network": attributes}, 400)
    assert words in refusal["NeutronError"]["message"]
    assert (await network.get("/networks"))["networks"] == []


async def test_bodies_that_are_none(network: Client) -> None:
    for text in ("", "[]", "{", '{"network": []}', '{"networks": {}}', '{"networks": [1]}', '{"network": {}, "x": 1}'):
        response = await network("POST", "/networks", content=text)
        assert response.status_code == 400, text


async def test_lists_are_sorted_and_paged(network: Client, make: Maker) -> None:
    for name in ("c", "a", "b"):
        await make.network(name=name)
    page = await network.get("/networks?sort_key=name&sort_dir=asc&limit=2")
    assert [n["name"] for n in page["networks"]] == ["a", "b"]
    following = next(link["href"] for link in page["networks_links"] if link["rel"] == "next").partition("/v2.0")[2]
    page = await network.get(following)
    assert [n["name"] for n in page["networks"]] == ["c"]
    back = next(link["href"] for link in page["networks_links"] if link["rel"] == "previous").partition("/v2.0")[2]
    assert [n["name"] for n in (await network.get(back))["networks"]] == ["a", "b"]
    await network.get("/networks?colour=red", 400)
    await network.get("/networks?sort_key=colour", 400)
    await network.get("/networks?limit=-1", 400)
    assert len((await network.get("/networks?name=a&name=b"))["networks"]) == 2


async def test_revisions_are_matched(network: Client, make: Maker) -> None:
    net = await make.network()
    body = {"network": {"name": "x"}}
    refused = await network(
        "PUT", f"/networks/{net['id']}", body, headers={"if-match": f"revision_number={net['revision_number'] + 1}"}
    )
    assert refused.status_code == 412
    fits = await network(
        "PUT", f"/networks/{net['id']}", body, headers={"if-match": f"revision_number={net['revision_number']}"}
    )
    assert fits.status_code == 200


async def test_tags(network: Client, make: Maker) -> None:
    red, both = await make.network(tags=["red"]), await make.network()
    path = f"/networks/{both['id']}/tags"
    assert (await network.put(path, {"tags": ["red", "blue"]}))["tags"] == ["blue", "red"]
    await network.put(path + "/green", None, 201)
    await network.get(path + "/green", 204)
    await network.delete(path + "/green")
    await network.get(path + "/green", 404)

    async def ids(query: str) -> set[str]:
        return {n["id"] for n in (await network.get(f"/networks?{query}"))["networks"]}

    assert await ids("tags=red") == {red["id"], both["id"]}
    assert await ids("tags=red,blue") == {both["id"]}
    assert await ids("not-tags=red,blue") == {red["id"]}
    assert await ids("not-tags-any=red") == set()
    await network.delete(path)
    assert (await network.get(path))["tags"] == []


async def test_quotas_refuse_and_are_changed_by_administrators(network: Client, make: Maker) -> None:
    admin, mine = network.as_("admin"), f"/quotas/{'d' * 32}"
    await network.put(mine, {"quota": {"network": 1}}, 403)
    assert (await admin.put(mine, {"quota": {"network": 1}}))["quota"]["network"] == 1
    await make.network()
    assert (await network.post("/networks", {"network": {}}, 409))["NeutronError"]["type"] == "OverQuota"
    for odd in (-2, 1.5, 1e300, "1_0", "", None, True, 2**31):
        await admin.put(mine, {"quota": {"network": odd}}, 400)
    await admin.put(mine, {"quota": {"network": 0}}, 400)
    await admin.put(mine, {"quota": {"network": 0, "force": True}})
    await admin.delete(mine)
    await make.network()
    assert (await network.get(mine))["quota"]["network"] == 100


async def test_extensions_are_what_nouns_include(network: Client) -> None:
    aliases = {extension["alias"] for extension in (await network.get("/extensions"))["extensions"]}
    assert {"security-group", "standard-attr-tag", "provider", "quotas", "external-net"} <= aliases
    assert (await network.get("/extensions/provider"))["extension"]["alias"] == "provider"
    await network.get("/extensions/none", 404)


async def test_pages_are_walked_to_the_end_and_back(network: Client, make: Maker) -> None:
    for name in ("a", "b", "c"):
        await make.network(name=name)

    async def walk(path: str, rel: str, pages: int) -> tuple[list[str], str]:
        names = []
        for _ in range(pages):
            page = await network.get(path)
            names += [shown["name"] for shown in page["networks"]]
            links = {link["rel"]: link["href"].partition("/v2.0")[2] for link in page["networks_links"]}
            path = links[rel]
        return names, path

    names, last = await walk("/networks?limit=1&sort_key=name", "next", 3)
    assert names == ["a", "b", "c"]
    page = await network.get(last)
    assert page["networks"] == []
    assert [link["rel"] for link in page["networks_links"]] == ["previous"]
    back, _ = await walk(page["networks_links"][0]["href"].partition("/v2.0")[2], "previous", 3)
    assert back == ["c", "b", "a"]


async def test_what_is_shared_can_be_asked_for(network: Client, make: Maker) -> None:
    admin = Maker(network.as_("admin"))
    theirs = await admin.network(shared=True)
    shared, own = await admin.subnet(theirs), await make.subnet(await make.network())
    prefixes = {"prefixes": ["10.9.0.0/16"], "default_prefixlen": "24"}
    pool = await admin.one("subnetpool", "/subnetpools", name="p", shared=True, **prefixes)
    mine = await make.one("subnetpool", "/subnetpools", name="q", **prefixes)
    assert pool["default_prefixlen"] == "24"
    for many, expected in (("subnets", {True: shared, False: own}), ("subnetpools", {True: pool, False: mine})):
        for wanted, only in expected.items():
            found = (await network.get(f"/{many}?shared={wanted}"))[many]
            assert [one["id"] for one in found] == [only["id"]], (many, wanted)


async def test_what_belongs_to_a_network_is_a_revision_of_it(network: Client, make: Maker) -> None:
    net = await make.network()
    seen = [net["revision_number"]]

    async def rises() -> bool:
        seen.append((await network.get(f"/networks/{net['id']}"))["network"]["revision_number"])
        return bool(seen[-1] > seen[-2])

    subnet = await make.subnet(net)
    assert await rises()
    await network.delete(f"/subnets/{subnet['id']}")
    assert await rises()
    share = {"object_type": "network", "object_id": net["id"], "action": "access_as_shared", "target_tenant": "x"}
    await network.post("/rbac-policies", {"rbac_policy": share})
    assert await rises()
