"""Run other programs: briefly and bounded (`run`), or for long and outliving us (`spawn`).

Limits, user and network namespace of a child are set by small programs of util-linux that replace themselves with the
wanted one (`nsenter`, `prlimit`, `setpriv`): the child keeps its pid, and no Python code runs between fork and exec.

A process that outlives us is known by its `Identity`, never by a bare number: numbers are reused.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_TAIL = 2000
_KILL_SECONDS = 10.0
_ABOVE_GIVEN = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use at most; none means no limit of ours."""

    cpu_seconds: int | None = None
    memory_bytes: int | None = None
    """Of address space."""
    file_bytes: int | None = None
    open_files: int | None = None
    core_bytes: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """The numbers a child runs as; it keeps no other groups than `groups` and can gain no rights."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that has ended."""

    status: int
    """Exit status, or minus the signal that ended it."""
    stdout: bytes
    stderr: bytes
    """Its newest part only."""


class Identity(msgspec.Struct, frozen=True):
    """One process, for ever: no other process of this or any later boot equals it."""

    pid: int
    started: int
    """Clock ticks from boot to its start."""
    boot: str


class ProcessFailed(Exception):
    """A program could not be started or ended badly; the message ends with the last words on its stderr."""

    def __init__(self, argv: Sequence[str], what: str, stderr: bytes = b"", status: int | None = None) -> None:
        words = stderr[-_TAIL:].decode("utf-8", "replace").strip()
        super().__init__(f"{' '.join(argv[:2])}: {what}" + (f": {words}" if words else ""))
        self.status = status
        self.stderr = stderr


class ProcessTimedOut(ProcessFailed):
    """A program did not end in time and was killed."""


def wrapped(
    argv: Sequence[str],
    *,
    limits: Limits | None = None,
    user: User | None = None,
    net_namespace: str | None = None,
    dies_with_us: bool = False,
) -> list[str]:
    """The argument list that starts `argv` under these conditions. Pure."""
    wrappers: list[str] = []
    if net_namespace is not None:
        wrappers += ["nsenter", f"--net={net_namespace_path(net_namespace)}", "--"]
    if limits is not None:
        asked = {
            "cpu": limits.cpu_seconds,
            "as": limits.memory_bytes,
            "fsize": limits.file_bytes,
            "nofile": limits.open_files,
            "core": limits.core_bytes,
        }
        wrappers += ["prlimit", *(f"--{name}={value}" for name, value in asked.items() if value is not None), "--"]
    privileges: list[str] = []
    if user is not None:
        groups = f"--groups={','.join(map(str, user.groups))}" if user.groups else "--clear-groups"
        privileges += [f"--reuid={user.uid}", f"--regid={user.gid}", groups, "--inh-caps=-all", "--no-new-privs"]
    if dies_with_us:
        privileges += ["--pdeathsig=KILL"]
    if privileges:
        wrappers += ["setpriv", *privileges, "--"]
    return [*wrappers, *argv]


def net_namespace_path(name: str) -> Path:
    """The file that stands for a named network namespace, as `ip netns` keeps it."""
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(f"not a name of a network namespace: {name!r}")
    return Path("/run/netns", name)


def environment() -> dict[str, str]:
    """What every child is told: where programs are, and to speak plain English, which we parse. Nothing of ours."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {"PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": "/"}


async def run(
    argv: Sequence[str],
    *,
    timeout: float,
    input: bytes | None = None,
    limits: Limits | None = None,
    user: User | None = None,
    net_namespace: str | None = None,
    check: bool = True,
    output_limit: int = 1 << 20,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Completed:
    """Run a program to its end; it is dead when this returns, however it returns. It begins in `folder`.

    Raises `ProcessFailed` for a bad status (unless `check=False`), a flood of output, or a program that is not there;
    `ProcessTimedOut` when it is too slow.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *wrapped(argv, limits=limits, user=user, net_namespace=net_namespace),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**environment(), **(env or {})},
            cwd=folder,
        )
    except OSError as error:
        raise ProcessFailed(argv, f"cannot be started: {error.strerror}") from error
    assert child.stdout is not None
    assert child.stderr is not None
    stderr = asyncio.ensure_future(_tail(child.stderr))
    try:
        async with asyncio.timeout(timeout):
            _, stdout = await asyncio.gather(_feed(child.stdin, input), _collect(child.stdout, output_limit))
            words = await stderr
            status = await child.wait()
    except TimeoutError:
        raise ProcessTimedOut(argv, f"did not end within {timeout:g} s and was killed") from None
    except OverflowError:
        raise ProcessFailed(argv, f"wrote more than {output_limit} bytes and was killed") from None
    finally:
        stderr.cancel()
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await asyncio.wait({stderr})
            # The loop tells of its end only once both pipes are empty, and a full one is not read by itself.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILL_SECONDS):
                    await asyncio.gather(_drained(child.stdout), _drained(child.stderr), child.wait())
    if check and status != 0:
        raise ProcessFailed(argv, f"ended with status {status}", words, status)
    return Completed(status=status, stdout=stdout, stderr=words)


