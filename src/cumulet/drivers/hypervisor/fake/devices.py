"""The volumes and cards of a pretended machine, plugged and unplugged while it is on. Pure."""

from __future__ import annotations

import msgspec

from cumulet.contracts.assignments import NOT_YET, Fault
from cumulet.contracts.machines import DiskSpec, VolumeConnection
from cumulet.drivers.hypervisor.fake.world import FakeMachine


def plug(machine: FakeMachine, *, holds: bool) -> Fault | None:
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


def far_volume(disk: DiskSpec) -> VolumeConnection | None:
    return disk.volume if disk.volume is not None and is_far(disk.volume) else None


def is_far(connection: VolumeConnection) -> bool:
    return connection.protocol in ("nbd", "iscsi")
