"""What a node holds of a fabric, and what it leaves out of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import (
    Fabric,
)
from cumulet.drivers.network.linux.checks import checked
from cumulet.drivers.network.linux.held import Held, read_held, write_held
from cumulet.drivers.network.linux.plan import plan
from tests.support.network.fabrics import (
    OPEN,
    group,
    port,
    rule,
    tenant_network,
    uid,
    with_,
)
from tests.unit.network.example import ANN, FABRIC, FAR, HERE, ZONES


def test_what_makes_no_sense_is_left_out_with_a_reason() -> None:
    bad = (
        msgspec.structs.replace(ANN, id="../../etc"),
        msgspec.structs.replace(ANN, id=uid("b"), mac="fa:16:3e:00:00:0g"),
        msgspec.structs.replace(ANN, id=uid("c"), mac="ff:ff:ff:ff:ff:ff"),
        msgspec.structs.replace(ANN, id=uid("d"), allowed_pairs=(("", "10.0.0.0/24; drop"),)),
        msgspec.structs.replace(ANN, id=uid("e"), network_id=uid("nowhere")),
        msgspec.structs.replace(ANN, id=uid("f"), dscp=64),
    )
    groups = (
        group("g", rule("ingress", "tcp", 22, remote_cidr="0.0.0.0/0 accept")),
        group("h", rule("ingress", "nonsense")),
        group("i", rule("ingress", "tcp", 30, 20)),
        group("j", rule("sideways")),
        OPEN,
    )
    passed, faults = checked(with_(FABRIC, ports=(*bad, ANN), groups=groups))
    assert passed.ports == (ANN,)
    assert passed.groups == (OPEN,)
    assert len(faults) == len(bad) + 4
    assert all(fault.message.endswith(".") and fault.code == 400 for fault in faults.values())


def test_what_is_held_keeps_its_zone_and_a_free_one_waits() -> None:
    one, two, three = (tenant_network(name) for name in ("one", "two", "three"))
    held = Held().joined(Fabric(networks=(one, two)))
    assert held.zones == {one.id: 1, two.id: 2}
    held = held.without(Kind.NETWORK, one.id).joined(Fabric(networks=(three,)))
    assert held.zones == {two.id: 2, three.id: 3}
    assert not held.has(Kind.NETWORK, one.id)
    changed = msgspec.structs.replace(two, mtu=1400)
    assert held.joined(Fabric(networks=(changed,))).fabric.networks == (changed, three)


def test_places_of_other_nodes_are_replaced_as_a_whole_and_checked_like_ports() -> None:
    lost = port("lost", "blue", "10.0.0.30", host="oak", tunnel_address="198.51.100.22")
    told = with_(FABRIC, ports=(ANN,), places=(FAR, lost))
    held = Held().joined(told)
    passed, faults = checked(held.fabric)
    assert passed.ports == (ANN, FAR)
    assert not faults
    assert plan(passed, HERE, ZONES) == plan(FABRIC, HERE, ZONES)
    assert held.without(Kind.PORT, ANN.id).fabric.places == (FAR, lost)
    assert held.joined(with_(told, places=())).fabric.places == ()


def test_zones_go_round() -> None:
    held = Held(last_zone=65535, zones={uid("one"): 1}, fabric=Fabric(networks=(tenant_network("one"),)))
    assert held.joined(Fabric(networks=(tenant_network("two"),))).zones[uid("two")] == 2


def test_a_file_that_is_not_ours_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    assert read_held(path) == Held()
    path.write_text("{")
    assert read_held(path) == Held()
    held = Held().joined(FABRIC)
    write_held(path, held)
    assert read_held(path) == held
