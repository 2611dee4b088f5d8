"""One machine of this node: what is remembered of it, whether it runs, and the line to its process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cumulet.contracts.machines import DiskSpec, MachineSpec, Power
from cumulet.contracts.moves import Progress
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.devices import Disk
from cumulet.drivers.hypervisor.qemu.host import Host
from cumulet.drivers.hypervisor.qemu.journal import Folder, Journal
from cumulet.drivers.hypervisor.qemu.relays import Relays
from cumulet.drivers.hypervisor.qemu.steps import Seen
from cumulet.drivers.hypervisor.qemu.volumes import relayed
from cumulet.lib import process
from cumulet.lib.process import Identity
from cumulet.lib.qmp import Event, Monitor, MonitorLost

_SECONDS_TO_GREET = 20.0
_SECONDS_TO_START = 30.0
_SECONDS_TO_READ_MEMORY = 300.0
_PAUSE_BETWEEN_TRIES = 0.005
_SECONDS_TO_VANISH = 2.0
_LOG_TAIL = 4096

Match = Callable[[Event], bool]


class Machine:
    """A machine. Whoever changes it holds `lock`; looking needs no lock."""

    def __init__(self, host: Host, folder: Folder, journal: Journal, on_change: Callable[[str], None]) -> None:
        self.host = host
        self.folder = folder
        self.journal = journal
        self.relays = Relays(folder, host)
        self.lock = asyncio.Lock()
        self._saving = asyncio.Lock()
        self.copying = asyncio.Lock()
        """Held while one of its disks is copied."""
        self.leaving = False
        """It is being removed: nothing new may be begun."""
        self.copies: set[asyncio.Task[int]] = set()
        self.departing: asyncio.Task[None] | None = None
        self.mirroring: asyncio.Task[None] | None = None
        """Brings what is copied elsewhere to its end."""
        self.progress = Progress()
        """Of the departure."""
        self._on_change = on_change
        self._monitor: Monitor | None = None
        self._connecting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._watched: Identity | None = None
        self._expected: list[tuple[Match, asyncio.Future[Event]]] = []

    @property
    def id(self) -> str:
        return self.journal.spec.id

    async def remember(self, **changes: object) -> None:
        """Change the journal, here and on disk."""
        self.journal = msgspec.structs.replace(self.journal, **changes)
        await asyncio.shield(self._save())

    async def _save(self) -> None:
        # One after the other, also when whoever wanted the last one has been cancelled.
        async with self._saving:
            await asyncio.to_thread(self.folder.save, self.journal)

    async def look(self) -> Seen:
        """How it is now."""
        saved = self.folder.memory.exists()
        identity = await self.find_process()
        if identity is None:
            before = self.journal.process
            return Seen(None, saved, rebooted_host=before is not None and before.boot != process.boot_id())
        try:
            return Seen(await self._status(), saved)
        except MonitorLost as error:
            # A process that ends is silent a moment before it is gone.
            try:
                await asyncio.wait_for(process.ended(identity), _SECONDS_TO_VANISH)
            except TimeoutError:
                raise error from None
            return await self.look()

    async def find_process(self) -> Identity | None:
        """The process that runs this machine, also when it was started but not yet noted when we last ended."""
        identity = self.journal.process
        if identity is not None and process.is_alive(identity):
            self._follow(identity)
            return identity
        async with self._connecting:
            if not self._is_locked():
                return None
            # Whoever holds the lock listens on the socket, or soon will.
            self._monitor = await self._connect(None, _SECONDS_TO_START)
            identity = process.identify(self._monitor.peer)
        if identity is None:
            raise MachineFailed("The machine's process could not be found.")
        await self.note_process(identity)
        return identity

    async def note_process(self, identity: Identity) -> None:
        """A process was started for this machine. Known here at once, so that nobody starts another."""
        self._follow(identity)
        await self.remember(process=identity, power=Power.RUNNING)

    def take_lock(self, *, make: bool = True) -> int:
        """The lock that a new process is to hold for its life. Raises FileNotFoundError: there is none, nor to be
        made."""
        fd = os.open(self.folder.lock, os.O_RDWR | (os.O_CREAT if make else 0), 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise MachineFailed("Another process runs this machine.") from None
        return fd

    async def match_relays(self) -> None:
        """There is a way to each volume that its process has, or that is copied by it, and no other."""
        running = self.journal.running if await self.find_process() is not None else None
        await self.relays.match(relayed(self.journal) if running is not None else {})

    def disk(self, spec: DiskSpec, *, mirror: bool = False) -> Disk:
        """A disk that has its place, as QEMU knows it."""
        way = self.journal.way(spec.id, mirror=mirror)
        return self.host.disks.disk(self.folder, spec, self.journal.numbers[spec.id], way=way)

    async def ask(self, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """Ask its process something."""
        monitor = await self.connected()
        return await monitor.ask(command, arguments, **more)

    async def connected(self, *, patience: float = _SECONDS_TO_GREET) -> Monitor:
        """The line to its process, opened if needed."""
        async with self._connecting:
            if self._monitor is None or self._monitor.lost:
                self._monitor = await self._connect(self.journal.process, patience)
            return self._monitor

    async def started(self) -> None:
        """Wait until a process that was just started speaks. Raises `MonitorLost` if it ends before."""
        await self.connected(patience=_SECONDS_TO_START)

    @contextlib.contextmanager
    def expecting(self, match: Match) -> Iterator[asyncio.Future[Event]]:
        """The first event that fits, from now on; also, in its place, the end of the process (`{"event": "GONE"}`)."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        entry = match, future
        self._expected.append(entry)
        try:
            yield future
        finally:
            self._expected.remove(entry)
            future.cancel()

    def last_words(self) -> str:
        """The end of what its process wrote, for the operator."""
        with contextlib.suppress(OSError), self.folder.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL))
            return file.read().decode("utf-8", "replace").strip()
        return ""

    async def close(self) -> None:
        """Let go of the machine, which runs on."""
        for task in (self._watch, self.departing, self.mirroring, *self.copies):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._monitor is not None:
            await self._monitor.close()
        await self.relays.close()

    async def _status(self) -> str:
        """QEMU's run state; while it still reads saved memory there is none, so wait."""
        deadline = asyncio.get_running_loop().time() + _SECONDS_TO_READ_MEMORY
        arrival = self.journal.spec.arrival
        while True:
            status = str((await self.ask("query-status"))["status"])
            if (
                status != "inmigrate"
                or (arrival is not None and arrival.live)
                or asyncio.get_running_loop().time() > deadline
            ):
                return status
            await asyncio.sleep(_PAUSE_BETWEEN_TRIES)

    def _is_locked(self) -> bool:
        try:
            # Whoever only looks makes nothing: the folder may be going just now.
            os.close(self.take_lock(make=False))
        except MachineFailed:
            return True
        except FileNotFoundError:
            return False
        return False

    async def _connect(self, identity: Identity | None, patience: float) -> Monitor:
        deadline = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < deadline:
            try:
                return await Monitor.connect(self.folder.sockets.monitor, self._hear, patience)
            except (FileNotFoundError, ConnectionRefusedError):
                alive = process.is_alive(identity) if identity is not None else self._is_locked()
                if not alive:
                    break
            await asyncio.sleep(_PAUSE_BETWEEN_TRIES)
        raise MonitorLost("the machine's process does not answer")

    def _follow(self, identity: Identity) -> None:
        if self._watched != identity:
            self._watched = identity
            self._watch = asyncio.ensure_future(self._await_end(identity))

    async def _await_end(self, identity: Identity) -> None:
        await process.ended(identity)
        if self._monitor is not None:
            await self._monitor.close()
        self._hear({"event": "GONE"})
        unordered = self.journal.power not in (Power.STOPPED, Power.SUSPENDED) and not self.leaving
        if self.journal.process == identity and unordered:
            self._on_change(self.id)

    def _hear(self, event: Event) -> None:
        for match, future in self._expected:
            if not future.done() and (event["event"] == "GONE" or match(event)):
                future.set_result(event)
        by_itself = event["event"] == "SHUTDOWN" and event["data"]["guest"] and self.journal.shutdown_asked_at == 0
        moved = event["event"] == "MIGRATION" and event["data"]["status"] in ("completed", "failed")
        if by_itself or moved or event["event"] in ("BLOCK_IO_ERROR", "GUEST_PANICKED"):
            self.note_change()

    def note_change(self) -> None:
        """Something about it is worth a look."""
        self._on_change(self.id)


def new_journal(spec: MachineSpec) -> Journal:
    """The memory of a machine that has nothing behind it: every verb that was counted so far is met by its making."""
    return Journal(
        spec=spec,
        hard_reboots=spec.hard_reboots,
        soft_reboots=spec.soft_reboots,
        rebuilds=spec.rebuilds,
        interrupts=spec.interrupts,
    )
