"""Logs of what security groups do: whom they concern, what nodes are told, and when they end."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import LogSpec, PortSpec
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World, server
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


@pytest.fixture
def manager(network: Client) -> Client:
    return network.as_("manager")


async def made(manager: Client, status: int = 201, **wish: Any) -> dict[str, Any]:
    answer = await manager.post("/log/logs", {"log": {"resource_type": "security_group", **wish}}, status)
    found: dict[str, Any] = answer["log"] if status == 201 else answer["NeutronError"]
    return found


def told(fleet: FakeFleet, port: str) -> list[tuple[str, str, str]]:
    spec = fleet.told("one", Kind.PORT)[port]
    assert isinstance(spec, PortSpec)
    return [(log.id, log.event, log.group) for log in spec.logs]


async def test_ports_of_the_project_are_told_about(
    network: Client, manager: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    net = await make.network()
    await make.subnet(net)
    one, two = await server(world, net, "a", "one"), await server(world, net, "b", "one")
    group = await make.one("security_group", "/security-groups", name="g")
    await network.put(f"/ports/{two}", {"port": {"security_groups": [group["id"]]}})
    every = await made(manager, name="all")
    assert (every["event"], every["enabled"], every["resource_id"], every["target_id"]) == ("ALL", True, None, None)
    drops = await made(manager, event="DROP", resource_id=group["id"])
    only = await made(manager, event="ACCEPT", target_id=one)
    await world.obey()
    assert sorted(told(fleet, one)) == sorted([(every["id"], "ALL", ""), (only["id"], "ACCEPT", "")])
    assert sorted(told(fleet, two)) == sorted([(every["id"], "ALL", ""), (drops["id"], "DROP", group["id"])])
    assert fleet.told("one", Kind.PORT)[one].logs[0] == LogSpec(  # type: ignore[attr-defined]
        id=told(fleet, one)[0][0], project_id=DEMO, event=told(fleet, one)[0][1]
    )
    path = f"/log/logs/{every['id']}"
    quiet = await manager.put(path, {"log": {"enabled": False, "description": "later"}})
    assert (quiet["log"]["enabled"], quiet["log"]["description"]) == (False, "later")
    await manager.put(path, {"log": {"event": "DROP"}}, 400)
    await world.obey()
    assert told(fleet, one) == [(only["id"], "ACCEPT", "")]
    await network.put(f"/ports/{two}", {"port": {"security_groups": []}})
    await network.delete(f"/security-groups/{group['id']}")
    await manager.get(f"/log/logs/{drops['id']}", 404)
    await world.door.unplug("a", one)
    await manager.get(f"/log/logs/{only['id']}", 404)
    await manager.delete(path)
    assert (await manager.get("/log/logs"))["logs"] == []
    assert (await manager.get("/log/loggable-resources")) == {"loggable_resources": [{"type": "security_group"}]}


async def test_only_what_one_sees_and_what_belongs_together(network: Client, manager: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    port = await make.port(net)
    group = await make.one("security_group", "/security-groups", name="g")
    nowhere = "11111111-1111-4111-8111-111111111111"
    assert (await made(manager, 400, resource_type="router"))["type"] == "InvalidLogResourceType"
    assert (await made(manager, 404, resource_id=nowhere))["type"] == "ResourceNotFound"
    assert (await made(manager, 404, target_id=nowhere))["type"] == "TargetResourceNotFound"
    apart = await made(manager, 400, resource_id=group["id"], target_id=port["id"])
    assert apart["type"] == "InvalidResourceConstraint"
    foreign = await Maker(network.as_("stranger")).one("security_group", "/security-groups", name="g")
    assert (await made(manager, 404, resource_id=foreign["id"]))["type"] == "ResourceNotFound"
    wish = {"log": {"resource_type": "security_group"}}
    await network.post("/log/logs", wish, 403)
    await network.get("/log/loggable-resources", 403)
