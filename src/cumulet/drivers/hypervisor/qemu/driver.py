"""The door of this package: a hypervisor whose machines are QEMU processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.contracts.moves import Luggage
from cumulet.drivers.hypervisor.base import Belongings, ImageFiles, MachineFailed, OpenWay, Unfit, VolumeFiles
from cumulet.drivers.hypervisor.qemu import console, devices, disks, inside, luggage, open_volumes, power, snapshots
from cumulet.drivers.hypervisor.qemu.diagnostics import diagnostics
from cumulet.drivers.hypervisor.qemu.disks import Disks, RenderGuest
from cumulet.drivers.hypervisor.qemu.host import Host, Keys
from cumulet.drivers.hypervisor.qemu.journal import Folder, folders, socket_at
from cumulet.drivers.hypervisor.qemu.machine import Machine, new_journal
from cumulet.drivers.hypervisor.qemu.move_failed import MoveFailed
from cumulet.drivers.hypervisor.qemu.probe import Abilities, with_kvm
from cumulet.drivers.hypervisor.qemu.pursuit import FAILURES, fault_of, pursue
from cumulet.drivers.hypervisor.qemu.steps import facts_of, next_step
from cumulet.lib import process
from cumulet.lib.clock import Clock, SystemClock
from cumulet.lib.process import User
from cumulet.lib.sparse import Parcel

_LONGEST_SOCKET_PATH = 107
_SECONDS_BETWEEN_TRIMS = 10.0
_AT_ONCE = 16
_LOG_LIMIT = 256 << 10
"""What QEMU itself says is little, but a guest can make it complain as often as it likes."""


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
        belongings: Belongings | None = None,
        open_way: OpenWay | None = None,
        keys: Keys | None = None,
        net_namespace: str | None = None,
        user: User | None = None,
        relay_user: User | None = None,
        reach_seconds: int = 20,
        clock: Clock | None = None,
        program: str = "qemu-system-x86_64",
    ) -> None:
        self.accelerator = abilities.accelerator
        self.version = abilities.version
        if abilities.accelerator == "kvm":
            user = with_kvm(user)
        self._state = state.absolute()
        longest = Folder(self._state / "instances" / ("x" * 36)).relay(devices.PORTS)
        if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
            raise ValueError(f"the path of the state directory is too long for unix sockets: {state}")
        self._host = Host(
            state=self._state,
            program=program,
            accelerator=abilities.accelerator,
            version=abilities.version,
            net_namespace=net_namespace,
            user=user,
            relay_user=relay_user,
            reach_seconds=reach_seconds,
            tap=tap,
            belongings=belongings,
            open_way=open_way,
            volumes=volumes,
            disks=Disks(images, volumes, render_guest, user),
            keys=keys,
            clock=clock or SystemClock(),
        )
        self._machines: dict[str, Machine] = {}
        self._changed: dict[str, None] = {}
        self._news = asyncio.Event()
        self._is_watching = False
        self._trimming: asyncio.Task[None] | None = None

    async def ensure(self, spec: MachineSpec) -> MachineFacts:
        self._start_trimming()
        try:
            machine = await self._machine(spec.id)
        except MachineFailed as error:
            return MachineFacts(id=spec.id, power=Power.CRASHED, fault=fault_of(error))
        if machine is None:
            folder = Folder.of(self._state, spec.id)
            machine = self._machines[spec.id] = Machine(self._host, folder, new_journal(spec), self._note_change)
        async with machine.lock:
            try:
                return await pursue(machine, spec)
            except MoveFailed as error:
                return msgspec.structs.replace(error.facts, fault=fault_of(error))
            except FAILURES as error:
                return await self._facts(machine, fault_of(error))

    async def halt(self, machine_id: str) -> None:
        """Shut a machine down, as a host does before it goes down itself; the next order may start it again."""
        machine = await self._machine(machine_id)
        if machine is None:
            return
        async with machine.lock:
            with _in_words():
                if await machine.find_process() is not None:
                    await power.shut_down(machine)
                await machine.relays.match({})

    async def remove(self, machine_id: str) -> None:
        machine = await self._machine(machine_id)
        if machine is None:
            await disks.remove(Folder.of(self._state, machine_id))
            return
        machine.leaving = True
        for task in (machine.departing, machine.mirroring, *machine.copies):
            if task is not None:
                task.cancel()
        # Whoever waits for the guest while holding the lock is waiting for this.
        identity = machine.journal.process
        if identity is not None and process.is_alive(identity):
            await process.kill(identity)
        async with machine.lock:
            identity = await machine.find_process()
            if identity is not None:
                await process.kill(identity)
            await machine.relays.match({})
            await machine.close()
            await disks.remove(machine.folder)
            self._machines.pop(machine_id, None)
            self._changed.pop(machine_id, None)

    async def found(self) -> Sequence[MachineFacts]:
        self._start_trimming()
        self._is_watching = True
        limit = asyncio.Semaphore(_AT_ONCE)

        async def find(folder: Folder) -> MachineFacts:
            async with limit:
                machine_id = folder.path.name
                try:
                    machine = await self._machine(machine_id)
                except MachineFailed as error:
                    return MachineFacts(id=machine_id, power=Power.CRASHED, fault=fault_of(error))
                if machine is None:
                    # Half made or half removed; nothing of it runs.
                    return MachineFacts(id=machine_id, power=Power.STOPPED)
                return await self._facts(machine, None)

        return await asyncio.gather(*(find(folder) for folder in folders(self._state)))

    async def console_log(self, machine_id: str, limit: int) -> bytes:
        log = Folder.of(self._state, machine_id).sockets.console_log
        return await asyncio.to_thread(console.newest, log, limit)

    async def changed(self) -> str:
        if not self._is_watching:
            await self.found()  # From now on the ends of all processes are noticed.
        while not self._changed:
            self._news.clear()
            await self._news.wait()
        machine_id = next(iter(self._changed))
        del self._changed[machine_id]
        return machine_id

    def vnc_socket(self, machine_id: str) -> str:
        return socket_at(Folder.of(self._state, machine_id).sockets.vnc)

    def serial_socket(self, machine_id: str) -> str:
        return socket_at(Folder.of(self._state, machine_id).sockets.serial)

    def memory_socket(self, machine_id: str) -> str:
        return socket_at(Folder.of(self._state, machine_id).sockets.memory)

    def disks_socket(self, machine_id: str) -> str:
        return socket_at(Folder.of(self._state, machine_id).sockets.disks)

    async def snapshot(self, machine_id: str, disk_id: str, disk_format: str, destination: str) -> int:
        machine = await self._existing(machine_id)
        task = asyncio.ensure_future(snapshots.copy(machine, disk_id, disk_format, destination))
        machine.copies.add(task)
        try:
            with _in_words():
                return await task
        finally:
            task.cancel()
            machine.copies.discard(task)

    async def luggage(self, machine_id: str) -> Luggage:
        machine = await self._existing(machine_id)
        with _in_words():
            return await luggage.pack(machine)

    @contextlib.asynccontextmanager
    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[Parcel]:
        machine = await self._existing(machine_id)
        async with luggage.opened(machine, name, offset) as parcel:
            yield parcel

    async def diagnostics(self, machine_id: str) -> dict[str, object]:
        machine = await self._existing(machine_id)
        with _in_words():
            return await diagnostics(machine)

    async def set_password(self, machine_id: str, user: str, password: str) -> None:
        machine = await self._existing(machine_id)
        with _in_words():
            await inside.set_password(machine, user, password)

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return [machine.id for machine in await self._with_volume(volume_id)]

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        for machine in await self._with_volume(volume_id):
            await open_volumes.resize(machine, volume_id, size_bytes)

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        for machine in await self._with_volume(volume_id):
            await open_volumes.take_snapshot(machine, volume_id, snapshot_id)

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        for machine in await self._with_volume(volume_id):
            await open_volumes.drop_snapshot(machine, volume_id, snapshot_id)

    async def _with_volume(self, volume_id: str) -> list[Machine]:
        machines = [await self._machine(folder.path.name) for folder in folders(self._state)]
        return await open_volumes.holders([machine for machine in machines if machine is not None], volume_id)

    async def close(self) -> None:
        """Let go of all machines, which run on."""
        if self._trimming is not None:
            self._trimming.cancel()
            await asyncio.wait([self._trimming])
        while self._machines:
            await self._machines.popitem()[1].close()

    async def _existing(self, machine_id: str) -> Machine:
        machine = await self._machine(machine_id)
        if machine is None:
            raise MachineFailed("There is no such machine on this node.")
        return machine

    async def _machine(self, machine_id: str) -> Machine | None:
        """The machine, if it was ever begun here. Raises `MachineFailed` if its journal cannot be read."""
        machine = self._machines.get(machine_id)
        if machine is None:
            folder = Folder.of(self._state, machine_id)
            try:
                journal = folder.load()
            except msgspec.DecodeError as error:
                raise MachineFailed("The journal of the machine is damaged.", f"{folder.journal}: {error}") from error
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
        except FAILURES as error:
            return MachineFacts(id=machine.id, power=Power.CRASHED, fault=fault or fault_of(error))
        spec = machine.journal.spec
        moves = spec.departure is not None or (spec.arrival is not None and spec.arrival.live)
        fulfilled = fault is None and not moves and next_step(spec, machine.journal, seen) is None
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
                    await asyncio.to_thread(console.trim, machine.folder.log, _LOG_LIMIT)


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Say every failure as one that callers know."""
    try:
        yield
    except (Unfit, MachineFailed):
        raise
    except FAILURES as error:
        fault = fault_of(error)
        raise MachineFailed(fault.message, fault.details) from error
