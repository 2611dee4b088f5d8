"""Pools and scopes, quality of service, agents, availability, the topology that makes itself, the first networks."""

from __future__ import annotations

import pytest

from cumulet.services.network.room import Network
from cumulet.services.network.seed import seed
from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db
ADMIN = "0" * 32


async def test_subnets_come_from_pools(network: Client, make: Maker) -> None:
    scope = await make.one("address_scope", "/address-scopes", name="s", ip_version=4)
    pool = await make.one(
        "subnetpool",
        "/subnetpools",
        name="p",
        prefixes=["10.5.0.0/17", "10.5.128.0/17"],
        default_prefixlen=24,
        address_scope_id=scope["id"],
    )
    assert pool["prefixes"] == ["10.5.0.0/16"]
    net = await make.network()
    first = await make.one("subnet", "/subnets", network_id=net["id"], subnetpool_id=pool["id"], ip_version=4)
    second = await make.one("subnet", "/subnets", network_id=net["id"], subnetpool_id=pool["id"], prefixlen=26)
    assert (first["cidr"], second["cidr"]) == ("10.5.0.0/24", "10.5.1.0/26")
    taken = {"network_id": net["id"], "subnetpool_id": pool["id"], "cidr": "10.5.0.0/25", "ip_version": 4}
    await network.post("/subnets", {"subnet": taken}, 409)
    assert (await network.get(f"/networks/{net['id']}"))["network"]["ipv4_address_scope"] == scope["id"]
    path = f"/subnetpools/{pool['id']}"
    assert (await network.delete(path, 409))["NeutronError"]["type"] == "SubnetPoolDeleteError"
    await network.delete(f"/address-scopes/{scope['id']}", 409)
    await network.put(path + "/add_prefixes", {"prefixes": ["10.6.0.0/16"]})
    await network.put(path + "/remove_prefixes", {"prefixes": ["10.5.0.0/24"]}, 409)
    left = await network.put(path + "/remove_prefixes", {"prefixes": ["10.6.0.0/17"]})
    assert left["prefixes"] == ["10.5.0.0/16", "10.6.128.0/17"]
    await network.delete(f"/networks/{net['id']}")
    await network.delete(path)
    await network.delete(f"/address-scopes/{scope['id']}")


async def test_ipv6_subnets_make_addresses_from_macs(network: Client, make: Maker) -> None:
    net = await make.network()
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    port = await make.port(net, mac_address="fa:16:3e:00:00:01")
    subnet = await make.subnet(net, "2001:db8::/64", **modes)
    shown = (await network.get(f"/ports/{port['id']}"))["port"]
    assert [f["ip_address"] for f in shown["fixed_ips"]] == ["2001:db8::f816:3eff:fe00:1"]
    await network.delete(f"/subnets/{subnet['id']}")
    assert (await network.get(f"/ports/{port['id']}"))["port"]["fixed_ips"] == []
    wrong = {"network_id": net["id"], "cidr": "2001:db8::/48", "ip_version": 6, **modes}
    await network.post("/subnets", {"subnet": wrong}, 400)


async def test_policies_of_service(network: Client) -> None:
    manager = network.as_("manager")
    await network.post("/qos/policies", {"policy": {"name": "slow"}}, 403)
    policy = await Maker(manager).one("policy", "/qos/policies", name="slow")
    rules = f"/qos/policies/{policy['id']}/bandwidth_limit_rules"
    rule = (await manager.post(rules, {"bandwidth_limit_rule": {"max_kbps": 1000}}))["bandwidth_limit_rule"]
    assert (rule["max_kbps"], rule["direction"]) == (1000, "egress")
    await manager.post(rules, {"bandwidth_limit_rule": {"max_kbps": 5}}, 409)
    marks = f"/qos/policies/{policy['id']}/dscp_marking_rules"
    await manager.post(marks, {"dscp_marking_rule": {"dscp_mark": 10}})
    await manager.post(marks, {"dscp_marking_rule": {"dscp_mark": 9}}, 400)
    packets = f"/qos/policies/{policy['id']}/packet_rate_limit_rules"
    for direction in ("egress", "ingress"):
        wish = {"max_kpps": 2, "direction": direction}
        counted = (await manager.post(packets, {"packet_rate_limit_rule": wish}))["packet_rate_limit_rule"]
        assert (counted["max_kpps"], counted["max_burst_kpps"], counted["direction"]) == (2, 0, direction)
    await manager.post(packets, {"packet_rate_limit_rule": {"max_kpps": 5}}, 409)
    assert len((await network.get(packets.removeprefix("/qos")))["packet_rate_limit_rules"]) == 2
    shown = (await network.get(f"/qos/policies/{policy['id']}"))["policy"]["rules"]
    assert {r["type"] for r in shown} == {"bandwidth_limit", "dscp_marking", "packet_rate_limit"}
    alias = f"/qos/alias-bandwidth-limit-rules/{rule['id']}"
    changed = await manager.put(alias, {"alias_bandwidth_limit_rule": {"max_kbps": 7}})
    assert changed["alias_bandwidth_limit_rule"]["max_kbps"] == 7
    make = Maker(network)
    net = await make.network(qos_policy_id=policy["id"])
    port = await make.port(net)
    assert port["qos_network_policy_id"] == policy["id"]
    assert (await manager.delete(f"/qos/policies/{policy['id']}", 409))["NeutronError"]["type"] == "QosPolicyInUse"
    await network.put(f"/networks/{net['id']}", {"network": {"qos_policy_id": None}})
    await manager.delete(f"{rules}/{rule['id']}")
    await manager.delete(f"/qos/policies/{policy['id']}")
    await network.get(f"/qos/policies/{policy['id']}", 404)
    await network.get("/qos/rule-types/bandwidth_limit", 403)
    details = await network.as_("admin").get("/qos/rule-types/bandwidth_limit")
    assert details["rule_type"]["drivers"][0]["name"] == "linux"


