"""Run other programs: briefly and bounded (`run`), or for long and outliving us (`spawn`).

Limits, user and network namespace of a child are set by small programs of util-linux that replace themselves with the
wanted one (`nsenter`, `prlimit`, `setpriv`): the child keeps its pid, and no Python code runs between fork and exec.

A process that outlives us is known by its `Identity`, never by a bare number: numbers are reused.
"""

from cumulet.lib.process.brief import Completed, run
from cumulet.lib.process.conditions import (
    Limits,
    ProcessFailed,
    ProcessTimedOut,
    User,
    environment,
    net_namespace_path,
    wrapped,
)
from cumulet.lib.process.identity import Identity, boot_id, identify, is_alive, running, send_signal
from cumulet.lib.process.lasting import ended, kill, spawn, stop

__all__ = [
    "Completed",
    "Identity",
    "Limits",
    "ProcessFailed",
    "ProcessTimedOut",
    "User",
    "boot_id",
    "ended",
    "environment",
    "identify",
    "is_alive",
    "kill",
    "net_namespace_path",
    "run",
    "running",
    "send_signal",
    "spawn",
    "stop",
    "wrapped",
]
