"""Promised bandwidth on the provider's wires, as lines for the kernel."""

from __future__ import annotations

import dataclasses

from msgspec.structs import replace

from cumulet.contracts.networks import Fabric, NetworkType
from cumulet.drivers.network.linux.guarantees import Shares, parse_shared, promised, share_lines, shares
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.plan import plan
from tests.support.network.fabrics import port, tenant_network

NODE = Node("elm", "maple", wires=(("cable", "eth1"),), rates=(("cable", 1000),))
RED = tenant_network("red", type=NetworkType.FLAT, physical_network="cable")
BLUE = tenant_network("blue")


def fabric(**least: int) -> Fabric:
    ports = [
        replace(port(name, "red", f"10.0.0.{place}", host="elm"), egress_least_kbps=kbps)
        for place, (name, kbps) in enumerate(least.items(), 10)
    ]
    return Fabric(networks=(RED, BLUE), ports=tuple(ports))


def test_each_promise_is_a_class() -> None:
    found = fabric(ann=600, bob=0, cid=100)
    wanted = shares(found, NODE)
    assert set(wanted) == {"eth1"}
    assert sorted(kbps for _, kbps in wanted["eth1"].least) == [100, 600]
    assert wanted["eth1"].others == 300
    numbers = {number for _, number in promised(found, NODE).values()}
    assert {number for number, _ in wanted["eth1"].least} == numbers
    rules = plan(found, NODE, {BLUE.id: 7}).rules.chains
    put = [rule for name, chain in rules.items() if " shape-" in name for rule in chain.rules]
    assert sorted(put) == sorted(f"meta priority set 1:{number:x}" for number in numbers)


def test_nothing_is_promised_where_no_wire_is_known() -> None:
    there = fabric(ann=600)
    assert shares(there, replace_node(rates=())) == {}
    assert shares(there, replace_node(wires=())) == {}
    away = replace(there, ports=(replace(there.ports[0], host="oak"),))
    tunnel = replace(there, ports=(replace(there.ports[0], network_id=BLUE.id),))
    assert shares(away, NODE) == shares(tunnel, NODE) == {}


def replace_node(**changes: object) -> Node:
    return dataclasses.replace(NODE, **changes)  # type: ignore[arg-type]


def test_lines_change_what_is_there() -> None:
    first, second = Shares(1000, ((5, 600),)), Shares(1000, ((7, 100),))
    assert share_lines({}, {"eth1": first}) == [
        "qdisc replace dev eth1 root handle 1: htb default 1",
        "class replace dev eth1 parent 1: classid 1:fffe htb rate 1000kbit ceil 1000kbit quantum 6000",
        "class replace dev eth1 parent 1:fffe classid 1:1 htb rate 400kbit ceil 1000kbit quantum 6000",
        "class replace dev eth1 parent 1:fffe classid 1:5 htb rate 600kbit ceil 1000kbit quantum 6000",
    ]
    changed = share_lines({"eth1": first}, {"eth1": second})
    assert "class del dev eth1 classid 1:5" in changed
    assert not any(line.startswith("qdisc") for line in changed)
    assert share_lines({"eth1": first}, {"eth1": first}) == []
    assert share_lines({"eth1": first}, {}) == ["qdisc del dev eth1 root"]


def test_what_a_wire_has_is_found() -> None:
    shown = b'[{"kind":"htb","handle":"1:","dev":"eth1","root":true},{"kind":"tbf","dev":"tap1","root":true}]'
    assert parse_shared(shown) == {"eth1"}


def test_two_ports_never_share_a_class() -> None:
    ports = tuple(
        replace(port(f"p{n}", "red", f"10.0.{n // 250}.{n % 250 + 1}", host="elm"), egress_least_kbps=1)
        for n in range(2000)
    )
    numbers = [number for _, number in promised(Fabric(networks=(RED,), ports=ports), NODE).values()]
    assert len(set(numbers)) == 2000
    assert all(1 < number < 0xFFFE for number in numbers)
