"""What compute does with ports."""

from __future__ import annotations

import pytest

from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.errors import NetworkAmbiguous, NetworkNotFound
from cumulet.services.network.ports.errors import IpAddressInUse, PortInUse
from cumulet.services.network.public import NetworkDoor, NicRequest
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.errors import SecurityGroupNotFound
from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.personas import DEMO, PERSONAS

pytestmark = pytest.mark.db
MEMBER, STRANGER = PERSONAS["member"], PERSONAS["stranger"]


async def test_a_port_is_plugged_bound_and_unplugged(room: Network, network: Client, make: Maker) -> None:
    door, net = NetworkDoor(room), await make.network(name="n")
    await make.subnet(net, dns_nameservers=["192.0.2.53"])
    heard: list[str] = []
    room.bus.listen("device", heard.append)
    (request,) = await door.check(MEMBER, "auto")
    nic = await door.plug("server", "", DEMO, request, key="server:0", hostname="web-1", zone="z")
    again = await door.plug("server", "", DEMO, request, key="server:0", hostname="web-1", zone="z")
    assert again == nic
    assert nic.network_name == "n"
    assert nic.groups == ["default"]
    assert [(a.ip, a.gateway, a.dns) for a in nic.addresses] == [("10.0.0.3", "10.0.0.1", ["192.0.2.53"])]
    assert heard == ["server"]
    await door.bind(nic.port_id, "one")
    await door.bind(nic.port_id, "one")
    shown = (await network.as_("admin").get(f"/ports/{nic.port_id}"))["port"]
    assert (shown["binding:host_id"], shown["device_owner"], shown["status"]) == ("one", "compute:z", "BUILD")
    assert shown["dns_name"] == "web-1"
    await door.unbind(nic.port_id, "two")
    assert (await door.nics("server"))[0].host == "one"
    await door.unbind(nic.port_id, "one")
    assert (await door.nics("server"))[0].host == ""
    await door.unplug("another", nic.port_id)
    await door.unplug("server", nic.port_id)
    await door.unplug("server", nic.port_id)
    assert await door.nics("server") == []
    await network.get(f"/ports/{nic.port_id}", 404)


async def test_a_given_port_is_freed_not_deleted(room: Network, network: Client, make: Maker) -> None:
    door, net = NetworkDoor(room), await make.network()
    await make.subnet(net)
    port = await make.port(net)
    (request,) = await door.check(MEMBER, [NicRequest(port_id=port["id"], tag="t")])
    nic = await door.plug("server", "", DEMO, request, key="k")
    assert (nic.preserve, nic.tag, nic.port_id) == (True, "t", port["id"])
    with pytest.raises(PortInUse):
        await door.check(MEMBER, [NicRequest(port_id=port["id"])])
    await door.unplug("server", port["id"])
    assert (await network.get(f"/ports/{port['id']}"))["port"]["device_id"] == ""


async def test_what_cannot_be_is_refused_in_words(room: Network, network: Client, make: Maker) -> None:
    door = NetworkDoor(room)
    assert await door.check(MEMBER, "auto") == []
    assert await door.check(MEMBER, "none") == []
    net, other = await make.network(), await make.network()
    with pytest.raises(InvalidInput, match="requires a subnet"):
        await door.check(MEMBER, [NicRequest(network_id=net["id"])])
    await make.subnet(net)
    await make.subnet(other)
    with pytest.raises(NetworkAmbiguous):
        await door.check(MEMBER, "auto")
    with pytest.raises(NetworkNotFound):
        await door.check(STRANGER, [NicRequest(network_id=net["id"])])
    with pytest.raises(SecurityGroupNotFound):
        await door.check(MEMBER, [NicRequest(network_id=net["id"])], ["nothing"])
    with pytest.raises(IpAddressInUse):
        await door.check(MEMBER, [NicRequest(network_id=net["id"], fixed_ip="10.0.0.2")])
