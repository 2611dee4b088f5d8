"""Guests that are reached from outside at their own IPv6 addresses, and what must hold for that."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import RouterSpec
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet

pytestmark = pytest.mark.db


@pytest.fixture
async def pool(network: Client) -> dict[str, Any]:
    """A pool of an address scope that everybody may use."""
    admin = Maker(network.as_("admin"))
    scope = await admin.one("address_scope", "/address-scopes", name="world", ip_version=6, shared=True)
    return await admin.one(
        "subnetpool",
        "/subnetpools",
        name="world",
        prefixes=["2001:db8::/48"],
        default_prefixlen=64,
        shared=True,
        address_scope_id=scope["id"],
    )


@pytest.fixture
async def outside(network: Client, pool: dict[str, Any]) -> dict[str, Any]:
    admin = Maker(network.as_("admin"))
    wish = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "public"}
    net = await admin.network(name="public", **wish)
    await admin.one("subnet", "/subnets", network_id=net["id"], subnetpool_id=pool["id"], ip_version=6)
    return net


async def inside(
    network: Client, make: Maker, pool: dict[str, Any], router: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(network, subnet) behind the router, of the same scope as outside."""
    net = await make.network()
    subnet = await make.one("subnet", "/subnets", network_id=net["id"], subnetpool_id=pool["id"], ip_version=6)
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return net, subnet


async def refused(network: Client, router: dict[str, Any], port: dict[str, Any], status: int, **more: Any) -> str:
    wish = {"ndp_proxy": {"router_id": router["id"], "port_id": port["id"], **more}}
    refusal: str = (await network.post("/ndp-proxies", wish, status))["NeutronError"]["type"]
    return refusal


async def test_a_proxy_lives_and_its_router_is_told(
    network: Client, make: Maker, pool: dict[str, Any], outside: dict[str, Any], room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    gateway = {"network_id": outside["id"]}
    router = await make.one("router", "/routers", external_gateway_info=gateway, enable_ndp_proxy=True)
    assert router["enable_ndp_proxy"] is True
    net, subnet = await inside(network, make, pool, router)
    port = await make.port(net)
    address = port["fixed_ips"][0]["ip_address"]
    proxy = await make.one("ndp_proxy", "/ndp_proxies", name="n", router_id=router["id"], port_id=port["id"])
    assert (proxy["ip_address"], proxy["description"], proxy["revision_number"]) == (address, "", 1)
    path = f"/ndp_proxies/{proxy['id']}"
    assert (await network.put(path, {"ndp_proxy": {"description": "mine"}}))["ndp_proxy"]["description"] == "mine"
    assert (await network.get(f"/ndp-proxies/{proxy['id']}"))["ndp_proxy"]["revision_number"] == 2
    assert len((await network.get(f"/ndp_proxies?port_id={port['id']}"))["ndp_proxies"]) == 1
    assert (await network.as_("stranger").get("/ndp_proxies"))["ndp_proxies"] == []
    assert await told(world, fleet, router) == (address,)

    at = f"/routers/{router['id']}"
    held = await network.put(at, {"router": {"external_gateway_info": None}}, 409)
    assert held["NeutronError"]["type"] == "RouterGatewayInUseByNDPProxy"
    held = await network.put(f"{at}/remove_router_interface", {"subnet_id": subnet["id"]}, 409)
    assert held["NeutronError"]["type"] == "RouterInterfaceInUseByNDPProxy"
    await network.put(f"/ports/{port['id']}", {"port": {"fixed_ips": [{"subnet_id": subnet["id"]}]}})
    await network.get(path)  # it kept the address
    other = {"subnet_id": subnet["id"], "ip_address": f"{subnet['cidr'].partition('/')[0]}99"}
    await network.put(f"/ports/{port['id']}", {"port": {"fixed_ips": [other]}})
    await network.get(path, 404)
    assert await told(world, fleet, router) == ()
    proxy = await make.one("ndp_proxy", "/ndp_proxies", router_id=router["id"], port_id=port["id"])
    await network.delete(f"/ports/{port['id']}")
    await network.get(f"/ndp_proxies/{proxy['id']}", 404)
    closed = (await network.put(at, {"router": {"external_gateway_info": None}}))["router"]
    assert closed["enable_ndp_proxy"] is False
    assert await told(world, fleet, router) is None


async def told(world: World, fleet: FakeFleet, router: dict[str, Any]) -> tuple[str, ...] | None:
    """What the node that runs the router was told last."""
    await world.settle()
    (spec,) = [spec for node in ("one", "two") for spec in fleet.told(node, Kind.ROUTER).values()]
    assert isinstance(spec, RouterSpec)
    assert spec.id == router["id"]
    return spec.proxied


async def test_it_needs_a_gateway_into_the_scope(
    network: Client, make: Maker, pool: dict[str, Any], outside: dict[str, Any]
) -> None:
    bare = await Maker(network.as_("admin")).network(**{"router:external": True})
    await Maker(network.as_("admin")).subnet(bare, "2001:db8:ffff::/64", enable_dhcp=False)
    for gateway in (None, {"network_id": bare["id"]}):
        wish = {"enable_ndp_proxy": True, "external_gateway_info": gateway}
        refusal = await network.post("/routers", {"router": wish}, 409)
        assert refusal["NeutronError"]["type"] == "RouterGatewayNotValid"
    router = await make.one("router", "/routers")
    path = f"/routers/{router['id']}"
    await network.put(path, {"router": {"enable_ndp_proxy": True}}, 409)
    good = {"enable_ndp_proxy": True, "external_gateway_info": {"network_id": outside["id"]}}
    assert (await network.put(path, {"router": good}))["router"]["enable_ndp_proxy"] is True
    both = {"enable_ndp_proxy": True, "external_gateway_info": {}}
    await network.put(path, {"router": both}, 409)
    moved = {"external_gateway_info": {"network_id": bare["id"]}}
    await network.put(path, {"router": moved}, 409)


async def test_only_guests_behind_the_router_and_of_its_scope(
    network: Client, make: Maker, pool: dict[str, Any], outside: dict[str, Any]
) -> None:
    router = await make.one("router", "/routers", external_gateway_info={"network_id": outside["id"]})
    net, _ = await inside(network, make, pool, router)
    port = await make.port(net)
    assert await refused(network, router, port, 409) == "RouterNDPProxyNotEnable"
    await network.put(f"/routers/{router['id']}", {"router": {"enable_ndp_proxy": True}})
    assert await refused(network, router, port, 400, ip_address="2001:db8::77") == "InvalidAddress"
    elsewhere = await make.network()
    await make.subnet(elsewhere)
    assert await refused(network, router, await make.port(elsewhere), 409) == "PortUnreachableRouter"
    foreign = await make.network()
    subnet = await make.subnet(foreign, "2001:db8:1::/64")
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    assert await refused(network, router, await make.port(foreign), 409) == "AddressScopeConflict"
    stranger = network.as_("stranger")
    assert await refused(stranger, router, port, 404) == "RouterNotFound"
