"""The simulated world's nodes, in the process of the API: the real agent over drivers that only pretend."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import Protocol

import msgspec

from cumulet.contracts.asks import Ask, opened_by
from cumulet.contracts.assignments import NodeFacts, Wire
from cumulet.contracts.backends import LOCAL
from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.moves import Departure
from cumulet.core.errors import CloudError, Conflict, NotFound
from cumulet.drivers.hypervisor.base import MachineFailed, OutOfReach, Unfit
from cumulet.drivers.hypervisor.fake import FakeHypervisor, FakeMachines
from cumulet.drivers.hypervisor.fake.screen import show
from cumulet.drivers.hypervisor.fake.world import ON
from cumulet.drivers.network.fake import FakeFabric, FakeNetwork
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib.clock import Clock
from cumulet.lib.joined import Ends
from cumulet.lib.sparse import send
from cumulet.node.agent import Agent
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.machines.copies import DiskCopies
from cumulet.node.volumes.data import volume_data
from cumulet.programs.direct import DirectControlPlane
from cumulet.programs.simulated_volumes import DISK_GIB, VolumeWorlds
from cumulet.services.fleet.room import Fleet

VCPUS, MEMORY_MIB = 1024, 4 << 20
WIRE_KBPS, KPPS = 10_000_000, 10_000
"""What a simulated node offers: more than any laptop, so that the tests of tools meet quotas, not walls."""
HYPERVISOR_VERSION = 7_002_019


class HasFleet(Protocol):
    """What a simulated node needs of its cloud."""

    @property
    def fleet(self) -> Fleet: ...
    @property
    def clock(self) -> Clock: ...


class World:
    """What outlives the processes: the machines, wires and disks of one simulated node."""

    def __init__(self, clock: Clock, volumes: VolumeWorlds | None = None) -> None:
        self.machines = FakeMachines(clock)
        self.fabric = FakeFabric()
        self.volumes = volumes or VolumeWorlds()


class Wires:
    """What joins the nodes of one process: a machine that leaves is what it is in a few words."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def carry(self, departure: Departure, memory: bytes) -> None:
        answer = self._fleet.local_asks.get(departure.address)
        if answer is None:
            raise OutOfReach(f"nobody listens at {departure.address}")
        opened = opened_by(departure.memory_pass)
        try:
            await answer(Ask(what=opened.what, parameters={**opened.parameters, "memory": memory.decode()}))
        except CloudError as error:
            raise OutOfReach(error.message) from error

    async def reach(self, connection: VolumeConnection) -> None:
        await self.export(connection)

    async def export(self, connection: VolumeConnection, **content: str) -> str:
        """What a volume of another node holds, after it was given something, if it was."""
        answer = self._fleet.local_asks.get(f"local:{connection.host}")
        if answer is None:
            raise OutOfReach(f"nobody listens at {connection.host}")
        known = {"connection": msgspec.json.encode(connection).decode()}
        try:
            return (await answer(Ask(what="export", parameters={**known, **content}))).decode()
        except CloudError as error:
            raise OutOfReach(error.message) from error


def nobody_home(machine_id: str, password: bytes) -> None:
    """In a simulated machine nobody leaves a password."""


