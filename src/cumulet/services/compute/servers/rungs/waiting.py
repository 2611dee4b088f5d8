"""How long a server waits for what others are to do, and what becomes of a wish that they cannot fulfil."""

from __future__ import annotations

from cumulet.contracts.assignments import Fault
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Failed, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow

LOOK_AGAIN, LOOK_AT_LEAST = 2.0, 30.0
"""Seconds."""
TRY_AGAIN = "Reboot it hard to try again; an administrator finds more in the log of its host."


def waiting(room: Compute, look: Look, seconds: int, reason: str, fault: str) -> Outcome:
    """Not yet; and no longer than this budget without any change, unless its node is away: then it is waited for.

    It is woken when there is news. Meanwhile it is looked at less and less, so that many that wait hold up nobody.
    """
    host = look.server.host
    waited = room.clock.now() - max(look.server.wished_at, look.server.updated_at)
    if waited > seconds * SECOND and (not host or look.alive(host)):
        return Failed(Fault(message=f"{fault}: {reason} after {seconds} seconds. {TRY_AGAIN}", code=500))
    return Again(min(max(LOOK_AGAIN, waited / SECOND / 4), LOOK_AT_LEAST), reason)


async def refuse(room: Compute, server: ServerRow, row: DiskRow | NicRow, reason: str) -> None:
    """A server that has run stays as it is when one more volume or card cannot be had: the wish for it ends."""
    verb = "attach_volume" if isinstance(row, DiskRow) else "attach_interface"

    async def write(tx: Transaction) -> None:
        await tx.update(type(row), {"id": row.id}, wanted="gone")
        await finish_action(tx, server.id, verb, room.clock.now(), error=reason)

    await room.database.write(write)
