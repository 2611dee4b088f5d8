"""Networks of several segments: which one a node carries, and where their subnets' addresses are of use."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import NetworkSpec, NetworkType
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World, server
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db
WIRES = ("left", "right")


@pytest.fixture
def admin(network: Client) -> Client:
    return network.as_("admin")


@pytest.fixture
async def world(room: Network, fleet: FakeFleet) -> World:
    """Two nodes, each on a wire of its own, and one on none of both."""
    room.physical_networks = ("public", *WIRES)
    world = World(room, fleet)
    for name, wire in (("one", "left"), ("two", "right"), ("three", "public")):
        fleet.join(name, physical_networks=(wire,))
    await world.settle()
    return world


def vlan(wire: str, number: int | None = None) -> dict[str, Any]:
    number_of = {"provider:segmentation_id": number} if number else {}
    return {"provider:network_type": "vlan", "provider:physical_network": wire, **number_of}


async def campus(admin: Client) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A network with a segment on each wire, by wire."""
    wish = {"segments": [vlan("left", 10), vlan("right", 20)], "project_id": DEMO, "name": "campus"}
    net = await Maker(admin).network(**wish)
    found = (await admin.get(f"/segments?network_id={net['id']}"))["segments"]
    return net, {segment["physical_network"]: segment for segment in found}


