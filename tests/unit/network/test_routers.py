"""The insides of routers: addresses, routes, translations, meters."""

from __future__ import annotations

import msgspec

from cumulet.contracts.networks import (
    FloatingSpec,
    ForwardingSpec,
    GatewaySpec,
    InterfaceSpec,
    MeterRule,
    MeterSpec,
)
from cumulet.drivers.network.linux.announce import announcement
from cumulet.drivers.network.linux.interior import (
    FoundInterior,
    Leg,
    lines_inside,
    new_addresses,
    parse_interior,
    way_rules,
)
from cumulet.drivers.network.linux.meters import meters
from cumulet.drivers.network.linux.routers import retired_addresses, router_interior, translation
from tests.support.network.fabrics import (
    second_external_network,
    uid,
)
from tests.unit.network.example import FABRIC, HERE, WAY


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


def test_announcements() -> None:
    arp = announcement("10.0.0.1", "fa:16:3e:00:00:01")
    assert arp[:14] == b"\xff" * 6 + bytes.fromhex("fa163e000001") + b"\x08\x06"
    assert arp[28:32] == arp[38:42] == bytes([10, 0, 0, 1])
    six = announcement("fd00::1", "fa:16:3e:00:00:01")
    assert six[:6] == b"\x33\x33\0\0\0\1"
    assert six[54] == 136


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
