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