class SimulatedNode:
    """One node of the simulated world."""

    def __init__(self, cloud: HasFleet, name: str, world: World | None = None) -> None:
        self.name = name
        self.world = world or World(cloud.clock)
        control_plane = DirectControlPlane(cloud.fleet, name)
        wires = self._wires = Wires(cloud.fleet)
        self.hypervisor = FakeHypervisor(
            self.world.machines, HandedOn(control_plane, nobody_home), wires.carry, wires.reach, self.copy
        )
        self.backends = self.world.volumes.backends(control_plane, name)
        self.network = FakeNetwork(self.world.fabric)
        self.agent = Agent(
            control_plane=control_plane,
            clock=cloud.clock,
            facts=self.facts,
            hypervisor=self.hypervisor,
            network=self.network,
            turned=self.network.turned,
            backends=self.backends,
        )
        cloud.fleet.local_asks[f"local:{name}"] = self.answer
        cloud.fleet.local_tunnels[f"local:{name}"] = self.tunnel
        self._screens: set[asyncio.Task[None]] = set()

    async def copy(self, source: VolumeConnection, target: VolumeConnection) -> None:
        """What a machine of this node does with a volume that is to be elsewhere."""
        content = await self._wires.export(source) if source.host else self._held(source)
        if target.host:
            await self._wires.export(target, content=content)
        else:
            self._held(target, content)

    def _held(self, connection: VolumeConnection, content: str | None = None) -> str:
        """What a volume of this node holds, after it was given something, if it was. Raises OutOfReach."""
        volume = self.world.volumes.worlds[connection.backend].held_in(connection.volume_id)
        volume.content = volume.content if content is None else content
        return volume.content

    def facts(self) -> NodeFacts:
        return NodeFacts(
            name=self.name,
            hypervisor="QEMU",
            accelerator="fake",
            hypervisor_version=HYPERVISOR_VERSION,
            vcpus=VCPUS,
            memory_mib=MEMORY_MIB,
            disk_gib=DISK_GIB,
            tunnel_address="127.0.0.1",
            address=f"local:{self.name}",
            wires=(Wire(physical_network="public", egress_kbps=WIRE_KBPS, ingress_kbps=WIRE_KBPS),),
            kpps=KPPS,
        )

    async def answer(self, ask: Ask) -> bytes:
        """The fleet's questions, answered without a wire."""
        machine = ask.parameters.get("machine", "")
        if ask.what == "console_log":
            try:
                return await self.hypervisor.console_log(machine, int(ask.parameters.get("limit", "0")) or 1 << 20)
            except LookupError as error:
                raise NotFound(f"machine {machine} has no console") from error
        if ask.what == "meters":
            try:
                return msgspec.json.encode(await self.network.metered(ask.parameters["router"]))
            except LookupError as error:
                raise NotFound(str(error)) from error
        if ask.what == "export":
            connection = msgspec.json.decode(ask.parameters["connection"], type=VolumeConnection)
            if not self.world.volumes.worlds[connection.backend].lets_in(connection):
                raise NotFound(f"volume {connection.volume_id} is not offered in this way")
            return self._held(connection, ask.parameters.get("content")).encode()
        if ask.what == "set_password":
            try:
                await self.hypervisor.set_password(machine, ask.parameters["user"], ask.parameters["password"])
            except MachineFailed as error:
                raise Conflict(str(error)) from error
            return b""
        if ask.what in ("password", "clear_password"):
            return b""  # Nobody is at home in a simulated machine to leave one.
        if ask.what == "volumes_found":
            return msgspec.json.encode(await self.backends[ask.parameters.get("backend") or LOCAL].found())
        try:
            if ask.what == "diagnostics":
                return msgspec.json.encode(await self.hypervisor.diagnostics(machine))
            if ask.what == "memory":
                await self.hypervisor.take_over(machine, ask.parameters["memory"].encode())
                return b""
            if ask.what == "luggage":
                return msgspec.json.encode(await self.hypervisor.luggage(machine))
            if ask.what == "luggage_file":
                name, offset = ask.parameters["name"], int(ask.parameters["offset"])
                async with self.hypervisor.luggage_file(machine, name, offset) as parcel:
                    return b"".join([piece async for piece in send(parcel)])
            if ask.what == "snapshot":
                with tempfile.TemporaryDirectory() as folder:
                    async with DiskCopies(self.hypervisor, Path(folder)).copy(ask.parameters) as path:
                        return path.read_bytes()
            if ask.what == "volume":
                async with self.backends.copied(ask.parameters) as path:
                    return path.read_bytes()
            if ask.what == "volume_file":
                async with self.backends.file(ask.parameters) as parcel:
                    return b"".join([piece async for piece in send(parcel)])
            if ask.what == "volume_data":
                async with volume_data(self.backends, ask.parameters) as parcel:
                    return b"".join([piece async for piece in send(parcel)])
        except (MachineFailed, Unfit, CopyFailed, OutOfReach) as error:
            raise Conflict(str(error)) from error
        raise Conflict(f"A simulated machine has no {ask.what}.")

    async def tunnel(self, ask: Ask) -> Ends:
        """To the screen of a machine that is on."""
        machine = self.world.machines.machines.get(ask.parameters.get("machine", ""))
        if ask.what != "vnc" or machine is None or machine.power not in ON:
            raise Conflict(f"The machine has no open {ask.what} now: it is simulated, or off.")
        ours, theirs = socket.socketpair()
        screen = asyncio.create_task(show(*await _ends(ours), machine.spec.guest.name))
        self._screens.add(screen)
        screen.add_done_callback(self._screens.discard)
        return await _ends(theirs)

    async def run(self) -> None:
        await self.agent.run()


async def _ends(connection: socket.socket) -> Ends:
    return await asyncio.open_connection(sock=connection)
