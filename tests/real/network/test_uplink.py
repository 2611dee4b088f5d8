"""The host and its guests: the host reaches floating addresses; guests reach the world if the operator says so.

The host is a namespace of the test, and so is the world.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.commands import Commands, add_namespaces, delete_namespace
from cumulet.drivers.network.linux.node import Uplink
from cumulet.drivers.network.linux.uplink import ensure_uplink, outside_name, remove_uplink, table_name
from cumulet.lib import process
from tests.real.network.conftest import MakeWorld
from tests.support.network.fabrics import OPEN, OUTSIDE, external_network, port, router, tenant_network
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS, Place
from tests.support.network.worlds import CountingRun, LinuxWorld

pytestmark = pytest.mark.root

HOST_ADDRESS, WORLD_ADDRESS = "10.200.0.1", "10.200.0.9"
FABRIC = Fabric(
    networks=(external_network(), tenant_network("red")),
    ports=(port("ann", "red", "10.0.0.10"),),
    groups=(OPEN,),
    routers=(router("way", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.10")),),
)


@dataclass
class Surroundings:
    """What lies around a node."""

    host: Place
    world: Place


@pytest_asyncio.fixture
async def around(make_world: MakeWorld) -> AsyncIterator[Surroundings]:
    namespace = make_world().namespace
    commands = Commands()
    found = Surroundings(Place(f"{namespace}-host"), Place(f"{namespace}-world"))
    await add_namespaces(commands, [found.host.namespace, found.world.namespace])
    await commands.ip(
        found.host.namespace,
        [
            "link set dev lo up",
            f"link add name eth0 type veth peer name eth0 netns {found.world.namespace}",
            f"addr add {HOST_ADDRESS}/24 dev eth0",
            "link set dev eth0 up",
        ],
    )
    await commands.ip(found.world.namespace, [f"addr add {WORLD_ADDRESS}/24 dev eth0", "link set dev eth0 up"])
    yield found
    for place in (found.host, found.world):
        place.close()
        await delete_namespace(commands, place.namespace)


async def started(make_world: MakeWorld, around: Surroundings, *, outgoing: bool) -> LinuxWorld:
    world = make_world(uplink=Uplink(outgoing=outgoing, host_namespace=around.host.namespace))
    await world.start(FABRIC)
    await world.guest("ann").listen("tcp", 80)
    await around.world.listen("tcp", 90)
    await around.host.listen("tcp", 91)
    return world


async def reaches(place: Place, address: str, port_number: int, *, expected: bool) -> bool:
    seconds = SOMETHING_COMES_SECONDS if expected else NOTHING_COMES_SECONDS
    opened = await place.connect(address, port_number, seconds)
    if opened is not None:
        opened.close()
    return opened is not None


async def test_the_host_reaches_floating_addresses_and_guests_reach_nobody(
    make_world: MakeWorld, around: Surroundings
) -> None:
    world = await started(make_world, around, outgoing=False)
    opened = await around.host.connect("198.51.100.101", 80, SOMETHING_COMES_SECONDS)
    assert opened is not None
    accepted = await world.guest("ann").accept(80)
    assert accepted.getpeername()[0] == OUTSIDE
    opened.close()
    accepted.close()
    await world.commands.set_kernel(around.host.namespace, [("ipv4/ip_forward", "1")])
    assert not await reaches(world.guest("ann"), WORLD_ADDRESS, 90, expected=False)
    assert not await reaches(world.guest("ann"), HOST_ADDRESS, 91, expected=False)


async def test_guests_reach_the_world_under_the_hosts_address_but_not_the_world_them(
    make_world: MakeWorld, around: Surroundings
) -> None:
    world = await started(make_world, around, outgoing=True)
    assert await reaches(around.host, "198.51.100.101", 80, expected=True)
    opened = await world.guest("ann").connect(WORLD_ADDRESS, 90, SOMETHING_COMES_SECONDS)
    assert opened is not None
    accepted = await around.world.accept(90)
    assert accepted.getpeername()[0] == HOST_ADDRESS
    opened.close()
    accepted.close()
    await world.commands.ip(around.world.namespace, [f"route add 198.51.100.0/24 via {HOST_ADDRESS}"])
    assert not await reaches(around.world, "198.51.100.101", 80, expected=False)


async def test_it_is_found_again_after_a_restart_and_can_be_taken_away(
    make_world: MakeWorld, around: Surroundings
) -> None:
    world = await started(make_world, around, outgoing=True)
    await world.restart()
    await world.driver.apply(FABRIC)
    assert await reaches(around.host, "198.51.100.101", 80, expected=True)
    await remove_uplink(world.commands, world.node)
    assert outside_name(world.node) not in await world.commands.links(around.host.namespace)
    rules = await world.commands.other(["nft", "list", "ruleset"], around.host.namespace)
    assert table_name(world.node).encode() not in rules
    assert not await reaches(around.host, "198.51.100.101", 80, expected=False)


async def test_a_firewall_of_the_host_that_drops_what_it_does_not_know_is_told_once(
    make_world: MakeWorld, around: Surroundings
) -> None:
    world = await started(make_world, around, outgoing=True)
    rules = ["-P FORWARD DROP"]

    class Firewalled(CountingRun):
        """Whose iptables remembers what is inserted."""

        async def __call__(self, argv: Sequence[str], **how: Any) -> process.Completed:
            if argv[0] != "iptables":
                return await super().__call__(argv, **how)
            if "-I" in argv:
                rules.append("-A FORWARD " + " ".join(argv[argv.index("FORWARD") + 1 :]))
            return process.Completed(0, "\n".join(rules).encode(), b"")

    for _ in range(2):
        await ensure_uplink(Commands(Firewalled()), world.node, FABRIC, which=lambda name: name)
    pair = outside_name(world.node)
    assert rules[1:] == [
        f"-A FORWARD -i {pair} -j ACCEPT",
        f"-A FORWARD -o {pair} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
