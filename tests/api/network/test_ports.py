"""Ports: what they may be asked, and what leads to them, until they or their addresses go."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.db import Duplicate, Transaction
from cumulet.services.network.errors import NotAuthorized
from cumulet.services.network.noun import again_if_doubled
from cumulet.services.network.ports.errors import PortInUse
from cumulet.services.network.public import NetworkDoor, NicRequest
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.personas import DEMO, PERSONAS

pytestmark = pytest.mark.db
MEMBER = PERSONAS["member"]


@pytest.fixture
async def inside(network: Client, make: Maker) -> dict[str, Any]:
    """A network whose router has a gateway to the network `outside` of an administrator."""
    admin = Maker(network.as_("admin"))
    outside = await admin.network(**{"router:external": True})
    await admin.subnet(outside, "203.0.113.0/24", enable_dhcp=False)
    router = await make.one("router", "/routers", external_gateway_info={"network_id": outside["id"]})
    net = await make.network()
    subnet = await make.subnet(net)
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return {"outside": outside, "router": router, "net": net, "subnet": subnet}


async def test_what_led_to_a_lost_address_leads_nowhere(network: Client, make: Maker, inside: dict[str, Any]) -> None:
    port = await make.port(inside["net"])
    (fixed,) = port["fixed_ips"]
    outer = {"floating_network_id": inside["outside"]["id"]}
    floating = await make.one("floatingip", "/floatingips", **outer, port_id=port["id"])
    path = f"/ports/{port['id']}"
    moved = [{"subnet_id": inside["subnet"]["id"], "ip_address": "10.0.0.77"}]
    refusal = await network.put(path, {"port": {"fixed_ips": moved}}, 409)
    assert refusal["NeutronError"]["type"] == "PortBoundToFloatingIP"
    assert (await network.put(path, {"port": {"fixed_ips": []}}))["port"]["fixed_ips"] == []
    left = (await network.get(f"/floatingips/{floating['id']}"))["floatingip"]
    assert (left["port_id"], left["fixed_ip_address"], left["router_id"]) == (None, None, None)
    other = await make.port(inside["net"], fixed_ips=[fixed])
    again = {"floatingip": {"port_id": other["id"]}}
    assert (await network.put(f"/floatingips/{floating['id']}", again))["floatingip"]["port_id"] == other["id"]


@pytest.mark.parametrize("end", ["deleted", "readdressed"])
async def test_a_floating_ip_without_forwardings_needs_no_router(
    network: Client, make: Maker, inside: dict[str, Any], end: str
) -> None:
    port = await make.port(inside["net"])
    floating = await make.one("floatingip", "/floatingips", floating_network_id=inside["outside"]["id"])
    path = f"/floatingips/{floating['id']}"
    wish = {"protocol": "tcp", "external_port": 22, "internal_port": 22, "internal_port_id": port["id"]}
    await network.post(f"{path}/port_forwardings", {"port_forwarding": wish})
    router = f"/routers/{inside['router']['id']}"
    refusal = await network.put(router, {"router": {"external_gateway_info": {}}}, 409)
    assert refusal["NeutronError"]["type"] == "RouterExternalGatewayInUseByFloatingIp"
    if end == "deleted":
        await network.delete(f"/ports/{port['id']}")
    else:
        moved = [{"subnet_id": inside["subnet"]["id"], "ip_address": "10.0.0.77"}]
        await network.put(f"/ports/{port['id']}", {"port": {"fixed_ips": moved}})
    left = (await network.get(path))["floatingip"]
    assert (left["port_forwardings"], left["router_id"], left["status"]) == ([], None, "DOWN")
    await network.put(router, {"router": {"external_gateway_info": {}}})


async def test_dhcp_options_are_bounded(network: Client, make: Maker) -> None:
    port = await make.port(await make.network())
    path = f"/ports/{port['id']}"

    def options(first: int, last: int, value: str | None = "x") -> dict[str, Any]:
        found = [{"opt_name": f"option-{number}", "opt_value": value} for number in range(first, last)]
        return {"port": {"extra_dhcp_opts": found}}

    await network.put(path, options(0, 64))
    await network.put(path, options(0, 64))
    assert "at most 64" in (await network.put(path, options(64, 65), 400))["NeutronError"]["message"]
    await network.put(path, options(0, 1, None))
    assert len((await network.put(path, options(64, 65)))["port"]["extra_dhcp_opts"]) == 64
    odd = {"port": {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 5}]}}
    await network.put(path, odd, 400)


async def test_a_sub_port_changes_in_all_but_its_device(network: Client, make: Maker) -> None:
    parent, carried = [await make.port(await make.network()) for _ in range(2)]
    sub = {"port_id": carried["id"], "segmentation_type": "vlan", "segmentation_id": 7}
    await make.one("trunk", "/trunks", port_id=parent["id"], sub_ports=[sub])
    path = f"/ports/{carried['id']}"
    changed = await network.put(path, {"port": {"security_groups": [], "name": "n", "extra_dhcp_opts": []}})
    assert (changed["port"]["security_groups"], changed["port"]["name"]) == ([], "n")
    refusal = await network.put(path, {"port": {"device_owner": ""}}, 409)
    assert refusal["NeutronError"]["type"] == "PortInUseAsSubPort"


async def test_a_port_is_one_card_only(room: Network, network: Client, make: Maker) -> None:
    door, net = NetworkDoor(room), await make.network()
    await make.subnet(net)
    port = await make.port(net)
    # Both were admitted before either was plugged.
    first, second = [(await door.check(MEMBER, [NicRequest(port_id=port["id"])]))[0] for _ in range(2)]
    await door.plug("server", "", DEMO, first, key="one")
    with pytest.raises(PortInUse):
        await door.plug("server", "", DEMO, second, key="two")
    # Its user takes it away, and gives it again: it is found by the key of the card that has it now.
    await network.put(f"/ports/{port['id']}", {"port": {"device_id": "", "device_owner": ""}})
    assert (await door.plug("other", "", DEMO, second, key="two")).port_id == port["id"]
    with pytest.raises(PortInUse):
        await door.plug("server", "", DEMO, first, key="one")


async def test_servers_use_an_external_network_that_is_shared_with_them(
    room: Network, network: Client, inside: dict[str, Any]
) -> None:
    door, outside = NetworkDoor(room), inside["outside"]["id"]
    with pytest.raises(NotAuthorized, match="not allowed to create an interface on external network"):
        await door.check(MEMBER, [NicRequest(network_id=outside)])
    share = {"object_type": "network", "object_id": outside, "action": "access_as_shared", "target_tenant": DEMO}
    await network.as_("admin").post("/rbac-policies", {"rbac_policy": share})
    (request,) = await door.check(MEMBER, [NicRequest(network_id=outside)])
    assert request.network_id == outside


async def test_one_address_behind_one_router_has_one_floating_ip(
    network: Client, make: Maker, inside: dict[str, Any]
) -> None:
    far = [await make.network() for _ in range(2)]
    ports = []
    for net in far:
        await make.subnet(net, "10.9.0.0/24")
        ports.append(await make.port(net, fixed_ips=[{"ip_address": "10.9.0.5"}]))
    wish = {"floating_network_id": inside["outside"]["id"], "router_id": inside["router"]["id"]}
    first = await make.one("floatingip", "/floatingips", **wish, port_id=ports[0]["id"])
    again = {"port_id": ports[0]["id"], "router_id": inside["router"]["id"]}
    await network.put(f"/floatingips/{first['id']}", {"floatingip": again})
    refusal = await network.post("/floatingips", {"floatingip": wish | {"port_id": ports[1]["id"]}}, 409)
    assert refusal["NeutronError"]["type"] == "FloatingIPPortAlreadyAssociated"


async def test_part_of_an_address_is_meant_literally(network: Client, make: Maker) -> None:
    net = await make.network()
    await make.subnet(net)
    port = await make.port(net)

    async def found(part: str) -> list[str]:
        query = f"network_id={net['id']}&device_owner=&fixed_ips=ip_address_substr%3D{part}"
        return [one["id"] for one in (await network.get(f"/ports?{query}"))["ports"]]

    assert await found("10.0.0.") == [port["id"]]
    for wild in ("%25", "10_0", "/"):
        assert await found(wild) == []


async def test_addresses_that_hosts_make_come_and_go_with_their_subnet(
    room: Network, network: Client, make: Maker
) -> None:
    net = await make.network()
    subnet = await make.subnet(net)
    most = room.most_fixed_ips
    own = [{"subnet_id": subnet["id"], "ip_address": f"10.0.0.{number}"} for number in range(20, 20 + most)]
    wish = {"network_id": net["id"], "fixed_ips": [*own, {"ip_address": "10.0.0.9"}]}
    await network.post("/ports", {"port": wish}, 400)
    port = await make.port(net, fixed_ips=own, device_id="server")
    six = await make.subnet(net, "2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert len((await network.get(f"/ports/{port['id']}"))["port"]["fixed_ips"]) == most + 1
    heard: list[str] = []
    room.bus.listen("device", heard.append)
    await network.delete(f"/subnets/{six['id']}")
    left = (await network.get(f"/ports/{port['id']}"))["port"]
    assert left["fixed_ips"] == own
    assert len(left["dns_assignment"]) == most
    assert "server" in heard


async def test_what_another_put_there_meanwhile_is_looked_for_again(room: Network) -> None:
    looked: list[int] = []

    async def work(tx: Transaction) -> int:
        looked.append(len(looked))
        if looked == [0]:
            raise Duplicate("somebody else's")
        return len(looked)

    assert await room.database.write(again_if_doubled(work)) == 2
