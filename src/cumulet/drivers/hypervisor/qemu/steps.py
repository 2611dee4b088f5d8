"""What to do next to a machine. Pure: the order, what was done before and what is seen now in, one step out."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from cumulet.contracts.machines import DiskSpec, MachineFacts, MachineSpec, MirrorFacts, Power, VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.qemu.journal import Journal


class Act(enum.Enum):
    """The things that can be done to a machine."""

    CUT_POWER = "end its process"
    SHUT_DOWN = "ask the guest to shut down, then cut its power"
    FETCH = "bring its disks from its old node"
    REMAKE_DISKS = "throw its own disks away"
    SWITCH_RESCUE = "put in, or take out, the rescue disk"
    START = "start it from its disks"
    RESTORE = "start it from its saved memory"
    SAVE = "save its memory and end its process"
    FORGET_MEMORY = "throw its saved memory away"
    PAUSE = "stop its processors"
    CONTINUE = "let its processors run"
    UNPLUG_DISK = "unplug a disk"
    UNPLUG_NIC = "unplug a network card"
    PLUG_DISK = "plug a disk in"
    PLUG_NIC = "plug a network card in"
    GROW_DISK = "tell the guest that a disk has grown"
    MIRROR = "copy a volume to where it is to be"
    END_MIRROR = "end the copy of a volume"
    LEAVE_SOURCE = "clear away what led to where a volume was"
    INTERRUPT = "interrupt its processors"


@dataclass(frozen=True, slots=True)
class Step:
    act: Act
    target: str = ""
    """Id of the disk or port."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine as it is now."""

    status: str | None
    """QEMU's run state; none: there is no process."""
    saved: bool = False
    """Its memory is on disk, whole."""
    rebooted_host: bool = False
    """Its process belonged to an earlier boot of this host."""


RUNNING_STATES = frozenset({"running", "suspended"})
"""`suspended` is a guest that sleeps by its own wish and wakes by its own alarm."""
_ENDED_STATES = frozenset({"shutdown"})
_BROKEN_STATES = frozenset({"internal-error", "guest-panicked", "watchdog"})


def next_step(spec: MachineSpec, journal: Journal, seen: Seen) -> Step | None:
    """The next thing to do, or none: the machine is as ordered."""
    return (
        _ended(spec, journal)
        or _content(spec, journal, seen)
        or _power(spec, journal, seen)
        or _devices(spec, journal, seen)
    )


def _ended(spec: MachineSpec, journal: Journal) -> Step | None:
    """What is copied elsewhere and should not be, before anything else: it stands in the way of all that follows."""
    targets = targets_of(spec)
    for id, mirror in journal.mirrors.items():
        if mirror.passed:
            return Step(Act.LEAVE_SOURCE, id)
        if targets.get(id) != mirror.target:
            return Step(Act.END_MIRROR, id)
    return None


def _content(spec: MachineSpec, journal: Journal, seen: Seen) -> Step | None:
    """Changes of what the machine starts from, which need it off."""
    change = None
    if spec.arrival is not None and journal.arrived != spec.arrival.move:
        change = Act.FETCH
    elif journal.rebuilds < spec.rebuilds:
        change = Act.REMAKE_DISKS
    elif journal.rescue != rescue_of(spec):
        change = Act.SWITCH_RESCUE
    if change is None:
        return None
    if seen.status is not None:
        return Step(Act.CUT_POWER)
    return Step(Act.FORGET_MEMORY if seen.saved else change)


def _power(spec: MachineSpec, journal: Journal, seen: Seen) -> Step | None:
    off = seen.status is None
    if spec.wanted is Power.STOPPED:
        if not off:
            return Step(Act.CUT_POWER if seen.status in _ENDED_STATES | _BROKEN_STATES else Act.SHUT_DOWN)
        return Step(Act.FORGET_MEMORY) if seen.saved else None
    if journal.hard_reboots < spec.hard_reboots or seen.status in _ENDED_STATES | _BROKEN_STATES:
        if not off:
            return Step(Act.CUT_POWER)
        return Step(Act.FORGET_MEMORY if seen.saved else Act.START)
    if spec.wanted is Power.SUSPENDED and (seen.saved or not off):
        if off:
            return None
        # Found between the two halves of saving: only the end of the process is missing.
        return Step(Act.CUT_POWER if seen.saved and seen.status == "postmigrate" else Act.SAVE)
    if off:
        return Step(Act.RESTORE if seen.saved else Act.START)
    if seen.saved:
        # It runs, so its disks have moved on; this memory must never be used again.
        return Step(Act.FORGET_MEMORY)
    if journal.soft_reboots < spec.soft_reboots:
        return Step(Act.SHUT_DOWN)
    running = seen.status in RUNNING_STATES
    if running == (spec.wanted is Power.RUNNING):
        return None
    return Step(Act.PAUSE if running else Act.CONTINUE)


