"""The door to a world of pretended machines: the same promises as a real hypervisor, kept in no time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineFacts, MachineSpec, Power, VolumeConnection
from cumulet.contracts.moves import Luggage
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import Belongings, MachineFailed, OutOfReach, Unfit
from cumulet.drivers.hypervisor.fake import mirrors
from cumulet.drivers.hypervisor.fake.devices import far_volume, is_far, plug
from cumulet.drivers.hypervisor.fake.disk import empty_disk
from cumulet.drivers.hypervisor.fake.facts import diagnostics, facts
from cumulet.drivers.hypervisor.fake.leaving import Carry, Moves
from cumulet.drivers.hypervisor.fake.world import GIB, ON, FakeMachine, FakeMachines
from cumulet.lib.ids import is_uuid
from cumulet.lib.sparse import BrokenOff, Parcel

Reach = Callable[[VolumeConnection], Awaitable[None]]
"""Looks whether a volume of the network is reached. Raises `OutOfReach`."""


class FakeHypervisor:
    """The door to a world of pretended machines; it keeps nothing itself."""

    name = "fake"
    accelerator = "fake"
    version = 1_000_000

    def __init__(
        self,
        machines: FakeMachines,
        belongings: Belongings | None = None,
        carry: Carry | None = None,
        reach: Reach | None = None,
        copy: mirrors.Copy = mirrors.nothing_to_copy,
    ) -> None:
        self._world = machines
        self._moves = Moves(machines, belongings, carry)
        self._reach = reach
        self._copy = copy

    async def ensure(self, spec: MachineSpec) -> MachineFacts:
        world = self._world
        world.pass_time()
        machine = world.machines.get(spec.id)
        if machine is None:
            if not is_uuid(spec.id):
                raise ValueError(f"{spec.id!r} is no id of a machine")
            machine = world.machines[spec.id] = FakeMachine(spec=spec, running=spec)
            machine.count()
            machine.rebuilds = spec.rebuilds
            machine.content = self._new_content(machine)
        digest = digest_of(spec)
        spec = mirrors.as_it_went(machine, spec)
        if machine.ordered != digest:
            machine.spec, machine.ordered, machine.digest = spec, digest, ""
        if spec.arrival is not None and spec.arrival.live:
            fault = await self._find_volumes(machine)
            if fault is None:
                self._moves.expect(machine, spec.arrival)
            return facts(machine, fault)
        if spec.departure is not None:
            return facts(machine, await self._moves.leave(machine, spec.departure))
        machine.move = None
        if spec.arrival is not None and machine.arrived != spec.arrival.move:
            try:
                self._off(machine)
                await self._moves.fetch(machine, spec.arrival)
            except (OutOfReach, BrokenOff) as error:
                return facts(machine, Fault(message="The node that has the disks is silent.", details=str(error)))
        self._make_content(machine)
        fault = await self._find_volumes(machine) if spec.wanted is not Power.STOPPED else None
        fault = fault or await self._make_power(machine)
        if machine.power in ON and fault is None:
            fault = plug(machine, holds=world.holds)
        if machine.power not in ON:
            machine.relays.clear()
        if fault is not None:
            return facts(machine, fault)
        machine.count()
        machine.digest = machine.digest or digest
        await self._mirror(machine)
        return facts(machine)

    async def _mirror(self, machine: FakeMachine) -> None:
        await mirrors.mirror(machine, self._copied, sticks=self._world.holds_up)
        if machine.power in ON:
            await self._find_volumes(machine)

    async def _copied(self, source: VolumeConnection, target: VolumeConnection) -> None:
        if is_far(target):
            await self._reached(target)
        await self._copy(source, target)

    def _make_content(self, machine: FakeMachine) -> None:
        """What it starts from."""
        spec, rescue = machine.spec, machine.spec.rescue.sha512 if machine.spec.rescue else ""
        if machine.rebuilds < spec.rebuilds or machine.rescue != rescue:
            self._off(machine)
            if machine.rebuilds < spec.rebuilds:
                machine.written = 0
                machine.content = self._new_content(machine)
            machine.rebuilds, machine.rescue = max(machine.rebuilds, spec.rebuilds), rescue

    def _new_content(self, machine: FakeMachine) -> str:
        return f"made at {self._world.clock.now()}, {machine.spec.rebuilds} times before"

    async def _find_volumes(self, machine: FakeMachine) -> Fault | None:
        """The ways to all its volumes that are reached over the network; those to others are closed."""
        wanted = {far.volume_id: far for far in map(far_volume, machine.spec.disks) if far is not None}
        for volume_id, connection in wanted.items():
            if machine.relays.get(volume_id) == connection:
                continue
            try:
                await self._reached(connection)
            except OutOfReach as error:
                return Fault(message=f"Volume {volume_id} could not be reached at its node.", details=str(error))
            machine.relays[volume_id] = connection
        for volume_id in [one for one in machine.relays if one not in wanted]:
            del machine.relays[volume_id]
        return None

    async def _reached(self, connection: VolumeConnection) -> None:
        if self._reach is None:
            raise OutOfReach("there is no network")
        await self._reach(connection)

    async def _make_power(self, machine: FakeMachine) -> Fault | None:
        spec = machine.spec
        if spec.wanted is Power.STOPPED:
            await self._shut_down(machine)
            return None
        if machine.hard_reboots < spec.hard_reboots:
            self._off(machine)
        if machine.power is Power.SUSPENDED and spec.wanted is not Power.SUSPENDED:
            machine.power = spec.wanted
            machine.written_at = self._world.clock.now()
        if machine.power in ON and machine.soft_reboots < spec.soft_reboots:
            await self._shut_down(machine)
        if machine.power in (Power.STOPPED, Power.CRASHED):
            self._world.start(machine, spec.wanted)
        self._world.write(machine)
        machine.power = spec.wanted
        if spec.wanted is Power.RUNNING and self._world.is_full():
            # As with a real disk: the guest is stopped in the middle of its write, and goes on when there is room.
            machine.power = Power.PAUSED
            return Fault(message="There is no space left on the disk of the node.")
        return None

    async def _shut_down(self, machine: FakeMachine) -> None:
        world = self._world
        if machine.power in ON:
            obeys = world.obeys()
            seconds = min(world.obey_seconds, machine.spec.shutdown_seconds) if obeys else machine.spec.shutdown_seconds
            if seconds:
                await world.clock.sleep(seconds)
            if obeys:
                machine.lines.append((world.clock.now(), "Power down"))
        self._off(machine)

    def _off(self, machine: FakeMachine) -> None:
        self._world.write(machine)
        machine.power = Power.STOPPED

    async def remove(self, machine_id: str) -> None:
        self._world.machines.pop(machine_id, None)
        self._world.changes.pop(machine_id, None)

    async def found(self) -> Sequence[MachineFacts]:
        self._world.pass_time()
        for machine in self._world.machines.values():
            if machine.digest:
                await self._mirror(machine)
        return [facts(machine) for machine in self._world.machines.values()]

    async def console_log(self, machine_id: str, limit: int) -> bytes:
        self._world.pass_time()
        machine = self._world.machines.get(machine_id)
        now = self._world.clock.now()
        text = "".join(f"{line}\r\n" for at, line in machine.lines if at <= now) if machine else ""
        return text.encode()[-limit:]

    async def changed(self) -> str:
        while True:
            self._world.pass_time()
            for machine_id in self._world.changes:
                del self._world.changes[machine_id]
                return machine_id
            await self._world.change()

    async def snapshot(self, machine_id: str, disk_id: str, disk_format: str, destination: str) -> int:
        machine = self._world.existing(machine_id)
        disk = next((disk for disk in machine.running.disks if disk.id == disk_id), None)
        if disk is None:
            raise Unfit(f"the machine has no disk {disk_id!r}")
        content = empty_disk(disk_format, disk.size_gib * GIB)
        await asyncio.to_thread(Path(destination).write_bytes, content)
        return len(content)

    async def set_password(self, machine_id: str, user: str, password: str) -> None:
        machine = self._world.existing(machine_id)
        if machine.power is not Power.RUNNING:
            raise MachineFailed("the machine is off")
        if not machine.running.guest_agent:
            raise MachineFailed("the machine has no way to an agent of its guest; it gets one with its next start")
        machine.passwords[user] = password

    async def diagnostics(self, machine_id: str) -> dict[str, object]:
        machine = self._world.existing(machine_id)
        self._world.write(machine)
        return diagnostics(machine, self._world.clock.now())

    # ---- leaving and arriving --------------------------------------------------------------------------------------

    async def take_over(self, machine_id: str, memory: bytes) -> None:
        """A machine arrives. Raises `OutOfReach` if nobody expects it."""
        await self._moves.take_over(machine_id, memory)

    async def luggage(self, machine_id: str) -> Luggage:
        return await self._moves.luggage(machine_id)

    def luggage_file(self, machine_id: str, name: str, offset: int) -> AbstractAsyncContextManager[Parcel]:
        return self._moves.luggage_file(machine_id, name, offset)
