"""Routers that several nodes hold: where they are ordered, whom their nodes say runs them, and how they end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import ElementFacts, RouterSpec
from cumulet.services.fleet.public import Held
from cumulet.services.network.room import Network
from cumulet.services.network.routers.standby import choose_nodes, runs_on
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World
from tests.api.network.test_scheduling import agents
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO
from tests.unit.network.test_router_placing import node

pytestmark = pytest.mark.db


async def shown(admin: Client, router: dict[str, Any]) -> dict[str, str]:
    """Host → what its agent is for the router."""
    found = (await admin.get(f"/routers/{router['id']}/l3-agents"))["agents"]
    return {agent["host"]: agent["ha_state"] for agent in found}


async def test_several_nodes_hold_it_and_say_who_runs_it(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    await network.post("/routers", {"router": {"ha": True}}, 403)
    net = await make.network()
    subnet = await make.subnet(net)
    router = await Maker(admin).one("router", "/routers", ha=True, project_id=DEMO)
    path = f"/routers/{router['id']}"
    assert router["ha"] is True
    assert "ha" not in (await network.get(path))["router"]
    await network.put(f"{path}/add_router_interface", {"subnet_id": subnet["id"]})
    await world.settle()
    told: Any = {name: fleet.told(name, Kind.ROUTER)[router["id"]] for name in ("one", "two")}
    assert [(spec.standby.number, spec.standby.priority) for spec in told.values()] == [(1, 100), (1, 90)]
    one, two = told["one"].standby, told["two"].standby
    assert (one.peers, two.peers) == (
        (two.leg.addresses[0].partition("/")[0],),
        (one.leg.addresses[0].partition("/")[0],),
    )
    assert isinstance(told["one"], RouterSpec)
    for name in ("one", "two"):
        assert set(fleet.told(name, Kind.NETWORK)) == {net["id"], one.leg.network_id}

    async def say(runs: str, lost: str = "") -> None:
        for name in {"one", "two"} - {lost}:
            facts = ElementFacts(id=router["id"], up=True, active=name == runs)
            fleet.report(name, Kind.ROUTER, router["id"], facts)
        await world.settle()
        fleet.report_all_but(Kind.ROUTER)
        await world.settle()

    await say("one")
    assert await shown(admin, router) == {"one": "active", "two": "standby"}
    leg = (await admin.get(f"/ports?device_id={router['id']}&device_owner=network:router_interface"))["ports"][0]
    assert (leg["binding:host_id"], leg["status"]) == ("one", "ACTIVE")
    # The others turn to another, and only then is it said to be elsewhere: a node that is unheard may well run it.
    fleet.kill("one")
    await world.settle()
    assert await shown(admin, router) == {"one": "active", "two": "standby"}
    await say("two", lost="one")
    assert await shown(admin, router) == {"one": "standby", "two": "active"}
    told = fleet.told("two", Kind.PORT)[leg["id"]]
    assert told.host == "two"
    assert set(fleet.told("one", Kind.ROUTER)) == {router["id"]}
    fleet.revive("one")
    await say("two")
    assert await shown(admin, router) == {"one": "standby", "two": "active"}


async def test_others_hold_it_while_the_only_node_with_a_wire_is_dead(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    flat = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
    outside = await Maker(admin).network(**flat)
    await Maker(admin).subnet(outside, "203.0.113.0/24")
    subnet = await make.subnet(await make.network())
    router = await Maker(admin).one("router", "/routers", ha=True, project_id=DEMO)
    path = f"/routers/{router['id']}"
    await network.put(f"{path}/add_router_interface", {"subnet_id": subnet["id"]})
    await network.put(path, {"router": {"external_gateway_info": {"network_id": outside["id"]}}})
    fleet.join("one", physical_networks=("public",))
    await world.watch("one", "two")
    assert set(await shown(admin, router)) == {"one"}
    fleet.kill("one")
    await world.watch("one")
    assert set(await shown(admin, router)) == {"one", "two"}
    assert set(fleet.told("two", Kind.ROUTER)) == {router["id"]}
    fleet.revive("one")
    await world.watch("one")
    assert set(await shown(admin, router)) == {"one"}
    assert not fleet.told("two", Kind.ROUTER)


async def test_it_is_made_and_ended_as_such_while_it_is_off(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    net = await make.network()
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers")
    path = f"/routers/{router['id']}"
    await network.put(f"{path}/add_router_interface", {"subnet_id": subnet["id"]})
    await world.obey()
    await admin.put(path, {"router": {"ha": True}}, 400)
    await network.put(path, {"router": {"admin_state_up": False}})
    await network.put(path, {"router": {"ha": True}}, 403)
    assert (await admin.put(path, {"router": {"ha": True}}))["router"]["ha"] is True
    await world.obey()
    assert all(fleet.told(name, Kind.ROUTER) for name in ("one", "two"))
    beside = (await admin.get("/networks?name=HA network tenant " + DEMO))["networks"]
    assert [n["project_id"] for n in beside] == [""]
    assert DEMO not in [n["project_id"] for n in (await network.get("/networks"))["networks"] if n["id"] != net["id"]]
    leg = (await admin.get(f"/ports?network_id={beside[0]['id']}"))["ports"][0]
    assert leg["device_owner"] == "network:router_ha_interface"
    await admin.delete(f"/ports/{leg['id']}", 409)
    l3 = await agents(admin, "L3 agent")
    body = {"router_id": router["id"]}
    assert (await admin.post(f"/agents/{l3['one']}/l3-routers", body, 409))["NeutronError"]["type"]
    await admin.delete(f"/agents/{l3['one']}/l3-routers/{router['id']}")
    await world.obey()
    assert set(await shown(admin, router)) == {"two"}
    await admin.post(f"/agents/{l3['one']}/l3-routers", body, 201)
    await world.obey()
    assert set(await shown(admin, router)) == {"one", "two"}
    await admin.put(path, {"router": {"ha": False}})
    await world.obey()
    assert sum(bool(fleet.told(name, Kind.ROUTER)) for name in ("one", "two")) == 1
    assert (await admin.get("/networks?name=HA network tenant " + DEMO))["networks"] == []
    await admin.put(path, {"router": {"ha": True}})
    await world.obey()
    await network.put(f"{path}/remove_router_interface", {"subnet_id": subnet["id"]})
    await network.delete(path)
    await world.settle(lose_wakes=True)
    assert not any(fleet.told(name, kind) for name in ("one", "two") for kind in (Kind.ROUTER, Kind.NETWORK))
    assert (await admin.get("/ports?device_owner=network:router_ha_interface"))["ports"] == []


def test_enough_living_nodes_hold_it_and_dead_ones_may_come_back() -> None:
    nodes = [node("a"), node("b", alive=False), node("c"), node("d", zone="west")]
    assert choose_nodes(nodes, {}, [], (), (), 2) == ["a", "c"]
    assert choose_nodes(nodes, {}, ["b", "c"], (), (), 2) == ["b", "c", "a"]
    assert choose_nodes(nodes, {}, ["a", "c"], (), ("a",), 2) == ["c", "d"]
    assert choose_nodes(nodes, {}, [], ("west",), (), 3) == ["d"]
    assert choose_nodes([], {}, ["gone"], (), (), 3) == []


@pytest.mark.parametrize(
    ("saying", "current", "alive", "found"),
    [
        ("", "", "ab", "a"),
        ("", "b", "ab", "b"),
        ("b", "a", "ab", "b"),
        ("ab", "a", "ab", "b"),
        ("ba", "b", "ab", "a"),
        ("ab", "a", "a", "a"),
        ("ba", "a", "b", "b"),
        ("a", "a", "b", "a"),
    ],
)
def test_who_runs_it(saying: str, current: str, alive: str, found: str) -> None:
    """`saying`: those that say that they run it, in the order in which they said so."""
    helds = [
        Held(
            name,
            "r",
            generation=1,
            gone=False,
            observed=1,
            sequence=saying.find(name) + 2,
            facts=msgspec.json.encode(ElementFacts(id="r", up=True, active=name in saying)),
        )
        for name in "ab"
    ]
    assert runs_on(["a", "b"], current, helds, set(alive)) == found
