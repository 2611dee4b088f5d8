"""Under which conditions a child runs, and how its start or its end can fail."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
TAIL = 2000


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


class ProcessFailed(Exception):
    """A program could not be started or ended badly; the message ends with the last words on its stderr."""

    def __init__(self, argv: Sequence[str], what: str, stderr: bytes = b"", status: int | None = None) -> None:
        words = stderr[-TAIL:].decode("utf-8", "replace").strip()
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