async def _feed(stdin: asyncio.StreamWriter | None, data: bytes | None) -> None:
    if stdin is None or data is None:
        return
    # A program that ends before it has read everything says why by its status.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(data)
        await stdin.drain()
    stdin.close()


async def _collect(stream: asyncio.StreamReader, limit: int) -> bytes:
    whole = bytearray()
    while piece := await stream.read(1 << 16):
        whole += piece
        if len(whole) > limit:
            raise OverflowError
    return bytes(whole)


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


async def _tail(stream: asyncio.StreamReader) -> bytes:
    newest = b""
    while piece := await stream.read(1 << 14):
        newest = (newest + piece)[-2 * _TAIL :]
    return newest


def spawn(
    argv: Sequence[str],
    *,
    log: Path | None = None,
    limits: Limits | None = None,
    user: User | None = None,
    net_namespace: str | None = None,
    dies_with_us: bool = False,
    inherit: Mapping[int, int] | None = None,
    env: Mapping[str, str] | None = None,
) -> Identity:
    """Start a program in a session of its own. It survives us unless `dies_with_us`; `log` gets what it writes.

    `inherit` gives it open descriptors: the number it will know each by, and ours.

    Await `ended` on what is returned, so that no zombie stays. A program that cannot be started ends at once, with
    the reason in its log.
    """
    command = wrapped(argv, limits=limits, user=user, net_namespace=net_namespace, dies_with_us=dies_with_us)
    output = str(log) if log is not None else os.devnull
    # Moved out of the way first, so that no number a child will know is one of ours that is still to be given.
    _keep_descriptors()
    given = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_GIVEN) for number, fd in (inherit or {}).items()}
    try:
        pid = os.posix_spawnp(
            command[0],
            command,
            {**environment(), **(env or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_DUP2, fd, number) for number, fd in given.items()),
            ],
            setsid=True,
            setsigmask=[],
            # Python ignores these two, and ignored signals stay ignored in children.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as error:
        raise ProcessFailed(argv, f"cannot be started: {error.strerror}") from error
    finally:
        for fd in given.values():
            os.close(fd)
    identity = identify(pid)
    if identity is None:  # Impossible while it is an unreaped child of ours.
        raise ProcessFailed(argv, "vanished at its start")
    return identity


def _keep_descriptors() -> None:
    """Let no child inherit what is open here: Python never does, but whoever started us may have left us something."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # The folder itself was open while it was read.
            if int(name) > 2 and os.get_inheritable(int(name)):
                os.set_inheritable(int(name), False)


def identify(pid: int) -> Identity | None:
    """Who has this number now."""
    found = _stat(pid)
    return Identity(pid=pid, started=found.started, boot=boot_id()) if found else None


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs; a zombie does not."""
    found = _stat(identity.pid)
    return found is not None and found.started == identity.started and identity.boot == boot_id() and not found.ended


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Signal that very process, whatever happens meanwhile; False when it is gone."""
    fd = open_pidfd(identity)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def open_pidfd(identity: Identity) -> int | None:
    """A descriptor that stands for that process and can be polled for its end; None when it is gone. Close it."""
    try:
        fd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    # Checked after the opening: from then on the number cannot change hands.
    if is_alive(identity):
        return fd
    os.close(fd)
    return None


async def ended(identity: Identity) -> int | None:
    """Wait until that process has ended; its status (as in `Completed`), or None if it was not our child."""
    fd = open_pidfd(identity)
    if fd is not None:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(fd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
    return _reap(identity)


async def stop(identity: Identity, *, patience: float) -> int | None:
    """Ask that process to end, then kill it; returns once it is gone."""
    send_signal(identity, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(ended(identity), patience)
    return await kill(identity)


async def kill(identity: Identity) -> int | None:
    """End that process now; returns once it is gone."""
    send_signal(identity, signal.SIGKILL)
    return await asyncio.wait_for(ended(identity), _KILL_SECONDS)


def _reap(identity: Identity) -> int | None:
    found = _stat(identity.pid)
    if found is None or found.started != identity.started:
        return None
    try:
        pid, status = os.waitpid(identity.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


@dataclass(frozen=True, slots=True)
class _Stat:
    started: int
    ended: bool


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in between may hold anything, so count from its last bracket.
    fields = text[text.rindex(b")") + 2 :].split()
    # The first thread may be a zombie long before the others have let go of locks and files.
    return _Stat(started=int(fields[19]), ended=fields[0] in (b"Z", b"X") and int(fields[17]) <= 1)


@cache
def boot_id() -> str:
    """Which boot of this host it is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
