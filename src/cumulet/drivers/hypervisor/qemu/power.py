"""Turn a machine on and off. Each function may be run again after a crash at any point within it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping

from cumulet.contracts.machines import MachineSpec, Power
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu import devices, firmware, volumes
from cumulet.drivers.hypervisor.qemu.command import Flash, Launch, command, versioned
from cumulet.drivers.hypervisor.qemu.disks import secret_id
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.steps import RUNNING_STATES
from cumulet.drivers.hypervisor.qemu.taps import open_tap
from cumulet.lib import process
from cumulet.lib.clock import SECOND
from cumulet.lib.process import Limits
from cumulet.lib.qemu_secrets import sealed
from cumulet.lib.qmp import Event, MonitorLost, Refused

_LOCK_FD, _MEMORY_FD, _FIRST_TAP_FD = 3, 4, 10
_OPEN_FILES = 4096
_SECONDS_TO_QUIT = 5.0
_SECONDS_TO_SAVE = 600.0
_FIRST_KNOCK, _SLOWEST_KNOCK = 1.0, 10.0
"""After how many seconds a guest that does not shut down is asked again, since it may have been too early in its start
to hear. Each time it is given twice as long, up to the second number."""
_FASTEST = 1 << 40
_NOTHING_COPIED: Mapping[str, object] = {"mirrors": {}, "crossed": ()}
"""What is true of a new process."""


async def start(machine: Machine) -> None:
    """Start it from its disks, as its newest order says."""
    spec = machine.journal.spec
    await machine.host.disks.prepare(machine.folder, spec)
    numbers = devices.numbered(spec, machine.journal.numbers)
    machine_type = versioned(spec.machine_type, machine.host.version)
    await machine.remember(
        running=spec,
        numbers=numbers,
        machine_type=machine_type,
        hard_reboots=max(spec.hard_reboots, machine.journal.hard_reboots),
        soft_reboots=max(spec.soft_reboots, machine.journal.soft_reboots),
        started_at=machine.host.clock.now(),
        shutdown_asked_at=0,
        **_NOTHING_COPIED,
    )
    await _spawn(machine, spec, paused=spec.wanted is not Power.RUNNING, memory_fd=None)


async def restore(machine: Machine) -> None:
    """Start it from its saved memory, with the devices that it had then. It waits, paused, with its memory loaded."""
    running = machine.journal.running
    if running is None:
        raise MachineFailed("The saved memory of the machine is of no use without its journal.")
    memory = os.open(machine.folder.memory, os.O_RDONLY)
    try:
        await machine.remember(shutdown_asked_at=0, **_NOTHING_COPIED)
        await _spawn(machine, running, paused=True, memory_fd=memory)
    finally:
        os.close(memory)
    seen = await machine.look()
    if seen.status is None:
        raise MachineFailed("The saved memory of the machine could not be read.", machine.last_words())


async def expect(machine: Machine) -> None:
    """Start it empty, to be filled with the memory that another node sends. It waits when that is done."""
    spec = machine.journal.spec
    await machine.remember(
        running=spec,
        hard_reboots=max(spec.hard_reboots, machine.journal.hard_reboots),
        soft_reboots=max(spec.soft_reboots, machine.journal.soft_reboots),
        shutdown_asked_at=0,
        **_NOTHING_COPIED,
    )
    await _spawn(machine, spec, paused=True, memory_fd=None, arrives=True)


async def _spawn(
    machine: Machine, spec: MachineSpec, *, paused: bool, memory_fd: int | None, arrives: bool = False
) -> None:
    host, folder, journal = machine.host, machine.folder, machine.journal
    secrets = {
        secret_id(journal.numbers[disk.id]): await host.secret_of(disk.volume)
        for disk in spec.disks
        if disk.volume is not None and volumes.needs_secret(disk.volume)
    }
    given = sealed(secrets, folder.secrets) if secrets else None
    if given is not None:
        host.disks.write_key(folder, given.key)
    await machine.relays.match(volumes.relayed(journal))
    nics = tuple(devices.Nic(journal.numbers[nic.port_id], nic) for nic in spec.nics)
    launch = Launch(
        machine_type=journal.machine_type,
        accelerator=host.accelerator,
        sockets=folder.sockets,
        disks=host.disks.layout(folder, spec, journal.numbers),
        nics=nics,
        numbers=journal.numbers,
        secrets=given.objects if given else (),
        flash=_flash(machine, spec, journal.machine_type) if spec.firmware == "uefi" else None,
        tap_fds=tuple(range(_FIRST_TAP_FD, _FIRST_TAP_FD + len(nics))),
        paused=paused,
        memory_fd=_MEMORY_FD if memory_fd is not None else None,
        arrives=arrives,
    )
    argv = command(host.program, spec, launch)
    with contextlib.ExitStack() as opened:
        inherit: dict[int, int] = {} if memory_fd is None else {_MEMORY_FD: memory_fd}
        for number, nic in zip(launch.tap_fds, nics, strict=True):
            inherit[number] = await open_tap(host.tap(nic.spec.port_id), host.net_namespace)
            opened.callback(os.close, inherit[number])
        inherit[_LOCK_FD] = machine.take_lock()
        opened.callback(os.close, inherit[_LOCK_FD])
        sockets = folder.sockets
        for leftover in (folder.log, sockets.monitor, sockets.vnc, sockets.serial, sockets.agent):
            leftover.unlink(missing_ok=True)
        limits = Limits(open_files=_OPEN_FILES)
        identity = process.spawn(
            argv, log=folder.log, limits=limits, user=host.user, net_namespace=host.net_namespace, inherit=inherit
        )
        await machine.note_process(identity)
    try:
        await machine.started()
    except MonitorLost as error:
        await process.kill(identity)
        await machine.remember(power=Power.STOPPED)
        raise MachineFailed("The machine could not be started.", machine.last_words()) from error
    folder.secrets.unlink(missing_ok=True)


def _flash(machine: Machine, spec: MachineSpec, machine_type: str) -> Flash:
    found = firmware.find(machine_type, spec.secure_boot)
    variables = machine.host.disks.flash(machine.folder, found)
    return Flash(code=found.code, variables=str(variables), secure=spec.secure_boot)


async def cut_power(machine: Machine) -> None:
    """End its process. What the guest wrote and flushed is kept; what it still held in memory is not."""
    identity = await machine.find_process()
    if not machine.folder.memory.exists():
        await machine.remember(power=Power.STOPPED, shutdown_asked_at=0)
    if identity is None:
        return
    # Asked politely first, so that it leaves the maps of its disks in order; a process that hangs is killed.
    with contextlib.suppress(MonitorLost, Refused, TimeoutError):
        await machine.ask("quit", timeout=_SECONDS_TO_QUIT)
        await asyncio.wait_for(process.ended(identity), _SECONDS_TO_QUIT)
    await process.kill(identity)


async def shut_down(machine: Machine) -> None:
    """Ask the guest to shut down, wait as long as its owner allows, then cut its power."""
    if machine.journal.shutdown_asked_at == 0:
        await machine.remember(shutdown_asked_at=machine.host.clock.now())
    waited = (machine.host.clock.now() - machine.journal.shutdown_asked_at) / SECOND
    deadline = asyncio.get_running_loop().time() + machine.journal.spec.shutdown_seconds - waited
    patience = _FIRST_KNOCK
    with contextlib.suppress(MonitorLost, Refused), machine.expecting(_is_shutdown) as ended:
        while (left := deadline - asyncio.get_running_loop().time()) > 0 and not ended.done():
            if (await machine.ask("query-status"))["status"] not in RUNNING_STATES:
                await machine.ask("cont")
            await machine.ask("system_powerdown")
            await asyncio.wait({ended}, timeout=min(left, patience))
            patience = min(2 * patience, _SLOWEST_KNOCK)
    await cut_power(machine)


def _is_shutdown(event: Event) -> bool:
    return bool(event["event"] == "SHUTDOWN")


async def save(machine: Machine) -> None:
    """Write its memory to disk and end its process."""
    await machine.ask("stop")
    await _end_migration(machine)
    new = machine.folder.memory.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        await machine.ask("migrate-set-parameters", {"max-bandwidth": _FASTEST})
        await machine.ask("getfd", {"fdname": "memory"}, fds=[fd])
        await machine.ask("migrate", {"uri": "fd:memory"})
        async with asyncio.timeout(_SECONDS_TO_SAVE):
            while (progress := await machine.ask("query-migrate")).get("status") != "completed":
                if progress.get("status") in ("failed", "cancelled"):
                    raise MachineFailed("The machine's memory could not be saved.", str(progress.get("error-desc", "")))
                await asyncio.sleep(0.01)
        await asyncio.to_thread(os.fsync, fd)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    await machine.remember(power=Power.SUSPENDED)
    new.rename(machine.folder.memory)
    await cut_power(machine)


async def forget_memory(machine: Machine) -> None:
    machine.folder.memory.unlink(missing_ok=True)
    if await machine.find_process() is None:
        await machine.remember(power=Power.STOPPED, running=None)


async def pause(machine: Machine) -> None:
    await machine.ask("stop")


async def go_on(machine: Machine) -> None:
    """Let its processors run: after a pause, after its memory was loaded, after a full disk."""
    await _end_migration(machine)
    await machine.ask("cont")


async def interrupt(machine: Machine) -> None:
    """Every interrupt asked for, though few guests tell two from one; a number that has run away is not caught up."""
    for _ in range(min(3, machine.journal.spec.interrupts - machine.journal.interrupts)):
        await machine.ask("inject-nmi")
    await machine.remember(interrupts=machine.journal.spec.interrupts)


async def _end_migration(machine: Machine) -> None:
    """End a saving of memory that was under way when we last ended."""
    await machine.ask("migrate_cancel")
    deadline = asyncio.get_running_loop().time() + _SECONDS_TO_QUIT
    while (await machine.ask("query-migrate")).get("status") in ("setup", "active", "device", "cancelling"):
        if asyncio.get_running_loop().time() > deadline:
            raise MachineFailed("The machine is still busy with the saving of its memory.")
        await asyncio.sleep(0.01)
