"""What a fabric means for one node: its interfaces, and what it shares with its host."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import (
    Fabric,
    NetworkType,
)
from cumulet.drivers.network.linux.cables import ends_of
from cumulet.drivers.network.linux.node import Node, Uplink
from cumulet.drivers.network.linux.plan import plan
from cumulet.drivers.network.linux.uplink import floating_ranges, host_rules
from tests.support.network.fabrics import (
    NODE,
    external_network,
    tenant_network,
    uid,
)
from tests.unit.network.example import ANN, FABRIC, HERE, RED, ZONES


def test_the_same_fabric_is_the_same_plan() -> None:
    copy = msgspec.json.decode(msgspec.json.encode(FABRIC), type=Fabric)
    assert plan(copy, HERE, ZONES) == plan(FABRIC, HERE, ZONES)


def test_interfaces_are_named_by_ids_and_belong_to_somebody() -> None:
    made = {link.name: link for link in plan(FABRIC, HERE, ZONES).links}
    assert set(made) == {
        "br-public",
        f"brq{RED.id[:11]}",
        "vxlan-5",
        f"dhc{RED.id[:11]}",
        f"qr-{uid('way inside')[:11]}",
        f"qg-{uid('way outside')[:11]}",
        f"tap{ANN.id[:11]}",
    }
    assert all(len(name) <= 15 for name in made)
    assert made["vxlan-5"].element == (Kind.NETWORK, RED.id)
    assert made[f"qg-{uid('way outside')[:11]}"].master == "br-public"
    # What must not meet across the tunnel are the two that are isolated.
    assert {name for name, link in made.items() if link.port.get("isolated")} == {"vxlan-5", f"dhc{RED.id[:11]}"}


def test_wires_of_the_provider() -> None:
    node = Node(NODE, "maple", wires=(("cable", "eth1"),))
    tagged = tenant_network("red", type=NetworkType.VLAN, segmentation_id=7, physical_network="cable")
    made = {link.name: link for link in plan(Fabric(networks=(tagged,)), node, {tagged.id: 1}).links}
    vlan = made[f"vlan{tagged.id[:11]}"]
    assert vlan.make == f"link add link eth1 name {vlan.name} type vlan id 7"
    assert vlan.master == f"brq{tagged.id[:11]}"
    flat = tenant_network("blue", type=NetworkType.FLAT, physical_network="cable")
    made = {link.name: link for link in plan(Fabric(networks=(flat,)), node, {flat.id: 1}).links}
    assert made["eth1"].make == ""
    assert made["eth1"].master == "br-cable"


def test_a_wire_outside_takes_the_place_of_the_host() -> None:
    wired = msgspec.structs.replace(external_network(), physical_network="cable")
    fabric = msgspec.structs.replace(FABRIC, networks=(wired, RED))
    node = Node(NODE, "maple", host_gateway=True, uplink=Uplink())
    bridge = [interior for interior in plan(fabric, node, ZONES).interiors if interior.namespace == "maple"]
    assert [leg.name for interior in bridge for leg in interior.legs] == ["br-cable"]
    assert floating_ranges(fabric, node)
    wires = ends_of({"cable": "eth1"})
    node = Node(NODE, "maple", host_gateway=True, uplink=Uplink(), wires=wires)
    assert not [interior for interior in plan(fabric, node, ZONES).interiors if interior.namespace == "maple"]
    assert not floating_ranges(fabric, node)
    assert {link.name: link.master for link in plan(fabric, node, ZONES).links}[wires[0][1]] == "br-cable"


@pytest.mark.parametrize("outgoing", [True, False])
def test_the_host_lets_nobody_in(outgoing: bool) -> None:
    node = Node(NODE, "maple", host_gateway=True, uplink=Uplink(outgoing=outgoing))
    text = host_rules(node, ["198.51.100.0/24"])
    assert 'oifname "up-maple" drop' in text
    assert ("masquerade" in text) is outgoing
    assert ('iifname "up-maple" drop' in text) is not outgoing


def test_a_node_that_cannot_be_is_refused() -> None:
    for wrong in ("", "a/b", "a b", "x" * 19, "-x"):
        with pytest.raises(ValueError, match="namespace"):
            Node(NODE, wrong)
    with pytest.raises(ValueError, match="host_gateway"):
        Node(NODE, "maple", uplink=Uplink())
    with pytest.raises(ValueError, match="two addresses"):
        Uplink(network="192.0.2.1/32")
