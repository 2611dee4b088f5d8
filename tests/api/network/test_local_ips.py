"""Addresses that lead, on each node, to a port that lives there."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import LocalSpec, PortSpec
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World, server
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet

pytestmark = pytest.mark.db


@pytest.fixture
async def net(make: Maker) -> dict[str, Any]:
    net = await make.network()
    await make.subnet(net)
    return net


async def test_it_leads_to_a_port_where_that_lives(
    network: Client, make: Maker, net: dict[str, Any], room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    local = await make.one("local_ip", "/local_ips", network_id=net["id"], name="cache")
    assert (local["ip_mode"], local["network_id"]) == ("translate", net["id"])
    own = (await network.get(f"/ports/{local['local_port_id']}"))["port"]
    assert (own["device_owner"], own["fixed_ips"][0]["ip_address"]) == ("network:local_ip", local["local_ip_address"])
    refusal = await network.delete(f"/ports/{own['id']}", 409)
    assert refusal["NeutronError"]["type"] == "ServicePortInUse"
    port = await server(world, net, "a", "one")
    shown = (await network.get(f"/ports/{port}"))["port"]
    path = f"/local_ips/{local['id']}/port_associations"
    made = (await network.post(path, {"port_association": {"fixed_port_id": port}}))["port_association"]
    assert made == {
        "local_ip_id": local["id"],
        "local_ip_address": local["local_ip_address"],
        "fixed_port_id": port,
        "fixed_ip": shown["fixed_ips"][0]["ip_address"],
        "host": "one",
    }
    again = await network.post(path, {"port_association": {"fixed_port_id": port}}, 409)
    assert again["NeutronError"]["type"] == "LocalIPAssociationExists"
    spec = LocalSpec(address=made["local_ip_address"], fixed=made["fixed_ip"])
    await world.obey()
    assert told(fleet, "one", port) == (spec,)
    await world.door.bind(port, "two")
    await world.obey()
    assert told(fleet, "two", port) == (spec,)
    assert (await network.get(f"{path}/{port}"))["port_association"]["host"] == "two"
    assert (await network.delete(f"/local-ips/{local['id']}", 409))["NeutronError"]["type"] == "LocalIPInUse"
    other = await make.one("local_ip", "/local_ips", network_id=net["id"], ip_mode="passthrough")
    await network.post(f"/local_ips/{other['id']}/port_associations", {"port_association": {"fixed_port_id": port}})
    await network.put(f"{path}/{port}", {"port_association": {}}, 405)
    await network.delete(f"{path}/{port}")
    await network.get(f"{path}/{port}", 404)
    assert len((await network.get(f"/local_ips/{other['id']}/port_associations"))["port_associations"]) == 1
    await world.obey()
    assert told(fleet, "two", port) == (
        LocalSpec(address=other["local_ip_address"], fixed=made["fixed_ip"], translated=False),
    )
    await network.delete(f"/local-ips/{local['id']}")
    await network.get(f"/ports/{own['id']}", 404)


def told(fleet: FakeFleet, node: str, port: str) -> tuple[LocalSpec, ...]:
    spec = fleet.told(node, Kind.PORT)[port]
    assert isinstance(spec, PortSpec)
    return spec.local


async def test_it_ends_with_its_address_and_associations_with_theirs(
    network: Client, make: Maker, net: dict[str, Any]
) -> None:
    has, to = await make.port(net), await make.port(net)
    local = await make.one("local_ip", "/local_ips", local_port_id=has["id"])
    assert local["local_ip_address"] == has["fixed_ips"][0]["ip_address"]
    path = f"/local_ips/{local['id']}/port_associations"
    await network.post(path, {"port_association": {"fixed_port_id": has["id"]}}, 400)
    await network.post(path, {"port_association": {"fixed_port_id": to["id"]}})
    moved = {"port": {"fixed_ips": [{"ip_address": "10.0.0.77"}]}}
    await network.put(f"/ports/{to['id']}", moved)
    assert (await network.get(path))["port_associations"] == []
    await network.post(path, {"port_association": {"fixed_port_id": to["id"], "fixed_ip": "10.0.0.77"}})
    await network.delete(f"/ports/{has['id']}")
    await network.get(f"/local_ips/{local['id']}", 404)


async def test_what_is_meant_must_be_clear(network: Client, make: Maker, net: dict[str, Any]) -> None:
    async def refused(status: int = 400, **wish: Any) -> str:
        kind: str = (await network.post("/local_ips", {"local_ip": wish}, status))["NeutronError"]["type"]
        return kind

    assert await refused() == "LocalIPPortOrNetworkRequired"
    two = await make.port(net, fixed_ips=[{"ip_address": "10.0.0.20"}, {"ip_address": "10.0.0.21"}])
    assert await refused(local_port_id=two["id"]) == "LocalIPNoRequestedIP"
    assert await refused(local_port_id=two["id"], local_ip_address="10.0.0.9") == "LocalIPRequestedIPNotFound"
    local = await make.one("local_ip", "/local_ips", local_port_id=two["id"], local_ip_address="10.0.0.21")
    elsewhere = await make.network()
    await make.subnet(elsewhere)
    path = f"/local_ips/{local['id']}/port_associations"
    foreign = {"port_association": {"fixed_port_id": (await make.port(elsewhere))["id"]}}
    await network.post(path, foreign, 400)
    stranger = network.as_("stranger")
    await stranger.get(f"/local_ips/{local['id']}", 404)
    wish = {"local_ip": {"local_port_id": two["id"]}}
    assert (await stranger.post("/local_ips", wish, 404))["NeutronError"]["type"] == "PortNotFound"
