"""What guests learn from the network itself: addresses, routes, names, in both versions of IP."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, SubnetSpec
from tests.support.network.dhcp_client import discover, routes, solicit6
from tests.support.network.fabrics import OPEN, leg, mac, port, router, tenant_network, uid, with_
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS, Guest, eventually
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

RED, BLUE = tenant_network("red"), tenant_network("blue")


async def test_each_tenant_is_told_its_own(world: LinuxWorld) -> None:
    ann, cat = (
        port("ann", "red", "10.0.0.10"),
        port("cat", "blue", "10.0.0.30", dhcp_options=(("bootfile-name", "x,y"),)),
    )
    fabric = Fabric(networks=(RED, BLUE), ports=(ann, cat), groups=(OPEN,))
    await world.prepare()
    for spec in (ann, cat):
        await world.plug(spec, fabric, addresses=False)
    await world.start(fabric)

    told = await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)
    assert told is not None
    address, options = told
    assert address == "10.0.0.10"
    assert socket.inet_ntoa(options[1]) == "255.255.255.0"
    assert socket.inet_ntoa(options[3]) == "10.0.0.1"
    assert socket.inet_ntoa(options[6]) == "192.0.2.53"
    assert options[12] == b"ann"
    assert options[15] == b"example.org"
    assert int.from_bytes(options[26], "big") == 1450
    expected = {"10.99.0.0/16": "10.0.0.77", "169.254.169.254/32": "10.0.0.2", "0.0.0.0/0": "10.0.0.1"}
    assert routes(options[121]) == expected
    assert routes(options[249]) == expected

    other = await discover(world.guest("cat"), cat.mac, SOMETHING_COMES_SECONDS)
    assert other is not None
    assert other[0] == "10.0.0.30"


async def test_ports_come_and_an_address_moves_to_another(world: LinuxWorld) -> None:
    ann, bob = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11")
    fabric = Fabric(networks=(RED,), ports=(ann,), groups=(OPEN,))
    await world.prepare()
    await world.plug(ann, fabric, addresses=False)
    await world.start(fabric)
    assert await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)

    await world.plug(bob, fabric, addresses=False)
    await world.driver.apply(with_(fabric, ports=(ann, bob)))
    told = await discover(world.guest("bob"), bob.mac, SOMETHING_COMES_SECONDS)
    assert told is not None
    assert told[0] == "10.0.0.11"

    # Its lease is still known to the server, and must not keep the next owner from the address.
    await world.driver.remove(Kind.PORT, ann.id)
    heir = msgspec.structs.replace(bob, addresses=ann.addresses)
    await world.driver.apply(with_(fabric, ports=(heir,)))
    told = await discover(world.guest("bob"), bob.mac, SOMETHING_COMES_SECONDS)
    assert told is not None
    assert told[0] == "10.0.0.10"


async def test_a_port_with_options_of_its_own_survives_changes(world: LinuxWorld) -> None:
    ann = port("ann", "red", "10.0.0.10", dhcp_options=(("bootfile-name", "a"), ("evil\n", "b"), ("66", "c\nd")))
    bob = port("bob", "red", "10.0.0.11")
    fabric = Fabric(networks=(RED,), ports=(ann,), groups=(OPEN,))
    await world.prepare()
    await world.plug(ann, fabric, addresses=False)
    await world.start(fabric)
    for ports in ((ann,), (ann, bob), (ann,)):
        await world.driver.apply(with_(fabric, ports=ports))
        told = await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)
        assert told is not None
        assert told[0] == "10.0.0.10"


async def test_a_server_that_died_is_back_at_the_next_application(world: LinuxWorld) -> None:
    ann = port("ann", "red", "10.0.0.10")
    fabric = Fabric(networks=(RED,), ports=(ann,), groups=(OPEN,))
    await world.prepare()
    await world.plug(ann, fabric, addresses=False)
    await world.start(fabric)
    first = server_of(world, "red")
    os.kill(first, signal.SIGKILL)
    assert await discover(world.guest("ann"), ann.mac, NOTHING_COMES_SECONDS) is None
    await world.driver.apply(fabric)
    assert server_of(world, "red") != first
    assert await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)


async def test_a_network_that_gives_up_dhcp_has_none(world: LinuxWorld) -> None:
    ann = port("ann", "red", "10.0.0.10")
    fabric = Fabric(networks=(RED,), ports=(ann,), groups=(OPEN,))
    await world.prepare()
    await world.plug(ann, fabric, addresses=False)
    await world.start(fabric)
    without = msgspec.structs.replace(RED.subnets[0], dhcp=False, dhcp_address="")
    await world.driver.apply(with_(fabric, networks=(msgspec.structs.replace(RED, subnets=(without,)),)))
    assert await discover(world.guest("ann"), ann.mac, NOTHING_COMES_SECONDS) is None
    assert world.driver.metadata_places() == ()
    await world.driver.apply(fabric)
    assert await discover(world.guest("ann"), ann.mac, SOMETHING_COMES_SECONDS)


def six(name: str, mode: str) -> SubnetSpec:
    return SubnetSpec(
        id=uid(f"{name} v6"),
        cidr="fd00:1::/64",
        version=6,
        gateway="fd00:1::1",
        dhcp_address="fd00:1::2",
        ra_mode=mode,
        address_mode=mode,
    )


async def test_a_router_advertises_and_dhcp_of_version_6_answers_by_mac(world: LinuxWorld) -> None:
    slaac = msgspec.structs.replace(RED, subnets=(*RED.subnets, six("red", "slaac")))
    stateful = msgspec.structs.replace(BLUE, subnets=(*BLUE.subnets, six("blue", "dhcpv6-stateful")))
    made = autoconfigured("fd00:1::", mac("ann"))
    ann = port("ann", "red", "10.0.0.10", made)
    cat = port("cat", "blue", "10.0.0.30", "fd00:1::30")
    routers = tuple(
        router(
            f"{name}-router",
            name,
            "198.51.100.11",
            gateway=None,
            next_hops=(),
            interfaces=(leg(f"{name} leg", name, "10.0.0.1/24", "fd00:1::1/64"),),
        )
        for name in ("red", "blue")
    )
    fabric = Fabric(networks=(slaac, stateful), ports=(ann, cat), groups=(OPEN,), routers=routers)
    await world.prepare()
    for spec in (ann, cat):
        await world.plug(spec, fabric, addresses=False)
    await world.start(fabric)
    assert await solicit6(world.guest("cat"), cat.mac, 10) == "fd00:1::30"

    async def has_made_one() -> bool:
        return made in await addresses(world.guest("ann"))

    assert await eventually(has_made_one)
    # A guest that must ask for its address makes none of its own.
    assert not [a for a in await addresses(world.guest("cat")) if a.startswith("fd00")]


async def addresses(guest: Guest) -> set[str]:
    def read() -> str:
        return Path("/proc/thread-self/net/if_inet6").read_text()

    lines = (await guest.do(read)).splitlines()
    return {socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in lines}


def autoconfigured(prefix: str, hardware: str) -> str:
    octets = bytes.fromhex(hardware.replace(":", ""))
    tail = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, prefix)[:8] + tail)


def server_of(world: LinuxWorld, network: str) -> int:
    """The number of the process that answers for this network."""
    kept = msgspec.json.decode((world.folder / "dnsmasq" / uid(network) / "process").read_bytes())
    number: int = kept["identity"]["pid"]
    return number
