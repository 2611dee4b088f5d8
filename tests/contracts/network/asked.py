"""Two networks and a group that the suites share, and how they ask who reaches whom."""

from __future__ import annotations

from tests.support.network.fabrics import (
    EVERYTHING_OUT,
    group,
    rule,
    tenant_network,
)
from tests.support.network.worlds import FakeWorld, LinuxWorld

RED, BLUE = tenant_network("red"), tenant_network("blue")


WEB = group("web", EVERYTHING_OUT, rule("ingress", "tcp", 80), rule("ingress", "icmp", 8))


World = FakeWorld | LinuxWorld


async def yes(world: World, network: str, source: str, destination: str, protocol: str = "tcp", to: int = 80) -> bool:
    return await world.reaches(network, source, destination, protocol, to, expected=True)


async def no(world: World, network: str, source: str, destination: str, protocol: str = "tcp", to: int = 80) -> bool:
    return not await world.reaches(network, source, destination, protocol, to, expected=False)
