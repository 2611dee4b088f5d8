"""A provider's wire: guests of two nodes on one flat network, and what happens without the wire."""

from __future__ import annotations

import re

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, NetworkType
from cumulet.drivers.network.linux.guarantees import shares
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


async def test_a_promise_that_cannot_be_kept_is_the_fault_of_its_port_alone(make_world: MakeWorld) -> None:
    elm = make_world(name="elm", host_gateway=False, wires=(("cable", "wire0"),), rates=(("cable", 1000),))
    blue = tenant_network("blue")
    promised = msgspec.structs.replace(FABRIC.ports[0], egress_least_kbps=600)
    dan = port("dan", "blue", "10.0.0.13", host="elm")
    facts = await elm.driver.apply(Fabric(networks=(RED, blue), ports=(promised, dan), groups=(OPEN,)))
    faults = {found.id: found.fault for found in (*facts[Kind.NETWORK], *facts[Kind.PORT])}
    assert faults[promised.id] is not None
    assert faults[blue.id] is None
    assert faults[dan.id] is None


async def test_promised_frames_leave_in_a_class_of_their_own(make_world: MakeWorld) -> None:
    promised = msgspec.structs.replace(port("ann", "red", "10.0.0.10", host="elm"), egress_least_kbps=600)
    others = (port("cid", "red", "10.0.0.12", host="elm"), port("bob", "red", "10.0.0.11", host="oak"))
    fabric = Fabric(networks=(RED,), ports=(promised, *others), groups=(OPEN,))
    wires = {"host_gateway": False, "wires": (("cable", "wire0"),)}
    elm, oak = make_world(name="elm", rates=(("cable", 1000),), **wires), make_world(name="oak", **wires)
    for world in (elm, oak):
        await world.prepare()
    await elm.commands.ip(elm.namespace, [f"link add name wire0 type veth peer name wire0 netns {oak.namespace}"])
    for world in (elm, oak):
        await world.start(fabric)
    (number, kbps), *more = shares(fabric, elm.node)["wire0"].least
    assert (kbps, more) == (600, [])

    async def sent() -> dict[str, int]:
        shown = await elm.commands.other(["tc", "-s", "class", "show", "dev", "wire0"], elm.namespace)
        found = re.findall(r"class htb (\S+) .*?\n Sent \d+ bytes (\d+) pkt", shown.decode())
        return {handle: int(packets) for handle, packets in found}

    before = await sent()
    for _ in range(20):
        assert await elm.guest("ann").ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    after = await sent()
    own = f"1:{number:x}"
    assert after[own] - before[own] >= 20
    assert await elm.guest("cid").ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    last = await sent()
    assert last[own] - after[own] < 20
    assert last["1:1"] > after["1:1"], "who was promised nothing shares the rest"
    again = msgspec.structs.replace(fabric, ports=(msgspec.structs.replace(promised, egress_least_kbps=0), *others))
    await elm.driver.apply(again)
    assert b"htb" not in await elm.commands.queues(elm.namespace), "a wire without promises is left as it is"
