"""Devices that are to leave a running server, which its guest must let go of first."""

from __future__ import annotations

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineFacts
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, NicRow

PATIENCE_SECONDS = 600
"""A guest may be booting, and slowly; its node asks it again and again meanwhile."""
LOOK_AGAIN = 5.0


async def wait_for_guest(room: Compute, look: Look, machine: MachineFacts, fault: Fault) -> Outcome:
    """Wait; and when that was long enough, the wish ends: what the guest holds stays attached, the server as it is."""
    if room.clock.now() - look.server.wished_at <= PATIENCE_SECONDS * SECOND:
        return Again(LOOK_AGAIN, fault.message)
    held = {*machine.disks, *machine.nics}
    disks = [row for row in look.dropped if isinstance(row, DiskRow) and row.volume_id in held]
    nics = [row for row in look.dropped if isinstance(row, NicRow) and row.port_id in held]

    async def write(tx: Transaction) -> None:
        now = room.clock.now()
        await tx.update(DiskRow, {"id": [row.id for row in disks]}, wanted="attached")
        await tx.update(NicRow, {"id": [row.id for row in nics]}, wanted="attached")
        for action, kept in (("detach_volume", disks), ("detach_interface", nics)):
            if kept:
                await finish_action(tx, look.server.id, action, now, error=fault.message)

    if disks or nics:
        await room.database.write(write)
    return Again(LOOK_AGAIN, "its node has not been told yet to leave them")
