"""The dnsmasq processes of a node: started once, told of changes, started again when they died.

They outlive us: a restart of the node's agent interrupts nobody's DHCP. Each is known by its identity, kept in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import hashlib
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cumulet.drivers.network.linux.dhcp import DhcpText
from cumulet.drivers.network.linux.names import checked_id
from cumulet.lib import process

_FILES = ("hosts", "names", "options")
_START_SECONDS = 10.0
_STOP_SECONDS = 2.0
_LOG_BYTES = 1 << 20
_UNPRIVILEGED = "nobody"
_DHCP_SOCKETS = {"udp": 67, "udp6": 547}


class _Running(msgspec.Struct, frozen=True):
    """What is remembered of one process."""

    identity: process.Identity
    arguments: str
    """Digest of what it was started with."""


class Dnsmasq:
    """One dnsmasq in one namespace, with a folder of its own."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self._folder = folder
        self._namespace = namespace
        self._running = self._remembered()
        self._reaper: asyncio.Task[int | None] | None = None

    def is_alive(self) -> bool:
        """Costs two small files of /proc."""
        return self._running is not None and process.is_alive(self._running.identity)

    async def ensure(self, text: DhcpText) -> None:
        """Make it run with these arguments and files. Raises OSError or `ProcessFailed`."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        arguments = [
            "dnsmasq",
            *_conduct(self._folder),
            *(argument.format_map(self._paths()) for argument in text.arguments),
        ]
        digest = hashlib.sha256("\0".join([self._namespace, *arguments]).encode()).hexdigest()
        wanted = {"hosts": text.hosts, "names": text.names, "options": text.options}
        before = self._files()
        for name, content in wanted.items():
            if before.get(name) != content:
                _replace(self._folder / name, content)
        if not self.is_alive() or self._running is None or self._running.arguments != digest:
            await self._start(arguments, digest)
        elif before != wanted:
            if can_reload(before, wanted):
                process.send_signal(self._running.identity, signal.SIGHUP)
            else:
                await self._start(arguments, digest)

    async def stop(self) -> None:
        """End it and forget it."""
        await self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def abandon(self) -> None:
        """Stop watching; it goes on."""
        if self._reaper is not None:
            self._reaper.cancel()

    async def _end(self) -> None:
        if self._running is not None:
            self.abandon()
            await process.stop(self._running.identity, patience=_STOP_SECONDS)
            self._running = None

    async def _start(self, arguments: list[str], digest: str) -> None:
        await self._end()
        log = self._folder / "log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(self._folder / "log.1")
        identity = process.spawn(arguments, log=log, net_namespace=self._namespace)
        self._running = _Running(identity, digest)
        _replace(self._folder / "process", msgspec.json.encode(self._running).decode())
        self._reaper = asyncio.get_running_loop().create_task(process.ended(identity))
        serves = {proto for proto in _DHCP_SOCKETS if any(_is_range(argument, proto) for argument in arguments)}
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not _listens(identity.pid, serves):
                    if not process.is_alive(identity):
                        raise process.ProcessFailed(arguments, "ended at once", _last_words(log))
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise process.ProcessFailed(arguments, "does not begin to serve", _last_words(log)) from None

    def _paths(self) -> dict[str, str]:
        return {name: str(self._folder / name) for name in _FILES}

    def _files(self) -> dict[str, str]:
        found = {}
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self._folder / name).read_text()
        return found

    def _remembered(self) -> _Running | None:
        try:
            return msgspec.json.decode((self._folder / "process").read_bytes(), type=_Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


class DhcpServers:
    """All of a node's, by the id of their network or router."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Dnsmasq] = {}

    def server(self, key: str, namespace: str) -> Dnsmasq:
        if key not in self._servers:
            self._servers[key] = Dnsmasq(self._folder / checked_id(key), namespace)
        return self._servers[key]

    def found(self) -> list[str]:
        """The keys of all that were ever started and not stopped, by us or by whoever was here before."""
        if not self._folder.is_dir():
            return []
        return [entry.name for entry in self._folder.iterdir()]

    def dead(self) -> list[str]:
        return [key for key, server in self._servers.items() if not server.is_alive()]

    async def stop(self, key: str, namespace: str) -> None:
        if key in self._servers or (self._folder / checked_id(key)).is_dir():
            await self.server(key, namespace).stop()
            self._servers.pop(key, None)

    def abandon(self) -> None:
        for server in self._servers.values():
            server.abandon()


def can_reload(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether a signal will do. Pure.

    It keeps the lease of a host that went, so that nobody else could have its address; and reading a host anew that
    has a tag kills it (2.86 and later).
    """
    old, new = before.get("hosts", "").splitlines(), after.get("hosts", "").splitlines()
    return set(old) <= set(new) and not any(",set:" in line for line in (*old, *new))


def _conduct(folder: Path) -> list[str]:
    """How it behaves as a process: in the foreground, with no file of the host's, and without rights if that can be."""
    common = ["--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--pid-file", "--log-facility=-"]
    if not _can_give_up_rights():
        # In a user namespace of one user nobody else can be become, and even trying to is an error.
        return ["--no-daemon", *common]
    user = pwd.getpwnam(_UNPRIVILEGED)
    name = _UNPRIVILEGED if _everybody_reaches(folder) else "root"
    group = grp.getgrgid(user.pw_gid if name == _UNPRIVILEGED else 0).gr_name
    return ["--keep-in-foreground", *common, f"--user={name}", f"--group={group}"]


def _can_give_up_rights() -> bool:
    try:
        return Path("/proc/self/setgroups").read_text().strip() != "deny"
    except FileNotFoundError:
        return True


def _everybody_reaches(folder: Path) -> bool:
    """It reads its files again long after it gave up its rights."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


def _is_range(argument: str, protocol: str) -> bool:
    if not argument.startswith("--dhcp-range=") or ",ra-only," in argument:
        return False
    return (":" in argument.partition(",")[2]) == (protocol == "udp6")


def _listens(pid: int, protocols: set[str]) -> bool:
    for protocol in protocols:
        try:
            table = Path(f"/proc/{pid}/net/{protocol}").read_text()
        except (FileNotFoundError, ProcessLookupError, OSError):
            return False
        if f":{_DHCP_SOCKETS[protocol]:04X} " not in table:
            return False
    return True


def _last_words(log: Path) -> bytes:
    with contextlib.suppress(OSError):
        return log.read_bytes()[-1000:]
    return b""


def _replace(path: Path, content: str) -> None:
    """Whole or not at all, and readable for a process without rights."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(content)
    os.chmod(fresh, 0o644)
    fresh.replace(path)
