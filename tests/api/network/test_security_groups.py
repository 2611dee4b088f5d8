"""Security groups, their rules, and the rules that new ones get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_a_project_has_a_default_group(network: Client) -> None:
    (group,) = (await network.get("/security-groups"))["security_groups"]
    assert group["name"] == "default"
    said = {(r["direction"], r["ethertype"], r["remote_group_id"]) for r in group["security_group_rules"]}
    mine = group["id"]
    assert said == {
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", mine),
        ("ingress", "IPv6", mine),
    }
    await network.delete(f"/security-groups/{mine}", 409)
    await network.put(f"/security-groups/{mine}", {"security_group": {"name": "x"}}, 409)
    assert len((await network.get("/security-groups?name=default"))["security_groups"]) == 1


async def test_a_group_and_its_rules_live(network: Client, make: Maker) -> None:
    group = await make.one("security_group", "/security-groups", name="web", description="d")
    assert len(group["security_group_rules"]) == 2
    wish = {
        "security_group_id": group["id"],
        "direction": "ingress",
        "protocol": "TCP",
        "port_range_min": 80,
        "port_range_max": 80,
        "remote_ip_prefix": "10.0.0.7/24",
    }
    rule = await make.one("security_group_rule", "/security-group-rules", **wish)
    assert (rule["protocol"], rule["ethertype"], rule["normalized_cidr"]) == ("tcp", "IPv4", "10.0.0.0/24")
    twice = await network.post("/security-group-rules", {"security_group_rule": wish}, 409)
    assert twice["NeutronError"]["type"] == "SecurityGroupRuleExists"
    shown = (await network.get(f"/security-groups/{group['id']}"))["security_group"]
    assert rule["id"] in {r["id"] for r in shown["security_group_rules"]}
    assert (await network.get(f"/security-group-rules/{rule['id']}"))["security_group_rule"]["port_range_min"] == 80
    described = {"security_group_rule": {"description": "in"}}
    await network.put(f"/security-group-rules/{rule['id']}", described)
    shown = (await network.get(f"/security-groups/{group['id']}"))["security_group"]
    assert "in" in {r["description"] for r in shown["security_group_rules"]}
    await network.as_("stranger").put(f"/security-group-rules/{rule['id']}", described, 404)
    await network.delete(f"/security-group-rules/{rule['id']}")
    await network.get(f"/security-group-rules/{rule['id']}", 404)
    await network.put(f"/security-groups/{group['id']}", {"security_group": {"name": "default"}}, 409)
    await network.post("/security-group-rules", {"security_group_rule": {**wish, "security_group_id": "none"}}, 404)
    port = await make.port(await make.network(), security_groups=[group["id"]])
    assert (await network.delete(f"/security-groups/{group['id']}", 409))["NeutronError"][
        "type"
    ] == "SecurityGroupInUse"
    await network.delete(f"/ports/{port['id']}")
    await network.delete(f"/security-groups/{group['id']}")


@pytest.mark.parametrize(
    ("said", "type_name"),
    [
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 79}, "SecurityGroupInvalidPortRange"),
        ({"port_range_min": 80, "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 2}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "bad"}, "HTTPBadRequest"),
        ({"ethertype": "IPv5"}, "HTTPBadRequest"),
        ({"remote_ip_prefix": "192.168.1./24"}, "HTTPBadRequest"),
        ({"remote_ip_prefix": "::/0"}, "SecurityGroupRuleParameterConflict"),
        ({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}, "HTTPBadRequest"),
    ],
)
async def test_rules_that_mean_nothing(network: Client, make: Maker, said: dict[str, Any], type_name: str) -> None:
    group = await make.one("security_group", "/security-groups", name="web")
    body = {"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", **said}}
    assert (await network.post("/security-group-rules", body, 400))["NeutronError"]["type"] == type_name


async def test_administrators_choose_what_new_groups_get(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    built_in = (await network.get("/default-security-group-rules"))["default_security_group_rules"]
    assert len(built_in) == 4
    wish = {"direction": "ingress", "protocol": "icmp", "used_in_default_sg": True}
    await network.post("/default-security-group-rules", {"default_security_group_rule": wish}, 403)
    made = await Maker(admin).one("default_security_group_rule", "/default-security-group-rules", **wish)
    group = await make.one("security_group", "/security-groups", name="web")
    assert "icmp" in {rule["protocol"] for rule in group["security_group_rules"]}
    refused = await admin.post("/default-security-group-rules", {"default_security_group_rule": wish}, 409)
    assert refused["NeutronError"]["type"] == "DefaultSecurityGroupRuleExists"
    await admin.delete(f"/default-security-group-rules/{made['id']}")
    group = await make.one("security_group", "/security-groups", name="app")
    assert "icmp" not in {rule["protocol"] for rule in group["security_group_rules"]}
    # One may say to default groups what another says to the rest.
    for kind in ("used_in_default_sg", "used_in_non_default_sg"):
        only = {"direction": "ingress", "protocol": "udp", "used_in_default_sg": False, "used_in_non_default_sg": False}
        await Maker(admin).one("default_security_group_rule", "/default-security-group-rules", **{**only, kind: True})


async def test_an_administrator_sees_the_default_group_of_a_new_project(network: Client) -> None:
    admin = network.as_("admin")
    (group,) = (await admin.get(f"/security-groups?project_id={'e' * 32}&name=default"))["security_groups"]
    assert len(group["security_group_rules"]) == 4
    await network.get(f"/security-groups?project_id={'f' * 32}")
    assert not (await admin.get(f"/security-groups?tenant_id={'g' * 32}"))["security_groups"]
    assert not (await admin.get(f"/security-groups?name=default&id={'0' * 36}"))["security_groups"]


async def test_address_groups(network: Client, make: Maker) -> None:
    kept = await make.one("address_group", "/address-groups", name="office", addresses=["10.1.0.0/16"])
    path = f"/address-groups/{kept['id']}"
    more = await network.put(path + "/add_addresses", {"address_group": {"addresses": ["10.2.0.5/32"]}})
    assert more["address_group"]["addresses"] == ["10.1.0.0/16", "10.2.0.5/32"]
    group = await make.one("security_group", "/security-groups", name="web")
    rule = {"security_group_id": group["id"], "direction": "ingress", "remote_address_group_id": kept["id"]}
    await make.one("security_group_rule", "/security-group-rules", **rule)
    assert (await network.delete(path, 409))["NeutronError"]["type"] == "AddressGroupInUse"
    less = await network.put(path + "/remove_addresses", {"address_group": {"addresses": ["10.1.0.0/16"]}})
    assert less["address_group"]["addresses"] == ["10.2.0.5/32"]
    await network.put(path + "/remove_addresses", {"address_group": {"addresses": ["10.1.0.0/16"]}}, 404)
    await network.put(path + "/remove_addresses", {"address_group": {"addresses": ["10.1.0.1"]}}, 404)
    await network.put(path + "/add_addresses", {"address_group": {"addresses": ["10.1.0.1"]}}, 400)
    share = {"object_type": "address_group", "object_id": kept["id"], "action": "access_as_shared"}
    await make.one("rbac_policy", "/rbac-policies", **share, target_tenant="a" * 32)
    await network.as_("stranger").get(path)
    await network.as_("stranger").put(path, {"address_group": {"name": "mine"}}, 404)


async def test_new_groups_are_as_stateful_as_is_said(network: Client) -> None:
    path, one = "/security-groups-default-statefulness", "security_groups_default_statefulness"
    admin, manager = network.as_("admin"), network.as_("manager")

    async def group(client: Client, **wish: object) -> bool:
        made = (await client.post("/security-groups", {"security_group": {"name": "g", **wish}}))["security_group"]
        return bool(made["stateful"])

    assert await group(network)
    await network.post(path, {one: {"stateful": False}}, 403)
    await manager.post(path, {one: {"stateful": False, "project_id": None}}, 400)
    everywhere = (await admin.post(path, {one: {"stateful": False, "project_id": None}}))[one]
    assert (everywhere["project_id"], everywhere["stateful"]) == (None, False)
    assert not await group(network)
    assert await group(network, stateful=True)
    mine = (await manager.post(path, {one: {"stateful": True}}))[one]
    assert mine["project_id"] == DEMO
    assert await group(network)
    assert not await group(network.as_("stranger"))
    await manager.post(path, {one: {"stateful": True}}, 409)
    assert (await manager.put(f"{path}/{mine['id']}", {one: {"stateful": False}}))[one]["stateful"] is False
    assert not await group(network)
    await network.as_("stranger").get(f"{path}/{mine['id']}", 404)
    await manager.delete(f"{path}/{everywhere['id']}", 404)
    await manager.delete(f"{path}/{mine['id']}")
    await admin.delete(f"{path}/{everywhere['id']}")
    assert (await admin.get(path))[one] == []
    assert await group(network)


async def test_a_ports_groups_are_each_once_and_of_one_kind(network: Client, make: Maker) -> None:
    many = [{"security_group": {"name": "a"}}, {"name": "b", "stateful": False}]
    first, second = (await network.post("/security-groups", {"security_groups": many}))["security_groups"]
    net = await make.network()
    for groups, status in (([first["id"]] * 2, 400), ([first["id"], second["id"]], 409)):
        await network.post("/ports", {"port": {"network_id": net["id"], "security_groups": groups}}, status)
    port = await make.port(net, security_groups=[second["id"]])
    both = {"port": {"security_groups": [first["id"], second["id"]]}}
    refused = await network.put(f"/ports/{port['id']}", both, 409)
    assert refused["NeutronError"]["type"] == "SecurityGroupConflict"
