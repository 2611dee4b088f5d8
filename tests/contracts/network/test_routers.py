"""Routers join networks, and addresses outside lead in."""

from __future__ import annotations

import msgspec

from cumulet.contracts.networks import Fabric, ForwardingSpec, GatewaySpec, LocalSpec
from tests.contracts.network.asked import BLUE, RED, WEB, World, no, yes
from tests.support.network.fabrics import (
    EVERYTHING_OUT,
    OPEN,
    OUTSIDE,
    OUTSIDE_SIX,
    external_network,
    group,
    leg,
    port,
    router,
    rule,
    second_external_network,
    tenant_network,
    uid,
    with_,
)
from tests.support.network.worlds import LinuxWorld


async def test_a_router_joins_networks_and_floating_addresses_lead_in(world: World) -> None:
    ports = (
        port("ann", "red", "10.0.0.10"),
        port("bob", "red", "10.0.0.11", groups=(WEB.id,)),
        port("cat", "blue", "10.0.0.10"),
    )
    forwarding = ForwardingSpec(
        id=uid("forward"),
        floating="198.51.100.102",
        protocol="tcp",
        external_port=8080,
        fixed="10.0.0.10",
        internal_port=80,
    )
    fabric = Fabric(
        networks=(external_network(), RED, BLUE),
        ports=ports,
        groups=(OPEN, WEB),
        routers=(
            router("red-router", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.11"), forwardings=(forwarding,)),
            router("blue-router", "blue", "198.51.100.12", ("198.51.100.103", "10.0.0.10")),
        ),
    )
    await world.start(fabric)
    # From outside, by floating addresses; groups still count.
    assert await yes(world, "public", OUTSIDE, "198.51.100.101")
    assert await no(world, "public", OUTSIDE, "198.51.100.101", "tcp", 22)
    assert await yes(world, "public", OUTSIDE, "198.51.100.102", "tcp", 8080)
    assert await yes(world, "public", OUTSIDE, "198.51.100.103")
    # Outwards under the router's address, and to another tenant by its floating address.
    assert await yes(world, "red", "10.0.0.10", OUTSIDE, "icmp")
    assert await yes(world, "blue", "10.0.0.10", "198.51.100.101")
    # A neighbour by its floating address: there and back through the router.
    assert await yes(world, "red", "10.0.0.10", "198.51.100.101")
    # A floating address that is taken away leads nowhere.
    without = router("red-router", "red", "198.51.100.11", forwardings=(forwarding,))
    await world.driver.apply(with_(fabric, routers=(without, fabric.routers[1])))
    assert await no(world, "public", OUTSIDE, "198.51.100.101")
    assert await yes(world, "public", OUTSIDE, "198.51.100.102", "tcp", 8080)


async def test_a_router_with_two_gateways_leads_out_and_in_by_both(world: World) -> None:
    second = second_external_network()
    way = GatewaySpec(
        leg=leg("second outside", "second", "203.0.113.11/24"), next_hops=("203.0.113.1",), floating=("203.0.113.101",)
    )
    floating = (("198.51.100.101", "10.0.0.11"), ("203.0.113.101", "10.0.0.10"))
    both = router("r", "red", "198.51.100.11", *floating, further=(way,), spread=True, watched=True)
    fabric = Fabric(
        networks=(external_network(), second, RED),
        ports=(
            port("ann", "red", "10.0.0.10"),
            port("bob", "red", "10.0.0.11"),
            port("zoe", "second", "203.0.113.20"),
        ),
        groups=(OPEN,),
        routers=(both,),
    )
    await world.start(fabric)
    assert await yes(world, "second", "203.0.113.20", "203.0.113.101")
    assert await yes(world, "public", OUTSIDE, "198.51.100.101")
    for guest in ("10.0.0.10", "10.0.0.11"):
        assert await yes(world, "red", guest, "203.0.113.20")
        assert await yes(world, "red", guest, OUTSIDE, "icmp")
    # With the first alone again, the other network is out of reach.
    alone = router("r", "red", "198.51.100.11", floating[0])
    await world.driver.apply(with_(fabric, routers=(alone,)))
    assert await no(world, "second", "203.0.113.20", "203.0.113.101")
    assert await yes(world, "public", OUTSIDE, "198.51.100.101")


async def test_a_router_between_two_networks_of_one_tenant(world: World) -> None:
    green = tenant_network("green")
    subnet = msgspec.structs.replace(green.subnets[0], cidr="10.1.0.0/24", gateway="10.1.0.1", dhcp_address="10.1.0.2")
    green = msgspec.structs.replace(green, subnets=(subnet,))
    between = router("between", "red", "198.51.100.11", gateway=None, next_hops=())
    legs = (*between.interfaces, leg("between green", "green", "10.1.0.1/24"))
    between = msgspec.structs.replace(between, interfaces=legs)
    ports = (port("ann", "red", "10.0.0.10"), port("gus", "green", "10.1.0.10", groups=(WEB.id,)))
    fabric = Fabric(networks=(RED, green), ports=ports, groups=(OPEN, WEB), routers=(between,))
    await world.start(fabric)
    assert await yes(world, "red", "10.0.0.10", "10.1.0.10")
    assert await no(world, "red", "10.0.0.10", "10.1.0.10", "tcp", 22)
    await world.driver.apply(with_(fabric, routers=(msgspec.structs.replace(between, up=False),)))
    assert await no(world, "red", "10.0.0.10", "10.1.0.10")


async def test_ports_in_a_row_lead_each_to_its_own_or_all_to_one(world: World) -> None:
    def to(first: int, fixed: int, more: int, *, together: bool = False) -> ForwardingSpec:
        return ForwardingSpec(
            id=uid(f"to {first}"),
            floating="198.51.100.102",
            protocol="tcp",
            external_port=first,
            fixed="10.0.0.10",
            internal_port=fixed,
            more=more,
            together=together,
        )

    limited = group("limited", EVERYTHING_OUT, *(rule("ingress", "tcp", port) for port in (80, 82, 90, 9001)))
    row, same, one = to(8080, 80, 2), to(90, 90, 3), to(9000, 9001, 5, together=True)
    way = router("way", "red", "198.51.100.11", forwardings=(row, same, one))
    ann = port("ann", "red", "10.0.0.10", groups=(limited.id,))
    fabric = Fabric(networks=(external_network(), RED), ports=(ann,), groups=(OPEN, limited), routers=(way,))
    await world.start(fabric)
    await world.listen("red", "10.0.0.10", 80, 82, 90, 9001)
    for outer in (8080, 8082, 90, 9000, 9005):
        assert await yes(world, "public", OUTSIDE, "198.51.100.102", to=outer), outer
    # 81 is not let in, and the others are no part of a row.
    for outer in (8081, 8083, 9006):
        assert await no(world, "public", OUTSIDE, "198.51.100.102", to=outer), outer


async def test_a_router_answers_outside_for_those_that_it_is_told_and_lets_in_no_others(world: World) -> None:
    six = msgspec.structs.replace(RED.subnets[0], id=uid("red v6"), cidr="2001:db8:1::/64", version=6)
    inner = msgspec.structs.replace(six, gateway="2001:db8:1::1", dhcp=False, dhcp_address="", dns=(), routes=())
    way = router(
        "r",
        "red",
        "198.51.100.5",
        interfaces=(leg("r inside", "red", "2001:db8:1::1/64"),),
        gateway=leg("r outside", "public", "198.51.100.5/24", "2001:db8:ffff::5/64"),
        next_hops=(OUTSIDE, OUTSIDE_SIX),
        proxied=("2001:db8:1::10",),
    )
    fabric = Fabric(
        networks=(tenant_network("red", subnets=(inner,)), external_network(six=True)),
        ports=(port("ann", "red", "2001:db8:1::10"), port("bob", "red", "2001:db8:1::11")),
        groups=(OPEN,),
        routers=(way,),
    )
    await world.start(fabric)
    if isinstance(world, LinuxWorld):
        # The provider takes the whole scope to be on the wire: whoever is there answers for himself.
        await world.commands.ip(world.namespace, ["route add 2001:db8:1::/64 dev br-public"])
    assert await yes(world, "public", OUTSIDE_SIX, "2001:db8:1::10")
    assert await no(world, "public", OUTSIDE_SIX, "2001:db8:1::11")
    await world.driver.apply(with_(fabric, routers=(msgspec.structs.replace(way, proxied=("2001:db8:1::11",)),)))
    assert await yes(world, "public", OUTSIDE_SIX, "2001:db8:1::11")
    assert await no(world, "public", OUTSIDE_SIX, "2001:db8:1::10")


async def test_a_local_address_leads_to_a_port_of_this_node(world: World) -> None:
    local = LocalSpec(address="10.0.0.50", fixed="10.0.0.11")
    asked = LocalSpec(address="10.0.0.60", fixed="10.0.0.11", translated=False)
    ports = (
        port("ann", "red", "10.0.0.10"),
        port("bob", "red", "10.0.0.11", groups=(WEB.id,), local=(local,)),
        port("cat", "blue", "10.0.0.10"),
        port("dot", "blue", "10.0.0.50"),
    )
    fabric = Fabric(networks=(RED, BLUE), ports=ports, groups=(OPEN, WEB))
    await world.start(fabric)
    for protocol, to in (("tcp", 80), ("icmp", 8)):
        assert await yes(world, "red", "10.0.0.10", "10.0.0.50", protocol, to)
        assert await yes(world, "red", "10.0.0.10", "10.0.0.11", protocol, to)
    assert await no(world, "red", "10.0.0.10", "10.0.0.50", "tcp", 22)
    assert await yes(world, "blue", "10.0.0.10", "10.0.0.50", "tcp", 22)
    both = msgspec.structs.replace(ports[1], local=(local, asked), allowed_pairs=(("", "10.0.0.60/32"),))
    await world.driver.apply(with_(fabric, ports=(ports[0], both, *ports[2:])))
    assert await yes(world, "red", "10.0.0.10", "10.0.0.50")
    await world.have("red", "10.0.0.11", "10.0.0.60")
    assert await yes(world, "red", "10.0.0.10", "10.0.0.60")
    await world.driver.apply(with_(fabric, ports=(ports[0], msgspec.structs.replace(ports[1], local=()), *ports[2:])))
    assert await no(world, "red", "10.0.0.10", "10.0.0.50", "tcp", 80)
