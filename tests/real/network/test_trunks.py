"""A guest whose interface carries several networks, each under its tag: what is on its wire, and what is held back."""

from __future__ import annotations

import asyncio
import socket
import struct

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric
from tests.support.network.dhcp_client import discover
from tests.support.network.fabrics import OPEN, mac, port, tenant_network, with_
from tests.support.network.guests import (
    NOTHING_COMES_SECONDS,
    SOMETHING_COMES_SECONDS,
    Guest,
    arrives,
    frame,
    udp_packet,
)
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

RED, BLUE = tenant_network("red"), tenant_network("blue")
ANN = port("ann", "red", "10.0.0.10")
SUB = port("ann in blue", "blue", "10.0.0.10", trunk_port=ANN.id, tag=100, device_owner="trunk:subport")
CAT = port("cat", "blue", "10.0.0.11")
FABRIC = Fabric(networks=(RED, BLUE), ports=(ANN, SUB, CAT), groups=(OPEN,))
IP4 = 0x0800
_PACKETS, _SAY_MORE = 263, 8


def tag(number: int) -> bytes:
    return struct.pack("!HH", 0x8100, number)


async def two_guests(world: LinuxWorld) -> tuple[Guest, Guest]:
    """One on the trunk, which tags its frames by itself, and one in the network of the sub-port."""
    await world.prepare()
    ann, cat = await world.plug(ANN, FABRIC), await world.plug(CAT, FABRIC)
    await world.driver.apply(FABRIC)
    await world.connected()
    return ann, cat


async def test_frames_are_tagged_for_the_guest_and_for_nobody_else(world: LinuxWorld) -> None:
    ann, cat = await two_guests(world)
    on_trunk, in_blue = await ann.raw(), await cat.raw()
    on_trunk.setsockopt(_PACKETS, _SAY_MORE, 1)
    out = udp_packet("10.0.0.10", "10.0.0.11", 1000, 2000)
    on_trunk.send(frame(SUB.mac, CAT.mac, IP4, out, tag(100)))
    assert await arrives(in_blue, frame(SUB.mac, CAT.mac, IP4, out).__eq__, SOMETHING_COMES_SECONDS)
    back = udp_packet("10.0.0.11", "10.0.0.10", 2000, 1000)
    in_blue.send(frame(CAT.mac, SUB.mac, IP4, back))
    assert await tag_of(on_trunk, frame(CAT.mac, SUB.mac, IP4, back)) == 100
    # Under no tag, another one, or another's address, nothing of the guest reaches that network.
    wrong = (b"", ann.port.mac), (tag(101), SUB.mac), (tag(100), mac("eve"))
    for number, (marks, sender) in enumerate(wrong, 3000):
        forged = udp_packet("10.0.0.10", "10.0.0.11", number, 1)
        on_trunk.send(frame(sender, CAT.mac, IP4, forged, marks))
        assert not await arrives(in_blue, lambda got, sent=forged: sent in got, NOTHING_COMES_SECONDS), marks
    on_trunk.close()
    in_blue.close()


async def tag_of(opened: socket.socket, wanted: bytes) -> int | None:
    """The tag under which that frame comes; the kernel takes it off before anybody reads it."""
    found: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def read() -> None:
        got, beside, _, _ = opened.recvmsg(2048, 256)
        if got == wanted and not found.done():
            (number,) = struct.unpack_from("16xH", beside[0][2])
            found.set_result(number)

    asyncio.get_running_loop().add_reader(opened, read)
    try:
        async with asyncio.timeout(SOMETHING_COMES_SECONDS):
            return await found
    finally:
        asyncio.get_running_loop().remove_reader(opened)


async def test_a_sub_port_gets_its_address_from_its_own_network(world: LinuxWorld) -> None:
    await world.start(FABRIC)
    told = await discover(world.guest("ann in blue"), SUB.mac, SOMETHING_COMES_SECONDS)
    assert told is not None
    assert told[0] == "10.0.0.10"


async def test_another_tag_and_no_trunk_any_more(world: LinuxWorld) -> None:
    ann, cat = await two_guests(world)
    on_trunk, in_blue = await ann.raw(), await cat.raw()

    async def passes(number: int, mark: int, seconds: float) -> bool:
        sent = udp_packet("10.0.0.10", "10.0.0.11", number, 1)
        on_trunk.send(frame(SUB.mac, CAT.mac, IP4, sent, tag(mark)))
        return await arrives(in_blue, lambda got: sent in got, seconds)

    await world.restart()
    moved = msgspec.structs.replace(SUB, tag=7)
    await world.driver.apply(with_(FABRIC, ports=(ANN, moved, CAT)))
    assert await passes(1, 7, SOMETHING_COMES_SECONDS)
    assert not await passes(2, 100, NOTHING_COMES_SECONDS)
    # It becomes a port like any other, with an interface that a machine can open.
    plain = msgspec.structs.replace(SUB, trunk_port="", tag=0, device_owner="compute:nova")
    facts = await world.driver.apply(with_(FABRIC, ports=(ANN, plain, CAT)))
    assert not [fact.fault for fact in facts[Kind.PORT] if fact.fault]
    links = await world.commands.links(world.namespace)
    assert links[world.driver.tap(SUB.id)].kind == "tun"
    assert not [name for name in links if name.startswith("sub")]
    assert b"clsact" not in await world.commands.queues(world.namespace)
    assert not await passes(3, 7, NOTHING_COMES_SECONDS)
    on_trunk.close()
    in_blue.close()
