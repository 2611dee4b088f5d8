"""From wish and facts to the states that clients know. Pure; run at every write of either."""

from __future__ import annotations

from typing import NamedTuple

from cumulet.contracts.machines import Power
from cumulet.services.compute.servers.row import ServerRow, Wanted


class States(NamedTuple):
    """What is stored of the derivation."""

    vm_state: str
    task_state: str
    power_state: int
    status: str
    progress: int
    unsettled: bool


POWER_STATES = {
    Power.RUNNING: 1,
    Power.PAUSED: 3,
    Power.STOPPED: 4,
    Power.CRASHED: 6,
    Power.SUSPENDED: 7,
}

VM_STATES = {
    Power.RUNNING: "active",
    Power.PAUSED: "paused",
    Power.SUSPENDED: "suspended",
    Power.STOPPED: "stopped",
    Power.CRASHED: "stopped",
}

_TRANSITIONS = {
    # what is wanted, what was found: what is going on
    (Wanted.RUNNING, Power.STOPPED): "powering-on",
    (Wanted.RUNNING, Power.CRASHED): "powering-on",
    (Wanted.RUNNING, Power.PAUSED): "unpausing",
    (Wanted.RUNNING, Power.SUSPENDED): "resuming",
    (Wanted.STOPPED, Power.RUNNING): "powering-off",
    (Wanted.STOPPED, Power.PAUSED): "powering-off",
    (Wanted.STOPPED, Power.SUSPENDED): "powering-off",
    (Wanted.PAUSED, Power.RUNNING): "pausing",
    (Wanted.PAUSED, Power.STOPPED): "powering-on",
    (Wanted.SUSPENDED, Power.RUNNING): "suspending",
    (Wanted.SUSPENDED, Power.PAUSED): "suspending",
}

_REBUILDING = ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
_RESIZING = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")

_STATUS = {
    "building": "BUILD",
    "active": "ACTIVE",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "rescued": "RESCUE",
    "error": "ERROR",
    "deleted": "DELETED",
    "soft-delete": "SOFT_DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}

_TASK_STATUS = {
    ("active", "rebooting"): "REBOOT",
    ("active", "reboot_started"): "REBOOT",
    ("active", "reboot_started_hard"): "HARD_REBOOT",
    ("stopped", "reboot_started_hard"): "HARD_REBOOT",
    ("paused", "reboot_started_hard"): "HARD_REBOOT",
    ("suspended", "reboot_started_hard"): "HARD_REBOOT",
    ("active", "updating_password"): "PASSWORD",
    ("active", "migrating"): "MIGRATING",
    ("paused", "migrating"): "MIGRATING",
    ("resized", "resize_reverting"): "REVERT_RESIZE",
    **{(vm, task): "REBUILD" for vm in ("active", "stopped", "error") for task in _REBUILDING},
    **{(vm, task): "RESIZE" for vm in ("active", "stopped") for task in _RESIZING},
}

SHOWS_PROGRESS = frozenset({"ACTIVE", "BUILD", "DELETED", "ERROR", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
SHOWS_FAULT = frozenset({"ERROR", "DELETED"})


def derive(row: ServerRow) -> States:
    """The states of a server."""
    vm_state = _vm_state(row)
    task_state = _task_state(row, vm_state)
    status = _TASK_STATUS.get((vm_state, task_state)) or _STATUS[vm_state]
    power = POWER_STATES.get(Power(row.power), 0) if row.power else 0
    progress = 100 if status == "ACTIVE" else 0
    faulted = row.faulted == row.generation
    unsettled = not row.deleted_at and row.met < row.generation and (not faulted or row.wanted == Wanted.GONE)
    return States(vm_state, task_state, power, status, progress, unsettled)


def _vm_state(row: ServerRow) -> str:
    if row.deleted_at:
        return "deleted"
    # A delete is a new wish, yet what it deletes is still the broken server that its owner knows.
    if row.faulted and row.faulted >= row.generation - (row.wanted == Wanted.GONE):
        return "error"
    if not row.launched_at:
        return "building"
    if row.move in ("resized", "resize_reverting"):
        return "resized"
    if row.offloaded:
        return "shelved_offloaded"
    if row.rescued:
        return "rescued"
    return VM_STATES[Power(row.power)] if row.power else "active"


def _task_state(row: ServerRow, vm_state: str) -> str:
    """What is going on; empty for nothing."""
    if row.deleted_at:
        return ""
    if row.wanted == Wanted.GONE:
        return "deleting"
    if row.faulted == row.generation:
        return ""
    if not row.launched_at:
        return "spawning" if row.host else "scheduling"
    if row.move:
        return "" if row.move == "resized" else row.move
    if row.job:
        return row.job
    if row.offloaded:
        return "" if row.wanted == Wanted.SHELVED else "spawning" if row.host else "unshelving"
    if row.wanted == Wanted.SHELVED:
        return "shelving"
    if row.rebuilds > row.rebuilds_met:
        return "rebuilding"
    if row.hard_reboots > row.hard_reboots_met:
        return "reboot_started_hard"
    if row.soft_reboots > row.soft_reboots_met:
        return "rebooting"
    if bool(row.rescue) != row.rescued:
        return "rescuing" if row.rescue else "unrescuing"
    if row.met >= row.generation or not row.power:
        return ""
    return _TRANSITIONS.get((Wanted(row.wanted), Power(row.power)), "")


def refresh(row: ServerRow) -> None:
    """Derive the states into the row."""
    row.vm_state, row.task_state, row.power_state, row.status, row.progress, row.unsettled = derive(row)
