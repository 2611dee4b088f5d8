"""Carry an order out: look, decide, act, one step after the other, until nothing is left to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from cumulet.contracts.assignments import NOT_YET, Fault
from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import GuestHolds, ImageUnusable, MachineFailed, OutOfReach, Unfit
from cumulet.drivers.hypervisor.qemu import luggage, mirrors, plugging, power, receiving, sending
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.steps import Act, Step, facts_of, next_step, rescue_of
from cumulet.drivers.hypervisor.qemu.taps import TapMissing
from cumulet.lib.process import ProcessFailed
from cumulet.lib.qcow2 import NotQcow2
from cumulet.lib.qmp import MonitorLost, Refused
from cumulet.lib.storage_daemon import DaemonFailed

FAILURES = (
    Unfit, ImageUnusable, MachineFailed, OutOfReach, ProcessFailed, MonitorLost, Refused, TapMissing, NotQcow2,
    DaemonFailed, OSError,
)  # fmt: skip
"""What may go wrong with one machine; anything else is a bug."""


async def pursue(machine: Machine, spec: MachineSpec) -> MachineFacts:
    """Make the machine as ordered. Whoever calls holds its lock. Raises one of `FAILURES`."""
    machine.folder.make(machine.host.user)
    went, digest = mirrors.still_true(spec, machine.journal.went), digest_of(spec)
    spec = mirrors.as_it_went(spec, went)
    journal = msgspec.structs.replace(machine.journal, spec=spec, digest=digest, went=went)
    if machine.journal != journal or not machine.folder.journal.exists():
        await machine.remember(spec=spec, digest=digest, went=went)
    if spec.arrival is not None and spec.arrival.live:
        return await receiving.receive(machine)
    if spec.departure is not None:
        return await sending.send(machine, spec)
    await sending.stay(machine)
    # First of all: as long as a copy is not over its way is made, which may be what fails.
    mirrors.see_to(machine)
    await machine.match_relays()
    taken: set[Step] = set()
    while True:
        if machine.leaving:
            raise MachineFailed("The machine is being removed.")
        seen = await machine.look()
        step = next_step(spec, machine.journal, seen)
        if step is None:
            break
        if step in taken:
            raise MachineFailed(f"It had no effect to {step.act.value}.", machine.last_words())
        taken.add(step)
        await _ACTS[step.act](machine, step.target)
    await machine.match_relays()
    mirrors.see_to(machine)
    await _settle(machine, at_rest=seen.status is None and not seen.saved)
    return facts_of(machine.journal, seen, fulfilled=True)


def fault_of(error: Exception) -> Fault:
    """A failure in words for the machine's owner. 400: only another order can help; 500, 503: trying again may."""
    if isinstance(error, Unfit | ImageUnusable):
        return Fault(message=str(error), code=400)
    if isinstance(error, MachineFailed):
        code = NOT_YET if isinstance(error, GuestHolds) else 500
        return Fault(message=str(error), code=code, details=error.details)
    if isinstance(error, OutOfReach):
        return Fault(message="The node that has the machine's disks does not give them.", details=str(error))
    return Fault(message="The node could not do what was ordered.", details=f"{type(error).__name__}: {error}")


async def _settle(machine: Machine, at_rest: bool) -> None:
    """The order is met; so are all verbs that were counted, as far as they had anything to act on."""
    spec, journal = machine.journal.spec, machine.journal
    changes: dict[str, object] = {
        name: getattr(spec, name)
        for name in ("hard_reboots", "soft_reboots", "interrupts")
        if getattr(journal, name) < getattr(spec, name)
    }
    if at_rest and journal.power is not Power.STOPPED:
        changes["power"] = Power.STOPPED
    if journal.shutdown_asked_at != 0:
        changes["shutdown_asked_at"] = 0
    if changes:
        await machine.remember(**changes)


async def _remake_disks(machine: Machine) -> None:
    await machine.host.disks.forget(machine.folder, rescue_only=False)
    await machine.remember(rebuilds=machine.journal.spec.rebuilds)


async def _switch_rescue(machine: Machine) -> None:
    await machine.host.disks.forget(machine.folder, rescue_only=True)
    await machine.remember(rescue=rescue_of(machine.journal.spec))


def _plain(act: Callable[[Machine], Coroutine[Any, Any, None]]) -> Callable[[Machine, str], Awaitable[None]]:
    return lambda machine, target: act(machine)


_ACTS: dict[Act, Callable[[Machine, str], Awaitable[None]]] = {
    Act.CUT_POWER: _plain(power.cut_power),
    Act.SHUT_DOWN: _plain(power.shut_down),
    Act.FETCH: _plain(luggage.fetch),
    Act.REMAKE_DISKS: _plain(_remake_disks),
    Act.SWITCH_RESCUE: _plain(_switch_rescue),
    Act.START: _plain(power.start),
    Act.RESTORE: _plain(power.restore),
    Act.SAVE: _plain(power.save),
    Act.FORGET_MEMORY: _plain(power.forget_memory),
    Act.PAUSE: _plain(power.pause),
    Act.CONTINUE: _plain(power.go_on),
    Act.INTERRUPT: _plain(power.interrupt),
    Act.UNPLUG_DISK: plugging.unplug_disk,
    Act.UNPLUG_NIC: plugging.unplug_nic,
    Act.PLUG_DISK: plugging.plug_disk,
    Act.PLUG_NIC: plugging.plug_nic,
    Act.GROW_DISK: plugging.grow_disk,
    Act.MIRROR: mirrors.begin,
    Act.END_MIRROR: mirrors.end,
    Act.LEAVE_SOURCE: mirrors.leave_source,
}
