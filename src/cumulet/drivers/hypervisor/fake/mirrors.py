"""Volumes of pretended machines that are to be elsewhere: they are there in no time, unless they are held up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from cumulet.contracts.machines import DiskSpec, MachineSpec, MirrorFacts, VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.drivers.hypervisor.fake.world import ON, FakeMachine

Copy = Callable[[VolumeConnection, VolumeConnection], Awaitable[None]]
"""Brings what a volume holds from one place to another. Raises `OutOfReach`."""


async def nothing_to_copy(source: VolumeConnection, target: VolumeConnection) -> None:
    """For worlds in which volumes hold nothing."""


def as_it_went(machine: FakeMachine, order: MachineSpec) -> MachineSpec:
    """The order, with volumes where they are now. What it knows is not kept in mind any more."""
    said = {disk.id: disk.volume for disk in order.disks}
    machine.went = {id: went for id, went in machine.went.items() if said.get(id) == went[0]}
    return _brought(machine, order)


def _brought(machine: FakeMachine, order: MachineSpec) -> MachineSpec:
    return msgspec.structs.replace(order, disks=tuple(_moved(disk, machine.went.get(disk.id)) for disk in order.disks))


def _moved(disk: DiskSpec, went: tuple[VolumeConnection, VolumeConnection] | None) -> DiskSpec:
    return disk if went is None else msgspec.structs.replace(disk, volume=went[1], goes_to=None)


async def mirror(machine: FakeMachine, copy: Copy, *, sticks: bool) -> None:
    """Bring what is ordered to be elsewhere there; `sticks`: begin, and do not come to an end."""
    targets = {disk.id: disk.goes_to for disk in machine.spec.disks if disk.goes_to and machine.power in ON}
    machine.unfit = {id: why for id, why in machine.unfit.items() if id in targets}
    for disk in machine.spec.disks:
        target = targets.get(disk.id)
        if target is None or disk.volume is None or sticks or disk.id in machine.unfit:
            continue
        try:
            await copy(disk.volume, target)
        except OutOfReach as error:
            machine.unfit[disk.id] = f"Volume {target.volume_id} could not be reached at its node: {error}."
            continue
        machine.went[disk.id] = (disk.volume, target)
    machine.spec, machine.running = (_brought(machine, spec) for spec in (machine.spec, machine.running))


def facts(machine: FakeMachine) -> tuple[MirrorFacts, ...]:
    there = [MirrorFacts(disk=id, target=digest_of(target), there=True) for id, (_, target) in machine.went.items()]
    others = {disk.id: disk.goes_to for disk in machine.spec.disks if disk.goes_to and machine.power in ON}
    return (*there, *_under_way(others, machine.unfit))


def _under_way(targets: dict[str, VolumeConnection], unfit: dict[str, str]) -> list[MirrorFacts]:
    return [MirrorFacts(disk=id, target=digest_of(place), fault=unfit.get(id, "")) for id, place in targets.items()]
