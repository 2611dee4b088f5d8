"""Where the ports of other nodes are, and how fast those of this one may send."""

from __future__ import annotations

from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.queues import Bucket, parse_queues, queue_lines
from cumulet.drivers.network.linux.vxlan import Entry, changes, entries, parse_entries
from tests.support.network.fabrics import (
    NODE,
    port,
)
from tests.unit.network.example import ANN, FAR, HERE, RED


def test_where_everything_is() -> None:
    dhcp = port("dhcp", "red", "10.0.0.2", device_owner="network:dhcp", mac=RED.dhcp_mac, host="oak")
    made = entries(RED, (ANN, FAR, dhcp), HERE)
    bridge = f"brq{RED.id[:11]}"
    assert made == {
        Entry("bridge", f"dhc{RED.id[:11]}", RED.dhcp_mac),
        Entry("neighbour", bridge, "10.0.0.2", RED.dhcp_mac),
        Entry("neighbour", bridge, "10.0.0.10", ANN.mac),
        Entry("neighbour", bridge, "10.0.0.20", FAR.mac),
        Entry("tunnel", "vxlan-5", FAR.mac, "198.51.100.22"),
        Entry("tunnel", "vxlan-5", "00:00:00:00:00:00", "198.51.100.22"),
        Entry("bridge", "vxlan-5", FAR.mac),
    }
    assert entries(RED, (ANN, FAR), Node(NODE, "maple")) == set()


def test_a_port_that_moves_is_replaced_never_missing() -> None:
    old = {
        Entry("tunnel", "vxlan-5", FAR.mac, "198.51.100.22"),
        Entry("tunnel", "vxlan-5", "00:00:00:00:00:00", "198.51.100.22"),
    }
    new = {
        Entry("tunnel", "vxlan-5", FAR.mac, "198.51.100.23"),
        Entry("tunnel", "vxlan-5", "00:00:00:00:00:00", "198.51.100.23"),
    }
    assert changes(old, new) == (
        [
            "fdb del 00:00:00:00:00:00 dev vxlan-5 dst 198.51.100.22 self",
            "fdb append 00:00:00:00:00:00 dev vxlan-5 dst 198.51.100.23 self permanent",
            f"fdb replace {FAR.mac} dev vxlan-5 dst 198.51.100.23 self static",
        ],
        [],
    )
    assert changes(new, new) == ([], [])


def test_entries_are_read_and_others_are_left_alone() -> None:
    fdb = (
        b'[{"mac":"fa:16:3e:00:00:01","ifname":"vxlan-5","dst":"192.0.2.9","flags":["self"],"state":"static"},'
        b'{"mac":"fa:16:3e:00:00:01","ifname":"vxlan-5","flags":[],"master":"brq1","state":"static"},'
        b'{"mac":"fa:16:3e:00:00:02","ifname":"tap1","flags":[],"master":"brq1","state":"static"},'
        b'{"mac":"d2:66:95:35:f9:e4","ifname":"vxlan-5","flags":[],"master":"brq1","state":"permanent"}]'
    )
    neighbours = (
        b'[{"dst":"10.0.0.1","dev":"brq1","lladdr":"fa:16:3e:00:00:01"},{"dst":"10.0.0.1","dev":"eth0","lladdr":"x"}]'
    )
    assert parse_entries(fdb, neighbours) == {
        Entry("tunnel", "vxlan-5", "fa:16:3e:00:00:01", "192.0.2.9"),
        Entry("bridge", "vxlan-5", "fa:16:3e:00:00:01"),
        Entry("neighbour", "brq1", "10.0.0.1", "fa:16:3e:00:00:01"),
    }


def test_queues() -> None:
    limited = b'{"kind":"tbf","dev":"tap1","root":true,"options":{"rate":1000000,"burst":99998}}'
    shown = b"[" + limited + b',{"kind":"noqueue","dev":"tap2","root":true}]'
    there = {"tap1": Bucket(8000, 99_998)}
    assert parse_queues(shown) == there
    assert queue_lines(there, {"tap1": Bucket(8000, 100_000)}) == []
    assert queue_lines(there, {"tap1": Bucket(8000, 200_000)}) == [
        "qdisc replace dev tap1 root tbf rate 8000kbit burst 200000 latency 100ms"
    ]
    assert queue_lines(there, {"tap2": Bucket(800, 32_768)}) == [
        "qdisc del dev tap1 root",
        "qdisc replace dev tap2 root tbf rate 800kbit burst 32768 latency 100ms",
    ]
