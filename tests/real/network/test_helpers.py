"""A protocol that opens further connections: with its helper a router lets them through, without it does not."""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest

from cumulet.contracts.networks import Fabric
from tests.support.network.fabrics import OPEN, external_network, port, router, tenant_network, with_
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

WAY = router("way", "red", "198.51.100.11")
FAR = router("far", "blue", "198.51.100.12", ("198.51.100.103", "10.0.0.10"))
SERVER = "198.51.100.103"
FABRIC = Fabric(
    networks=(external_network(), tenant_network("red"), tenant_network("blue")),
    ports=(port("ann", "red", "10.0.0.10"), port("bob", "blue", "10.0.0.10")),
    groups=(OPEN,),
    routers=(WAY, FAR),
)
DATA = 4321


async def asked_for(world: LinuxWorld, control: int) -> tuple[socket.socket, str]:
    """The connection of a guest to a server outside, and what arrives there of its wish to be called on a port."""
    bob = world.guest("bob")
    await bob.listen("tcp", control)
    connection = await world.guest("ann").connect(SERVER, control, SOMETHING_COMES_SECONDS)
    assert connection is not None
    server = await bob.accept(control)
    loop = asyncio.get_running_loop()
    heard = ""
    async with asyncio.timeout(SOMETHING_COMES_SECONDS):
        # The tracker looks for the wish only where a line begins, and knows that after the first one's end.
        for line in ("USER ann", f"PORT 10,0,0,10,{DATA >> 8},{DATA & 0xFF}"):
            await loop.sock_sendall(connection, f"{line}\r\n".encode())
            heard = (await loop.sock_recv(server, 200)).decode().strip()
    server.close()
    return connection, heard


async def test_a_server_may_call_back_where_its_client_asked_for_it(world: LinuxWorld) -> None:
    await world.start(FABRIC)
    await world.guest("ann").listen("tcp", DATA)
    plain, heard = await asked_for(world, 2121)
    assert heard.startswith("PORT 10,0,0,10,")
    understanding = msgspec.structs.replace(
        WAY, helpers=(("ftp", "tcp", 2121), ("tftp", "udp", 69), ("h323", "tcp", 1720))
    )
    facts = await world.driver.apply(with_(FABRIC, routers=(understanding, FAR)))
    assert not [fact.fault for elements in facts.values() for fact in elements if fact.fault]
    control, heard = await asked_for(world, 2121)
    *address, high, low = heard.removeprefix("PORT ").split(",")
    assert ".".join(address) == "198.51.100.11"
    called = await world.guest("bob").connect("198.51.100.11", int(high) * 256 + int(low), SOMETHING_COMES_SECONDS)
    assert called is not None
    # Only on the port that was asked for.
    assert await world.guest("bob").connect("198.51.100.11", DATA + 1, NOTHING_COMES_SECONDS) is None
    for opened in (plain, control, called):
        opened.close()
