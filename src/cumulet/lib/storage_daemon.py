"""A `qemu-storage-daemon` with a folder of its own. It outlives us, is found again, and begins anew when it ends by
itself.

It starts with nothing but its monitor and is told there what it is for, so that no secret is on a command line. A
process that was not told everything is ended and begun anew, so that telling need not be done in two goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from cumulet.lib import process
from cumulet.lib.process import Identity, Limits, ProcessFailed, User
from cumulet.lib.qmp import Monitor, MonitorLost, Refused

log = logging.getLogger("cumulet.storage")

_LOCK_FD = 3
_OPEN_FILES = 4096
_SECONDS_TO_START = 20.0
_SECONDS_TO_GREET = 20.0
_SECONDS_TO_QUIT = 5.0
_SECONDS_BETWEEN_BEGINNINGS = 1.0
_PAUSE_BETWEEN_TRIES = 0.005
_LOG_TAIL = 2000

Tell = Callable[[Monitor], Awaitable[None]]
"""Has a daemon do what it is for. Whatever it raises is why the daemon could not begin."""


class DaemonFailed(Exception):
    """It could not be started, or would not do what it was told. The details are for the operator."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class _Journal(msgspec.Struct, frozen=True):
    purpose: str
    process: Identity | None = None
    told: Identity | None = None
    """The last process that was told everything."""


