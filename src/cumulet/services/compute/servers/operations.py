"""What may be done to a server, and in which states. The only code, beside `create`, that writes its wishes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.compute.errors import InstanceInvalidState, InstanceIsLocked, InstanceNotFound
from cumulet.services.compute.history import record
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.store import copy_of, save, wish_again

ANY: frozenset[str] = frozenset()
IDLE = frozenset({""})


@dataclass(frozen=True)
class Verb:
    """Something one can do to a server, and the states it must be in."""

    name: str
    """As refusals call it."""
    action: str = ""
    """As the history calls it; empty: it is not written down."""
    vm_states: frozenset[str] = ANY
    tasks: frozenset[str] = IDLE
    """Tasks during which it may be done too; empty: any."""
    locks: bool = True
    """A lock forbids it."""
    new_wish: bool = True
    """It begins a new generation, which reopens a server in ERROR."""


def states(*names: str) -> frozenset[str]:
    return frozenset(names)


_SOFT_REBOOTING = states("", "rebooting", "reboot_pending", "reboot_started")
_HARD_REBOOTING = states(
    "", "rebooting", "reboot_pending", "reboot_started", "reboot_started_hard", "pausing", "unpausing", "suspending",
    "resuming", "powering-on", "powering-off",
)  # fmt: skip
_AWAKE = states("active", "stopped", "paused", "suspended")

VERBS = {
    verb.name: verb
    for verb in (
        Verb("reboot", "reboot", states("active"), _SOFT_REBOOTING),
        Verb("hard reboot", "reboot", states("active", "stopped", "paused", "suspended", "error"), _HARD_REBOOTING),
        Verb("start", "start", states("stopped")),
        Verb("stop", "stop", states("active", "error"), states("", "powering-off")),
        Verb("pause", "pause", states("active")),
        Verb("unpause", "unpause", states("paused")),
        Verb("suspend", "suspend", states("active")),
        Verb("resume", "resume", states("suspended")),
        Verb("rebuild", "rebuild", states("active", "stopped", "error")),
        Verb("resize", "resize", states("active", "stopped")),
        Verb("confirmResize", "confirmResize", states("resized")),
        Verb("revertResize", "revertResize", states("resized")),
        Verb("rescue", "rescue", states("active", "stopped", "error")),
        Verb("unrescue", "unrescue", states("rescued")),
        Verb("shelve", "shelve", _AWAKE),
        Verb("shelveOffload", "shelveOffload", states("shelved")),
        Verb("unshelve", "unshelve", states("shelved", "shelved_offloaded")),
        Verb("createImage", "createImage", states("active", "stopped", "paused", "suspended"), new_wish=False),
        Verb("createBackup", "createBackup", states("active", "stopped", "paused", "suspended"), new_wish=False),
        Verb("migrate", "migrate", states("active", "stopped")),
        Verb("os-migrateLive", "live-migration", states("active", "paused")),
        Verb("live_migration_abort", "live_migration_abort", tasks=states("migrating"), new_wish=False),
        Verb("live_migration_force_complete", "live_migration_force_complete", tasks=states("migrating"),
             new_wish=False),
        Verb("evacuate", "evacuate", states("active", "stopped", "error"), ANY),
        Verb("trigger_crash_dump", "trigger_crash_dump", states("active", "paused", "rescued", "error")),
        Verb("changePassword", "changePassword", states("active"), new_wish=False),
        Verb("attach_volume", "attach_volume",
             states("active", "paused", "stopped", "resized", "suspended", "shelved", "shelved_offloaded"), ANY),
        Verb("detach_volume", "detach_volume",
             states("active", "paused", "stopped", "resized", "suspended", "shelved", "shelved_offloaded"), ANY),
        Verb("attach_interface", "attach_interface", states("active", "paused", "stopped")),
        Verb("detach_interface", "detach_interface", states("active", "paused", "stopped")),
        Verb("delete", "delete", tasks=ANY),
        Verb("force_delete", "delete", tasks=ANY),
        Verb("restore", "restore", states("soft-delete")),
        Verb("lock", "lock", tasks=ANY, locks=False, new_wish=False),
        Verb("unlock", "unlock", tasks=ANY, locks=False, new_wish=False),
        Verb("reset_state", tasks=ANY, locks=False, new_wish=False),
        Verb("metadata", tasks=ANY, vm_states=ANY, new_wish=False),
        Verb("update", tasks=ANY, locks=False, new_wish=False),
        Verb("add security group", "addSecurityGroup", states("active", "rescued"), ANY, new_wish=False),
        Verb("remove security group", "removeSecurityGroup", states("active", "rescued"), ANY, new_wish=False),
        Verb("get console output", vm_states=ANY, tasks=ANY, locks=False, new_wish=False),
    )
}  # fmt: skip


def check(call: Call, row: ServerRow, verb: Verb) -> None:
    """Raise unless the verb fits the server as it is."""
    if verb.locks and row.locked and not call.may("context_is_admin"):
        raise InstanceIsLocked(row.id)
    if verb.vm_states and row.vm_state not in verb.vm_states:
        raise InstanceInvalidState(verb.name, row.id, "vm_state", row.vm_state)
    if verb.tasks and row.task_state not in verb.tasks:
        raise InstanceInvalidState(verb.name, row.id, "task_state", row.task_state)


Alter = Callable[[ServerRow], None]
Also = Callable[[Transaction, ServerRow], Awaitable[None]]


async def act(
    room: Compute, call: Call, row: ServerRow, name: str, alter: Alter, also: Also | None = None
) -> ServerRow:
    """Do something to a server: check it as it is now, alter its wish, write that down, wake its reconciler.

    `also` runs in the same transaction. Returns the row as it was stored.
    """
    verb = VERBS[name]

    async def write(tx: Transaction) -> ServerRow:
        before = await tx.get(ServerRow, id=row.id)
        if before is None or before.deleted_at:
            raise InstanceNotFound(f"Instance {row.id} could not be found.")
        check(call, before, verb)
        found = copy_of(before)
        now = room.clock.now()
        if verb.new_wish:
            wish_again(found, now)
        alter(found)
        if verb.action:
            await record(tx, call, row.id, verb.action, generation=found.generation, now=now, host=found.host)
        if also:
            await also(tx, found)
        await save(tx, room, before, found)
        tx.wake("server", row.id)
        return found

    return await room.database.write(write)


def want(wanted: Wanted) -> Alter:
    """The wish to be in this state."""

    def alter(row: ServerRow) -> None:
        row.wanted = wanted

    return alter


def want_reboot(*, hard: bool) -> Alter:
    def alter(row: ServerRow) -> None:
        row.wanted = Wanted.RUNNING
        if hard:
            row.hard_reboots += 1
        else:
            row.soft_reboots += 1

    return alter


async def delete(room: Compute, call: Call, row: ServerRow, *, name: str = "delete") -> None:
    """Accepted in any state, and any number of times; it always ends."""
    if row.wanted == Wanted.GONE:
        return
    await act(room, call, row, name, want(Wanted.GONE))
