"""Programs that outlive us: started in a session of their own, waited for, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from cumulet.lib.process.conditions import Limits, ProcessFailed, User, environment, wrapped
from cumulet.lib.process.identity import Identity, identify, open_pidfd, send_signal, stat_of

_ABOVE_GIVEN = 256
_KILL_SECONDS = 10.0


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
    found = stat_of(identity.pid)
    if found is None or found.started != identity.started:
        return None
    try:
        pid, status = os.waitpid(identity.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None
