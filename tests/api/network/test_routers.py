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
    assert (await network.put(path, {"floatingip": {}}))["floatingip"]["port_id"] is None
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


async def test_a_floating_ip_may_lead_through_a_chosen_router(
    network: Client, make: Maker, outside: dict[str, Any]
) -> None:
    outer, _, _ = await routed(network, make, outside)
    net = await make.network()
    await make.subnet(net, "10.9.0.0/24")
    port = await make.port(net)
    wish = {"floating_network_id": outside["id"], "port_id": port["id"]}
    await network.post("/floatingips", {"floatingip": wish}, 404)
    inner = await make.one("router", "/routers")
    refused = await network.post("/floatingips", {"floatingip": {**wish, "router_id": inner["id"]}}, 409)
    assert refused["NeutronError"]["type"] == "FloatingIPRouterWithoutGateway"
    made = await make.one("floatingip", "/floatingips", **wish, router_id=outer["id"])
    assert (made["router_id"], made["fixed_ip_address"]) == (outer["id"], port["fixed_ips"][0]["ip_address"])
    path = f"/floatingips/{made['id']}"
    assert (await network.put(path, {"floatingip": {"port_id": None}}))["floatingip"]["router_id"] is None
    assert (await network.put(path, {"floatingip": {"router_id": outer["id"]}}))["floatingip"]["port_id"] is None
    await network.put(f"/routers/{outer['id']}", {"router": {"external_gateway_info": {}}}, 409)
    await network.as_("stranger").put(path, {"floatingip": {"router_id": outer["id"]}}, 404)


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


async def test_ports_in_a_row_may_not_overlap(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    _, net, _ = await routed(network, make, outside)
    port = await make.port(net)
    floating = await make.one("floatingip", "/floatingips", floating_network_id=outside["id"])
    path = f"/floatingips/{floating['id']}/port_forwardings"

    def wish(**ports: object) -> dict[str, Any]:
        return {"port_forwarding": {"protocol": "tcp", "internal_port_id": port["id"], **ports}}

    row = wish(external_port_range="80:89", internal_port_range="8080:8089")
    made = (await network.post(path, row))["port_forwarding"]
    assert (made["external_port"], made["external_port_range"]) == (None, "80:89")
    await network.post(path, wish(external_port_range="90:99", internal_port=22))
    shown = (await network.get(f"/floatingips/{floating['id']}"))["floatingip"]["port_forwardings"]
    assert [f.get("external_port_range") for f in shown] == ["80:89", "90:99"]
    for wrong in (
        {"external_port": 85, "internal_port": 1},
        {"external_port_range": "70:80", "internal_port": 1},
        {"external_port_range": "100:103", "internal_port_range": "1:3"},
        {"external_port_range": "103:100", "internal_port": 1},
        {"external_port_range": "100:x", "internal_port": 1},
        {"external_port": 100, "external_port_range": "100:100", "internal_port": 1},
        {"external_port": 100},
    ):
        await network.post(path, wish(**wrong), 400)
    await network.post(
        path, {"port_forwarding": {**wish(external_port=85, internal_port=1)["port_forwarding"], "protocol": "udp"}}
    )
    moved = {"port_forwarding": {"external_port_range": "200:209"}}
    assert (await network.put(f"{path}/{made['id']}", moved))["port_forwarding"]["internal_port_range"] == "8080:8089"
    await network.put(f"{path}/{made['id']}", {"port_forwarding": {"external_port_range": "95:104"}}, 400)
    refusal = (await network.delete(f"/floatingips/{floating['id']}", 409))["NeutronError"]
    assert refusal["type"] == "FipInUseByPortForwarding"


async def test_a_router_understands_protocols(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    router, _, _ = await routed(network, make, outside)
    path = f"/routers/{router['id']}/conntrack_helpers"

    async def made(status: int = 201, **wish: object) -> dict[str, Any]:
        answer: dict[str, Any] = await network.post(path, {"conntrack_helper": wish}, status)
        return answer

    first = (await made(helper="ftp", protocol="tcp", port=21))["conntrack_helper"]
    assert (first["helper"], first["protocol"], first["port"]) == ("ftp", "tcp", 21)
    await made(400, helper="ftp", protocol="tcp", port=21)
    assert (await made(400, helper="ftp", protocol="udp", port=21))["NeutronError"][
        "type"
    ] == "InvalidProtocolForHelper"
    refused = await made(400, helper="magic", protocol="tcp", port=21)
    assert refused["NeutronError"]["type"] == "ConntrackHelperNotAllowed"
    await made(400, helper="tftp", protocol="udp", port=0)
    changed = await network.put(f"{path}/{first['id']}", {"conntrack_helper": {"port": 2121}})
    assert changed["conntrack_helper"]["port"] == 2121
    shown = (await network.get(f"/routers/{router['id']}"))["router"]["conntrack_helpers"]
    assert shown == [{"helper": "ftp", "protocol": "tcp", "port": 2121}]
    assert len((await network.get(path))["conntrack_helpers"]) == 1
    await network.as_("stranger").get(path, 404)
    await network.delete(f"{path}/{first['id']}")
    await network.get(f"{path}/{first['id']}", 404)
    assert (await network.get(f"/routers/{router['id']}"))["router"]["conntrack_helpers"] == []


async def test_an_inner_port_is_led_to_once(network: Client, make: Maker, outside: dict[str, Any]) -> None:
    router, net, _ = await routed(network, make, outside)
    port = await make.port(net)
    shown = (await network.get(f"/routers/{router['id']}"))["router"]
    assert shown["revision_number"] > router["revision_number"]
    one, two = [await make.one("floatingip", "/floatingips", floating_network_id=outside["id"]) for _ in range(2)]
    path = f"/floatingips/{one['id']}/port_forwardings"
    wish = {"protocol": "tcp", "external_port": 80, "internal_port": 8080, "internal_port_id": port["id"]}
    await network.post(path, {"port_forwarding": wish})
    await network.post(path, {"port_forwarding": wish | {"external_port": 81}}, 400)
    assert len((await network.get(f"{path}?external_port=80"))["port_forwardings"]) == 1
    other = await make.port(net)
    await network.put(f"/floatingips/{two['id']}", {"floatingip": {"port_id": other["id"]}})
    whole = {"port_forwarding": wish | {"internal_port_id": other["id"], "external_port": 82}}
    assert (await network.post(path, whole, 409))["NeutronError"]["type"] == "PortHasBindingFloatingIP"
    admin = network.as_("admin")
    foreign = await Maker(admin).port(net, project_id="e" * 32)
    await admin.put(f"/floatingips/{two['id']}", {"floatingip": {"port_id": foreign["id"]}}, 400)
