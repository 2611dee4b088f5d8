"""The programs that tag the frames of sub-ports: which there should be, and how they come and go."""

from __future__ import annotations

import json

from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.links import FoundLink, deletions, without
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.plan import plan
from cumulet.drivers.network.linux.tagging import (
    Tagged,
    hook_lines,
    hooked_devices,
    hooks,
    parse_hooks,
    tagging,
    untagging,
)
from tests.support.network.fabrics import NODE, OPEN, port, tenant_network

ANN = port("ann", "red", "10.0.0.10")
SUB = port("sub", "blue", "10.0.0.10", trunk_port=ANN.id, tag=100)
FABRIC = Fabric(networks=(tenant_network("red"), tenant_network("blue")), ports=(ANN, SUB), groups=(OPEN,))
TRUNK, FAR = f"tap{ANN.id[:11]}", f"sub{SUB.id[:11]}"
ONE = Tagged(SUB.id, TRUNK, FAR, 100)


def test_a_sub_port_is_a_pair_and_its_trunk_a_tap() -> None:
    made = plan(FABRIC, Node(NODE, "maple"), {network.id: 1 for network in FABRIC.networks})
    links = {link.name: link for link in made.links}
    assert links[TRUNK].make == f"tuntap add dev {TRUNK} mode tap"
    assert links[f"tap{SUB.id[:11]}"].peer == FAR
    assert made.tagged == frozenset({ONE})


def test_a_program_each_way_once_both_ends_are_there() -> None:
    assert hooks([ONE], {TRUNK: 3}) == []
    off, on = hooks([ONE], {TRUNK: 3, FAR: 9})
    assert (off.device, off.place, off.name, off.program) == (TRUNK, 100, "untag 100 to 9", untagging(100, 9))
    assert (on.device, on.place, on.name, on.program) == (FAR, 1, "tag 100 to 3", tagging(100, 3))


def test_what_is_there_is_left_alone_and_what_is_not_wanted_goes() -> None:
    wanted = hooks([ONE], {TRUNK: 3, FAR: 9})
    lines, missing = hook_lines(set(), {}, wanted)
    assert lines == [f"qdisc add dev {FAR} clsact", f"qdisc add dev {TRUNK} clsact"]
    assert missing == wanted
    there = {(hook.device, hook.place): hook.name for hook in wanted}
    assert hook_lines({TRUNK, FAR}, there, wanted) == ([], [])
    lines, missing = hook_lines({TRUNK, FAR, "tapold"}, {**there, (TRUNK, 7): "untag 7 to 4"}, wanted)
    assert lines == ["qdisc del dev tapold clsact", f"filter del dev {TRUNK} ingress pref 7"]
    assert missing == []
    # The far end was made anew: the same place, another program.
    anew = hooks([ONE], {TRUNK: 3, FAR: 12})
    assert hook_lines({TRUNK, FAR}, there, anew) == ([], [anew[0]])


def test_what_tc_says() -> None:
    queues = json.dumps([{"kind": "clsact", "dev": TRUNK}, {"kind": "tbf", "dev": "tapx", "root": True}]).encode()
    assert hooked_devices(queues) == {TRUNK}
    shown = json.dumps([{"pref": 7, "kind": "bpf"}, {"pref": 7, "kind": "bpf", "options": {"bpf_name": "n"}}]).encode()
    assert parse_hooks(TRUNK, shown) == {(TRUNK, 7): "n"}
    assert parse_hooks(TRUNK, b"") == {}


def test_of_a_pair_one_end_is_deleted() -> None:
    def link(name: str, peer: str = "") -> FoundLink:
        return FoundLink(name, "", "", "", 0, "", True, {}, {}, peer=peer)

    found = {"tapa": link("tapa", "suba"), "suba": link("suba", "tapa"), "tapb": link("tapb")}
    assert deletions(["tapa", "suba", "tapb"], found) == ["link del dev suba", "link del dev tapb"]
    assert deletions(["suba"], found) == ["link del dev suba"]
    assert set(without(found, ["suba"])) == {"tapb"}
