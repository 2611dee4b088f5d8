"""Pretended machines."""

from __future__ import annotations

import uuid

import msgspec

from cumulet.contracts.machines import (
    ImageRef,
    NicSpec,
    Power,
    VolumeConnection,
)
from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.hypervisor.base import (
    OutOfReach,
)
from cumulet.drivers.hypervisor.fake import FakeHypervisor, FakeMachines
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from tests.support.clock import JumpingClock
from tests.support.hypervisors.worlds import SECRET, Door, Wire, connection_to
from tests.support.supplies import Vault


class FakeWorld:
    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.machines = FakeMachines(self.clock, boot_seconds=3.0)
        self.wire = Wire()
        self.far = VolumeWorld()
        self.farther = VolumeWorld()
        self._door = FakeHypervisor(self.machines, carry=self.wire.carry, reach=self.reach)

    async def reach(self, connection: VolumeConnection) -> None:
        if not (self.far.lets_in(connection) or self.farther.lets_in(connection)):
            raise OutOfReach("nobody offers it")

    async def far_volume(self) -> VolumeConnection:
        spec = VolumeSpec(id=str(uuid.uuid4()), size_gib=1, export_secret=SECRET)
        facts = await FakeVolumes(self.far, Vault(), "far").ensure(spec)
        return connection_to(spec.id, facts.exported)

    async def elsewhere(self, volume: VolumeConnection, *, far: bool) -> VolumeConnection:
        place = msgspec.structs.replace(VolumeConnection(volume_id=volume.volume_id), backend="attic")
        if not far:
            return place
        spec = VolumeSpec(id=volume.volume_id, size_gib=1, export_secret=SECRET)
        facts = await FakeVolumes(self.farther, Vault(), "farther").ensure(spec)
        return connection_to(spec.id, facts.exported, backend="attic")

    async def lose(self, volume: VolumeConnection) -> None:
        for world in (self.far, self.farther):
            world.exports.pop(volume.volume_id, None)

    def ways(self, machine_id: str) -> int:
        machine = self.machines.machines.get(machine_id)
        return len(machine.relays) if machine is not None else 0

    async def cross(self, wire: Wire | None = None) -> Door:
        wire = wire or self.wire
        wire.source = self._door
        self.machines = FakeMachines(self.clock, boot_seconds=3.0)
        self.wire = Wire()
        self._door = wire.fake = FakeHypervisor(self.machines, wire, self.wire.carry, self.reach)
        return self._door

    async def open(self) -> Door:
        self._door = FakeHypervisor(self.machines, carry=self.wire.carry, reach=self.reach)
        return self._door

    def image(self, word: str = "guest", *, deaf: bool = False) -> ImageRef:
        return ImageRef(id=str(uuid.uuid4()), sha512=f"{word}{deaf}", disk_format="qcow2", size=1 << 20)

    def volume(self) -> VolumeConnection:
        return VolumeConnection(volume_id=str(uuid.uuid4()))

    def port(self) -> NicSpec:
        return NicSpec(port_id=str(uuid.uuid4()), network_id=str(uuid.uuid4()), mac="fa:16:3e:00:00:01")

    async def boots(self, machine_id: str, count: int) -> None:
        self.clock.jump(3.0)
        log = await self._door.console_log(machine_id, 1 << 16)
        assert log.count(b"login:") == count, log

    def kill(self, machine_id: str) -> None:
        self.machines.crash(machine_id)

    def turn_off_inside(self, machine_id: str) -> None:
        self.machines.power_off(machine_id)

    def has_process(self, machine_id: str) -> bool:
        return self.machines.machines[machine_id].power in (Power.RUNNING, Power.PAUSED)

    async def close(self) -> None:
        pass
