"""Interfaces as they are found, and what is changed of them."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.drivers.network.linux.links import FoundLink, Lines, lines_for, surplus
from cumulet.drivers.network.linux.names import namespace_owner
from cumulet.drivers.network.linux.plan import plan
from tests.support.network.fabrics import (
    uid,
)
from tests.unit.network.example import FABRIC, HERE, RED, WAY, ZONES


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


def test_the_names_of_namespaces_lead_back_to_their_owners() -> None:
    assert namespace_owner("maple", f"maple-qrouter-{WAY.id}") == (Kind.ROUTER, WAY.id)
    assert namespace_owner("maple", f"maple-qdhcp-{RED.id}") == (Kind.NETWORK, RED.id)
    for other in (f"maple2-qdhcp-{RED.id}", "maple-qdhcp-x", "maple", f"oak-maple-qdhcp-{RED.id}"):
        assert namespace_owner("maple", other) is None
