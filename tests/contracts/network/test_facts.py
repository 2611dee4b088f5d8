"""What is said of what is in force, and that nothing else is touched."""

from __future__ import annotations

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric
from cumulet.contracts.record import digest_of
from tests.contracts.network.asked import BLUE, RED, World, no, yes
from tests.support.network.fabrics import (
    OPEN,
    port,
    uid,
)


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