async def routed(admin: Client) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The same with a subnet for each."""
    net, has = await campus(admin)
    for wire, cidr in (("left", "10.1.0.0/24"), ("right", "10.2.0.0/24")):
        await Maker(admin).subnet(net, cidr, segment_id=has[wire]["id"], project_id=DEMO)
    return net, has


def told(fleet: FakeFleet, node: str, net: dict[str, Any]) -> NetworkSpec:
    spec = fleet.told(node, Kind.NETWORK)[net["id"]]
    assert isinstance(spec, NetworkSpec)
    return spec


async def addresses(network: Client, port: str) -> list[str]:
    return [one["ip_address"] for one in (await network.get(f"/ports/{port}"))["port"]["fixed_ips"]]


async def test_each_node_carries_the_segment_it_reaches(
    world: World, network: Client, admin: Client, fleet: FakeFleet
) -> None:
    net, has = await campus(admin)
    shown = (await admin.get(f"/networks/{net['id']}"))["network"]
    assert shown["segments"] == [vlan("left", 10), vlan("right", 20)]
    assert (shown["provider:network_type"], shown["provider:segmentation_id"]) == (None, None)
    assert "segments" not in (await network.get(f"/networks/{net['id']}"))["network"]
    await Maker(network).subnet(net)
    for name, host in (("a", "one"), ("b", "two")):
        await server(world, net, name, host)
    await world.obey()
    left, right = told(fleet, "one", net), told(fleet, "two", net)
    assert (left.type, left.physical_network, left.segmentation_id) == (NetworkType.VLAN, "left", 10)
    assert (right.type, right.physical_network, right.segmentation_id) == (NetworkType.VLAN, "right", 20)
    fleet.join("two", physical_networks=("left", "right"))
    await world.settle()
    assert told(fleet, "two", net).physical_network == "left"
    (agent,) = (await admin.get("/agents?host=two&agent_type=Linux bridge agent"))["agents"]
    assert agent["configurations"]["bridge_mappings"] == {"left": "br-left", "right": "br-right"}
    path = f"/segments/{has['left']['id']}"
    assert (await admin.delete(path, 409))["NeutronError"]["type"] == "SegmentInUse"
    await admin.delete(f"/segments/{has['right']['id']}")
    alone = (await admin.get(f"/networks/{net['id']}"))["network"]
    assert (alone["segments"], alone["provider:physical_network"]) == (None, "left")
    assert (await admin.delete(path, 409))["NeutronError"]["type"] == "SegmentInUse"


async def test_a_segment_lives(world: World, network: Client, admin: Client, make: Maker) -> None:
    net = await make.network()
    (first,) = (await admin.get(f"/segments?network_id={net['id']}"))["segments"]
    assert (first["network_type"], first["physical_network"], first["name"]) == ("vxlan", None, "")
    wish = {"network_id": net["id"], "network_type": "vlan", "physical_network": "left", "name": "n"}
    made = await Maker(admin).one("segment", "/segments", **wish)
    assert 1 <= made["segmentation_id"] <= 4094
    path = f"/segments/{made['id']}"
    changed = (await admin.put(path, {"segment": {"name": "m", "description": "d"}}))["segment"]
    assert (changed["name"], changed["description"], changed["revision_number"]) == ("m", "d", 2)
    await admin.post("/segments", {"segment": wish | {"segmentation_id": made["segmentation_id"]}}, 409)
    await admin.post("/segments", {"segment": wish | {"physical_network": "nowhere"}}, 400)
    await network.get(path, 404)
    await network.post("/segments", {"segment": wish}, 403)
    assert (await network.get("/segments"))["segments"] == []
    both = {"network": {"segments": [vlan("left")], "provider:network_type": "vxlan"}}
    assert (await admin.post("/networks", both, 400))["NeutronError"]["type"] == "SegmentsSetInConjunctionWithProviders"
    await network.post("/networks", {"network": {"segments": [vlan("left")]}}, 403)
    await admin.delete(f"/networks/{net['id']}")
    await admin.get(path, 404)


async def test_guests_get_addresses_where_they_live(
    world: World, network: Client, admin: Client, fleet: FakeFleet
) -> None:
    net, _ = await routed(admin)
    assert (await network.get(f"/networks/{net['id']}"))["network"]["l2_adjacency"] is False
    waiting = await Maker(network).port(net)
    assert (waiting["fixed_ips"], waiting["ip_allocation"]) == ([], "deferred")
    bound = (await admin.put(f"/ports/{waiting['id']}", {"port": {"binding:host_id": "two"}}))["port"]
    assert ([one["ip_address"] for one in bound["fixed_ips"]], bound["ip_allocation"]) == (["10.2.0.3"], "immediate")
    moved = await admin.put(f"/ports/{waiting['id']}", {"port": {"binding:host_id": "one"}}, 409)
    assert moved["NeutronError"]["type"] == "HostNotCompatibleWithFixedIps"
    assert await addresses(network, await server(world, net, "a", "one")) == ["10.1.0.3"]
    await world.obey()
    assert [subnet.cidr for subnet in told(fleet, "one", net).subnets] == ["10.1.0.0/24"]
    assert [subnet.cidr for subnet in told(fleet, "two", net).subnets] == ["10.2.0.0/24"]
    nowhere = {"port": {"network_id": net["id"], "binding:host_id": "three"}}
    assert (await admin.post("/ports", nowhere, 409))["NeutronError"]["type"] == "HostNotConnectedToAnySegment"
    chosen = await Maker(network).port(net, fixed_ips=[{"ip_address": "10.1.0.77"}])
    await admin.put(f"/ports/{chosen['id']}", {"port": {"binding:host_id": "two"}}, 409)
    await admin.put(f"/ports/{chosen['id']}", {"port": {"binding:host_id": "one"}})
    assert await addresses(network, chosen["id"]) == ["10.1.0.77"]


async def test_subnets_all_belong_to_segments_or_none(world: World, admin: Client) -> None:
    net, has = await campus(admin)
    other, elsewhere = await campus_of_others(admin)
    make = Maker(admin)
    subnet = await make.subnet(net)
    wish = {"network_id": net["id"], "cidr": "10.9.0.0/24", "ip_version": 4}

    async def refused(segment: dict[str, Any], status: int = 400) -> str:
        answer = await admin.post("/subnets", {"subnet": wish | {"segment_id": segment["id"]}}, status)
        kind: str = answer["NeutronError"]["type"]
        return kind

    assert await refused(has["left"]) == "SubnetsNotAllAssociatedWithSegments"
    assert await refused(elsewhere) == "NetworkIdsDontMatch"
    path = f"/subnets/{subnet['id']}"
    held = (await admin.put(path, {"subnet": {"segment_id": has["left"]["id"]}}))["subnet"]
    assert held["segment_id"] == has["left"]["id"]
    again = await admin.put(path, {"subnet": {"segment_id": has["right"]["id"]}}, 400)
    assert again["NeutronError"]["type"] == "SubnetSegmentAssociationChangeNotAllowed"
    used = await admin.delete(f"/segments/{has['left']['id']}", 409)
    assert used["NeutronError"]["type"] == "SegmentInUse"
    assert other["id"] != net["id"]


async def campus_of_others(admin: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    net = await Maker(admin).network()
    return net, (await admin.get(f"/segments?network_id={net['id']}"))["segments"][0]
