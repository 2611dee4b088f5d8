"""Which established flows may go on."""

from __future__ import annotations

from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.flows import Court, Flow, departed, parse_flows
from tests.support.network.fabrics import EVERYTHING_OUT, NODE, OPEN, group, port, rule, tenant_network, uid, with_

SAVED = b"""\
-A -t 431999 -u SEEN_REPLY,ASSURED -w 7 -s 10.0.0.66 -d 10.0.0.10 -r 10.0.0.10 -q 10.0.0.66 -p tcp --sport 49726 \
--dport 80 --reply-port-src 80 --reply-port-dst 49726 --state ESTABLISHED
-A -t 27 -u SEEN_REPLY -w 7 -s 10.0.0.10 -d 10.0.0.66 -r 10.0.0.66 -q 10.0.0.10 -p icmp --icmp-type 8 --icmp-code 0 \
--icmp-id 12377
-A -t 29 -u SEEN_REPLY -s fd00::a -d fd00::b -r fd00::b -q fd00::a -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 \
--icmpv6-id 13826
-A -t 29 -w 7 -s 10.0.0.66 -d 10.0.0.10 -p unheard-of
conntrack v1.4.7 (conntrack-tools): 4 flow entries have been shown.
"""
WEB = group("web", EVERYTHING_OUT, rule("ingress", "tcp", 80))
FABRIC = Fabric(
    networks=(tenant_network("red"),), ports=(port("ann", "red", "10.0.0.10", groups=(WEB.id,)),), groups=(WEB, OPEN)
)
ZONES = {uid("red"): 7}


def flows() -> list[Flow]:
    return list(parse_flows(SAVED))


def court(fabric: Fabric, *gone: tuple[str, str]) -> Court:
    return Court(fabric, NODE, ZONES, gone)


def test_the_trackers_table_is_read() -> None:
    web, ping, six = flows()
    assert (web.zone, str(web.traffic.source), web.traffic.protocol, web.traffic.port) == (7, "10.0.0.66", 6, 80)
    assert (ping.traffic.protocol, ping.traffic.port, ping.traffic.code) == (1, 8, 0)
    assert (six.zone, six.traffic.source.version, six.traffic.port) == (0, 6, 128)
    assert web.key == (
        "-f ipv4 -w 7 -s 10.0.0.66 -d 10.0.0.10 -r 10.0.0.10 -q 10.0.0.66 -p tcp --sport 49726 --dport 80 "
        "--reply-port-src 80 --reply-port-dst 49726"
    )


def test_what_is_allowed_goes_on() -> None:
    assert [court(FABRIC).parties(flow) for flow in flows()] == [None, None, None]


def test_each_direction_is_judged_by_the_port_it_concerns() -> None:
    web, ping, six = flows()
    no_more_web = court(with_(FABRIC, groups=(group("web", EVERYTHING_OUT),)))
    assert no_more_web.parties(web) == {uid("ann")}
    assert no_more_web.parties(ping) is None
    silent = court(with_(FABRIC, groups=(group("web", rule("ingress", "tcp", 80)),)))
    assert silent.parties(web) is None
    assert silent.parties(ping) == {uid("ann")}
    assert silent.parties(six) is None


def test_another_rule_is_as_good() -> None:
    other = group("other", rule("ingress", "tcp", 1, 1000), EVERYTHING_OUT)
    fabric = with_(FABRIC, ports=(port("ann", "red", "10.0.0.10", groups=(other.id,)),), groups=(other,))
    assert court(fabric).parties(flows()[0]) is None


def test_the_same_address_in_another_network_is_somebody_else() -> None:
    fabric = with_(FABRIC, ports=(port("ann", "blue", "10.0.0.10", groups=()),))
    assert Court(fabric, NODE, {**ZONES, uid("blue"): 8}, ()).parties(flows()[0]) is None


def test_ports_without_security_or_with_stateless_groups_are_not_judged() -> None:
    for spec, groups in (
        (port("ann", "red", "10.0.0.10", groups=(), security=False), ()),
        (port("ann", "red", "10.0.0.10", groups=(WEB.id,)), (group("web", stateful=False),)),
    ):
        assert court(with_(FABRIC, ports=(spec,), groups=groups)).parties(flows()[0]) is None


def test_an_address_that_went_takes_its_flows_along_but_not_one_that_moved() -> None:
    web = flows()[0]
    without = with_(FABRIC, ports=())
    assert departed(FABRIC, without) == {(uid("red"), "10.0.0.10")}
    assert court(without, *departed(FABRIC, without)).parties(web) == set()
    moved = with_(FABRIC, ports=(port("ann", "red", "10.0.0.10", host="oak"),))
    assert departed(FABRIC, moved) == set()
    assert court(moved).parties(web) is None


def test_an_address_of_several_is_judged_by_any_of_them() -> None:
    shared = port("cat", "red", "10.0.0.20", groups=(OPEN.id,), allowed_pairs=(("", "10.0.0.10/32"),))
    strict = port("ann", "red", "10.0.0.10", groups=())
    assert court(with_(FABRIC, ports=(strict, shared))).parties(flows()[0]) is None
    assert court(with_(FABRIC, ports=(strict,))).parties(flows()[0]) == {uid("ann")}