def _devices(spec: MachineSpec, journal: Journal, seen: Seen) -> Step | None:
    """Changes of what is plugged into a machine that has a process. A machine without one gets them at its start."""
    if seen.status is None or journal.running is None:
        return None
    has, wants = volumes_of(journal.running), volumes_of(spec)
    cards, ports = ({nic.port_id for nic in machine.nics} for machine in (journal.running, spec))
    changes = [
        *(Step(Act.UNPLUG_DISK, id) for id in has if id not in wants),
        *(Step(Act.UNPLUG_NIC, nic.port_id) for nic in journal.running.nics if nic.port_id not in ports),
        *(Step(Act.PLUG_DISK, id) for id in wants if id not in has),
        *(Step(Act.PLUG_NIC, nic.port_id) for nic in spec.nics if nic.port_id not in cards),
        *(Step(Act.GROW_DISK, id) for id, disk in wants.items() if id in has and disk.size_gib > has[id].size_gib),
        *(Step(Act.MIRROR, id) for id in targets_of(spec) if id in has and id not in journal.mirrors),
        *([Step(Act.INTERRUPT)] if journal.interrupts < spec.interrupts else []),
    ]
    return changes[0] if changes else None


def volumes_of(spec: MachineSpec) -> dict[str, DiskSpec]:
    """The disks that can come and go while the machine runs."""
    return {disk.id: disk for disk in spec.disks if disk.volume is not None}


def targets_of(spec: MachineSpec) -> dict[str, VolumeConnection]:
    """Where volumes are to go now: under a machine that is off, or is to be, none does."""
    if spec.wanted not in (Power.RUNNING, Power.PAUSED) or spec.departure is not None:
        return {}
    return {id: disk.goes_to for id, disk in volumes_of(spec).items() if disk.goes_to is not None}


def rescue_of(spec: MachineSpec) -> str:
    return spec.rescue.sha512 if spec.rescue is not None else ""


def power_of(journal: Journal, seen: Seen) -> Power:
    """What is seen, in words of the domain."""
    if seen.status is None:
        if seen.saved:
            return Power.SUSPENDED
        # An end that nobody ordered; but the end of the whole host is no fault of the machine.
        vanished = journal.power is not Power.STOPPED and not seen.rebooted_host
        return Power.CRASHED if vanished else Power.STOPPED
    if seen.status in RUNNING_STATES:
        return Power.RUNNING
    if seen.status in _ENDED_STATES:
        return Power.STOPPED
    return Power.CRASHED if seen.status in _BROKEN_STATES else Power.PAUSED


def _mirrors(journal: Journal) -> Iterator[MirrorFacts]:
    for id, went in journal.went.items():
        # As long as anything still leads to the old place, it is not said to be left; nor is the order met.
        if id not in journal.mirrors:
            yield MirrorFacts(disk=id, target=digest_of(went.target), there=True)
    for id, mirror in journal.mirrors.items():
        yield MirrorFacts(disk=id, target=digest_of(mirror.target), fault=mirror.fault)


def facts_of(journal: Journal, seen: Seen, fulfilled: bool) -> MachineFacts:
    """The report on a machine."""
    alive = seen.status is not None or seen.saved
    connected = journal.running if journal.running is not None and alive else journal.spec
    return MachineFacts(
        id=journal.spec.id,
        power=power_of(journal, seen),
        digest=(journal.digest or digest_of(journal.spec)) if fulfilled else "",
        disks=tuple(disk.id for disk in connected.disks),
        nics=tuple(nic.port_id for nic in connected.nics),
        mirrors=tuple(_mirrors(journal)),
        hard_reboots=journal.hard_reboots,
        soft_reboots=journal.soft_reboots,
        rebuilds=journal.rebuilds,
        interrupts=journal.interrupts,
        rescued=bool(journal.rescue),
        started_at=journal.started_at,
    )