class StorageDaemon:
    """One of them, or none yet. The folder is ours; only `run` belongs to the user that it runs as."""

    def __init__(self, folder: Path, user: User | None) -> None:
        self.folder = folder
        self.user = user
        self._lock = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._monitor: Monitor | None = None
        self._watched: Identity | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def run(self) -> Path:
        """Where it makes its sockets. Who knows their names may pass through; nobody can list them."""
        return self.folder / "run"

    @property
    def keys(self) -> Path:
        return self.run / "keys"

    @property
    def purpose(self) -> str:
        """What one was last made to do here, whether it runs now or not; empty: none ever was."""
        journal = self._load()
        return journal.purpose if journal is not None and journal.told is not None else ""

    async def ensure(self, purpose: str, tell: Tell) -> None:
        """Let one run that does this. Whatever runs here for another purpose ends. Raises `DaemonFailed`."""
        async with self._lock:
            journal = self._load()
            identity = await self._find()
            if journal is None or identity is None or journal.purpose != purpose or journal.told != identity:
                await self._end(identity)
                identity = await self._begin(purpose, tell)
            self._follow(identity, purpose, tell)

    async def runs(self) -> bool:
        return await self._find() is not None

    async def ask(self, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """Raises `Refused` and `MonitorLost`."""
        async with self._connecting:
            if self._monitor is None or self._monitor.lost:
                self._monitor = await self._connect(_SECONDS_TO_GREET)
            monitor = self._monitor
        return await monitor.ask(command, arguments, **more)

    async def end(self, *, keep_purpose: bool = False) -> None:
        """None runs any more, and nothing is left of it, but for what it was for if that is to be known."""
        await self.close()
        async with self._lock:
            await self._end(await self._find())
            if not keep_purpose:
                await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def close(self) -> None:
        """Let go of it; it runs on."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = self._watched = None
        if self._monitor is not None:
            await self._monitor.close()
            self._monitor = None

    async def _begin(self, purpose: str, tell: Tell) -> Identity:
        before = self._load()
        told = before.told if before is not None and before.purpose == purpose else None
        self._make_folder()
        # Known before it is made: what holds the lock and is not noted was begun here.
        self._save(_Journal(purpose, told=told))
        argv = ["qemu-storage-daemon", "--chardev", f"socket,id=monitor,path={self._socket},server=on,wait=off"]
        argv += ["--monitor", "chardev=monitor,mode=control"]
        lock = self._take_lock()
        try:
            identity = process.spawn(
                argv,
                log=self.folder / "log",
                limits=Limits(open_files=_OPEN_FILES),
                user=self.user,
                inherit={_LOCK_FD: lock},
            )
        except ProcessFailed as error:
            raise DaemonFailed("A volume could not be served.", str(error)) from error
        finally:
            os.close(lock)
        try:
            self._save(_Journal(purpose, identity, told))
            self._monitor = await self._connect(_SECONDS_TO_START, identity)
            await tell(self._monitor)
            self._save(_Journal(purpose, identity, identity))
        except Exception as error:
            await process.kill(identity)
            raise DaemonFailed("A volume could not be served.", f"{error} {self._last_words()}".strip()) from error
        return identity

    def _follow(self, identity: Identity, purpose: str, tell: Tell) -> None:
        if self._watched != identity:
            self._watched = identity
            self._watch = asyncio.ensure_future(self._keep_alive(identity, purpose, tell))

    async def _keep_alive(self, identity: Identity, purpose: str, tell: Tell) -> None:
        while True:
            await process.ended(identity)
            log.warning("%s has ended by itself: %s", self.folder, self._last_words())
            while True:
                await asyncio.sleep(_SECONDS_BETWEEN_BEGINNINGS)
                try:
                    async with self._lock:
                        self._watched = identity = await self._begin(purpose, tell)
                    break
                except DaemonFailed as error:
                    log.warning("%s: %s %s", self.folder, error, error.details)

    async def _find(self) -> Identity | None:
        """The process that runs here, also when it was started but not yet noted when we last ended."""
        journal = self._load()
        if journal is not None and journal.process is not None and process.is_alive(journal.process):
            return journal.process
        if not self._is_locked():
            return None
        try:
            self._monitor = await self._connect(_SECONDS_TO_START)
        except MonitorLost as error:
            if not self._is_locked():
                return None
            raise DaemonFailed("A volume's daemon does not answer.", str(error)) from error
        return process.identify(self._monitor.peer)

    async def _end(self, identity: Identity | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = self._watched = None
        if identity is not None:
            # Asked politely first, so that it leaves the maps of a disk in order; one that hangs is killed.
            with contextlib.suppress(MonitorLost, Refused, TimeoutError):
                await self.ask("quit", timeout=_SECONDS_TO_QUIT)
                await asyncio.wait_for(process.ended(identity), _SECONDS_TO_QUIT)
            await process.kill(identity)
        if self._monitor is not None:
            await self._monitor.close()
            self._monitor = None
        await asyncio.to_thread(shutil.rmtree, self.run, ignore_errors=True)

    async def _connect(self, patience: float, identity: Identity | None = None) -> Monitor:
        deadline = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < deadline:
            try:
                return await Monitor.connect(self._socket, lambda event: None, min(patience, _SECONDS_TO_GREET))
            except (FileNotFoundError, ConnectionRefusedError, MonitorLost):
                alive = process.is_alive(identity) if identity is not None else self._is_locked()
                if not alive:
                    break
            await asyncio.sleep(_PAUSE_BETWEEN_TRIES)
        raise MonitorLost("the process does not answer")

    @property
    def _socket(self) -> Path:
        return self.run / "qmp"

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o711, exist_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(mode=0o711)
        if self.user is not None:
            os.chown(self.run, self.user.uid, self.user.gid)
        (self.folder / "log").unlink(missing_ok=True)

    def _take_lock(self, *, make: bool = True) -> int:
        """The lock that a process is to hold for its life. Raises FileNotFoundError: there is none, nor to be made."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | (os.O_CREAT if make else 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DaemonFailed("Another process serves this volume.") from None
        return descriptor

    def _is_locked(self) -> bool:
        try:
            # Whoever only looks makes nothing: the folder may be going just now.
            os.close(self._take_lock(make=False))
        except DaemonFailed:
            return True
        except FileNotFoundError:
            return False
        return False

    def _load(self) -> _Journal | None:
        try:
            return msgspec.json.decode((self.folder / "daemon.json").read_bytes(), type=_Journal)
        except (FileNotFoundError, msgspec.DecodeError):
            return None  # what it said is found anew: by the lock, and by the order

    def _save(self, journal: _Journal) -> None:
        file = self.folder / "daemon.json"
        new = file.with_suffix(".new")
        new.touch(mode=0o600)
        with new.open("wb") as writer:
            writer.write(msgspec.json.encode(journal))
            writer.flush()
            os.fdatasync(writer.fileno())
        new.replace(file)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace").strip()
        return ""
