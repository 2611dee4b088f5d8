"""Run in a world of `rootless`: a node with two guests, reached from the host that this world is. Prints how far it
came."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from msgspec.structs import replace

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, NetworkType
from cumulet.drivers.network.linux.node import Uplink
from cumulet.drivers.network.linux.sandbox import is_rootless, prepare_rootless
from cumulet.drivers.network.linux.uplink import remove_uplink
from tests.support.network.dhcp_client import discover
from tests.support.network.fabrics import OPEN, external_network, group, port, router, tenant_network
from tests.support.network.guests import SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld

HERE, THERE = "198.51.101.1", "198.51.101.2"


async def tell(folder: Path) -> None:
    closed = group("closed")
    far = port("far", "red", "10.0.0.20", host="oak", tunnel_address=THERE)
    ann, bob = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11", groups=(closed.id,))
    fabric = Fabric(
        networks=(external_network(), tenant_network("red", type=NetworkType.VXLAN, segmentation_id=5)),
        ports=(ann, bob, far),
        groups=(OPEN, closed),
        routers=(router("way", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.10")),),
    )
    world = LinuxWorld(folder, tunnel_address=HERE, tunnels_in_host=True, uplink=Uplink(outgoing=True))
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
    await world.guest("ann").listen("tcp", 80)
    async with asyncio.timeout(SOMETHING_COMES_SECONDS):
        await asyncio.open_connection("198.51.100.101", 80)
    print("reached")
    await world.restart()
    world.run.ran.clear()
    await world.driver.apply(fabric)
    assert not [command for command in world.run.ran if "vxlan-5" in command]
    print("undisturbed")
    sub = port("sub", "red", "10.0.0.30", trunk_port=ann.id, tag=7)
    facts = (await world.driver.apply(replace(fabric, ports=(*fabric.ports, sub))))[Kind.PORT]
    fault = next(fact.fault for fact in facts if fact.id == sub.id)
    assert fault is not None
    assert "rootless" in fault.message, fault
    print("explained")
    await remove_uplink(world.commands, world.node)
    await world.stop()


if __name__ == "__main__":
    asyncio.run(tell(Path(sys.argv[1])))
