"""Namespaces for a cloud without root: made once, kept alive by a process that does nothing else, entered by the node.

The holder outlives the node, so that servers and their networks survive a restart of the node.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from cumulet.programs.settings import Settings

START_SECONDS = 10.0
_SCRIPT = "mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up && echo ready && exec sleep infinity"


class NoNamespaces(Exception):
    """This machine does not let an ordinary user have namespaces of his own."""


def _file(state: Path) -> Path:
    return state / "run" / "namespaces.pid"


def holder(state: Path) -> int | None:
    """The process that keeps the namespaces alive."""
    try:
        pid = int(_file(state).read_text())
        started = (_file(state).with_suffix(".started")).read_text()
    except (FileNotFoundError, ValueError):
        return None
    return pid if _start_time(pid) == started else None


def prefix(settings: Settings) -> tuple[str, ...]:
    """What to put before a command so that it runs inside; the namespaces are made if they are not there."""
    state = settings.state
    pid = holder(state) or _make(state)
    nsenter = shutil.which("nsenter") or "/usr/bin/nsenter"
    return (nsenter, "-t", str(pid), "--user", "--net", "--mount", "--preserve-credentials", "--")


def end(state: Path) -> None:
    """Let the namespaces go; everything in them goes with the last process."""
    pid = holder(state)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it ends by itself just now
            os.kill(pid, signal.SIGKILL)
    _file(state).unlink(missing_ok=True)


def _make(state: Path) -> int:
    process = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode("utf-8", "replace").strip()
    if line != "ready":
        raise NoNamespaces(f"namespaces cannot be made here: {line}. Run as root, or use: cumulet up --simulate")
    deadline = time.monotonic() + START_SECONDS
    while not (started := _start_time(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    _file(state).parent.mkdir(parents=True, exist_ok=True)
    _file(state).with_suffix(".started").write_text(started)
    _file(state).write_text(str(process.pid))
    return process.pid


def _start_time(pid: int) -> str:
    """When a process began, in the kernel's ticks: with the id, it names one process for ever."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
