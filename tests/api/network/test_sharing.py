"""Who sees and uses what belongs to another project."""

from __future__ import annotations

import pytest

from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.personas import ALT, DEMO

pytestmark = pytest.mark.db


async def test_a_network_shared_with_one_project(network: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    stranger = network.as_("stranger")
    await stranger.get(f"/networks/{net['id']}", 404)
    body = {"object_type": "network", "object_id": net["id"], "action": "access_as_shared", "target_tenant": ALT}
    share = await make.one("rbac_policy", "/rbac-policies", **body)
    assert (await network.post("/rbac-policies", {"rbac_policy": body}, 409))["NeutronError"]["type"]
    seen = (await stranger.get(f"/networks/{net['id']}"))["network"]
    assert (seen["shared"], seen["project_id"]) == (True, DEMO)
    assert len((await stranger.get("/subnets"))["subnets"]) == 1
    await stranger.put(f"/networks/{net['id']}", {"network": {"name": "mine"}}, 403)
    await stranger.delete(f"/networks/{net['id']}", 403)
    port = await Maker(stranger).port(net)
    denied = {"port": {"network_id": net["id"], "fixed_ips": [{"ip_address": "10.0.0.9"}]}}
    await stranger.post("/ports", denied, 403)
    assert (await network.get(f"/ports/{port['id']}"))["port"]["project_id"] == ALT
    assert (await network.delete(f"/rbac-policies/{share['id']}", 409))["NeutronError"]["type"] == "RbacPolicyInUse"
    await stranger.delete(f"/ports/{port['id']}")
    await network.delete(f"/rbac-policies/{share['id']}")
    await stranger.get(f"/networks/{net['id']}", 404)


async def test_everybody_is_for_administrators_to_say(network: Client, make: Maker) -> None:
    net = await make.network()
    body = {"object_type": "network", "object_id": net["id"], "action": "access_as_shared", "target_tenant": "*"}
    await network.post("/rbac-policies", {"rbac_policy": body}, 403)
    await network.post("/networks", {"network": {"shared": True}}, 403)
    await network.put(f"/networks/{net['id']}", {"network": {"router:external": True}}, 403)
    admin = network.as_("admin")
    await admin.put(f"/networks/{net['id']}", {"network": {"shared": True}})
    assert [n["shared"] for n in (await network.as_("stranger").get("/networks?shared=true"))["networks"]] == [True]
    await admin.put(f"/networks/{net['id']}", {"network": {"shared": False}})
    assert (await network.as_("stranger").get("/networks"))["networks"] == []


async def test_a_port_is_seen_by_its_network_s_owner_and_its_own(network: Client, make: Maker) -> None:
    net = await make.network()
    port = await make.port(net)
    for persona, status in (("admin", 200), ("reader", 200), ("stranger", 404), ("nobody", 404)):
        await network.as_(persona).get(f"/ports/{port['id']}", status)
    assert (await network.as_("nobody").get("/ports"))["ports"] == []
    shown = (await network.get(f"/ports/{port['id']}"))["port"]
    assert "binding:host_id" not in shown
    assert "binding:host_id" in (await network.as_("admin").get(f"/ports/{port['id']}"))["port"]


async def test_groups_and_pools_are_shared_by_id(network: Client, make: Maker) -> None:
    group = await make.one("security_group", "/security-groups", name="web")
    stranger = network.as_("stranger")
    await stranger.get(f"/security-groups/{group['id']}", 404)
    share = {"object_type": "security_group", "object_id": group["id"], "action": "access_as_shared"}
    made = await make.one("rbac_policy", "/rbac-policies", **share, target_tenant=ALT)
    assert (await stranger.get(f"/security-groups/{group['id']}"))["security_group"]["shared"] is True
    theirs = Maker(stranger)
    port = await theirs.port(await theirs.network(), security_groups=[group["id"]])
    await network.delete(f"/rbac-policies/{made['id']}", 409)
    await stranger.delete(f"/ports/{port['id']}")
    await network.delete(f"/rbac-policies/{made['id']}")


async def test_a_way_out_is_for_those_it_was_opened_to(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    outside = await Maker(admin).network()
    share = {"object_type": "network", "object_id": outside["id"], "action": "access_as_external"}
    await admin.post("/rbac-policies", {"rbac_policy": share | {"target_tenant": "somebody"}})
    await Maker(admin).subnet(outside, "198.51.100.0/24", enable_dhcp=False)
    floating = {"floatingip": {"floating_network_id": outside["id"]}}
    router = {"router": {"external_gateway_info": {"network_id": outside["id"]}}}
    for path, body in (("/floatingips", floating), ("/routers", router)):
        await network.post(path, body, 404)
    await admin.post("/rbac-policies", {"rbac_policy": share | {"target_tenant": DEMO}})
    await network.post("/floatingips", floating)
    await network.post("/routers", router)


async def test_what_others_put_in_force_stays(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    policy = await Maker(admin).one("policy", "/qos/policies", name="theirs")
    net = await make.network()
    port = await make.port(net)
    for path, one in ((f"/networks/{net['id']}", "network"), (f"/ports/{port['id']}", "port")):
        await admin.put(path, {one: {"qos_policy_id": policy["id"]}})
        refused = await network.put(path, {one: {"qos_policy_id": None}}, 403)
        assert refused["NeutronError"]["type"] == "PolicyRemoveAuthorizationError"
    await admin.put(f"/qos/policies/{policy['id']}", {"policy": {"shared": True}})
    changed = await network.put(f"/networks/{net['id']}", {"network": {"qos_policy_id": None}})
    assert changed["network"]["qos_policy_id"] is None


async def test_an_address_group_in_use_stays_shared(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    group = await Maker(admin).one("address_group", "/address-groups", name="g", addresses=["10.0.0.0/8"])
    share = {"object_type": "address_group", "object_id": group["id"], "action": "access_as_shared"}
    policy = (await admin.post("/rbac-policies", {"rbac_policy": share | {"target_tenant": DEMO}}))["rbac_policy"]
    own = await make.one("security_group", "/security-groups", name="s")
    rule = {"security_group_id": own["id"], "direction": "ingress", "remote_address_group_id": group["id"]}
    made = (await network.post("/security-group-rules", {"security_group_rule": rule}))["security_group_rule"]
    await admin.delete(f"/rbac-policies/{policy['id']}", 409)
    await network.delete(f"/security-group-rules/{made['id']}")
    await admin.delete(f"/rbac-policies/{policy['id']}")


async def test_frames_must_be_large_enough_for_their_subnets(network: Client, make: Maker) -> None:
    for mtu, cidr in ((67, "10.0.0.0/24"), (1279, "2001:db8::/64")):
        net = await make.network(mtu=mtu)
        body = {"network_id": net["id"], "cidr": cidr, "ip_version": 6 if ":" in cidr else 4}
        refused = await network.post("/subnets", {"subnet": body}, 409)
        assert refused["NeutronError"]["type"] == "NetworkMTUSubnetConflict"
        await network.put(f"/networks/{net['id']}", {"network": {"mtu": 1400}})
        await network.post("/subnets", {"subnet": body})
        await network.put(f"/networks/{net['id']}", {"network": {"mtu": mtu}}, 409)


async def test_everything_that_can_be_shared_is(network: Client, make: Maker) -> None:
    scope = await make.one("address_scope", "/address-scopes", name="s", ip_version=4)
    prefixes = {"prefixes": ["10.9.0.0/16"], "default_prefixlen": 24, "address_scope_id": scope["id"]}
    pool = await make.one("subnetpool", "/subnetpools", name="p", **prefixes)
    own = {
        "subnetpool": pool,
        "address_scope": scope,
        "network": await make.network(),
        "security_group": await make.one("security_group", "/security-groups", name="g"),
        "address_group": await make.one("address_group", "/address-groups", name="g"),
        "qos_policy": await Maker(network.as_("manager")).one("policy", "/qos/policies", name="q"),
    }

    async def share(kind: str, status: int) -> None:
        body = {"object_type": kind, "object_id": own[kind]["id"], "action": "access_as_shared", "target_tenant": ALT}
        await network.post("/rbac-policies", {"rbac_policy": body}, status)

    # Its scope must be shared before it.
    await share("subnetpool", 400)
    for kind in ("address_scope", "subnetpool", "network", "security_group", "address_group", "qos_policy"):
        await share(kind, 201)
    stranger = network.as_("stranger")
    assert (await stranger.get(f"/subnetpools/{pool['id']}"))["subnetpool"]["shared"] is True
    assert (await stranger.get(f"/address-scopes/{scope['id']}"))["address_scope"]["shared"] is True


async def test_shares_are_counted_while_they_are_there(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    project = {"object_type": "network", "action": "access_as_shared"}

    async def used() -> int:
        quota = (await network.get(f"/quotas/{DEMO}/details.json"))["quota"]
        return int(quota["rbac_policy"]["used"])

    net = await make.network()
    body = {**project, "object_id": net["id"], "target_tenant": ALT}
    share = await make.one("rbac_policy", "/rbac-policies", **body)
    await admin.put(f"/networks/{net['id']}", {"network": {"shared": True}})
    assert await used() == 1
    everybody = [s for s in (await admin.get("/rbac-policies"))["rbac_policies"] if s["target_tenant"] == "*"]
    await admin.delete(f"/rbac-policies/{everybody[0]['id']}")
    assert await used() == 1
    await network.delete(f"/rbac-policies/{share['id']}")
    assert await used() == 0
    await make.one("rbac_policy", "/rbac-policies", **body)
    await network.delete(f"/networks/{net['id']}")
    assert await used() == 0


async def test_a_shared_policy_of_service_is_held_by_any_use(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    policy = (await admin.post("/qos/policies", {"policy": {"name": "p", "shared": True}}))["policy"]
    net = await make.network(qos_policy_id=policy["id"])
    path = f"/qos/policies/{policy['id']}"
    assert (await admin.put(path, {"policy": {"shared": False}}, 409))["NeutronError"]["type"] == "RbacPolicyInUse"
    (share,) = (await admin.get("/rbac-policies"))["rbac_policies"]
    await admin.put(f"/rbac-policies/{share['id']}", {"rbac_policy": {"target_tenant": DEMO}}, 409)
    await network.delete(f"/networks/{net['id']}")
    await admin.put(path, {"policy": {"shared": False}})
