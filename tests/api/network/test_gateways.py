"""Routers with several gateways."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet

pytestmark = pytest.mark.db


@pytest.fixture
async def ways(network: Client) -> list[dict[str, Any]]:
    """Two external networks."""
    make, found = Maker(network.as_("admin")), []
    for kind, cidr in (("flat", "198.51.100.0/24"), ("vxlan", "203.0.113.0/24")):
        wire = {"provider:physical_network": "public"} if kind == "flat" else {}
        net = await make.network(**{"router:external": True, "provider:network_type": kind}, **wire)
        await make.subnet(net, cidr, enable_dhcp=False)
        found.append(net)
    return found


def body(*gateways: dict[str, Any]) -> dict[str, Any]:
    return {"router": {"external_gateways": list(gateways)}}


async def test_gateways_come_change_and_go(
    network: Client, make: Maker, room: Network, fleet: FakeFleet, ways: list[dict[str, Any]]
) -> None:
    world, admin = World(room, fleet), network.as_("admin")
    one, two = ({"network_id": way["id"]} for way in ways)
    router = await make.one("router", "/routers", name="r")
    assert (router["external_gateways"], router["enable_default_route_ecmp"]) == ([], False)
    path = f"/routers/{router['id']}"
    after = (await network.put(path + "/add_external_gateways", body(one, two)))["router"]
    assert after["external_gateway_info"] == after["external_gateways"][0]
    assert [way["network_id"] for way in after["external_gateways"]] == [one["network_id"], two["network_id"]]
    await network.put(path, {"router": {"enable_default_route_ecmp": True}}, 403)
    await admin.put(path, {"router": {"enable_default_route_ecmp": True, "enable_default_route_bfd": True}})
    net = await make.network()
    subnet = await make.subnet(net)
    await network.put(path + "/add_router_interface", {"subnet_id": subnet["id"]})
    port = await make.port(net)
    fip = await make.one("floatingip", "/floatingips", floating_network_id=two["network_id"], port_id=port["id"])
    await world.obey()
    (told,) = [spec for host in ("one", "two") for spec in fleet.told(host, Kind.ROUTER).values()]
    further: Any = told.further[0]  # type: ignore[attr-defined]
    assert (further.next_hops, further.floating) == (("203.0.113.1",), (fip["floating_ip_address"],))
    assert (told.spread, told.watched) == (True, True)  # type: ignore[attr-defined]
    # What a floating IP needs stays; what it does not may go, and another becomes the first.
    refused = await network.put(path + "/remove_external_gateways", body(two), 409)
    assert refused["NeutronError"]["type"] == "RouterExternalGatewayInUseByFloatingIp"
    left = (await network.put(path + "/remove_external_gateways", body(one)))["router"]
    assert left["external_gateway_info"]["network_id"] == two["network_id"]
    assert len(left["external_gateways"]) == 1
    await network.put(path + "/remove_external_gateways", body(one), 400)
    again = (await network.put(path + "/update_external_gateways", body(one, two)))["router"]
    assert [way["network_id"] for way in again["external_gateways"]] == [one["network_id"], two["network_id"]]
    assert again["external_gateways"][1] == left["external_gateways"][0]
    await network.put(path + "/update_external_gateways", {"router": {"external_gateways": {}}}, 409)
    await network.delete(f"/floatingips/{fip['id']}")
    await network.put(path, {"router": {"external_gateway_info": {}}})
    assert (await network.get(path))["router"]["external_gateways"] == []
    await network.put(path + "/remove_router_interface", {"subnet_id": subnet["id"]})
    await network.delete(path)
    assert (await admin.get(f"/ports?device_id={router['id']}"))["ports"] == []


async def test_several_gateways_in_one_network(network: Client, make: Maker, ways: list[dict[str, Any]]) -> None:
    admin = network.as_("admin")
    router = await make.one("router", "/routers", external_gateway_info={"network_id": ways[0]["id"]})
    path, way = f"/routers/{router['id']}", {"network_id": ways[0]["id"]}
    (first,) = router["external_gateways"]
    more = (await network.put(path + "/add_external_gateways", body(way, way)))["router"]["external_gateways"]
    addresses = [gateway["external_fixed_ips"][0]["ip_address"] for gateway in more]
    assert addresses == ["198.51.100.2", "198.51.100.3", "198.51.100.4"]
    left = (await network.put(path + "/remove_external_gateways", body(more[2])))["router"]["external_gateways"]
    assert left == more[:2]
    changed = (await admin.put(path + "/update_external_gateways", body(first, more[2])))["router"]
    assert changed["external_gateways"] == [first, more[2]]
    await network.put(path + "/update_external_gateways", body({**way, "external_fixed_ips": []}), 403)
    await network.put(path + "/add_external_gateways", body(*[way] * 7), 400)
    await network.put(path + "/add_external_gateways", body({"network_id": (await make.network())["id"]}), 400)
    for wrong in ({}, {"router": {}}, body({}), {"router": {"external_gateways": 5}}, body({"network_id": "x"})):
        await network.put(path + "/add_external_gateways", wrong, 400)
    await network.as_("stranger").put(path + "/add_external_gateways", body(way), 404)
