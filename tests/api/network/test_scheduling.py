"""Agents that serve networks and routers, and what an administrator changes by hand."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World, server
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet

pytestmark = pytest.mark.db


async def agents(admin: Client, kind: str) -> dict[str, str]:
    """Host → id."""
    return {agent["host"]: agent["id"] for agent in (await admin.get(f"/agents?agent_type={kind}"))["agents"]}


async def ids(admin: Client, path: str, many: str) -> list[str]:
    return [one["id"] for one in (await admin.get(path))[many]]


async def test_dhcp_answers_everywhere_but_where_it_was_taken_away(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    one, two = (await agents(admin, "DHCP agent")).values()
    net = await make.network()
    assert await ids(admin, f"/networks/{net['id']}/dhcp-agents", "agents") == []
    await make.subnet(net)
    assert await ids(admin, f"/networks/{net['id']}/dhcp-agents", "agents") == [one, two]
    await server(world, net, "a", "one")
    await server(world, net, "b", "two")
    path = f"/agents/{one}/dhcp-networks"
    body = {"network_id": net["id"]}
    assert (await admin.post(path, body, 409))["NeutronError"]["type"] == "NetworkHostedByDHCPAgent"
    await admin.delete(f"{path}/{net['id']}")
    await world.obey()
    told: Any = [fleet.told(host, Kind.NETWORK)[net["id"]] for host in ("one", "two")]
    assert [spec.subnets[0].dhcp_address for spec in told] == ["", "10.0.0.2"]
    assert await ids(admin, path, "networks") == []
    assert await ids(admin, f"/networks/{net['id']}/dhcp-agents", "agents") == [two]
    assert (await admin.delete(f"{path}/{net['id']}", 409))["NeutronError"]["type"] == "NetworkNotHostedByDhcpAgent"
    await admin.post(path, body, 201)
    await world.obey()
    told = fleet.told("one", Kind.NETWORK)[net["id"]]
    assert told.subnets[0].dhcp_address == "10.0.0.2"
    for wrong in ({}, {"network_id": "x"}, {"network_id": net["id"], "more": 1}):
        await admin.post(path, wrong, 400)
    await network.get(path, 403)
    await network.delete(f"{path}/{net['id']}", 403)
    await network.get(f"/networks/{net['id']}/dhcp-agents", 403)
    l3 = (await agents(admin, "L3 agent"))["one"]
    assert (await admin.get(f"/agents/{l3}/dhcp-networks", 404))["NeutronError"]["type"] == "InvalidDHCPAgent"


async def test_a_node_carries_the_network_that_it_was_given(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    one, _ = (await agents(admin, "dhcp AGENT")).values()
    path, net = f"/agents/{one}/dhcp-networks", await make.network()
    await admin.delete(f"{path}/{net['id']}", 409)
    await admin.post(path, {"network_id": net["id"]}, 201)
    await admin.post(path, {"network_id": net["id"]}, 409)
    assert await ids(admin, path, "networks") == [net["id"]]
    assert await ids(admin, f"/networks/{net['id']}/dhcp-agents", "agents") == [one]
    await world.obey()
    assert set(fleet.told("one", Kind.NETWORK)) == {net["id"]}
    assert not fleet.told("two", Kind.NETWORK)
    await make.subnet(net)
    await server(world, net, "b", "two")
    await world.obey()
    told: Any = fleet.told("one", Kind.NETWORK)[net["id"]]
    assert told.subnets[0].dhcp_address == "10.0.0.2"
    await admin.delete(f"{path}/{net['id']}")
    await world.obey()
    assert not fleet.told("one", Kind.NETWORK)
    assert not fleet.told("one", Kind.PORT)
    assert await ids(admin, path, "networks") == []


async def test_dhcp_is_switched_off_with_its_port(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    net = await make.network()
    await make.subnet(net)
    await world.obey()
    (dhcp,) = (await network.get(f"/ports?network_id={net['id']}&device_owner=network:dhcp"))["ports"]
    assert dhcp["status"] == "ACTIVE"
    await server(world, net, "a", "one")
    await network.put(f"/ports/{dhcp['id']}", {"port": {"admin_state_up": False}})
    await world.obey()
    told: Any = fleet.told("one", Kind.NETWORK)[net["id"]]
    assert (told.subnets[0].dhcp, told.subnets[0].dhcp_address) == (False, "")
    assert (await network.get(f"/ports/{dhcp['id']}"))["port"]["status"] == "DOWN"


async def test_a_router_goes_where_it_is_sent(network: Client, make: Maker, room: Network, fleet: FakeFleet) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    l3 = await agents(admin, "L3 agent")
    router = await make.one("router", "/routers")
    path, body = f"/agents/{l3['two']}/l3-routers", {"router_id": router["id"]}
    await admin.post(path, body, 201)
    await world.obey()
    # Even without legs.
    assert set(fleet.told("two", Kind.ROUTER)) == {router["id"]}
    assert await ids(admin, f"/routers/{router['id']}/l3-agents", "agents") == [l3["two"]]
    assert await ids(admin, path, "routers") == [router["id"]]
    refused = (await admin.post(f"/agents/{l3['one']}/l3-routers", body, 409))["NeutronError"]
    assert refused["type"] == "RouterHostedByL3Agent"
    net = await make.network()
    subnet = await make.subnet(net)
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    await world.obey()
    assert set(fleet.told("two", Kind.ROUTER)) == {router["id"]}
    await admin.delete(f"{path}/{router['id']}")
    await world.obey()
    assert await runs_nowhere(admin, fleet, router)
    refused = (await admin.delete(f"{path}/{router['id']}", 409))["NeutronError"]
    assert refused["type"] == "RouterNotHostedByL3Agent"
    await admin.post(f"/agents/{l3['one']}/l3-routers", body, 201)
    await world.obey()
    assert set(fleet.told("one", Kind.ROUTER)) == {router["id"]}
    assert not fleet.told("two", Kind.ROUTER)
    leg = (await admin.get(f"/ports?device_id={router['id']}"))["ports"][0]
    assert (leg["binding:host_id"], leg["status"]) == ("one", "ACTIVE")
    await admin.put(f"/agents/{l3['one']}", {"agent": {"admin_state_up": False}})
    assert (await admin.post(f"/agents/{l3['one']}/l3-routers", body, 409))["NeutronError"]["type"] == "InvalidL3Agent"


async def runs_nowhere(admin: Client, fleet: FakeFleet, router: dict[str, Any]) -> bool:
    """Neither is it told to a node, nor shown on an agent, nor is a leg of it up."""
    legs = (await admin.get(f"/ports?device_id={router['id']}"))["ports"]
    assert not any(fleet.told(host, Kind.ROUTER) for host in ("one", "two"))
    assert await ids(admin, f"/routers/{router['id']}/l3-agents", "agents") == []
    return all((leg["binding:host_id"], leg["status"]) == ("", "DOWN") for leg in legs)


async def test_a_router_that_was_taken_away_rests_until_it_changes(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    l3 = await agents(admin, "L3 agent")
    router, net = await make.one("router", "/routers"), await make.network()
    subnet = await make.subnet(net)
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    await world.obey()
    (host,) = (name for name in ("one", "two") if fleet.told(name, Kind.ROUTER))
    await admin.delete(f"/agents/{l3[host]}/l3-routers/{router['id']}")
    await world.obey()
    await world.settle(lose_wakes=True)
    assert await runs_nowhere(admin, fleet, router)
    # Nodes come and go; it has been told to nobody.
    other = {"one": "two", "two": "one"}[host]
    fleet.kill(other)
    await world.settle()
    fleet.revive(other)
    await world.obey()
    await world.settle(lose_wakes=True)
    assert await runs_nowhere(admin, fleet, router)
    # Its owner changes it: it is sought another node, and does not come back when that one dies.
    await network.put(f"/routers/{router['id']}", {"router": {"name": "on"}})
    await world.obey()
    assert set(fleet.told(other, Kind.ROUTER)) == {router["id"]}
    assert not fleet.told(host, Kind.ROUTER)
    fleet.kill(other)
    await world.settle()
    assert not fleet.told(host, Kind.ROUTER)


async def test_a_router_runs_where_there_is_a_wire_to_the_outside(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    l3 = await agents(admin, "L3 agent")
    flat = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
    outside = await Maker(admin).network(**flat)
    await Maker(admin).subnet(outside, "203.0.113.0/24")
    router, net = await make.one("router", "/routers"), await make.network()
    subnet = await make.subnet(net)
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    gateway = {"router": {"external_gateway_info": {"network_id": outside["id"]}}}
    await network.put(f"/routers/{router['id']}", gateway)
    await world.obey()
    (before,) = (name for name in ("one", "two") if fleet.told(name, Kind.ROUTER))
    wired = {"one": "two", "two": "one"}[before]
    # Where nobody has a wire, each node is as good. It goes where there is one.
    fleet.join(wired, physical_networks=("public",))
    await world.watch(before, wired)
    assert set(fleet.told(wired, Kind.ROUTER)) == {router["id"]}
    assert not fleet.told(before, Kind.ROUTER)
    await admin.delete(f"/agents/{l3[wired]}/l3-routers/{router['id']}")
    body = {"router_id": router["id"]}
    refused = await admin.post(f"/agents/{l3[before]}/l3-routers", body, 409)
    assert refused["NeutronError"]["type"] == "InvalidL3Agent"
    assert f"its host {before} has no wire" in refused["NeutronError"]["message"]
    await admin.post(f"/agents/{l3[wired]}/l3-routers", body, 201)
    await world.obey()
    # Guests behind it still reach each other when the only such node dies.
    fleet.kill(wired)
    await world.watch(wired)
    assert set(fleet.told(before, Kind.ROUTER)) == {router["id"]}
    fleet.revive(wired)
    await world.watch(wired)
    assert set(fleet.told(wired, Kind.ROUTER)) == {router["id"]}


async def test_an_agent_that_was_deleted_is_back_when_its_node_speaks(network: Client, fleet: FakeFleet) -> None:
    admin = network.as_("admin")
    l3 = await agents(admin, "L3 agent")
    fleet.kill("one")
    await network.delete(f"/agents/{l3['one']}", 404)
    await admin.delete(f"/agents/{l3['one']}")
    await admin.get(f"/agents/{l3['one']}", 404)
    assert set(await agents(admin, "L3 agent")) == {"two"}
    assert set(await agents(admin, "DHCP agent")) == {"one", "two"}
    fleet.hear("one")
    assert set(await agents(admin, "L3 agent")) == {"one", "two"}
