"""Rules that promise bandwidth and packets, and what a port with them asks of its node."""

from __future__ import annotations

from tests.api.network.conftest import Maker
from tests.support.client import Client

RULES = {"minimum_bandwidth": "min_kbps", "minimum_packet_rate": "min_kpps"}


async def promise(client: Client, policy: str, kind: str, rate: int, direction: str, status: int = 201) -> dict:  # type: ignore[type-arg]
    body = {f"{kind}_rule": {RULES[kind]: rate, "direction": direction}}
    made = await client.post(f"/qos/policies/{policy}/{kind}_rules", body, status)
    return made.get(f"{kind}_rule", {})  # type: ignore[no-any-return]


async def test_guarantees_are_made_changed_and_deleted(network: Client) -> None:
    manager = network.as_("manager")
    policy = (await Maker(manager).one("policy", "/qos/policies", name="sure"))["id"]
    path = f"/qos/policies/{policy}/minimum_bandwidth_rules"
    rule = (await manager.post(path, {"minimum_bandwidth_rule": {"min_kbps": 7}}))["minimum_bandwidth_rule"]
    assert {name: rule[name] for name in ("min_kbps", "direction")} == {"min_kbps": 7, "direction": "egress"}
    await manager.post(path, {"minimum_bandwidth_rule": {"min_kbps": 8}}, 409)
    await manager.post(path, {"minimum_bandwidth_rule": {"min_kbps": 8, "direction": "any"}}, 400)
    await manager.post(path, {"minimum_bandwidth_rule": {"direction": "ingress"}}, 400)
    await network.post(path, {"minimum_bandwidth_rule": {"min_kbps": 8, "direction": "ingress"}}, 403)
    await promise(manager, policy, "minimum_bandwidth", 9, "ingress")
    assert len((await network.get(path))["minimum_bandwidth_rules"]) == 2
    changed = await manager.put(f"{path}/{rule['id']}", {"minimum_bandwidth_rule": {"min_kbps": 8}})
    assert changed["minimum_bandwidth_rule"]["min_kbps"] == 8
    alias = f"/qos/alias-minimum-bandwidth-rules/{rule['id']}"
    assert (await network.get(alias))["alias_minimum_bandwidth_rule"]["min_kbps"] == 8
    await manager.put(alias, {"alias_minimum_bandwidth_rule": {"min_kbps": 5}})
    shown = (await network.get(f"/qos/policies/{policy}"))["policy"]["rules"]
    assert sorted((r["type"], r["direction"], r["min_kbps"]) for r in shown) == [
        ("minimum_bandwidth", "egress", 5),
        ("minimum_bandwidth", "ingress", 9),
    ]
    await manager.delete(alias)
    await network.get(alias, 404)
    details = await network.as_("admin").get("/qos/rule-types/minimum_packet_rate")
    assert details["rule_type"]["drivers"][0]["supported_parameters"][-1] == {
        "parameter_name": "direction",
        "parameter_type": "choices",
        "parameter_values": ["ingress", "egress", "any"],
    }
    types = {kind["type"] for kind in (await network.get("/qos/rule-types"))["rule_types"]}
    assert types >= set(RULES)


async def test_packets_are_promised_together_or_by_direction(network: Client) -> None:
    manager = network.as_("manager")
    policy = (await Maker(manager).one("policy", "/qos/policies", name="sure"))["id"]
    both = await promise(manager, policy, "minimum_packet_rate", 3, "any")
    await promise(manager, policy, "minimum_packet_rate", 3, "egress", 409)
    path = f"/qos/policies/{policy}/minimum-packet-rate-rules/{both['id']}"
    changed = await manager.put(path, {"minimum_packet_rate_rule": {"direction": "ingress"}})
    assert changed["minimum_packet_rate_rule"]["direction"] == "ingress"
    await promise(manager, policy, "minimum_packet_rate", 3, "egress")
    await manager.put(path, {"minimum_packet_rate_rule": {"direction": "any"}}, 409)
    alias = f"/qos/alias-minimum-packet-rate-rules/{both['id']}"
    assert (await network.get(alias))["alias_minimum_packet_rate_rule"]["min_kpps"] == 3


async def test_nobody_is_promised_more_than_he_may_have(network: Client) -> None:
    manager = network.as_("manager")
    policy = (await Maker(manager).one("policy", "/qos/policies", name="sure"))["id"]
    limits = f"/qos/policies/{policy}/bandwidth_limit_rules"
    limit = (await manager.post(limits, {"bandwidth_limit_rule": {"max_kbps": 100}}))["bandwidth_limit_rule"]
    await promise(manager, policy, "minimum_bandwidth", 101, "egress", 409)
    await promise(manager, policy, "minimum_bandwidth", 101, "ingress")
    await promise(manager, policy, "minimum_bandwidth", 100, "egress")
    refused = await manager.put(f"{limits}/{limit['id']}", {"bandwidth_limit_rule": {"max_kbps": 99}}, 409)
    assert refused["NeutronError"]["type"] == "QoSRuleParameterConflict"


async def test_a_port_asks_for_what_its_policy_promises(network: Client) -> None:
    manager, admin = network.as_("manager"), network.as_("admin")
    policy = (await Maker(manager).one("policy", "/qos/policies", name="sure", shared=False))["id"]
    await promise(manager, policy, "minimum_bandwidth", 5, "egress")
    wire = {"provider:network_type": "vlan", "provider:physical_network": "public"}
    net = await Maker(admin).network(shared=True, **wire)
    make = Maker(network)
    port = await make.port(net, qos_policy_id=policy)
    assert "resource_request" not in port, "what nodes have is the operator's business"

    async def asked(port_id: str) -> dict | None:  # type: ignore[type-arg]
        return (await admin.get(f"/ports/{port_id}"))["port"]["resource_request"]  # type: ignore[no-any-return]

    found = await asked(port["id"])
    assert found is not None
    (group,) = found["request_groups"]
    assert (group["resources"], sorted(group["required"])) == (
        {"NET_BW_EGR_KILOBIT_PER_SEC": 5},
        ["CUSTOM_PHYSNET_PUBLIC", "CUSTOM_VNIC_TYPE_NORMAL"],
    )
    assert found["same_subtree"] == [group["id"]]
    await promise(manager, policy, "minimum_packet_rate", 3, "any")
    found = await asked(port["id"])
    assert found is not None
    bandwidth, packets = found["request_groups"]
    assert (bandwidth, packets["resources"]) == (group, {"NET_PACKET_RATE_KILOPACKET_PER_SEC": 3})
    await network.put(f"/ports/{port['id']}", {"port": {"qos_policy_id": None}})
    assert await asked(port["id"]) is None
    await admin.put(f"/networks/{net['id']}", {"network": {"qos_policy_id": policy}})
    assert await asked(port["id"]) is not None, "its network's policy holds for it"
    await admin.put(f"/networks/{net['id']}", {"network": {"qos_policy_id": None}})
    assert await asked(port["id"]) is None
    tunnel = await make.port(await make.network(), qos_policy_id=policy)
    found = await asked(tunnel["id"])
    assert found is not None
    assert "CUSTOM_NETWORK_TUNNEL_PROVIDER" in found["request_groups"][0]["required"]
