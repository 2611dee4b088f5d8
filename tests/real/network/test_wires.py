"""A provider's wire: guests of two nodes on one flat network, and what happens without the wire."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, NetworkType
from tests.real.network.conftest import MakeWorld
from tests.support.network.fabrics import OPEN, port, tenant_network
from tests.support.network.guests import SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

RED = tenant_network("red", type=NetworkType.FLAT, physical_network="cable")
FABRIC = Fabric(
    networks=(RED,),
    ports=(port("ann", "red", "10.0.0.10", host="elm"), port("bob", "red", "10.0.0.11", host="oak")),
    groups=(OPEN,),
)


async def test_guests_meet_over_the_wire(make_world: MakeWorld) -> None:
    elm = make_world(name="elm", host_gateway=False, wires=(("cable", "wire0"),))
    oak = make_world(name="oak", host_gateway=False, wires=(("cable", "wire0"),))
    for world in (elm, oak):
        await world.prepare()
    await elm.commands.ip(elm.namespace, [f"link add name wire0 type veth peer name wire0 netns {oak.namespace}"])
    for world in (elm, oak):
        await world.start(FABRIC)
    assert await elm.guest("ann").ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    # The wire is not ours: removing the network leaves it.
    await elm.driver.remove(Kind.PORT, FABRIC.ports[0].id)
    await elm.driver.remove(Kind.NETWORK, RED.id)
    assert set(await elm.commands.links(elm.namespace)) == {"lo", "wire0"}


async def test_without_the_wire_the_network_says_so(world: LinuxWorld, make_world: MakeWorld) -> None:
    elm = make_world(name="elm", host_gateway=False, wires=(("cable", "wire0"),))
    facts = await elm.driver.apply(FABRIC)
    fault = facts[Kind.NETWORK][0].fault
    assert fault is not None
    assert "wire0 is not in the node's namespace" in fault.details
    assert facts[Kind.PORT][0].fault is not None
