"""A guest asks 169.254.169.254, by the DHCP namespace or by its router, and is told its own story."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from cumulet.contracts.machines import GuestData
from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.driver import LinuxNetwork
from cumulet.drivers.network.linux.guard import link_local
from cumulet.node.metadata.server import MetadataServer
from tests.support.network.fabrics import OPEN, external_network, port, router, tenant_network
from tests.support.network.guests import SOMETHING_COMES_SECONDS, Guest
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

RED, BLUE = tenant_network("red"), tenant_network("blue")
ANN, CAT = port("ann", "red", "10.0.0.10"), port("cat", "blue", "10.0.0.10")
FABRIC = Fabric(
    networks=(external_network(), RED, BLUE),
    ports=(ANN, CAT),
    groups=(OPEN,),
    routers=(router("red-router", "red", "198.51.100.11"), router("blue-router", "blue", "198.51.100.12")),
)


class Registered:
    """Who has which address."""

    def by_address(self, network_id: str, address: str) -> tuple[str, GuestData] | None:
        for spec in (ANN, CAT):
            own = {fixed.ip for fixed in spec.addresses} | {str(link_local(spec.mac))}
            if spec.network_id == network_id and address in own:
                return spec.id, GuestData(hostname=spec.hostname, name=spec.hostname, project_id="p")
        return None


class NoPasswords:
    def read(self, machine_id: str) -> bytes:
        return b""

    def write(self, machine_id: str, password: bytes) -> bool:
        return False


@pytest_asyncio.fixture
async def server(world: LinuxWorld) -> AsyncIterator[MetadataServer]:
    await world.start(FABRIC)
    assert isinstance(world.driver, LinuxNetwork)
    listening = MetadataServer(Registered(), NoPasswords())
    assert await listening.ensure(world.driver.metadata_places()) == {}
    yield listening
    await listening.close()


async def ask(guest: Guest, address: str, path: str) -> bytes:
    host, _, scope = address.partition("%")
    family = socket.AF_INET6 if scope else socket.AF_INET
    opened = await guest.do(lambda: socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
    target = (host, 80, 0, await guest.do(lambda: socket.if_nametoindex(scope))) if scope else (host, 80)
    async with asyncio.timeout(SOMETHING_COMES_SECONDS):
        await asyncio.get_running_loop().sock_connect(opened, target)
        reader, writer = await asyncio.open_connection(sock=opened)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: x\r\nX-Forwarded-For: 10.0.0.99\r\n\r\n".encode())
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0] + b" ", answer
    return body


async def test_the_same_address_in_two_networks_is_two_guests(world: LinuxWorld, server: MetadataServer) -> None:
    for name, spec in (("ann", ANN), ("cat", CAT)):
        shown = json.loads(await ask(world.guest(name), "169.254.169.254", "/openstack/latest/meta_data.json"))
        assert (shown["uuid"], shown["hostname"]) == (spec.id, name)


async def test_a_guest_that_ignores_the_route_asks_by_its_router(world: LinuxWorld, server: MetadataServer) -> None:
    for name in ("ann", "cat"):
        await world.guest(name).lines(world.commands, "route del 169.254.169.254/32")
        assert await ask(world.guest(name), "169.254.169.254", "/latest/meta-data/hostname") == name.encode()


async def test_a_guest_of_version_6_asks_on_its_link(world: LinuxWorld, server: MetadataServer) -> None:
    assert await ask(world.guest("cat"), "fe80::a9fe:a9fe%eth0", "/latest/meta-data/hostname") == b"cat"


async def test_a_namespace_made_anew_is_listened_in_anew(world: LinuxWorld, server: MetadataServer) -> None:
    subnet = msgspec.structs.replace(RED.subnets[0], dhcp=False, dhcp_address="")
    without = msgspec.structs.replace(RED, subnets=(subnet,))
    await world.driver.apply(msgspec.structs.replace(FABRIC, networks=(external_network(), without, BLUE)))
    await world.driver.apply(FABRIC)
    assert isinstance(world.driver, LinuxNetwork)
    assert await server.ensure(world.driver.metadata_places()) == {}
    assert await ask(world.guest("ann"), "169.254.169.254", "/latest/meta-data/hostname") == b"ann"
