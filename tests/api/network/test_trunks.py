"""Trunks: made, shown by their ports, changed, refused, gone; and carried to the node where their own port lives."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.services.network.public import NetworkDoor, NicRequest
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


def sub(port: dict[str, Any], tag: int, kind: str = "vlan") -> dict[str, Any]:
    return {"port_id": port["id"], "segmentation_type": kind, "segmentation_id": tag}


async def test_a_trunk_from_birth_to_end(network: Client, make: Maker) -> None:
    net = await make.network()
    parent, first, second = [await make.port(await make.network()) for _ in range(3)]
    trunk = await make.one("trunk", "/trunks", port_id=parent["id"], name="t", sub_ports=[sub(first, 100)])
    path = f"/trunks/{trunk['id']}"
    assert (trunk["status"], trunk["sub_ports"], trunk["admin_state_up"]) == ("DOWN", [sub(first, 100)], True)
    assert (await network.get(path))["trunk"] == trunk
    shown = (await network.get(f"/ports/{parent['id']}"))["port"]
    assert shown["trunk_details"] == {
        "trunk_id": trunk["id"],
        "sub_ports": [sub(first, 100) | {"mac_address": first["mac_address"]}],
    }
    carried = (await network.get(f"/ports/{first['id']}"))["port"]
    assert (carried["device_owner"], carried["trunk_details"]) == ("trunk:subport", None)
    more = await network.put(f"{path}/add_subports", {"sub_ports": [sub(second, 7)]})
    assert more["sub_ports"] == [sub(second, 7), sub(first, 100)]
    assert more["revision_number"] > trunk["revision_number"]
    assert (await network.get(f"{path}/get_subports"))["sub_ports"] == more["sub_ports"]
    less = await network.put(f"{path}/remove_subports", {"sub_ports": [{"port_id": first["id"]}]})
    assert less["sub_ports"] == [sub(second, 7)]
    await network.put(f"{path}/tags", {"tags": ["a"]})
    assert (await network.get("/trunks?tags=a"))["trunks"][0]["id"] == trunk["id"]
    disabled = (await network.put(path, {"trunk": {"admin_state_up": False, "name": "n"}}))["trunk"]
    assert (disabled["admin_state_up"], disabled["name"]) == (False, "n")
    for verb in ("add_subports", "remove_subports"):
        await network.put(f"{path}/{verb}", {"sub_ports": [sub(first, 9)]}, 409)
    assert (await network.delete(path, 409))["NeutronError"]["type"] == "TrunkDisabled"
    await network.put(path, {"trunk": {"admin_state_up": True}})
    await network.delete(path)
    await network.get(path, 404)
    for port in (parent, first, second):
        left = (await network.get(f"/ports/{port['id']}"))["port"]
        assert (left["trunk_details"], left["device_owner"], left["device_id"]) == (None, "", "")
        await network.delete(f"/ports/{port['id']}")
    await network.delete(f"/networks/{net['id']}")


async def test_ports_of_a_trunk_are_taken(network: Client, make: Maker) -> None:
    net = await make.network()
    parent, first, other, free = [await make.port(net) for _ in range(4)]
    used = await make.port(net, device_id="somebody")
    trunk = await make.one("trunk", "/trunks", port_id=parent["id"], sub_ports=[sub(first, 100)])
    path = f"/trunks/{trunk['id']}"

    async def refused(subs: Any, status: int) -> str:
        return str((await network.put(f"{path}/add_subports", {"sub_ports": subs}, status))["NeutronError"]["type"])

    assert await refused([sub(parent, 5)], 409) == "ParentPortInUse"
    assert await refused([sub(first, 5)], 409) == "PortInUseAsSubPort"
    assert await refused([sub(used, 5)], 409) == "PortInUse"
    assert await refused([sub(free, 100)], 409) == "DuplicateSubPort"
    assert await refused([sub({"id": "0" * 8 + "-0000-0000-0000-" + "0" * 12}, 5)], 404) == "PortNotFound"
    for wrong in (
        [sub(free, 0)],
        [sub(free, 4095)],
        [sub(free, 5, "gre")],
        [sub(free, -1, "inherit")],
        [{"port_id": free["id"]}],
        [sub(free, 5), sub(free, 6)],
        [sub(free, 5), sub(other, 5)],
        sub(free, 5),
    ):
        await refused(wrong, 400)
    gone = await network.put(f"{path}/remove_subports", {"sub_ports": [sub(free, 5)]}, 404)
    assert gone["NeutronError"]["type"] == "SubPortNotFound"
    taken = {"trunk": {"port_id": parent["id"]}}
    assert (await network.post("/trunks", taken, 409))["NeutronError"]["type"] == "PortInUseAsTrunkParent"
    taken = {"trunk": {"port_id": other["id"], "sub_ports": [sub(parent, 5)]}}
    assert (await network.post("/trunks", taken, 409))["NeutronError"]["type"] == "PortInUseAsTrunkParent"
    assert (await network.delete(f"/ports/{parent['id']}", 409))["NeutronError"]["type"] == "PortInUseAsTrunkParent"
    assert (await network.delete(f"/ports/{first['id']}", 409))["NeutronError"]["type"] == "PortInUseAsSubPort"
    await network.put(f"/ports/{first['id']}", {"port": {"device_id": "thief"}}, 409)
    # What was refused has left no trace.
    assert (await network.get(path))["trunk"]["sub_ports"] == [sub(first, 100)]
    assert (await network.get(f"/ports/{free['id']}"))["port"]["device_owner"] == ""
    assert (await network.get(f"/ports/{other['id']}"))["port"]["trunk_details"] is None


async def test_another_project_sees_and_takes_nothing(network: Client, make: Maker) -> None:
    port = await make.port(await make.network())
    trunk = await make.one("trunk", "/trunks", port_id=port["id"])
    stranger = network.as_("stranger")
    for path in ("", "/get_subports"):
        await stranger.get(f"/trunks/{trunk['id']}{path}", 404)
    await stranger.delete(f"/trunks/{trunk['id']}", 404)
    own = await Maker(stranger).port(await Maker(stranger).network())
    await stranger.post("/trunks", {"trunk": {"port_id": port["id"]}}, 404)
    await stranger.post("/trunks", {"trunk": {"port_id": own["id"], "sub_ports": [sub(port, 5)]}}, 404)


async def test_frames_must_fit_and_tags_may_be_the_networks(network: Client, make: Maker) -> None:
    admin = Maker(network.as_("admin"))
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "public", "provider:segmentation_id": 33}
    wide = await admin.network(project_id=DEMO, **vlan)
    inherited = {"port_id": (await make.port(wide))["id"], "segmentation_type": "inherit"}
    parent = await make.port(await make.network())
    body = {"trunk": {"port_id": parent["id"], "sub_ports": [inherited]}}
    refused = (await network.post("/trunks", body, 409))["NeutronError"]
    assert refused["type"] == "SubPortMtuGreaterThanTrunkPortMtu"
    parent = await make.port(wide)
    trunk = await make.one("trunk", "/trunks", port_id=parent["id"], sub_ports=[inherited])
    assert trunk["sub_ports"][0]["segmentation_id"] == 33


async def test_sub_ports_live_where_the_trunk_does(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    door = NetworkDoor(room)
    red, blue = await make.network(), await make.network()
    await make.subnet(red)
    await make.subnet(blue)
    parent, other = await make.port(red), await make.port(blue)
    trunk = await make.one("trunk", "/trunks", port_id=parent["id"], sub_ports=[sub(other, 100)])
    await door.plug("server", "", DEMO, NicRequest(port_id=parent["id"]), key="k")
    await door.bind(parent["id"], "one")
    await world.settle()
    told: Any = fleet.told("one", Kind.PORT)[other["id"]]
    assert (told.trunk_port, told.tag, told.host) == (parent["id"], 100, "one")
    assert set(fleet.told("one", Kind.NETWORK)) == {red["id"], blue["id"]}
    assert (await network.get(f"/trunks/{trunk['id']}"))["trunk"]["status"] != "ACTIVE"
    await world.obey()
    assert (await network.get(f"/trunks/{trunk['id']}"))["trunk"]["status"] == "ACTIVE"
    await door.bind(parent["id"], "two")
    await world.obey()
    assert other["id"] in fleet.told("two", Kind.PORT)
    assert not fleet.told("one", Kind.PORT)
    # The server goes; its port stays, for it is the trunk's.
    await door.unplug("server", parent["id"])
    await world.obey()
    assert not fleet.told("two", Kind.PORT)
    assert (await network.get(f"/trunks/{trunk['id']}"))["trunk"]["status"] == "DOWN"
    await network.delete(f"/trunks/{trunk['id']}")
