"""Trunks carry the ports of several networks."""

from __future__ import annotations

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric
from tests.contracts.network.asked import BLUE, RED, WEB, World, no, yes
from tests.support.network.fabrics import (
    OPEN,
    port,
    tenant_network,
    uid,
)


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