async def test_a_default_policy_holds_for_new_networks(network: Client, make: Maker) -> None:
    policy = await Maker(network.as_("manager")).one("policy", "/qos/policies", name="usual", is_default=True)
    assert (await make.network())["qos_policy_id"] == policy["id"]
    assert (await make.network(qos_policy_id=None))["qos_policy_id"] is None
    foreign = await Maker(network.as_("stranger")).network()
    assert foreign["qos_policy_id"] is None
    limits = f"/qos/policies/{policy['id']}/bandwidth_limit_rules"
    for path in (limits, limits.replace(policy["id"], foreign["id"])):
        await network.as_("stranger").post(path, {"bandwidth_limit_rule": {"max_kbps": 1}}, 403)


async def test_agents_and_zones_are_the_nodes(network: Client, fleet: FakeFleet) -> None:
    assert (await network.get("/agents"))["agents"] == []
    admin = network.as_("admin")
    found = (await admin.get("/agents?agent_type=L3 agent"))["agents"]
    assert [(a["host"], a["alive"]) for a in found] == [("one", True), ("two", True)]
    fleet.kill("one")
    path = f"/agents/{found[0]['id']}"
    assert (await admin.get(path))["agent"]["alive"] is False
    changed = (await admin.put(path, {"agent": {"admin_state_up": False, "description": "broken"}}))["agent"]
    assert (changed["admin_state_up"], changed["description"]) == (False, "broken")
    zones = (await network.get("/availability_zones"))["availability_zones"]
    assert {zone["resource"] for zone in zones} == {"network", "router"}


async def test_addresses_are_counted(network: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net, "10.4.0.0/28")
    await make.port(net)
    path = f"/network-ip-availabilities/{net['id']}"
    shown = (await network.as_("admin").get(path))["network_ip_availability"]
    assert (shown["total_ips"], shown["used_ips"]) == (13, 2)
    await network.get(path, 404)
    assert (await network.get("/network-ip-availabilities"))["network_ip_availabilities"] == []


async def test_a_topology_makes_itself(network: Client, room: Network) -> None:
    await network.get(f"/auto-allocated-topology/{DEMO}", 409)
    await seed(room, admin_project=ADMIN)
    path = "/auto-allocated-topology/null"
    assert (await network.get(path + "?fields=dry-run"))["auto_allocated_topology"]["id"] == "dry-run=pass"
    made = (await network.get(path))["auto_allocated_topology"]
    assert (await network.get(path))["auto_allocated_topology"] == made
    assert len((await network.get(f"/subnets?network_id={made['id']}"))["subnets"]) == 1
    await network.delete(path)
    assert (await network.get(f"/routers?project_id={DEMO}"))["routers"] == []
    await network.get(f"/networks/{made['id']}", 404)
    used = (await network.as_("admin").get(f"/quotas/{DEMO}/details"))["quota"]
    assert [used[name]["used"] for name in ("network", "subnet", "port", "router")] == [0, 0, 0, 0]


async def test_a_new_cloud_has_a_way_out(network: Client, room: Network) -> None:
    for _ in range(2):
        await seed(room, admin_project=ADMIN, demo_project=DEMO)
    assert sorted(n["name"] for n in (await network.get("/networks"))["networks"]) == ["private", "public"]
    (router,) = (await network.get("/routers"))["routers"]
    assert router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "172.24.4.2"
    assert [subnet["gateway_ip"] for subnet in (await network.get("/subnets?name=private-subnet"))["subnets"]] == [
        "10.0.0.1"
    ]
