"""Orders to the nodes follow the wish, status follows what they report; also after a lost wake-up or a dead node."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import ElementFacts, GroupSpec, Member, NetworkSpec, PortSpec, RouterSpec
from cumulet.core.reconcile import Again, Outcome, Reconciler
from cumulet.services.network.public import NetworkDoor, NicRequest
from cumulet.services.network.room import Network
from cumulet.services.network.service import reconcilers
from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db

MOST_ROUNDS = 50


class World:
    """Runs the reconcilers over what is unsettled until nothing is, and over what nodes reported."""

    def __init__(self, room: Network, fleet: FakeFleet) -> None:
        self.fleet = fleet
        self.door = NetworkDoor(room)
        self.reconcilers: list[Reconciler] = reconcilers(room)
        self._woken: set[tuple[str, str]] = set()
        for reconciler in self.reconcilers:
            room.bus.listen(reconciler.topic, lambda key, topic=reconciler.topic: self._woken.add((topic, key)))

    async def settle(self, *, lose_wakes: bool = False) -> None:
        if lose_wakes:
            self._woken.clear()
            for reconciler in self.reconcilers:
                self._woken |= {(reconciler.topic, key) for key in await reconciler.unsettled("", 500)}
        for _ in range(MOST_ROUNDS):
            if not self._woken:
                return
            now, self._woken = self._woken, set()
            for topic, key in sorted(now):
                for reconciler in self.reconcilers:
                    if reconciler.topic == topic and self._at_once(await reconciler.step(key)):
                        self._woken.add((topic, key))
        raise AssertionError(f"never settles: {self._woken}")

    @staticmethod
    def _at_once(outcome: Outcome) -> bool:
        return isinstance(outcome, Again) and outcome.after == 0

    async def watch(self, *nodes: str) -> None:
        """Nodes are looked at, and all that follows is done."""
        self._woken |= {("node", name) for name in nodes}
        await self.obey()

    async def obey(self) -> None:
        """Nodes do what they were told, and everything follows."""
        await self.settle()
        for _ in range(5):
            self.fleet.report_all()
            await self.settle()


@pytest.fixture
def world(room: Network, fleet: FakeFleet) -> World:
    return World(room, fleet)


async def server(world: World, net: dict[str, Any], name: str, host: str) -> str:
    nic = await world.door.plug(name, "", DEMO, NicRequest(network_id=net["id"]), key=name, hostname=name)
    await world.door.bind(nic.port_id, host)
    return nic.port_id


async def test_a_bound_port_brings_its_network_and_groups(world: World, network: Client, make: Maker) -> None:
    net = await make.network()
    subnet = await make.subnet(net)
    fleet = world.fleet
    await world.obey()
    assert not fleet.told("one", Kind.NETWORK)
    a = await server(world, net, "a", "one")
    await world.settle()
    told: Any = fleet.told("one", Kind.NETWORK)[net["id"]]
    assert isinstance(told, NetworkSpec)
    assert told.subnets[0].dhcp_address == "10.0.0.2"
    assert told.dhcp_mac
    assert (await world.door.nics("a"))[0].status == "BUILD" or not (await world.door.nics("a"))[0].up
    await world.obey()
    (nic,) = await world.door.nics("a")
    assert (nic.up, nic.status, nic.host) == (True, "ACTIVE", "one")
    dhcp = (await network.get("/ports?device_owner=network:dhcp"))["ports"][0]
    assert dhcp["status"] == "ACTIVE"
    b = await server(world, net, "b", "two")
    await world.obey()
    here: Any = fleet.told("one", Kind.PORT)
    assert set(here) == {a}
    assert here[a].addresses[0].subnet_id == subnet["id"]
    places: Any = fleet.said[Kind.NETWORK, net["id"]]
    assert set(places) == {a, b}
    assert isinstance(places[b], PortSpec)
    assert (places[b].host, places[b].tunnel_address, places[b].addresses) == ("two", "10.255.0.2", ())
    group: Any = next(iter(fleet.told("two", Kind.GROUP).values()))
    assert isinstance(group, GroupSpec)
    assert group.members == ()
    members = fleet.said[Kind.GROUP, group.id]
    assert members == {a: Member(cidrs=("10.0.0.3/32",)), b: Member(cidrs=("10.0.0.4/32",))}
    quiet = fleet.orders
    await world.settle(lose_wakes=True)
    assert fleet.orders == quiet
    await world.door.unplug("b", b)
    await world.settle(lose_wakes=True)
    assert not fleet.told("two", Kind.NETWORK)
    assert not fleet.told("two", Kind.PORT)
    assert not fleet.told("two", Kind.GROUP)
    assert set(fleet.told("one", Kind.PORT)) == {a}
    assert set(fleet.said[Kind.NETWORK, net["id"]]) == set(fleet.said[Kind.GROUP, group.id]) == {a}
    await world.door.unbind(a, "one")
    await world.obey()
    assert not fleet.told("one", Kind.PORT)
    assert not any(fleet.said.values())
    assert (await world.door.nics("a"))[0].status == "DOWN"


async def test_what_nodes_say_of_a_port_is_heard_though_the_wake_up_is_lost(world: World, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    port = await server(world, net, "a", "one")
    await world.settle()
    world.fleet.report("one", Kind.PORT, port)
    await world.settle(lose_wakes=True)
    assert (await world.door.nics("a"))[0].up
    # On a dead node nobody waits for it, until the node is back and says so by itself.
    world.fleet.kill("two")
    await server(world, net, "b", "two")
    await world.settle()
    ports = next(one for one in world.reconcilers if one.topic == Kind.PORT)
    assert await ports.unsettled("", 500) == []


async def test_a_port_whose_node_says_no_is_down(world: World, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    port = await server(world, net, "a", "one")
    await world.obey()
    heard: list[str] = []
    world.door._room.bus.listen("device", heard.append)
    world.fleet.report("one", Kind.PORT, port, ElementFacts(id=port, up=False))
    await world.settle()
    assert (await world.door.nics("a"))[0].status == "DOWN"
    assert heard == ["a"]


async def test_a_router_runs_on_one_living_node(world: World, network: Client, make: Maker) -> None:
    admin = Maker(network.as_("admin"))
    outside = await admin.network(**{"router:external": True})
    await admin.subnet(outside, "198.51.100.0/24", enable_dhcp=False)
    net = await make.network()
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers", external_gateway_info={"network_id": outside["id"]})
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    port = await server(world, net, "a", "two")
    floating = await make.one("floatingip", "/floatingips", floating_network_id=outside["id"], port_id=port)
    await world.obey()
    fleet = world.fleet
    told: Any = fleet.told("one", Kind.ROUTER)[router["id"]]
    assert isinstance(told, RouterSpec)
    assert told.next_hops == ("198.51.100.1",)
    assert told.gateway is not None
    assert told.gateway.addresses == ("198.51.100.2/24",)
    assert [i.addresses for i in told.interfaces] == [("10.0.0.1/24",)]
    assert [(f.floating, f.fixed) for f in told.floating] == [(floating["floating_ip_address"], "10.0.0.3")]
    assert set(fleet.told("one", Kind.NETWORK)) == {net["id"], outside["id"]}
    path = f"/floatingips/{floating['id']}"
    assert (await network.get(path))["floatingip"]["status"] == "ACTIVE"
    legs = (await network.get(f"/ports?device_id={router['id']}"))["ports"]
    assert [leg["status"] for leg in legs] == ["ACTIVE"]
    fleet.kill("one")
    await world.obey()
    assert set(fleet.told("two", Kind.ROUTER)) == {router["id"]}
    assert not fleet.told("one", Kind.ROUTER)
    assert not fleet.told("one", Kind.NETWORK)
    assert (await network.get(path))["floatingip"]["status"] == "ACTIVE"
    await network.put(path, {"floatingip": {"port_id": None}})
    await network.put(f"/routers/{router['id']}/remove_router_interface", {"subnet_id": subnet["id"]})
    await network.delete(f"/routers/{router['id']}")
    await world.settle(lose_wakes=True)
    assert not fleet.told("two", Kind.ROUTER)
    assert set(fleet.told("two", Kind.NETWORK)) == {net["id"]}


async def test_without_living_nodes_a_router_waits(world: World, network: Client, make: Maker) -> None:
    for name in ("one", "two"):
        world.fleet.kill(name)
    net = await make.network()
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers")
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    await world.settle()
    assert not world.fleet.told("one", Kind.ROUTER)
    world.fleet.revive("two")
    await world.obey()
    assert set(world.fleet.told("two", Kind.ROUTER)) == {router["id"]}
