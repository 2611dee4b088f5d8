"""From wish and facts to the states that clients know."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.status import derive

OFFLOADED = {"offloaded": True, "host": "", "power": ""}
DEFAULTS: dict[type, Any] = {str: "", int: 0, bool: False}


def row(**more: Any) -> ServerRow:
    """A settled, running server, but for what is said."""
    blank: dict[str, Any] = {}
    for name in ServerRow.__struct_fields__:
        column = ServerRow.c[name]
        blank[name] = DEFAULTS[column.type.python_type]
    running = {"wanted": Wanted.RUNNING, "generation": 3, "met": 3, "host": "h", "power": "running", "launched_at": 1}
    return ServerRow(**{**blank, **running, **more})


@pytest.mark.parametrize(
    ("facts", "vm_state", "task", "status"),
    [
        ({}, "active", "", "ACTIVE"),
        ({"launched_at": 0, "host": "", "power": "", "met": 0}, "building", "scheduling", "BUILD"),
        ({"launched_at": 0, "power": "", "met": 0}, "building", "spawning", "BUILD"),
        ({"wanted": "stopped", "met": 2}, "active", "powering-off", "ACTIVE"),
        ({"wanted": "stopped", "power": "stopped"}, "stopped", "", "SHUTOFF"),
        ({"power": "crashed", "wanted": "stopped"}, "stopped", "", "SHUTOFF"),
        ({"wanted": "paused", "power": "paused"}, "paused", "", "PAUSED"),
        ({"wanted": "suspended", "power": "suspended"}, "suspended", "", "SUSPENDED"),
        ({"soft_reboots": 1, "met": 2}, "active", "rebooting", "REBOOT"),
        ({"hard_reboots": 1, "met": 2}, "active", "reboot_started_hard", "HARD_REBOOT"),
        ({"rebuilds": 2, "rebuilds_met": 1, "met": 2}, "active", "rebuilding", "REBUILD"),
        ({"rescue": "{}", "met": 2}, "active", "rescuing", "ACTIVE"),
        ({"rescue": "{}", "rescued": True}, "rescued", "", "RESCUE"),
        ({"rescued": True, "met": 2}, "rescued", "unrescuing", "RESCUE"),
        ({"move": "resize_prep", "wanted": "stopped"}, "active", "resize_prep", "RESIZE"),
        ({"move": "resized"}, "resized", "", "VERIFY_RESIZE"),
        ({"move": "resize_reverting", "wanted": "stopped"}, "resized", "resize_reverting", "REVERT_RESIZE"),
        ({"job": "image_snapshot"}, "active", "image_snapshot", "ACTIVE"),
        ({"wanted": "shelved", "met": 2}, "active", "shelving", "ACTIVE"),
        ({**OFFLOADED, "wanted": "shelved"}, "shelved_offloaded", "", "SHELVED_OFFLOADED"),
        ({**OFFLOADED, "met": 2}, "shelved_offloaded", "unshelving", "SHELVED_OFFLOADED"),
        ({"faulted": 3}, "error", "", "ERROR"),
        ({"faulted": 2}, "active", "", "ACTIVE"),
        ({"wanted": "gone", "met": 2}, "active", "deleting", "ACTIVE"),
        ({"wanted": "gone", "faulted": 2, "met": 0}, "error", "deleting", "ERROR"),
        ({"deleted_at": 5, "wanted": "gone"}, "deleted", "", "DELETED"),
    ],
)  # fmt: skip
def test_states(facts: dict[str, Any], vm_state: str, task: str, status: str) -> None:
    found = derive(row(**facts))
    assert (found.vm_state, found.task_state, found.status) == (vm_state, task, status)


@pytest.mark.parametrize(
    ("facts", "unsettled"),
    [
        ({}, False),
        ({"met": 2}, True),
        ({"met": 2, "faulted": 3}, False),
        ({"met": 2, "faulted": 3, "wanted": "gone"}, True),
        ({"met": 2, "deleted_at": 1}, False),
    ],
)
def test_what_the_frequent_sweep_must_look_at(facts: dict[str, Any], unsettled: bool) -> None:
    assert derive(row(**facts)).unsettled is unsettled
