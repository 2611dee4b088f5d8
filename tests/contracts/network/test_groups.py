"""Whom groups of rules let in and out, and what is logged of it."""

from __future__ import annotations

import msgspec

from cumulet.contracts.networks import Fabric, LogSpec
from tests.contracts.network.asked import RED, WEB, World, no, yes
from tests.support.network.fabrics import (
    EVERYTHING_OUT,
    OPEN,
    group,
    port,
    rule,
    uid,
    with_,
)


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
