"""Servers on networks that are not everywhere: each is placed where its network's segments are, or is told why not."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.machines import Power
from cumulet.core.reconcile import Again
from tests.support.personas import DEMO
from tests.support.small_cloud import SmallCloud

pytestmark = pytest.mark.db
HOST = "OS-EXT-SRV-ATTR:host"
NO_WIRE = "it has no wire to a segment of network"
NOT_CONNECTED = (
    "Host two is not connected to any segment on routed provider network '{}'. It should be connected to one."
)


@pytest.fixture
async def cloud(cloud: SmallCloud) -> SmallCloud:
    """Two nodes, each on a wire of its own."""
    cloud.network_room.physical_networks = ("public", "left", "right")
    for name, wire in (("one", "left"), ("two", "right")):
        await rewire(cloud, name, wire)
    return cloud


async def rewire(cloud: SmallCloud, node: str, wire: str) -> None:
    cloud.nodes.plug_into(node, wire)
    await cloud.settle()


async def routed(cloud: SmallCloud, *wires: str) -> tuple[str, dict[str, str]]:
    """A network with a segment on each of these wires, and a subnet of each: 10.1.0.0/24 on the first."""
    admin = cloud.network.as_("admin")
    segments = [{"provider:network_type": "vlan", "provider:physical_network": wire} for wire in wires]
    wish = {"name": "campus", "project_id": DEMO, "segments": segments}
    network = (await admin.post("/networks", {"network": wish}))["network"]["id"]
    found = (await admin.get(f"/segments?network_id={network}"))["segments"]
    segment_of = {segment["physical_network"]: segment["id"] for segment in found}
    for number, wire in enumerate(wires, 1):
        of = {"network_id": network, "segment_id": segment_of[wire], "project_id": DEMO}
        await admin.post("/subnets", {"subnet": {**of, "ip_version": 4, "cidr": f"10.{number}.0.0/24"}})
    return network, segment_of


async def placed(cloud: SmallCloud, network: str, **more: Any) -> dict[str, Any]:
    made = await cloud.make_server(networks=[{"uuid": network, **more.pop("card", {})}], **more)
    return await cloud.page(made["id"])


async def test_servers_come_to_where_their_network_is(cloud: SmallCloud) -> None:
    network, _ = await routed(cloud, "right")
    for _ in range(3):
        page = await placed(cloud, network)
        assert (page["status"], page[HOST]) == ("ACTIVE", "two")
    everywhere, _ = await routed(cloud, "left", "right")
    for address, host in (("10.1.0.77", "one"), ("10.2.0.77", "two")):
        page = await placed(cloud, everywhere, card={"fixed_ip": address})
        assert (page["status"], page[HOST]) == ("ACTIVE", host)
        assert page["addresses"]["campus"][0]["addr"] == address


@pytest.mark.parametrize("named", ["", "nova:one"])
async def test_without_a_host_that_reaches_it_a_server_is_told_so(cloud: SmallCloud, named: str) -> None:
    network, _ = await routed(cloud, "public" if not named else "right")
    more = {"availability_zone": named, "persona": "admin"} if named else {}
    page = await placed(cloud, network, **more)
    assert (page["status"], page[HOST]) == ("ERROR", None)
    assert "refused by" in page["fault"]["message"]
    assert "RoutedNetworkFilter" in page["fault"]["message"]
    assert "RoutedNetworkFilter refused one" in page["fault"]["details"]
    assert f"{NO_WIRE} {network}" in page["fault"]["details"]
    assert await cloud.placement.claims(page["id"]) == {}


@pytest.mark.parametrize("verb", ["migrate", "os-migrateLive"])
async def test_a_server_with_an_address_of_a_segment_stays_there(cloud: SmallCloud, verb: str) -> None:
    network, _ = await routed(cloud, "left", "right")
    page = await placed(cloud, network)
    body = {"host": None, "block_migration": "auto"} if verb == "os-migrateLive" else None
    await cloud.do(page["id"], verb, body, persona="admin", version="2.34")
    after = await cloud.page(page["id"])
    assert (after["status"], after[HOST], after["addresses"]) == ("ACTIVE", page[HOST], page["addresses"])
    assert cloud.machine(page["id"]) == (page[HOST], Power.RUNNING)


async def test_a_network_that_its_host_does_not_reach_is_not_attached(cloud: SmallCloud) -> None:
    network, _ = await routed(cloud, "right")
    other, _ = await routed(cloud, "left")
    page = await placed(cloud, network)
    body = {"interfaceAttachment": {"net_id": other}}
    refused = await cloud.compute.post(f"/servers/{page['id']}/os-interface", body, 409)
    assert refused["conflictingRequest"]["message"] == NOT_CONNECTED.format(other)
    await cloud.settle()
    after = await cloud.page(page["id"])
    assert (after["status"], after["addresses"]) == ("ACTIVE", page["addresses"])
    assert (await cloud.network.get(f"/ports?network_id={other}&device_id={page['id']}"))["ports"] == []


async def test_a_wire_that_is_pulled_while_a_server_is_made_is_named(cloud: SmallCloud) -> None:
    network, _ = await routed(cloud, "right")
    image = await cloud.make_image()
    wish = {"name": "s", "flavorRef": "42", "imageRef": image, "networks": [{"uuid": network}]}
    made = (await cloud.compute.post("/servers", {"server": wish}, 202))["server"]
    while (await cloud.page(made["id"]))[HOST] != "two":
        reconciler, key = cloud.woken.pop(0)
        if isinstance(await reconciler.step(key), Again):
            cloud.woken.append((reconciler, key))
    server, cloud.woken = cloud.woken, []
    await rewire(cloud, "two", "public")
    cloud.woken += server
    await cloud.settle()
    page = await cloud.page(made["id"])
    assert page["status"] == "ERROR"
    assert page["fault"]["message"] == NOT_CONNECTED.format(network)
    assert await cloud.placement.claims(made["id"]) == {}
