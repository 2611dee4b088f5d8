"""The promise that every network driver keeps, in memory and in the kernel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, ForwardingSpec, GatewaySpec, LocalSpec, LogSpec
from cumulet.contracts.record import digest_of
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
from tests.support.network.worlds import FakeWorld, LinuxWorld

RED, BLUE = tenant_network("red"), tenant_network("blue")
WEB = group("web", EVERYTHING_OUT, rule("ingress", "tcp", 80), rule("ingress", "icmp", 8))

World = FakeWorld | LinuxWorld


@pytest_asyncio.fixture(params=["fake", pytest.param("linux", marks=pytest.mark.root)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: World = FakeWorld() if request.param == "fake" else LinuxWorld(tmp_path)
    yield made
    await made.stop()


async def yes(world: World, network: str, source: str, destination: str, protocol: str = "tcp", to: int = 80) -> bool:
    return await world.reaches(network, source, destination, protocol, to, expected=True)


async def no(world: World, network: str, source: str, destination: str, protocol: str = "tcp", to: int = 80) -> bool:
    return not await world.reaches(network, source, destination, protocol, to, expected=False)


async def test_it_says_what_is_in_force(world: World) -> None:
    fabric = Fabric(networks=(RED,), ports=(port("ann", "red", "10.0.0.10"),), groups=(OPEN,))
    await world.start(fabric)
    facts = await world.driver.apply(fabric)
    assert [fact.digest for fact in facts[Kind.PORT]] == [digest_of(fabric.ports[0])]
    assert [fact.digest for fact in facts[Kind.NETWORK]] == [digest_of(RED)]
    assert [fact.digest for fact in facts[Kind.GROUP]] == [digest_of(OPEN)]
    assert all(fact.up for elements in facts.values() for fact in elements)
    assert world.driver.tap(uid("ann")) == f"tap{uid('ann')[:11]}"


async def test_what_is_not_named_is_left_alone_and_what_is_removed_is_gone(world: World) -> None:
    ann, bob = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11")
    await world.start(Fabric(networks=(RED,), ports=(ann, bob), groups=(OPEN,)))
    await world.driver.apply(Fabric())
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")
    await world.restart()
    await world.driver.apply(Fabric())
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")
    found = await world.driver.found()
    assert sorted(found[Kind.PORT]) == sorted([ann.id, bob.id])
    for kind, key in ((Kind.PORT, bob.id), (Kind.PORT, uid("nobody")), (Kind.PORT, bob.id)):
        await world.driver.remove(kind, key)
    assert list((await world.driver.found())[Kind.PORT]) == [ann.id]
    for kind, key in ((Kind.PORT, ann.id), (Kind.GROUP, OPEN.id), (Kind.NETWORK, RED.id), (Kind.ROUTER, uid("x"))):
        await world.driver.remove(kind, key)
    assert not any((await world.driver.found()).values())


async def test_one_that_cannot_be_made_does_not_stop_the_rest(world: World) -> None:
    good, lost = port("ann", "red", "10.0.0.10"), port("eve", "nowhere", "10.0.0.66")
    await world.start(Fabric(networks=(RED,), ports=(good,), groups=(OPEN,)))
    facts = await world.driver.apply(Fabric(networks=(RED,), ports=(lost, good), groups=(OPEN,)))
    first, second = facts[Kind.PORT]
    assert first.fault is not None
    assert "its network is not here" in first.fault.message
    assert first.digest == ""
    assert second.fault is None
    assert second.digest == digest_of(good)


async def test_tenants_may_have_the_same_addresses(world: World) -> None:
    ports = (
        port("ann", "red", "10.0.0.10"),
        port("bob", "red", "10.0.0.11"),
        port("cat", "blue", "10.0.0.10"),
    )
    await world.start(Fabric(networks=(RED, BLUE), ports=ports, groups=(OPEN,)))
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")
    assert await no(world, "blue", "10.0.0.10", "10.0.0.11")


async def test_groups_let_in_what_they_name_and_nothing_else(world: World) -> None:
    ports = (port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11", groups=(WEB.id,)))
    await world.start(Fabric(networks=(RED,), ports=ports, groups=(OPEN, WEB)))
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11", "tcp", 80)
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11", "icmp", 8)
    assert await no(world, "red", "10.0.0.10", "10.0.0.11", "tcp", 22)
    # The other way everything may go, and be answered.
    assert await yes(world, "red", "10.0.0.11", "10.0.0.10", "tcp", 22)


async def test_groups_hold_back_what_goes_out(world: World) -> None:
    quiet = group("quiet", rule("egress", "tcp", 443), rule("ingress"))
    ports = (port("ann", "red", "10.0.0.10", groups=(quiet.id,)), port("bob", "red", "10.0.0.11"))
    await world.start(Fabric(networks=(RED,), ports=ports, groups=(OPEN, quiet)))
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11", "tcp", 443)
    assert await no(world, "red", "10.0.0.10", "10.0.0.11", "tcp", 80)
    assert await yes(world, "red", "10.0.0.11", "10.0.0.10", "tcp", 80)


async def test_a_rule_may_name_the_members_of_a_group_or_a_range(world: World) -> None:
    club = group("club", EVERYTHING_OUT, rule("ingress", "tcp", 80, remote_group=uid("friends")))
    wide = group("wide", EVERYTHING_OUT, rule("ingress", "tcp", 81, remote_cidr="10.0.0.12/31"))
    friends = group("friends", EVERYTHING_OUT, members=("10.0.0.10/32",))
    ports = (
        port("ann", "red", "10.0.0.10", groups=(friends.id,)),
        port("bob", "red", "10.0.0.11", groups=(club.id, wide.id)),
        port("cat", "red", "10.0.0.12"),
    )
    fabric = Fabric(networks=(RED,), ports=ports, groups=(OPEN, club, wide, friends))
    await world.start(fabric)
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")
    assert await no(world, "red", "10.0.0.12", "10.0.0.11")
    assert await yes(world, "red", "10.0.0.12", "10.0.0.11", "tcp", 81)
    ranged = msgspec.structs.replace(friends, members=("10.0.0.12/30",))
    await world.driver.apply(with_(fabric, groups=(OPEN, club, wide, ranged)))
    assert await no(world, "red", "10.0.0.10", "10.0.0.11")
    assert await yes(world, "red", "10.0.0.12", "10.0.0.11")


async def test_without_port_security_everything_passes_and_without_groups_nothing(world: World) -> None:
    ports = (
        port("ann", "red", "10.0.0.10", groups=(), security=False),
        port("bob", "red", "10.0.0.11", groups=(), security=False),
        port("cat", "red", "10.0.0.12", groups=()),
    )
    await world.start(Fabric(networks=(RED,), ports=ports))
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")
    assert await no(world, "red", "10.0.0.10", "10.0.0.12")
    assert await no(world, "red", "10.0.0.12", "10.0.0.11")


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


async def test_a_trunk_carries_ports_of_other_networks(world: World) -> None:
    green = tenant_network("green")
    subnet = msgspec.structs.replace(green.subnets[0], cidr="10.1.0.0/24", gateway="", dhcp_address="10.1.0.2")
    green = msgspec.structs.replace(green, subnets=(subnet,))
    ann, bob = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11")
    first = port("ann in blue", "blue", "10.0.0.10", trunk_port=ann.id, tag=100, device_owner="trunk:subport")
    second = port("ann in green", "green", "10.1.0.10", trunk_port=ann.id, tag=200, device_owner="trunk:subport")
    cat, gus = port("cat", "blue", "10.0.0.11", groups=(WEB.id,)), port("gus", "green", "10.1.0.11")
    fabric = Fabric(networks=(RED, BLUE, green), ports=(first, second, ann, bob, cat, gus), groups=(OPEN, WEB))
    await world.start(fabric)
    for network, here, there in (("red", ann, bob), ("blue", first, cat), ("green", second, gus)):
        assert await yes(world, network, here.addresses[0].ip, there.addresses[0].ip), network
        assert await yes(world, network, there.addresses[0].ip, here.addresses[0].ip), network
    assert await no(world, "blue", "10.0.0.10", "10.0.0.11", "tcp", 22)
    # Left alone by a driver that starts again; gone when it is taken away, and the others stay.
    await world.restart()
    await world.driver.apply(fabric)
    assert await yes(world, "blue", "10.0.0.10", "10.0.0.11")
    await world.driver.remove(Kind.PORT, first.id)
    assert await no(world, "blue", "10.0.0.11", "10.0.0.10", "icmp", 8)
    assert await yes(world, "green", "10.1.0.10", "10.1.0.11")
    assert await yes(world, "red", "10.0.0.10", "10.0.0.11")


async def test_a_port_of_a_trunk_that_is_not_here_cannot_be_made(world: World) -> None:
    lost = port("lost", "blue", "10.0.0.10", trunk_port=uid("ann"), tag=100, device_owner="trunk:subport")
    await world.start(Fabric(networks=(RED, BLUE), groups=(OPEN,)))
    (fact,) = (await world.driver.apply(Fabric(ports=(lost,))))[Kind.PORT]
    assert fact.fault is not None
    assert "the port of its trunk is not here" in fact.fault.message


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


async def test_what_groups_do_is_logged_where_somebody_wants_to_know(world: World) -> None:
    def log(name: str, event: str, group_id: str = "") -> LogSpec:
        return LogSpec(id=uid(name), project_id=uid("mine"), event=event, group=group_id)

    ann = port("ann", "red", "10.0.0.10", logs=(log("by another group", "ACCEPT", WEB.id),))
    bob = port("bob", "red", "10.0.0.11", groups=(WEB.id,), logs=(log("web", "ALL", WEB.id),))
    cat = port("cat", "red", "10.0.0.12", groups=(WEB.id,), logs=(log("drops", "DROP"),))
    dot = port("dot", "red", "10.0.0.13", groups=(WEB.id,))
    fabric = Fabric(networks=(RED,), ports=(ann, bob, cat, dot), groups=(OPEN, WEB))
    await world.start(fabric)
    for name, address in (("bob", "10.0.0.11"), ("cat", "10.0.0.12"), ("dot", "10.0.0.13")):
        assert await yes(world, "red", "10.0.0.10", address, "tcp", 80), name
        assert await no(world, "red", "10.0.0.10", address, "tcp", 22), name
    seen = {("ACCEPT", "ingress", bob.id), ("DROP", "ingress", bob.id), ("DROP", "ingress", cat.id)}
    assert await world.witnessed() == seen
    await world.driver.apply(with_(fabric, ports=(ann, msgspec.structs.replace(bob, logs=()), cat, dot)))
    assert await yes(world, "red", "10.0.0.11", "10.0.0.10", "tcp", 80)
    assert await world.witnessed() == seen
