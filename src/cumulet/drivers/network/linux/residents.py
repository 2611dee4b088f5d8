"""Programs that serve a network or a router: started once, told of changes, started again when they died.

They outlive us: a restart of the node's agent interrupts nobody. Each is known by its identity, kept in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from cumulet.drivers.network.linux.names import checked_id
from cumulet.lib import process

_START_SECONDS = 30.0
_STOP_SECONDS = 2.0
_LOG_BYTES = 1 << 20


class _Running(msgspec.Struct, frozen=True):
    """What is remembered of one process."""

    identity: process.Identity
    arguments: str
    """Digest of what it was started with."""


class Resident:
    """One program in one namespace, with a folder of its own."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder = folder
        self._namespace = namespace
        self._running = self._remembered()
        self._reaper: asyncio.Task[int | None] | None = None

    def is_alive(self) -> bool:
        """Costs two small files of /proc."""
        return self._running is not None and process.is_alive(self._running.identity)

    def runs_with(self, arguments: list[str]) -> bool:
        """It is alive, and was started with these."""
        return self.is_alive() and self._running is not None and self._running.arguments == self._digest(arguments)

    async def start(self, arguments: list[str], is_ready: Callable[[int], bool]) -> None:
        """Start it anew, and wait until it serves. Raises OSError or `ProcessFailed`."""
        await self._end()
        log = self.folder / "log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(self.folder / "log.1")
        # Whom we start and do not live to write down is found by this: it would stand in the way for ever.
        write_whole(self.folder / "starting", msgspec.json.encode(arguments).decode())
        identity = process.spawn(arguments, log=log, net_namespace=self._namespace)
        self._running = _Running(identity, self._digest(arguments))
        write_whole(self.folder / "process", msgspec.json.encode(self._running).decode())
        (self.folder / "starting").unlink()
        self._reaper = asyncio.get_running_loop().create_task(process.ended(identity))
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not is_ready(identity.pid):
                    if not process.is_alive(identity):
                        raise process.ProcessFailed(arguments, "ended at once", _last_words(log))
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise process.ProcessFailed(arguments, "does not begin to serve", _last_words(log)) from None

    def reload(self) -> None:
        """Tell it that its files changed."""
        if self._running is not None:
            process.send_signal(self._running.identity, signal.SIGHUP)

    async def stop(self) -> None:
        """End it and forget it."""
        await self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def abandon(self) -> None:
        """Stop watching; it goes on."""
        if self._reaper is not None:
            self._reaper.cancel()

    async def _end(self) -> None:
        if self._running is not None:
            self.abandon()
            await process.stop(self._running.identity, patience=_STOP_SECONDS)
            self._running = None
        for identity in self._lost():
            await process.stop(identity, patience=_STOP_SECONDS)

    def _digest(self, arguments: list[str]) -> str:
        return hashlib.sha256("\0".join([self._namespace, *arguments]).encode()).hexdigest()

    def _lost(self) -> list[process.Identity]:
        """Whom somebody before us started, and was killed before he could write down whom."""
        try:
            arguments = msgspec.json.decode((self.folder / "starting").read_bytes(), type=list[str])
        except (FileNotFoundError, msgspec.DecodeError):
            return []
        return process.running(arguments)

    def _remembered(self) -> _Running | None:
        try:
            return msgspec.json.decode((self.folder / "process").read_bytes(), type=_Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


R = TypeVar("R", bound=Resident)


class Residents(Generic[R]):
    """All of a node's of one kind, by the id of their network or router."""

    def __init__(self, folder: Path, kind: Callable[[Path, str], R]) -> None:
        self._folder = folder
        self._kind = kind
        self._all: dict[str, R] = {}

    def of(self, key: str, namespace: str) -> R:
        if key not in self._all:
            self._all[key] = self._kind(self._folder / checked_id(key), namespace)
        return self._all[key]

    def found(self) -> list[str]:
        """The keys of all that were ever started and not stopped, by us or by whoever was here before."""
        if not self._folder.is_dir():
            return []
        return [entry.name for entry in self._folder.iterdir()]

    def dead(self) -> list[str]:
        return [key for key, resident in self._all.items() if not resident.is_alive()]

    async def stop(self, key: str, namespace: str) -> None:
        if key in self._all or (self._folder / checked_id(key)).is_dir():
            await self.of(key, namespace).stop()
            self._all.pop(key, None)

    def abandon(self) -> None:
        for resident in self._all.values():
            resident.abandon()


def write_whole(path: Path, content: str) -> None:
    """Whole or not at all, and readable for a process without rights."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(content)
    os.chmod(fresh, 0o644)
    fresh.replace(path)


def _last_words(log: Path) -> bytes:
    with contextlib.suppress(OSError):
        return log.read_bytes()[-1000:]
    return b""
