"""The two worlds that the contract of network drivers is held against: one in memory, one in the kernel."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from cumulet.contracts.networks import Fabric, PortSpec
from cumulet.drivers.network.base import Network
from cumulet.drivers.network.fake import FakeFabric, FakeNetwork
from cumulet.drivers.network.linux.commands import Commands
from cumulet.drivers.network.linux.driver import LinuxNetwork
from cumulet.drivers.network.linux.names import tap
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.sandbox import ensure_namespace, remove_namespace
from cumulet.drivers.network.rules import is_guests
from cumulet.lib import process
from tests.support.network.fabrics import NODE, OUTSIDE, OUTSIDE_SIX, uid
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS, Guest, Place, eventually

_numbers = count(1)
KERNEL_KEEPS_SECONDS = 0.5


class FakeWorld:
    """In memory."""

    def __init__(self) -> None:
        self.world = FakeFabric()
        self.driver: Network = FakeNetwork(self.world)

    async def start(self, fabric: Fabric) -> None:
        await self.driver.apply(fabric)

    async def restart(self) -> None:
        self.driver = FakeNetwork(self.world)

    async def listen(self, network: str, address: str, *ports: int) -> None:
        """Everybody answers on every port."""

    async def witnessed(self) -> set[tuple[str, str, str]]:
        """(event, direction, port) of all that was logged."""
        return set(self.world.witnessed)

    async def have(self, network: str, address: str, other: str) -> None:
        """Everybody has what addresses he says."""

    async def reaches(
        self, network: str, source: str, destination: str, protocol: str, port: int, *, expected: bool
    ) -> bool:
        return self.world.reaches(uid(network), source, destination, protocol, port)

    async def stop(self) -> None:
        self.world.elements.clear()


class CountingRun:
    """Runs programs and remembers which."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        input: bytes | None = None,
        net_namespace: str | None = None,
        check: bool = True,
        output_limit: int = 1 << 20,
    ) -> process.Completed:
        self.ran.append(" ".join(argv) + (f" <<< {input.decode()}" if input else ""))
        return await process.run(
            argv, timeout=timeout, input=input, net_namespace=net_namespace, check=check, output_limit=output_limit
        )


class LinuxWorld:
    """In namespaces of this machine, without a way out of it."""

    def __init__(
        self, folder: Path, *, name: str = NODE, tunnel_address: str = "", host_gateway: bool = True, **options: Any
    ) -> None:
        self.namespace = f"t{os.getpid()}.{next(_numbers)}"
        self.node = Node(name, self.namespace, tunnel_address, host_gateway=host_gateway, **options)
        self.folder = folder / self.namespace
        self.run = CountingRun()
        self.commands = Commands()
        self.driver = LinuxNetwork(self.node, self.folder, run=self.run)
        self.guests: dict[str, Guest] = {}
        self.outside = Place(self.namespace)

    async def prepare(self) -> None:
        await ensure_namespace(self.commands, self.namespace)

    async def start(self, fabric: Fabric) -> None:
        """Guests on all ports, then the fabric."""
        await self.prepare()
        for port in sorted(fabric.ports, key=lambda port: bool(port.trunk_port)):
            if is_guests(port) and port.host == self.node.name:
                await self.plug(port, fabric)
        facts = await self.driver.apply(fabric)
        faults = [fact.fault for elements in facts.values() for fact in elements if fact.fault]
        assert not faults, faults
        await self.connected()

    async def connected(self) -> None:
        """Until the kernel has noticed that every guest is plugged in: then a packet that does not come was dropped."""
        wanted = {tap(key) for key in self.guests}

        async def all_forwarding() -> bool:
            shown = await self.commands.other(["bridge", "-n", self.namespace, "-j", "link", "show"])
            return wanted <= {entry["ifname"] for entry in json.loads(shown) if entry.get("state") == "forwarding"}

        assert await eventually(all_forwarding)

    async def plug(self, port: PortSpec, fabric: Fabric, *, addresses: bool = True) -> Guest:
        if port.id not in self.guests:
            network = next(n for n in fabric.networks if n.id == port.network_id)
            self.guests[port.id] = await Guest(self.namespace, port, network).start(self.commands, addresses=addresses)
        return self.guests[port.id]

    def guest(self, name: str) -> Guest:
        return self.guests[uid(name)]

    async def listen(self, network: str, address: str, *ports: int) -> None:
        """This guest takes connections there, besides where `reaches` makes everybody take them."""
        for port in ports:
            await self._at(network, address).listen("tcp", port)

    async def witnessed(self) -> set[tuple[str, str, str]]:
        """(event, direction, port) of all that was logged until now; the kernel keeps it to itself for a moment."""
        path = self.folder / "security-groups.log"
        await asyncio.sleep(KERNEL_KEEPS_SECONDS)
        said = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {(line["event"], line["direction"], line["port_id"]) for line in said}

    async def have(self, network: str, address: str, other: str) -> None:
        """The guest at this address gives itself another one."""
        await self.commands.ip(self._at(network, address).namespace, [f"addr add {other}/32 dev lo"])

    async def restart(self) -> None:
        """Only the driver: what it made goes on."""
        assert isinstance(self.driver, LinuxNetwork)
        await self.driver.close()
        self.driver = LinuxNetwork(self.node, self.folder, run=self.run)

    async def reaches(
        self, network: str, source: str, destination: str, protocol: str, port: int, *, expected: bool
    ) -> bool:
        """Tried with real packets. What is expected only says how long to wait for a packet that may not come."""
        seconds = SOMETHING_COMES_SECONDS if expected else NOTHING_COMES_SECONDS
        sender = self._at(network, source)
        family = socket.AF_INET6 if ":" in destination else socket.AF_INET
        if protocol == "icmp":
            return await sender.ping(destination, seconds)
        for place in (*self.guests.values(), self.outside):
            await place.listen("tcp", port, family)
        connection = await sender.connect(destination, port, seconds)
        if connection is not None:
            connection.close()
        return connection is not None

    def _at(self, network: str, address: str) -> Place:
        if address in (OUTSIDE, OUTSIDE_SIX):
            return self.outside
        for guest in self.guests.values():
            if guest.port.network_id == uid(network) and any(a.ip == address for a in guest.port.addresses):
                return guest
        raise AssertionError(f"no guest at {address} in {network}")

    async def stop(self) -> None:
        await self.driver.close()
        self.outside.close()
        for guest in self.guests.values():
            await guest.stop(self.commands)
        await remove_namespace(self.commands, self.namespace, self.folder)
