"""`tgtd`, a target of iSCSI: one process for all volumes that a node offers. It outlives us and is found again.

It is spoken to over its own socket, in the words of its program `tgtadm`, whose arguments everybody on a host can read:
they would hold the passwords. Whoever speaks there must be the user that the daemon runs as.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import platform
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import msgspec

from cumulet.lib import process
from cumulet.lib.process import Identity, ProcessFailed, User

_REQUEST = struct.Struct("=II64sIiQQIIIIII")
"""Mode, act, driver, length of all, target, session, unit, connection, host, kind, direction, packing, force."""
_ANSWER = struct.Struct("=II")
_ALL = -1
_NO_UNIT = (1 << 64) - 1
_SECONDS_TO_ANSWER = 10.0
_SECONDS_TO_START = 20.0
_PAUSE = 0.02
_OPEN_FILES = 4096
_SET_IDS = {"x86_64": (117, 119), "aarch64": (147, 149)}
"""The numbers of setresuid and setresgid, by machine."""


class Mode(IntEnum):
    TARGET = 1
    UNIT = 2
    ACCOUNT = 7


class Act(IntEnum):
    NEW = 0
    DELETE = 1
    SHOW = 2
    BIND = 3
    UPDATE = 5


class TargetFailed(Exception):
    """The daemon cannot be started, or said no; the message is for the operator."""


@dataclass(frozen=True)
class Target:
    """One that the daemon has."""

    number: int
    name: str
    path: str
    """Of its unit; empty: it has none yet."""
    accounts: tuple[str, ...]


class Tgtd:
    """The daemon of one address. The folder is ours, only `run` belongs to the user that it runs as."""

    def __init__(self, folder: Path, portal: str, user: User | None) -> None:
        """`portal` is where it listens: `host:port`."""
        self._folder = folder
        self._portal = portal
        self._user = user
        self._lock = asyncio.Lock()

    async def ensure(self) -> Identity:
        """Let it run. Raises `TargetFailed`."""
        async with self._lock:
            identity = self.identity()
            return identity if identity is not None else await self._start()

    def identity(self) -> Identity | None:
        try:
            noted = msgspec.json.decode((self._folder / "daemon.json").read_bytes(), type=_Noted)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return noted.process if noted.portal == self._portal and process.is_alive(noted.process) else None

    async def end(self) -> None:
        """It hears no signal but the last one while somebody is logged in."""
        async with self._lock:
            if (identity := self.identity()) is not None:
                await process.kill(identity)
            (self._folder / "daemon.json").unlink(missing_ok=True)

    async def targets(self) -> list[Target]:
        """Those it has; none where it does not run."""
        if self.identity() is None:
            return []
        try:
            return list(parsed(await self.ask(Mode.TARGET, Act.SHOW)))
        except TargetFailed:
            if self.identity() is None:  # it has ended meanwhile
                return []
            raise

    async def ask(
        self,
        mode: Mode,
        act: Act,
        words: Mapping[str, str] | None = None,
        *,
        target: int = _ALL,
        unit: int = _NO_UNIT,
        force: bool = False,
    ) -> str:
        """Raises `TargetFailed`."""
        text = ",".join(f"{name}={value}" for name, value in (words or {}).items())
        data = text.encode() + b"\0" if text else b""
        length = _REQUEST.size + len(data)
        request = _REQUEST.pack(mode, act, b"iscsi", length, target, 0, unit, 0, 0, 0, 0, 0, force)
        try:
            code, answer = await asyncio.to_thread(self._exchange, request + data)
        except OSError as error:
            raise TargetFailed(f"tgtd does not answer: {error}") from error
        if code:
            raise TargetFailed(f"tgtd refused to {act.name.lower()} a {mode.name.lower()} (error {code})")
        return answer.decode("utf-8", "replace")

    @property
    def _socket(self) -> Path:
        return self._folder / "run" / "tgtd"

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_SECONDS_TO_ANSWER)
            if self._user is None:
                line.connect(f"{self._socket}.0")
            else:
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(_connect_as, line, f"{self._socket}.0", self._user).result()
            line.sendall(request)
            with line.makefile("rb") as reader:
                head = reader.read(_ANSWER.size)
                if len(head) < _ANSWER.size:
                    raise ConnectionResetError("it hung up")
                code, length = _ANSWER.unpack(head)
                return code, reader.read(max(0, length - _ANSWER.size)).rstrip(b"\0")

    async def _start(self) -> Identity:
        run = self._folder / "run"
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o711)
        if self._user is not None:
            os.chown(run, self._user.uid, self._user.gid)
        for leftover in run.iterdir():
            leftover.unlink(missing_ok=True)
        log = self._folder / "log"
        log.unlink(missing_ok=True)
        try:
            identity = process.spawn(
                ["tgtd", "-f", "-C", "0", "--iscsi", f"portal={self._portal}"],
                log=log,
                limits=process.Limits(open_files=_OPEN_FILES),
                user=self._user,
                env={"TGT_IPC_SOCKET": str(self._socket)},
            )
        except ProcessFailed as error:
            raise TargetFailed(str(error)) from error
        (self._folder / "daemon.json").write_bytes(msgspec.json.encode(_Noted(self._portal, identity)))
        deadline = asyncio.get_running_loop().time() + _SECONDS_TO_START
        while process.is_alive(identity) and asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(TargetFailed):
                await self.ask(Mode.TARGET, Act.SHOW)
                return identity
            await asyncio.sleep(_PAUSE)
        await process.kill(identity)
        said = log.read_text(errors="replace")[-500:].strip() if log.exists() else ""
        raise TargetFailed(f"tgtd could not be started at {self._portal}: {said}")


class _Noted(msgspec.Struct):
    portal: str
    process: Identity


def _connect_as(line: socket.socket, path: str, user: User) -> None:
    """The kernel tells the daemon who connects: the user and the group of this one thread at this moment."""
    ours = User(os.geteuid(), os.getegid())
    set_user, set_group = _SET_IDS[platform.machine()]
    _set_id(set_group, user.gid)
    _set_id(set_user, user.uid)
    try:
        line.connect(path)
    finally:
        _set_id(set_user, ours.uid)
        _set_id(set_group, ours.gid)


def _set_id(call: int, number: int) -> None:
    """Of this thread, and the effective one alone, so that it can be set back."""
    libc, same = ctypes.CDLL(None, use_errno=True), ctypes.c_uint32(-1)
    if libc.syscall(call, same, ctypes.c_uint32(number), same) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def parsed(text: str) -> Iterator[Target]:
    """What the daemon says of its targets. Pure."""
    for part in re.split(r"^(?=Target \d+: )", text, flags=re.MULTILINE):
        if head := re.match(r"Target (\d+): (\S+)", part):
            paths = re.findall(r"Backing store path: (/\S+)", part)
            accounts = re.search(r"Account information:\n(.*?)    ACL information:", part, re.DOTALL)
            names = accounts.group(1).split("\n") if accounts else []
            known = tuple(name.strip().removesuffix(" (outgoing)") for name in names if name.strip())
            yield Target(int(head.group(1)), head.group(2), paths[0] if paths else "", known)
