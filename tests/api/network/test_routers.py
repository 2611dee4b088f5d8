"""Routers, their legs and routes, and floating IPs that lead through them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network.conftest import Maker
from tests.support.client import Client

pytestmark = pytest.mark.db


@pytest.fixture
async def outside(network: Client) -> dict[str, Any]:
    """An external network, made by the administrator."""
    make = Maker(network.as_("admin"))
    net = await make.network(
        name="public",
        **{"router:external": True, "provider:network_type": "flat", "provider:physical_network": "public"},
    )
    await make.subnet(net, "198.51.100.0/24", enable_dhcp=False)
    return net


async def routed(network: Client, make: Maker, outside: dict[str, Any]) -> tuple[dict, dict, dict]:
    """(router, network, subnet) with a way out."""
    net = await make.network(name="inner")
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers", name="r", external_gateway_info={"network_id": outside["id"]})
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return router, net, subnet


async def test_a_router_lives(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    router, net, subnet = await routed(network, make, outside)
    path = f"/routers/{router['id']}"
    gateway = router["external_gateway_info"]
    assert gateway["network_id"] == outside["id"]
    assert gateway["enable_snat"] is True
    assert gateway["external_fixed_ips"][0]["ip_address"] == "198.51.100.2"
    legs = (await network.get(f"/ports?device_id={router['id']}"))["ports"]
    assert [leg["fixed_ips"] for leg in legs] == [[{"subnet_id": subnet["id"], "ip_address": "10.0.0.1"}]]
    assert legs[0]["device_owner"] == "network:router_interface"
    assert (await network.delete(f"/ports/{legs[0]['id']}", 409))["NeutronError"]["type"] == "ServicePortInUse"
    assert (await network.delete(path, 409))["NeutronError"]["type"] == "RouterInUse"
    assert (await network.delete(f"/subnets/{subnet['id']}", 409))["NeutronError"]["type"] == "SubnetInUse"
    await network.put(path + "/add_router_interface", {"subnet_id": subnet["id"]}, 400)
    gone = await network.put(path + "/remove_router_interface", {"subnet_id": subnet["id"]})
    assert gone["port_id"] == legs[0]["id"]
    await network.put(path + "/remove_router_interface", {"subnet_id": subnet["id"]}, 404)
    port = await make.port(net)
    await network.put(path + "/add_router_interface", {"port_id": port["id"]})
    await network.put(path + "/remove_router_interface", {"port_id": port["id"]})
    bare = (await network.put(path, {"router": {"external_gateway_info": {}}}))["router"]
    assert bare["external_gateway_info"] is None
    await network.delete(path)
    assert (await network.as_("admin").get(f"/ports?network_id={outside['id']}"))["ports"] == []


async def test_routes_need_a_leg(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    router, _, subnet = await routed(network, make, outside)
    path = f"/routers/{router['id']}"
    route = {"destination": "10.9.0.0/24", "nexthop": "10.0.0.50"}
    assert (await network.put(path, {"router": {"routes": [route]}}))["router"]["routes"] == [route]
    far = {"destination": "10.8.0.0/24", "nexthop": "10.200.0.1"}
    refusal = await network.put(path + "/add_extraroutes", {"router": {"routes": [far]}}, 400)
    assert refusal["NeutronError"]["type"] == "InvalidRoutes"
    more = {"destination": "10.8.0.0/24", "nexthop": "10.0.0.51"}
    both = await network.put(path + "/add_extraroutes", {"router": {"routes": [more, route]}})
    assert both["router"]["routes"] == [route, more]
    refusal = await network.put(path + "/remove_router_interface", {"subnet_id": subnet["id"]}, 409)
    assert refusal["NeutronError"]["type"] == "RouterInterfaceInUseByRoute"
    left = await network.put(path + "/remove_extraroutes", {"router": {"routes": [route, more]}})
    assert left["router"]["routes"] == []
    await network.put(path, {"router": {"routes": [route]}})
    assert (await network.put(path, {"router": {"routes": None}}))["router"]["routes"] == []


async def test_a_floating_ip_leads_to_a_port(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    router, net, subnet = await routed(network, make, outside)
    port = await make.port(net, name="web")
    made = await make.one("floatingip", "/floatingips", floating_network_id=outside["id"], port_id=port["id"])
    path = f"/floatingips/{made['id']}"
    assert made["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert made["router_id"] == router["id"]
    assert made["port_details"]["name"] == "web"
    second = {"floatingip": {"floating_network_id": outside["id"], "port_id": port["id"]}}
    refusal = await network.post("/floatingips", second, 409)
    assert refusal["NeutronError"]["type"] == "FloatingIPPortAlreadyAssociated"
    for body in ({"subnet_id": subnet["id"]},):
        refusal = await network.put(f"/routers/{router['id']}/remove_router_interface", body, 409)
        assert refusal["NeutronError"]["type"] == "RouterInterfaceInUseByFloatingIP"
    refusal = await network.put(f"/routers/{router['id']}", {"router": {"external_gateway_info": {}}}, 409)
    assert refusal["NeutronError"]["type"] == "RouterExternalGatewayInUseByFloatingIp"
    await network.put(f"/ports/{port['id']}", {"port": {"name": "new"}})
    assert (await network.get(path))["floatingip"]["port_details"]["name"] == "new"
    freed = (await network.put(path, {"floatingip": {"port_id": None}}))["floatingip"]
    assert (freed["port_id"], freed["router_id"], freed["fixed_ip_address"], freed["status"]) == (
        None,
        None,
        None,
        "DOWN",
    )
    await network.put(path, {"floatingip": {"port_id": port["id"]}})
    await network.delete(f"/ports/{port['id']}")
    assert (await network.get(path))["floatingip"]["port_id"] is None
    await network.delete(path)
    lonely = await make.network()
    await make.subnet(lonely, "10.7.0.0/24")
    far = await make.port(lonely)
    refusal = await network.post(
        "/floatingips", {"floatingip": {"floating_network_id": outside["id"], "port_id": far["id"]}}, 404
    )
    assert refusal["NeutronError"]["type"] == "ExternalGatewayForFloatingIPNotFound"
    await network.post("/floatingips", {"floatingip": {"floating_network_id": net["id"]}}, 400)


async def test_ports_of_a_floating_ip_lead_to_ports(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    _, net, _ = await routed(network, make, outside)
    port = await make.port(net)
    floating = await make.one("floatingip", "/floatingips", floating_network_id=outside["id"])
    path = f"/floatingips/{floating['id']}/port_forwardings"
    wish = {"protocol": "tcp", "external_port": 2222, "internal_port": 22, "internal_port_id": port["id"]}
    made = (await network.post(path, {"port_forwarding": wish}))["port_forwarding"]
    assert made["internal_ip_address"] == port["fixed_ips"][0]["ip_address"]
    await network.post(path, {"port_forwarding": wish}, 400)
    shown = (await network.get(f"/floatingips/{floating['id']}"))["floatingip"]["port_forwardings"]
    assert [f["external_port"] for f in shown] == [2222]
    changed = await network.put(f"{path}/{made['id']}", {"port_forwarding": {"internal_port": 2022}})
    assert changed["port_forwarding"]["internal_port"] == 2022
    assert len((await network.get(path))["port_forwardings"]) == 1
    await network.as_("stranger").get(path, 404)
    refusal = {"floatingip": {"port_id": port["id"]}}
    await network.put(f"/floatingips/{floating['id']}", refusal, 409)
    await network.delete(f"{path}/{made['id']}")
    assert (await network.get(path))["port_forwardings"] == []


async def test_only_external_networks_have_gateways(network: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    body = {"router": {"external_gateway_info": {"network_id": net["id"]}}}
    await network.post("/routers", body, 400)
    await network.put("/routers/x/add_router_interface", {}, 404)


async def test_idle_floating_ips_go_with_their_network(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    floating = await make.one("floatingip", "/floatingips", floating_network_id=outside["id"])
    assert (await network.get("/subnets"))["subnets"] == []
    admin = network.as_("admin")
    await admin.delete(f"/networks/{outside['id']}")
    await network.get(f"/floatingips/{floating['id']}", 404)
    assert (await admin.get(f"/quotas/{'d' * 32}/details"))["quota"]["floatingip"]["used"] == 0
