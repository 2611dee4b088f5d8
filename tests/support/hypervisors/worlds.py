"""What a suite of hypervisors may ask of a world, and the wire by which machines leave it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from cumulet.contracts.backends import LOCAL
from cumulet.contracts.machines import (
    DiskSpec,
    GuestData,
    ImageRef,
    MachineSpec,
    NicSpec,
    Power,
    VolumeConnection,
)
from cumulet.contracts.moves import Departure, Luggage
from cumulet.drivers.hypervisor.base import (
    Hypervisor,
    OffersDiagnostics,
    OffersLuggage,
    OffersPasswords,
    OffersSnapshot,
    OutOfReach,
)
from cumulet.drivers.hypervisor.fake import FakeHypervisor
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.lib.joined import Ends
from cumulet.lib.sparse import send

SECRET = "ab" * 32


class Door(Hypervisor, OffersSnapshot, OffersDiagnostics, OffersPasswords, OffersLuggage, Protocol):
    """What both kinds of hypervisor offer."""


class World(Protocol):
    """Machines, and what happens to them from the outside."""

    wire: Wire
    """By which machines leave this node."""

    async def open(self) -> Door:
        """The door of a new process, after the end of the earlier one."""
        ...

    async def cross(self, wire: Wire | None = None) -> Door:
        """The door of another node, to which machines come from this one; whatever else is asked is asked there."""
        ...

    def image(self, word: str = "guest", *, deaf: bool = False) -> ImageRef: ...

    def volume(self) -> VolumeConnection: ...

    async def far_volume(self) -> VolumeConnection:
        """One that is reached over the network."""
        ...

    async def elsewhere(self, volume: VolumeConnection, *, far: bool) -> VolumeConnection:
        """Another place for a volume, where nothing is yet."""
        ...

    async def lose(self, volume: VolumeConnection) -> None:
        """It is reached no more."""
        ...

    def ways(self, machine_id: str) -> int:
        """To how many volumes of the network a machine has a way."""
        ...

    def port(self) -> NicSpec: ...

    async def boots(self, machine_id: str, count: int) -> None:
        """Wait until its guest was started so many times, as its console tells."""
        ...

    def kill(self, machine_id: str) -> None:
        """Its process dies."""
        ...

    def turn_off_inside(self, machine_id: str) -> None:
        """Its guest turns itself off."""
        ...

    def has_process(self, machine_id: str) -> bool: ...

    async def close(self) -> None: ...


class Wire:
    """Between two nodes. It carries so many bytes until it breaks, then as many again."""

    def __init__(self, carries: int = 1 << 40) -> None:
        self.carries = carries
        self.source: OffersLuggage | None = None
        self.fake: FakeHypervisor | None = None
        self.qemu: QemuHypervisor | None = None
        """Where machines arrive that run."""
        self.stalls = False
        """Whoever opens a way waits for ever."""

    async def carry(self, departure: Departure, memory: bytes) -> None:
        if self.fake is None or len(memory) > self.carries:
            raise OutOfReach("the wire broke")
        await self.fake.take_over(departure.memory_pass, memory)

    async def open_way(self, departure: Departure, what: str) -> Ends:
        if self.qemu is None or not self.carries:
            raise OutOfReach("the wire broke")
        if self.stalls:
            await asyncio.Event().wait()
        find = self.qemu.memory_socket if what == "memory" else self.qemu.disks_socket
        return await asyncio.open_unix_connection(find(departure.memory_pass))

    async def luggage(self, machine_id: str) -> Luggage:
        assert self.source is not None
        return await self.source.luggage(machine_id)

    async def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        assert self.source is not None
        left = self.carries
        async with self.source.luggage_file(machine_id, name, offset) as parcel:
            async for piece in send(parcel):
                if len(piece) > left:
                    yield piece[:left]
                    raise OutOfReach("the wire broke")
                left -= len(piece)
                yield piece


def machine(world: World, **changes: object) -> MachineSpec:
    """An order for a small machine that should run."""
    spec = MachineSpec(
        id=str(uuid.uuid4()),
        wanted=Power.RUNNING,
        vcpus=1,
        memory_mib=32,
        disks=(DiskSpec(id="root", device="vda", image=world.image(), boot_index=0),),
        nics=(),
        guest=GuestData(hostname="maple", name="Maple", project_id="forest"),
        shutdown_seconds=10,
    )
    return msgspec.structs.replace(spec, **changes)


def with_volume(spec: MachineSpec, volume: VolumeConnection, **more: object) -> MachineSpec:
    disk = msgspec.structs.replace(DiskSpec(id=volume.volume_id, device="vdb", volume=volume, size_gib=1), **more)
    return msgspec.structs.replace(spec, disks=(*spec.disks, disk))


def connection_to(volume_id: str, address: str, backend: str = LOCAL) -> VolumeConnection:
    """How a volume that is offered there is reached."""
    place, _, target = address.rpartition("/")
    host, _, port = place.rpartition(":")
    return VolumeConnection(
        volume_id=volume_id, backend=backend, protocol="nbd", host=host, port=int(port), target=target, secret=SECRET
    )
