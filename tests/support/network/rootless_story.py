"""Run in a world of `rootless`: a network with two guests, one of which asks by DHCP. Prints how far it came."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.sandbox import is_rootless, prepare_rootless
from tests.support.network.dhcp_client import discover
from tests.support.network.fabrics import OPEN, external_network, group, port, router, tenant_network
from tests.support.network.guests import SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld


async def tell(folder: Path) -> None:
    closed = group("closed")
    ann, bob = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11", groups=(closed.id,))
    fabric = Fabric(
        networks=(external_network(), tenant_network("red")),
        ports=(ann, bob),
        groups=(OPEN, closed),
        routers=(router("way", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.10")),),
    )
    world = LinuxWorld(folder)
    await prepare_rootless(world.commands)
    assert is_rootless()
    print("rootless")
    await world.start(fabric)
    assert await world.outside.ping("198.51.100.101", SOMETHING_COMES_SECONDS)
    assert not await world.reaches("red", "10.0.0.10", "10.0.0.11", "icmp", 8, expected=False)
    print("filtered")
    told = await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)
    assert told is not None
    print("told", told[0])
    await world.stop()


if __name__ == "__main__":
    asyncio.run(tell(Path(sys.argv[1])))
