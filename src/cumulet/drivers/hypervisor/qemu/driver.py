"""The door of this package: a hypervisor whose machines are QEMU processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.drivers.hypervisor.base import ImageFiles, ImageUnusable, VolumeFiles
from cumulet.drivers.hypervisor.qemu import console, disks, plugging, power, snapshots
from cumulet.drivers.hypervisor.qemu.devices import Unfit
from cumulet.drivers.hypervisor.qemu.diagnostics import diagnostics
from cumulet.drivers.hypervisor.qemu.disks import Disks, RenderGuest
from cumulet.drivers.hypervisor.qemu.host import Host, MachineFailed
from cumulet.drivers.hypervisor.qemu.journal import Folder, folders
from cumulet.drivers.hypervisor.qemu.machine import Machine, new_journal
from cumulet.drivers.hypervisor.qemu.monitor import MonitorLost, Refused
from cumulet.drivers.hypervisor.qemu.probe import Abilities, with_kvm
from cumulet.drivers.hypervisor.qemu.steps import Act, Step, facts_of, next_step, rescue_of
from cumulet.drivers.hypervisor.qemu.taps import TapMissing
from cumulet.lib import process
from cumulet.lib.clock import Clock, SystemClock
from cumulet.lib.process import ProcessFailed, User

_LONGEST_SOCKET_PATH = 107
_SECONDS_BETWEEN_TRIMS = 10.0
_AT_ONCE = 16

_FAILURES = (Unfit, ImageUnusable, MachineFailed, ProcessFailed, MonitorLost, Refused, TapMissing, OSError)
"""What may go wrong with one machine; anything else is a bug."""


class QemuHypervisor:
    """Machines that live in processes of their own. This object may be thrown away and made again at any time."""

    name = "qemu"

    def __init__(
        self,
        state: Path,
        images: ImageFiles,
        volumes: VolumeFiles,
        tap: Callable[[str], str],
        render_guest: RenderGuest,
        *,
        abilities: Abilities,
        net_namespace: str | None = None,
        user: User | None = None,
        clock: Clock | None = None,
        program: str = "qemu-system-x86_64",
    ) -> None:
        self.accelerator = abilities.accelerator
        self.version = abilities.version
        if abilities.accelerator == "kvm":
            user = with_kvm(user)
        self._state = state.absolute()
        longest = Folder(self._state / "instances" / ("x" * 36)).sockets.monitor
        if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
            raise ValueError(f"the path of the state directory is too long for unix sockets: {state}")
        self._host = Host(
            state=self._state,
            program=program,
            accelerator=abilities.accelerator,
            version=abilities.version,
            net_namespace=net_namespace,
            user=user,
            tap=tap,
            disks=Disks(images, volumes, render_guest, user),
            clock=clock or SystemClock(),
        )
        self._machines: dict[str, Machine] = {}
        self._changed: dict[str, None] = {}
        self._news = asyncio.Event()
        self._trimming: asyncio.Task[None] | None = None

    async def ensure(self, spec: MachineSpec) -> MachineFacts:
        machine = await self._begin(spec)
        async with machine.lock:
            try:
                return await self._pursue(machine, spec)
            except _FAILURES as error:
                return await self._facts(machine, fault_of(error))

    async def _begin(self, spec: MachineSpec) -> Machine:
        machine = await self._machine(spec.id)
        if machine is None:
            folder = Folder.of(self._state, spec.id)
            journal = new_journal(spec)
            folder.make(self._host.user)
            folder.save(journal)
            machine = self._machines[spec.id] = Machine(self._host, folder, journal, self._note_change)
        return machine

    async def _pursue(self, machine: Machine, spec: MachineSpec) -> MachineFacts:
        """Take one step after the other, looking again before each, until none is left."""
        if machine.journal.spec != spec:
            await machine.remember(spec=spec)
        machine.folder.make(self._host.user)
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
        await _settle(machine, at_rest=seen.status is None and not seen.saved)
        return facts_of(machine.journal, seen, fulfilled=True)

    async def remove(self, machine_id: str) -> None:
        machine = await self._machine(machine_id)
        if machine is None:
            await disks.remove(Folder.of(self._state, machine_id))
            return
        machine.leaving = True
        for task in machine.copies:
            task.cancel()
        # Whoever waits for the guest while holding the lock is waiting for this.
        identity = machine.journal.process
        if identity is not None and process.is_alive(identity):
            await process.kill(identity)
        async with machine.lock:
            identity = await machine.find_process()
            if identity is not None:
                await process.kill(identity)
            await machine.close()
            await disks.remove(machine.folder)
            self._machines.pop(machine_id, None)
            self._changed.pop(machine_id, None)

    async def found(self) -> Sequence[MachineFacts]:
        self._start_trimming()
        limit = asyncio.Semaphore(_AT_ONCE)

        async def find(folder: Folder) -> MachineFacts:
            async with limit:
                machine = await self._machine(folder.path.name)
                if machine is None:
                    return MachineFacts(id=folder.path.name, power=Power.STOPPED)
                return await self._facts(machine, None)

        return await asyncio.gather(*(find(folder) for folder in folders(self._state)))

    async def console_log(self, machine_id: str, limit: int) -> bytes:
        log = Folder.of(self._state, machine_id).sockets.console_log
        return await asyncio.to_thread(console.newest, log, limit)

    async def changed(self) -> str:
        if self._trimming is None:
            await self.found()  # From now on the ends of all processes are noticed.
        while not self._changed:
            self._news.clear()
            await self._news.wait()
        machine_id = next(iter(self._changed))
        del self._changed[machine_id]
        return machine_id

    def vnc_socket(self, machine_id: str) -> str:
        return _socket(Folder.of(self._state, machine_id).sockets.vnc)

    def serial_socket(self, machine_id: str) -> str:
        return _socket(Folder.of(self._state, machine_id).sockets.serial)

    async def snapshot(self, machine_id: str, disk_id: str, disk_format: str, destination: str) -> int:
        machine = await self._existing(machine_id)
        task = asyncio.ensure_future(snapshots.copy(machine, disk_id, disk_format, destination))
        machine.copies.add(task)
        try:
            return await task
        finally:
            task.cancel()
            machine.copies.discard(task)

    async def diagnostics(self, machine_id: str) -> dict[str, object]:
        return await diagnostics(await self._existing(machine_id))

    async def close(self) -> None:
        """Let go of all machines, which run on."""
        if self._trimming is not None:
            self._trimming.cancel()
            await asyncio.wait([self._trimming])
        for machine in self._machines.values():
            await machine.close()
        self._machines.clear()

    async def _existing(self, machine_id: str) -> Machine:
        machine = await self._machine(machine_id)
        if machine is None:
            raise MachineFailed("There is no such machine on this node.")
        return machine

    async def _machine(self, machine_id: str) -> Machine | None:
        """The machine, if it was ever begun here."""
        machine = self._machines.get(machine_id)
        if machine is None:
            folder = Folder.of(self._state, machine_id)
            journal = folder.load()
            if journal is None:
                return None
            machine = self._machines[machine_id] = Machine(self._host, folder, journal, self._note_change)
        elif machine.leaving:
            async with machine.lock:
                pass
            return await self._machine(machine_id) if machine_id not in self._machines else machine
        return machine

    async def _facts(self, machine: Machine, fault: Fault | None) -> MachineFacts:
        try:
            seen = await machine.look()
        except _FAILURES as error:
            return MachineFacts(id=machine.id, power=Power.CRASHED, fault=fault or fault_of(error))
        fulfilled = fault is None and next_step(machine.journal.spec, machine.journal, seen) is None
        facts = facts_of(machine.journal, seen, fulfilled)
        if fault is None and facts.power is Power.CRASHED:
            fault = Fault(message="The machine's process ended by itself.", details=machine.last_words())
        return msgspec.structs.replace(facts, fault=fault)

    def _note_change(self, machine_id: str) -> None:
        self._changed[machine_id] = None
        self._news.set()

    def _start_trimming(self) -> None:
        if self._trimming is None:
            self._trimming = asyncio.ensure_future(self._trim_logs())

    async def _trim_logs(self) -> None:
        while True:
            await self._host.clock.sleep(_SECONDS_BETWEEN_TRIMS)
            for machine in list(self._machines.values()):
                limit = machine.journal.spec.console_log_kib << 10
                with contextlib.suppress(console.NotOurs, OSError):
                    await asyncio.to_thread(console.trim, machine.folder.sockets.console_log, limit)


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
}


def fault_of(error: Exception) -> Fault:
    """A failure in words for the machine's owner. 400: only another order can help; 500: trying again may."""
    if isinstance(error, Unfit | ImageUnusable):
        return Fault(message=str(error), code=400)
    if isinstance(error, MachineFailed):
        return Fault(message=str(error), details=error.details)
    return Fault(message="The node could not do what was ordered.", details=f"{type(error).__name__}: {error}")


def _socket(path: Path) -> str:
    """A guest that took over its QEMU could put a link there that leads to somebody else's socket."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise FileNotFoundError(path)
    return str(path)
