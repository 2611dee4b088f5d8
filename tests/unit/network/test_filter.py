"""The text of the rules, and how one text becomes another."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.networks import Fabric, NetworkType, RuleSpec
from cumulet.drivers.network.linux.filter import ruleset, youth_ends
from cumulet.drivers.network.linux.group_rules import rule_matches
from cumulet.drivers.network.linux.guard import guard_rules
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.ruleset import Ruleset, only_grows, transaction
from tests.support.network.fabrics import EVERYTHING_OUT, NODE, OPEN, group, mac, port, rule, tenant_network, uid, with_

HERE = Node(NODE, "maple")
RED = tenant_network("red")
ANN = port("ann", "red", "10.0.0.10")
FABRIC = Fabric(networks=(RED,), ports=(ANN,), groups=(OPEN,))


def rules(fabric: Fabric) -> Ruleset:
    return ruleset(fabric, HERE, {network.id: number for number, network in enumerate(fabric.networks, 7)})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (rule("ingress"), "ether type ip"),
        (rule("egress", version=6), "ether type ip6"),
        (rule("ingress", remote_cidr="0.0.0.0/0"), "ether type ip"),
        (rule("ingress", remote_cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8"),
        (rule("egress", remote_cidr="10.0.0.7/32"), "ip daddr 10.0.0.7/32"),
        (rule("ingress", "tcp", 22), "ether type ip meta l4proto 6 th dport 22"),
        (rule("ingress", "udp", 1000, 2000), "ether type ip meta l4proto 17 th dport 1000-2000"),
        (rule("ingress", "112"), "ether type ip meta l4proto 112"),
        (rule("ingress", "sctp", 5), "ether type ip meta l4proto 132 th dport 5"),
        (rule("ingress", "icmp", 8, 0), "ether type ip meta l4proto 1 icmp type 8 icmp code 0"),
        (rule("ingress", "icmp", 3), "ether type ip meta l4proto 1 icmp type 3"),
        (rule("ingress", "icmp", 128, version=6), "ether type ip6 meta l4proto 58 icmpv6 type 128"),
        (rule("ingress", "any", remote_cidr="fd00::/8", version=6), "ip6 saddr fd00::/8"),
    ],
)
def test_a_rule_in_words_of_nftables(spec: RuleSpec, text: str) -> None:
    assert rule_matches(spec, {}) == [text]


def test_a_remote_group_is_a_set_and_its_ranges_another_named_by_content() -> None:
    friends = group("friends", members=("10.0.0.1/32", "10.1.0.0/16", "10.1.2.0/24", "fd00::/64"))
    spec = rule("ingress", "tcp", 22, remote_group=friends.id)
    single, ranged = rule_matches(spec, {friends.id: friends})
    assert single == f"ip saddr @members4-{friends.id} meta l4proto 6 th dport 22"
    assert ranged.startswith(f"ip saddr @ranges4-{friends.id}-")
    made = rules(with_(FABRIC, groups=(group("open", spec), friends)))
    assert made.sets[f"bridge cumulet members4-{friends.id}"].elements == {"10.0.0.1"}
    (name,) = [name for name in made.sets if "ranges4" in name]
    assert made.sets[name].elements == {"10.1.0.0/16"}
    assert ranged.split("@")[1].split()[0] in name


def test_a_group_that_is_not_here_has_no_members() -> None:
    made = rules(with_(FABRIC, groups=(group("open", rule("ingress", remote_group=uid("nobody"))),)))
    assert made.sets[f"bridge cumulet members4-{uid('nobody')}"].elements == frozenset()


def test_only_our_guests_have_chains() -> None:
    others = (
        port("far", "red", "10.0.0.20", host="oak", tunnel_address="198.51.100.22"),
        port("leg", "red", "10.0.0.1", device_owner="network:router_interface"),
    )
    made = rules(with_(FABRIC, ports=(ANN, *others)))
    assert [name for name in made.chains if "ingress-" in name and "group" not in name] == [
        f"bridge cumulet ingress-{ANN.id}"
    ]
    assert made.sets["inet cumulet peers4"].elements == {"198.51.100.22"}


def test_a_port_without_security_is_known_but_not_filtered() -> None:
    made = rules(with_(FABRIC, ports=(msgspec.structs.replace(ANN, security=False),)))
    assert not [name for name in made.chains if ANN.id in name]
    assert made.sets["bridge cumulet taps"].elements == {f'"tap{ANN.id[:11]}"'}


def test_zones_keep_tenants_apart_but_the_outside_is_one() -> None:
    flat = tenant_network("wire", type=NetworkType.FLAT, physical_network="wire")
    made = rules(with_(FABRIC, networks=(RED, flat)))
    assert made.sets["inet cumulet zones"].elements == {f'"brq{RED.id[:11]}" : 7'}


def test_a_stateless_group_asks_the_tracker_nothing() -> None:
    plain = rules(with_(FABRIC, groups=(msgspec.structs.replace(OPEN, stateful=False),)))
    assert not [r for r in plain.chains[f"bridge cumulet ingress-{ANN.id}"].rules if "meta mark" in r]
    assert [r for r in rules(FABRIC).chains[f"bridge cumulet ingress-{ANN.id}"].rules if "meta mark" in r]


def test_every_chain_of_a_port_ends_by_dropping() -> None:
    made = rules(FABRIC)
    for name in ("guard", "egress", "ingress"):
        assert made.chains[f"bridge cumulet {name}-{ANN.id}"].rules[-1] == "drop"


def test_from_nothing_to_nothing_is_no_transaction() -> None:
    assert transaction(rules(FABRIC), rules(FABRIC)) == ""


def test_a_new_member_is_one_element_and_a_new_port_touches_no_other() -> None:
    club = group("open", EVERYTHING_OUT, rule("ingress", remote_group=uid("open")), members=("10.0.0.10/32",))
    before = with_(FABRIC, groups=(club,))
    bigger = msgspec.structs.replace(club, members=("10.0.0.10/32", "10.0.0.11/32"))
    script = transaction(rules(before), rules(with_(before, groups=(bigger,))))
    assert script == f"add element bridge cumulet members4-{club.id} {{ 10.0.0.11 }}\n"
    bob = port("bob", "red", "10.0.0.11")
    script = transaction(rules(before), rules(with_(before, ports=(ANN, bob))))
    assert ANN.id not in script
    assert "flush" not in script
    assert "delete" not in script


def test_what_goes_is_emptied_before_it_is_deleted() -> None:
    lines = transaction(rules(FABRIC), rules(with_(FABRIC, ports=(), groups=()))).splitlines()
    for chain in ("guard", "ingress", "egress"):
        name = f"chain bridge cumulet {chain}-{ANN.id}"
        emptied, deleted = lines.index(f"flush {name}"), lines.index(f"delete {name}")
        (jump,) = [n for n, line in enumerate(lines) if line.startswith(f"delete element bridge cumulet {chain} ")]
        assert emptied < deleted
        assert jump < deleted


def test_ranges_change_by_changing_their_set() -> None:
    def with_range(cidr: str) -> Ruleset:
        friends = group("friends", members=(cidr,))
        open_ = group("open", rule("ingress", remote_group=friends.id))
        return rules(with_(FABRIC, groups=(open_, friends)))

    script = transaction(with_range("10.1.0.0/16"), with_range("10.1.0.0/17"))
    assert "add set bridge cumulet ranges4" in script
    assert "delete set bridge cumulet ranges4" in script
    assert "delete element" not in script


def test_growing_takes_no_right_away_and_shrinking_does() -> None:
    more = with_(FABRIC, groups=(group("open", *OPEN.rules, rule("ingress", "tcp", 22)),))
    assert only_grows(rules(FABRIC), rules(more))
    assert not only_grows(rules(more), rules(FABRIC))
    assert not only_grows(rules(FABRIC), rules(with_(FABRIC, ports=())))


def test_the_guard_knows_every_identity_of_a_port() -> None:
    spec = port(
        "ann", "red", "10.0.0.10", "fd00:1::10", allowed_pairs=((mac("vip"), "10.0.0.99/32"), ("", "10.0.0.0/25"))
    )
    text = "\n".join(guard_rules(spec))
    assert f"ether saddr != {{ {', '.join(sorted([spec.mac, mac('vip')]))} }} drop" in text
    # The wider range holds the fixed address: a set may not hold both.
    assert f"{spec.mac} . 10.0.0.0/25" in text
    assert f"{spec.mac} . 10.0.0.10" not in text
    assert f"{mac('vip')} . 10.0.0.99" in text
    assert "0xfd000001000000000000000000000010" in text
    assert f"{spec.mac} . fe80::" in text


def test_youth_ends_whether_it_had_begun_or_not() -> None:
    assert youth_ends([]) == ""
    first, second = youth_ends([ANN.id]).splitlines()
    assert first.startswith("add element")
    assert second.startswith("delete element")


def test_packets_are_limited_where_a_guest_speaks_and_where_it_hears() -> None:
    limited = msgspec.structs.replace(ANN, egress_kpps=2, ingress_kpps=3)
    found = rules(with_(FABRIC, ports=(limited,)))
    assert found.chains[f"bridge cumulet shape-{ANN.id}"].rules == (
        "limit rate over 2000/second burst 200 packets drop",
    )
    assert found.chains[f"bridge cumulet count-{ANN.id}"].rules == (
        "limit rate over 3000/second burst 300 packets drop",
    )
    generous = msgspec.structs.replace(limited, egress_burst_kp=5, egress_kbps=800, egress_burst_kb=1000)
    assert rules(with_(FABRIC, ports=(generous,))).chains[f"bridge cumulet shape-{ANN.id}"].rules == (
        "limit rate over 100000 bytes/second burst 125000 bytes drop",
        "limit rate over 2000/second burst 5000 packets drop",
    )
    assert not [
        name for name in rules(FABRIC).chains if ANN.id in name and name.split()[2].startswith(("shape", "count"))
    ]
