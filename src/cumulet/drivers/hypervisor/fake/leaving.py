"""Pretended machines go to other nodes: their disks while they are off, all that they are while they are on."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineSpec, Power
from cumulet.contracts.moves import Arrival, Departure, DiskFile, Luggage, MoveFacts, Progress, Stage
from cumulet.drivers.hypervisor.base import Belongings, MachineFailed, OutOfReach
from cumulet.drivers.hypervisor.fake.world import ON, FakeMachine, FakeMachines
from cumulet.lib.sparse import Parcel, parcel, receive

Carry = Callable[[Departure, bytes], Awaitable[None]]
"""Brings what a pretended machine is to its new node. Raises `OutOfReach`."""
STAYS = "The machine could not leave its node."
_DISKS = "disks"
"""The one file that all disks of a pretended machine are in."""


class Moves:
    """How the machines of one world leave their node and arrive at it, on or off."""

    def __init__(self, machines: FakeMachines, belongings: Belongings | None, carry: Carry | None) -> None:
        self._world = machines
        self._belongings = belongings
        self._carry = carry

    async def fetch(self, machine: FakeMachine, arrival: Arrival) -> None:
        """Bring its disks from its old node."""
        if self._belongings is None:
            raise OutOfReach("nowhere to fetch from")
        for file in (await self._belongings.luggage(machine.spec.id)).files:
            with tempfile.TemporaryFile() as disks:
                stream = self._belongings.file(machine.spec.id, file.name, 0)
                await receive(disks.fileno(), stream, most=file.size)
                machine.content, machine.written = msgspec.json.decode(disks.read(), type=tuple[str, float])
        machine.arrived = arrival.move

    def expect(self, machine: FakeMachine, arrival: Arrival) -> None:
        """It stays empty until another node hands over what is to be in it."""
        stage = Stage.ARRIVED if machine.arrived == arrival.move else Stage.READY
        machine.move = MoveFacts(move=arrival.move, stage=stage)

    async def leave(self, machine: FakeMachine, departure: Departure) -> Fault | None:
        """Hand over all that it is. It stops for that, and stays so unless it is ordered to stay."""
        if machine.move is None or machine.move.move != departure.move:
            machine.move = MoveFacts(move=departure.move, stage=Stage.LEAVING)
        if machine.move.stage is Stage.LEAVING and (departure.force or not self._world.sticks):
            stage, fault = await self._hand_over(machine, departure)
            machine.move = MoveFacts(move=departure.move, stage=stage, progress=progress(machine, stage))
            return fault
        return Fault(message=STAYS) if machine.move.stage is Stage.FAILED else None

    async def _hand_over(self, machine: FakeMachine, departure: Departure) -> tuple[Stage, Fault | None]:
        if machine.power not in ON or self._carry is None:
            return Stage.FAILED, Fault(message=STAYS, details="it does not run")
        self._world.write(machine)
        try:
            await self._carry(departure, memory(machine))
        except OutOfReach as error:
            return Stage.FAILED, Fault(message=STAYS, details=str(error))
        return Stage.LEFT, None

    async def take_over(self, machine_id: str, memory: bytes) -> None:
        """A machine arrives. Raises `OutOfReach` if nobody expects it."""
        machine = self._world.machines.get(machine_id)
        if machine is None or machine.move is None or machine.move.stage is not Stage.READY:
            raise OutOfReach("nobody expects it")
        remember(machine, memory)
        machine.power, machine.arrived = Power.PAUSED, machine.move.move
        self._world.note(machine_id)

    async def luggage(self, machine_id: str) -> Luggage:
        return Luggage(files=(DiskFile(name=_DISKS, size=len(packed(self._world.existing(machine_id)))),))

    @asynccontextmanager
    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[Parcel]:
        with tempfile.TemporaryFile() as disks:
            disks.write(packed(self._at_rest(machine_id)))
            disks.flush()
            yield parcel(disks.fileno(), offset)

    def _at_rest(self, machine_id: str) -> FakeMachine:
        machine = self._world.existing(machine_id)
        if machine.power in ON:
            raise MachineFailed("The machine runs; its disks can be given away only while it is off.")
        return machine


def packed(machine: FakeMachine) -> bytes:
    return msgspec.json.encode((machine.content, machine.written))


def memory(machine: FakeMachine) -> bytes:
    lines = list(machine.lines)
    return msgspec.json.encode((machine.content, machine.written, machine.started_at, machine.running, lines))


def remember(machine: FakeMachine, memory: bytes) -> None:
    kind = tuple[str, float, int, MachineSpec, list[tuple[int, str]]]
    machine.content, machine.written, machine.started_at, running, lines = msgspec.json.decode(memory, type=kind)
    machine.written_at = machine.started_at
    machine.running = running
    machine.lines.extend(lines)


def progress(machine: FakeMachine, stage: Stage) -> Progress:
    memory = machine.running.memory_mib << 20
    left = 0 if stage is Stage.LEFT else memory
    return Progress(memory_total=memory, memory_processed=memory - left, memory_remaining=left)
