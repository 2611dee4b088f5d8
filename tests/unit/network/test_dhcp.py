"""What dnsmasq is told."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.networks import SubnetSpec
from cumulet.drivers.network.linux.dhcp import advertisement_text, dhcp_interior, dhcp_text, has_dhcp
from cumulet.drivers.network.linux.dnsmasq import can_reload
from cumulet.drivers.network.linux.node import Node
from tests.support.network.fabrics import NODE, port, tenant_network, uid

HERE = Node(NODE, "maple")
RED = tenant_network("red")


def six(mode: str, ra: str = "") -> SubnetSpec:
    return SubnetSpec(
        id=uid("red v6"),
        cidr="fd00:1::/64",
        version=6,
        dhcp_address="fd00:1::2",
        ra_mode=ra or mode,
        address_mode=mode,
    )


def test_hosts_are_ours_and_names_are_everybodys() -> None:
    ann = port("ann", "red", "10.0.0.10")
    far = port("far", "red", "10.0.0.20", host="oak")
    nameless = port("x", "red", "10.0.0.30", hostname="no name\n")
    text = dhcp_text(RED, (ann, far, nameless, port("other", "blue", "10.0.0.10")), HERE)
    assert text is not None
    assert sorted(text.hosts.splitlines()) == sorted(
        [f"{ann.mac},10.0.0.10,ann", f"{nameless.mac},10.0.0.30,host-10-0-0-30"]
    )
    assert sorted(text.names.splitlines()) == [
        "10.0.0.10 ann.example.org ann",
        "10.0.0.20 far.example.org far",
        "10.0.0.30 host-10-0-0-30.example.org host-10-0-0-30",
    ]
    assert "--dhcp-range=set:subnet-0,10.0.0.0,static,255.255.255.0,86400" in text.arguments


def test_the_options_of_a_subnet() -> None:
    text = dhcp_text(RED, (), HERE)
    assert text is not None
    routes = "10.99.0.0/16,10.0.0.77,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"
    assert text.options.splitlines() == [
        "tag:subnet-0,option:router,10.0.0.1",
        "tag:subnet-0,option:dns-server,192.0.2.53",
        "tag:subnet-0,option:mtu,1450",
        f"tag:subnet-0,option:classless-static-route,{routes}",
        f"tag:subnet-0,249,{routes}",
    ]


def test_without_a_gateway_nobody_is_the_router() -> None:
    alone = msgspec.structs.replace(RED.subnets[0], gateway="", routes=(), dns=())
    text = dhcp_text(msgspec.structs.replace(RED, subnets=(alone,)), (), HERE)
    assert text is not None
    assert "tag:subnet-0,option:router\n" in text.options
    assert "option:dns-server,10.0.0.2" in text.options
    assert "0.0.0.0/0" not in text.options


def test_neighbouring_subnets_are_on_the_link() -> None:
    second = msgspec.structs.replace(RED.subnets[0], id=uid("2"), cidr="10.1.0.0/24", dhcp_address="10.1.0.2")
    text = dhcp_text(msgspec.structs.replace(RED, subnets=(RED.subnets[0], second)), (), HERE)
    assert text is not None
    assert "10.1.0.0/24,0.0.0.0" in text.options.splitlines()[3]
    assert "10.0.0.0/24,0.0.0.0" in text.options.splitlines()[8]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((("bootfile-name", "a,b"),), ["option:bootfile-name,a,b"]),
        ((("66", "10.0.0.9"),), ["66,10.0.0.9"]),
        ((("option6:23", "[fd00::1]"),), ["option6:23,[fd00::1]"]),
        ((("dhcp-script=/bin/sh", "x"), ("a\nb", "c"), ("mtu", "1\ndhcp-script=/bin/sh"), ("mtu", "x" * 300)), []),
    ],
)
def test_options_of_a_port_that_can_be_said(options: tuple[tuple[str, str], ...], lines: list[str]) -> None:
    ann = port("ann", "red", "10.0.0.10", dhcp_options=options)
    text = dhcp_text(RED, (ann,), HERE)
    assert text is not None
    said = [line for line in text.options.splitlines() if "port-" in line]
    assert said == [f"tag:port-{ann.id},{line}" for line in lines]
    assert (f"set:port-{ann.id}" in text.hosts) is bool(lines)


def test_a_domain_that_is_none_is_not_said() -> None:
    text = dhcp_text(msgspec.structs.replace(RED, dns_domain="a b,c"), (), HERE)
    assert text is not None
    assert "--domain=openstacklocal" in text.arguments


@pytest.mark.parametrize(
    ("mode", "asked"), [("dhcpv6-stateful", True), ("dhcpv6-stateless", True), ("slaac", False), ("", False)]
)
def test_version_6_is_given_out_as_the_subnet_says(mode: str, asked: bool) -> None:
    network = msgspec.structs.replace(RED, subnets=(six(mode),))
    text = dhcp_text(network, (port("ann", "red", "fd00:1::10"),), HERE)
    assert (text is not None) is asked
    if text is not None:
        assert "--dhcp-range=set:subnet-0,fd00:1::,static,64,86400" in text.arguments
        assert "[fd00:1::10]" in text.hosts
        assert "option6:dns-server,[fd00:1::2]" in text.options
    # Metadata is answered all the same.
    assert has_dhcp(network)
    assert "fe80::a9fe:a9fe/128" in dhcp_interior(network, HERE).legs[0].addresses


@pytest.mark.parametrize(
    ("ra", "mode"), [("slaac", "ra-only"), ("dhcpv6-stateless", "ra-stateless"), ("dhcpv6-stateful", "static")]
)
def test_a_router_advertises_what_the_subnet_says(ra: str, mode: str) -> None:
    text = advertisement_text([("qr-1", 1450, (*RED.subnets, six("slaac", ra)))])
    assert text is not None
    assert f"--dhcp-range=set:subnet-0,fd00:1::,{mode},64,86400" in text.arguments
    assert "--ra-param=qr-1,mtu:1450,30,600" in text.arguments
    assert advertisement_text([("qr-1", 1450, RED.subnets)]) is None


@pytest.mark.parametrize(
    ("before", "after", "enough"),
    [
        ("", "a,1\n", True),
        ("a,1\n", "a,1\nb,2\n", True),
        ("a,1\n", "", False),
        ("a,1\n", "b,1\n", False),
        ("a,set:port-x,1\n", "a,set:port-x,1\nb,2\n", False),
        ("a,1\n", "a,1\nb,set:port-x,2\n", False),
    ],
)
def test_a_signal_is_enough_only_when_hosts_without_tags_are_added(before: str, after: str, enough: bool) -> None:
    assert can_reload({"hosts": before}, {"hosts": after}) is enough
