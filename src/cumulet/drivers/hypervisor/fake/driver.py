"""The door to a world of pretended machines: the same promises as a real hypervisor, kept in no time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import NOT_YET, Fault
from cumulet.contracts.machines import DiskSpec, MachineFacts, MachineSpec, Power, VolumeConnection
from cumulet.contracts.moves import Arrival, Departure, DiskFile, Luggage, MoveFacts, Progress, Stage
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import Belongings, MachineFailed, OutOfReach, Unfit
from cumulet.drivers.hypervisor.fake import mirrors
from cumulet.drivers.hypervisor.fake.disk import empty_disk
from cumulet.drivers.hypervisor.fake.world import GIB, ON, FakeMachine, FakeMachines
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import is_uuid
from cumulet.lib.sparse import BrokenOff, Parcel, parcel, receive

Carry = Callable[[Departure, bytes], Awaitable[None]]
"""Brings what a pretended machine is to its new node. Raises `OutOfReach`."""
Reach = Callable[[VolumeConnection], Awaitable[None]]
"""Looks whether a volume of the network is reached. Raises `OutOfReach`."""
_DISKS = "disks"
"""The one file that all disks of a pretended machine are in."""


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
        self._belongings = belongings
        self._carry = carry
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
            _count(machine)
            machine.rebuilds = spec.rebuilds
            machine.content = self._new_content(machine)
        digest = digest_of(spec)
        spec = mirrors.as_it_went(machine, spec)
        if machine.ordered != digest:
            machine.spec, machine.ordered, machine.digest = spec, digest, ""
        if spec.arrival is not None and spec.arrival.live:
            return await self._await(machine, spec.arrival)
        if spec.departure is not None:
            return await self._leave(machine, spec.departure)
        machine.move = None
        if spec.arrival is not None and machine.arrived != spec.arrival.move:
            try:
                await self._fetch(machine, spec.arrival)
            except (OutOfReach, BrokenOff) as error:
                return _facts(machine, Fault(message="The node that has the disks is silent.", details=str(error)))
        self._make_content(machine)
        fault = await self._find_volumes(machine) if spec.wanted is not Power.STOPPED else None
        fault = fault or await self._make_power(machine)
        if machine.power in ON and fault is None:
            fault = _plug(machine, holds=world.holds)
        if machine.power not in ON:
            machine.relays.clear()
        if fault is not None:
            return _facts(machine, fault)
        _count(machine)
        machine.digest = machine.digest or digest
        await self._mirror(machine)
        return _facts(machine)

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

    async def _fetch(self, machine: FakeMachine, arrival: Arrival) -> None:
        """Bring its disks from its old node."""
        self._off(machine)
        if self._belongings is None:
            raise OutOfReach("nowhere to fetch from")
        for file in (await self._belongings.luggage(machine.spec.id)).files:
            with tempfile.TemporaryFile() as disks:
                stream = self._belongings.file(machine.spec.id, file.name, 0)
                await receive(disks.fileno(), stream, most=file.size)
                machine.content, machine.written = msgspec.json.decode(disks.read(), type=tuple[str, float])
        machine.arrived = arrival.move

    async def _find_volumes(self, machine: FakeMachine) -> Fault | None:
        """The ways to all its volumes that are reached over the network; those to others are closed."""
        wanted = {far.volume_id: far for far in map(_far_volume, machine.spec.disks) if far is not None}
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

    async def _await(self, machine: FakeMachine, arrival: Arrival) -> MachineFacts:
        """An empty machine, until another node hands over what is to be in it."""
        fault = await self._find_volumes(machine)
        if fault is not None:
            return _facts(machine, fault)
        stage = Stage.ARRIVED if machine.arrived == arrival.move else Stage.READY
        machine.move = MoveFacts(move=arrival.move, stage=stage)
        return _facts(machine)

    async def _leave(self, machine: FakeMachine, departure: Departure) -> MachineFacts:
        """Hand over all that it is. It stops for that, and stays so unless it is ordered to stay."""
        if machine.move is None or machine.move.move != departure.move:
            machine.move = MoveFacts(move=departure.move, stage=Stage.LEAVING)
        if machine.move.stage is Stage.LEAVING and (departure.force or not self._world.sticks):
            stage, fault = await self._hand_over(machine, departure)
            machine.move = MoveFacts(move=departure.move, stage=stage, progress=_progress(machine, stage))
            return _facts(machine, fault)
        failed = Fault(message="The machine could not leave its node.") if machine.move.stage is Stage.FAILED else None
        return _facts(machine, failed)

    async def _hand_over(self, machine: FakeMachine, departure: Departure) -> tuple[Stage, Fault | None]:
        if machine.power not in ON or self._carry is None:
            return Stage.FAILED, Fault(message="The machine could not leave its node.", details="it does not run")
        self._world.write(machine)
        try:
            await self._carry(departure, _memory(machine))
        except OutOfReach as error:
            return Stage.FAILED, Fault(message="The machine could not leave its node.", details=str(error))
        return Stage.LEFT, None

    async def take_over(self, machine_id: str, memory: bytes) -> None:
        """A machine arrives. Raises `OutOfReach` if nobody expects it."""
        machine = self._world.machines.get(machine_id)
        if machine is None or machine.move is None or machine.move.stage is not Stage.READY:
            raise OutOfReach("nobody expects it")
        _remember(machine, memory)
        machine.power, machine.arrived = Power.PAUSED, machine.move.move
        self._world.note(machine_id)

    async def luggage(self, machine_id: str) -> Luggage:
        return Luggage(files=(DiskFile(name=_DISKS, size=len(_packed(self._existing(machine_id)))),))

    @asynccontextmanager
    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[Parcel]:
        with tempfile.TemporaryFile() as disks:
            disks.write(_packed(self._at_rest(machine_id)))
            disks.flush()
            yield parcel(disks.fileno(), offset)

    def _at_rest(self, machine_id: str) -> FakeMachine:
        machine = self._existing(machine_id)
        if machine.power in ON:
            raise MachineFailed("The machine runs; its disks can be given away only while it is off.")
        return machine

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
        return [_facts(machine) for machine in self._world.machines.values()]

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
        machine = self._existing(machine_id)
        disk = next((disk for disk in machine.running.disks if disk.id == disk_id), None)
        if disk is None:
            raise Unfit(f"the machine has no disk {disk_id!r}")
        content = empty_disk(disk_format, disk.size_gib * GIB)
        await asyncio.to_thread(Path(destination).write_bytes, content)
        return len(content)

    async def set_password(self, machine_id: str, user: str, password: str) -> None:
        machine = self._existing(machine_id)
        if machine.power is not Power.RUNNING:
            raise MachineFailed("the machine is off")
        if not machine.running.guest_agent:
            raise MachineFailed("the machine has no way to an agent of its guest; it gets one with its next start")
        machine.passwords[user] = password

    async def diagnostics(self, machine_id: str) -> dict[str, object]:
        machine = self._existing(machine_id)
        on = machine.power in ON
        spec, up = machine.running, self._world.clock.now() - machine.started_at
        written = round(self._world.write(machine))
        disk = {"read_bytes": 0, "read_requests": 0, "write_bytes": written, "write_requests": written >> 12}
        counts = {
            f"{way}_{what}": 0 for way in ("rx", "tx") for what in ("octets", "packets", "errors", "drop", "rate")
        }
        return {
            "state": {Power.STOPPED: "shutdown"}.get(machine.power, machine.power.value),
            "driver": "libvirt",
            "hypervisor": "fake",
            "hypervisor_os": "linux",
            "uptime": up // SECOND if on else 0,
            "config_drive": spec.config_drive,
            "num_cpus": spec.vcpus if on else 0,
            "num_nics": len(spec.nics) if on else 0,
            "num_disks": len(spec.disks) if on else 0,
            "cpu_details": [{"id": n, "time": up * 1000, "utilisation": 1} for n in range(spec.vcpus)] if on else [],
            "nic_details": [{"mac_address": nic.mac, **counts} for nic in spec.nics] if on else [],
            "disk_details": [{**disk, "errors_count": 0} for _ in spec.disks] if on else [],
            "memory_details": {"maximum": spec.memory_mib, "used": spec.memory_mib if on else 0},
        }

    def _existing(self, machine_id: str) -> FakeMachine:
        self._world.pass_time()
        machine = self._world.machines.get(machine_id)
        if machine is None:
            raise MachineFailed("There is no such machine on this node.")
        return machine


def _far_volume(disk: DiskSpec) -> VolumeConnection | None:
    return disk.volume if disk.volume is not None and is_far(disk.volume) else None


def is_far(connection: VolumeConnection) -> bool:
    return connection.protocol in ("nbd", "iscsi")


def _packed(machine: FakeMachine) -> bytes:
    return msgspec.json.encode((machine.content, machine.written))


def _memory(machine: FakeMachine) -> bytes:
    lines = list(machine.lines)
    return msgspec.json.encode((machine.content, machine.written, machine.started_at, machine.running, lines))


def _remember(machine: FakeMachine, memory: bytes) -> None:
    kind = tuple[str, float, int, MachineSpec, list[tuple[int, str]]]
    machine.content, machine.written, machine.started_at, running, lines = msgspec.json.decode(memory, type=kind)
    machine.written_at = machine.started_at
    machine.running = running
    machine.lines.extend(lines)


def _progress(machine: FakeMachine, stage: Stage) -> Progress:
    memory = machine.running.memory_mib << 20
    left = 0 if stage is Stage.LEFT else memory
    return Progress(memory_total=memory, memory_processed=memory - left, memory_remaining=left)


def _plug(machine: FakeMachine, *, holds: bool) -> Fault | None:
    """Volumes and cards follow the order at once, but for those that the guest holds; the rest with the next start."""
    running, wanted = machine.running, {disk.id: disk for disk in machine.spec.disks if disk.volume is not None}
    cards = {nic.port_id: nic for nic in machine.spec.nics}
    held = 0
    if holds:
        disks_held = {disk.id: disk for disk in running.disks if disk.volume is not None and disk.id not in wanted}
        cards_held = {nic.port_id: nic for nic in running.nics if nic.port_id not in cards}
        wanted, cards, held = wanted | disks_held, cards | cards_held, len(disks_held) + len(cards_held)
    kept = [disk for disk in machine.running.disks if disk.volume is None]
    order = {disk.id: place for place, disk in enumerate(machine.spec.disks)}
    disks = sorted([*kept, *wanted.values()], key=lambda disk: order.get(disk.id, 0))
    machine.running = msgspec.structs.replace(running, disks=tuple(disks), nics=tuple(cards.values()))
    return Fault(message="The guest has not let go of a device.", code=NOT_YET) if held else None


def _count(machine: FakeMachine) -> None:
    """All verbs that were counted are met."""
    machine.hard_reboots = max(machine.hard_reboots, machine.spec.hard_reboots)
    machine.soft_reboots = max(machine.soft_reboots, machine.spec.soft_reboots)
    machine.interrupts = max(machine.interrupts, machine.spec.interrupts)


def _facts(machine: FakeMachine, fault: Fault | None = None) -> MachineFacts:
    on = machine.power in (*ON, Power.SUSPENDED)
    connected = machine.running if on else machine.spec
    as_ordered = fault is None and machine.move is None and machine.power is machine.spec.wanted
    if fault is None and machine.power is Power.CRASHED:
        fault = Fault(message="The machine's process ended by itself.")
    return MachineFacts(
        id=machine.spec.id,
        power=machine.power,
        digest=machine.digest if as_ordered else "",
        disks=tuple(disk.id for disk in connected.disks),
        nics=tuple(nic.port_id for nic in connected.nics),
        hard_reboots=machine.hard_reboots,
        soft_reboots=machine.soft_reboots,
        rebuilds=machine.rebuilds,
        interrupts=machine.interrupts,
        rescued=bool(machine.rescue),
        mirrors=mirrors.facts(machine),
        started_at=machine.started_at,
        move=machine.move,
        fault=fault,
    )
