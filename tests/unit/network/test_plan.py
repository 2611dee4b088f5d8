"""What a fabric means for one node: interfaces, insides of namespaces, routes, translations, tunnels."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import (
    Fabric,
    FloatingSpec,
    ForwardingSpec,
    GatewaySpec,
    InterfaceSpec,
    MeterRule,
    MeterSpec,
    NetworkType,
)
from cumulet.drivers.network.linux.announce import announcement
from cumulet.drivers.network.linux.cables import ends_of
from cumulet.drivers.network.linux.checks import checked
from cumulet.drivers.network.linux.held import Held, read_held, write_held
from cumulet.drivers.network.linux.interior import (
    FoundInterior,
    Leg,
    lines_inside,
    new_addresses,
    parse_interior,
    way_rules,
)
from cumulet.drivers.network.linux.links import FoundLink, Lines, lines_for, surplus
from cumulet.drivers.network.linux.meters import meters
from cumulet.drivers.network.linux.names import namespace_owner
from cumulet.drivers.network.linux.node import Node, Uplink
from cumulet.drivers.network.linux.plan import plan
from cumulet.drivers.network.linux.queues import Bucket, parse_queues, queue_lines
from cumulet.drivers.network.linux.routers import retired_addresses, router_interior, translation
from cumulet.drivers.network.linux.uplink import floating_ranges, host_rules
from cumulet.drivers.network.linux.vxlan import Entry, changes, entries, parse_entries
from tests.support.network.fabrics import (
    NODE,
    OPEN,
    external_network,
    group,
    port,
    router,
    rule,
    second_external_network,
    tenant_network,
    uid,
    with_,
)

HERE = Node(NODE, "maple", "198.51.100.21", host_gateway=True)
RED = tenant_network("red", type=NetworkType.VXLAN, segmentation_id=5)
ANN = port("ann", "red", "10.0.0.10")
FAR = port("far", "red", "10.0.0.20", host="oak", tunnel_address="198.51.100.22")
WAY = router("way", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.10"))
FABRIC = Fabric(networks=(external_network(), RED), ports=(ANN, FAR), groups=(OPEN,), routers=(WAY,))
ZONES = {network.id: number for number, network in enumerate(FABRIC.networks, 1)}


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


def found(name: str, /, **changes: object) -> FoundLink:
    link = {made.name: made for made in plan(FABRIC, HERE, ZONES).links}[name]
    alias = f"{link.element[0].value}:{link.element[1]}"
    right = FoundLink(name, alias, link.kind, link.mac, link.mtu, link.master, True, link.identity, link.port)
    return FoundLink(**{**{field: getattr(right, field) for field in FoundLink.__slots__}, **changes})


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({}, ()),
        ({"mtu": 1500}, ("link set dev vxlan-5 mtu 1450",)),
        ({"up": False}, ("link set dev vxlan-5 up",)),
        (
            {"port": {"learning": False, "neigh_suppress": False, "isolated": True}},
            ("link set dev vxlan-5 type bridge_slave neigh_suppress on",),
        ),
        (
            {"master": ""},
            (
                f"link set dev vxlan-5 master brq{RED.id[:11]}",
                "link set dev vxlan-5 type bridge_slave learning off neigh_suppress on isolated on",
            ),
        ),
    ],
)
def test_only_what_differs_is_changed(change: dict[str, object], lines: tuple[str, ...]) -> None:
    (link,) = [link for link in plan(FABRIC, HERE, ZONES).links if link.name == "vxlan-5"]
    assert lines_for(link, {"vxlan-5": found("vxlan-5", **change)}) == Lines(node=lines)


def test_one_that_cannot_be_changed_is_made_anew_and_one_of_others_is_refused() -> None:
    (link,) = [link for link in plan(FABRIC, HERE, ZONES).links if link.name == "vxlan-5"]
    wrong = found("vxlan-5", details={"id": 5, "local": "198.51.100.99"})
    lines = lines_for(link, {"vxlan-5": wrong})
    assert lines.clearing == ("link del dev vxlan-5",)
    assert lines.node[0].startswith("link add name vxlan-5 type vxlan id 5 local 198.51.100.21 ")
    with pytest.raises(ValueError, match="belongs to"):
        lines_for(link, {"vxlan-5": found("vxlan-5", alias=f"network:{uid('blue')}")})


def test_only_what_a_known_element_no_longer_has_is_surplus() -> None:
    there = {
        "qr-old": found("vxlan-5", name="qr-old", alias=f"router:{WAY.id}"),
        "tap-unknown": found("vxlan-5", name="tap-unknown", alias=f"port:{uid('nobody')}"),
        "eth0": found("vxlan-5", name="eth0", alias=""),
    }
    assert surplus(plan(FABRIC, HERE, ZONES).links, there, {(Kind.ROUTER, WAY.id)}) == ["qr-old"]


def test_a_router_holds_its_floating_addresses_and_routes() -> None:
    inside = router_interior(WAY, {n.id: n for n in FABRIC.networks}, HERE)
    gateway = inside.legs[-1]
    assert gateway.addresses == ("198.51.100.11/24", "198.51.100.101/32")
    assert inside.routes == {"0.0.0.0/0": f"via 198.51.100.1 dev {gateway.name}"}
    several = msgspec.structs.replace(
        WAY, next_hops=("198.51.100.1", "198.51.100.2"), routes=(("10.9.0.0/16", "10.0.0.9"),)
    )
    routes = router_interior(several, {n.id: n for n in FABRIC.networks}, HERE).routes
    assert routes["0.0.0.0/0"].count("nexthop via") == 2
    assert routes["10.9.0.0/16"] == f"via 10.0.0.9 dev {inside.legs[0].name}"


def test_flows_of_a_router_with_two_gateways_are_answered_where_they_came_in() -> None:
    second = second_external_network()
    leg_two = InterfaceSpec(
        port_id=uid("two"), network_id=second.id, mac="fa:16:3e:00:00:02", addresses=("203.0.113.11/24",)
    )
    two = GatewaySpec(leg=leg_two, next_hops=("203.0.113.1",), floating=("203.0.113.101",))
    floating = (*WAY.floating, FloatingSpec(id=uid("f2"), floating="203.0.113.101", fixed="10.0.0.11"))
    both = msgspec.structs.replace(WAY, further=(two,), floating=floating)
    networks = {n.id: n for n in (*FABRIC.networks, second)}
    inside = router_interior(both, networks, HERE)
    _, first, other = (leg.name for leg in inside.legs)
    assert [leg.addresses for leg in inside.legs[1:]] == [
        ("198.51.100.11/24", "198.51.100.101/32"),
        ("203.0.113.11/24", "203.0.113.101/32"),
    ]
    assert inside.routes == {
        "0.0.0.0/0": f"via 198.51.100.1 dev {first}",
        "0.0.0.0/0 table 101": f"via 198.51.100.1 dev {first}",
        "0.0.0.0/0 table 102": f"via 203.0.113.1 dev {other}",
    }
    spread = router_interior(msgspec.structs.replace(both, spread=True, watched=True), networks, HERE)
    assert spread.routes["0.0.0.0/0"] == (f"nexthop via 198.51.100.1 dev {first} nexthop via 203.0.113.1 dev {other}")
    assert ("ipv4/fib_multipath_use_neigh", "1") in spread.settings
    assert way_rules(inside, b"[]") == [
        "rule add pref 100 lookup main suppress_prefixlength 0",
        "rule add pref 101 fwmark 0x10/0xf0 lookup 101",
        "rule add pref 102 fwmark 0x20/0xf0 lookup 102",
    ]
    assert way_rules(inside, b'[{"priority":100},{"priority":101},{"priority":102}]') == []
    assert way_rules(router_interior(WAY, networks, HERE), b"[]") == []
    text = translation(both)
    assert f'iifname "{other}" ct state new ct mark set 0x20' in text
    assert 'iifname "qr-*" ip saddr { 10.0.0.11 } ct state new ct mark set 0x20' in text
    assert f'oifname "{other}" snat ip to ip saddr map {{ 10.0.0.11 : 203.0.113.101 }}' in text
    assert f'oifname "{other}" meta nfproto ipv4 snat ip to 203.0.113.11' in text


def test_from_what_is_inside_to_what_should_be() -> None:
    inside = router_interior(WAY, {n.id: n for n in FABRIC.networks}, HERE)
    qr, qg = inside.legs
    ready = FoundInterior({"lo": Leg("lo", "", 0, ()), qr.name: qr, qg.name: qg}, inside.routes)
    assert lines_inside(inside, ready) == []
    assert new_addresses(inside, ready) == []
    fewer = Leg(qg.name, qg.mac, qg.mtu, ("198.51.100.11/24", "198.51.100.55/32"))
    stale = FoundInterior({**ready.legs, qg.name: fewer}, {**inside.routes, "10.7.0.0/16": "via 10.0.0.9 dev x"})
    assert lines_inside(inside, stale) == [
        f"addr del 198.51.100.55/32 dev {qg.name}",
        f"addr add 198.51.100.101/32 dev {qg.name}",
        "route del 10.7.0.0/16 proto static",
    ]
    assert new_addresses(inside, stale) == [(qg.name, "198.51.100.101")]


def test_the_inside_is_read_from_ip() -> None:
    shown = parse_interior(
        b'[{"ifname":"qr-1","flags":["UP"],"address":"fa:16:3e:00:00:01","mtu":1450,"addr_info":['
        b'{"local":"10.0.0.1","prefixlen":24,"scope":"global"},{"local":"fe80::1","prefixlen":64,"scope":"link"}]}]',
        b'[{"dst":"default","nexthops":[{"gateway":"10.0.0.7","dev":"qr-1"},{"gateway":"10.0.0.8","dev":"qr-1"}]},'
        b'{"dst":"10.9.0.1","gateway":"10.0.0.9","dev":"qr-1"}]',
        b'[{"dst":"default","gateway":"fd00::1","dev":"qr-1"}]',
        b'[{"dst":"2001:db8::5","dev":"qg-1","flags":["proxy"]}]',
    )
    assert shown.legs == {"qr-1": Leg("qr-1", "fa:16:3e:00:00:01", 1450, ("10.0.0.1/24",))}
    assert shown.routes == {
        "0.0.0.0/0": "nexthop via 10.0.0.7 dev qr-1 nexthop via 10.0.0.8 dev qr-1",
        "10.9.0.1/32": "via 10.0.0.9 dev qr-1",
        "::/0": "via fd00::1 dev qr-1",
    }


def test_the_text_of_a_translation() -> None:
    forward = ForwardingSpec(
        id=uid("f"), floating="198.51.100.102", protocol="tcp", external_port=80, fixed="10.0.0.9", internal_port=8080
    )
    text = translation(msgspec.structs.replace(WAY, forwardings=(forward,)))
    assert "ip daddr 198.51.100.102 tcp dport 80 dnat ip to 10.0.0.9:8080" in text
    assert "dnat ip to ip daddr map { 198.51.100.101 : 10.0.0.10 }" in text
    assert "snat ip to ip saddr map { 10.0.0.10 : 198.51.100.101 }" in text
    assert "ip daddr 169.254.169.254 tcp dport 80 redirect to :9697" in text
    hidden, open_ = (translation(msgspec.structs.replace(WAY, snat=snat)) for snat in (True, False))
    assert "meta nfproto ipv4 snat ip to 198.51.100.11" in hidden
    assert "meta nfproto ipv4 snat ip to 198.51.100.11" not in open_
    alone = translation(msgspec.structs.replace(WAY, gateway=None, floating=()))
    assert "snat" not in alone
    assert "redirect" in alone


def test_flows_of_a_floating_address_that_went() -> None:
    assert retired_addresses(None, WAY) == []
    assert retired_addresses(WAY, WAY) == []
    assert retired_addresses(WAY, msgspec.structs.replace(WAY, floating=())) == [
        ["--orig-dst", "198.51.100.101"],
        ["--reply-dst", "198.51.100.101"],
    ]


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


def test_the_names_of_namespaces_lead_back_to_their_owners() -> None:
    assert namespace_owner("maple", f"maple-qrouter-{WAY.id}") == (Kind.ROUTER, WAY.id)
    assert namespace_owner("maple", f"maple-qdhcp-{RED.id}") == (Kind.NETWORK, RED.id)
    for other in (f"maple2-qdhcp-{RED.id}", "maple-qdhcp-x", "maple", f"oak-maple-qdhcp-{RED.id}"):
        assert namespace_owner("maple", other) is None


def test_announcements() -> None:
    arp = announcement("10.0.0.1", "fa:16:3e:00:00:01")
    assert arp[:14] == b"\xff" * 6 + bytes.fromhex("fa163e000001") + b"\x08\x06"
    assert arp[28:32] == arp[38:42] == bytes([10, 0, 0, 1])
    six = announcement("fd00::1", "fa:16:3e:00:00:01")
    assert six[:6] == b"\x33\x33\0\0\0\1"
    assert six[54] == 136


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


def test_a_file_that_is_not_ours_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    assert read_held(path) == Held()
    path.write_text("{")
    assert read_held(path) == Held()
    held = Held().joined(FABRIC)
    write_held(path, held)
    assert read_held(path) == held


def test_meters_stand_apart_and_go_with_the_last_of_them() -> None:
    assert "delete table inet metering" in translation(WAY)
    rule_in = MeterRule(direction="ingress", destination="10.0.0.0/24")
    not_ann = MeterRule(direction="ingress", destination="10.0.0.10/32", excluded=True)
    counting = msgspec.structs.replace(WAY, meters=(MeterSpec(id=uid("m"), rules=(rule_in, not_ann)),))
    assert "metering" not in translation(counting)
    script = meters(counting, [uid("old"), uid("m")])
    assert "flush table inet metering" in script
    assert "delete table" not in script
    assert f'ip daddr 10.0.0.10/32 return; ip daddr 10.0.0.0/24 counter name "label-{uid("m")}" return;' in script
    assert f"delete counter inet metering label-{uid('old')}" in script
    assert f"delete counter inet metering label-{uid('m')}" not in script
