"""Its machine on its host, as ordered; and no machine anywhere else."""

from __future__ import annotations

from cumulet.contracts.assignments import NOT_YET, Kind
from cumulet.core.reconcile import Again, Failed, Outcome
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.rungs.detaching import wait_for_guest
from cumulet.services.compute.servers.rungs.waiting import LOOK_AGAIN, waiting

POWERING_SECONDS = 1800


def is_powered(look: Look) -> bool:
    return look.machine is not None and look.machine.digest == look.digest


def has_machine(look: Look) -> bool:
    """Some node has it or may have it. What a dead node has is withdrawn, and is not waited for."""
    return any(
        not held.acknowledged_gone and not (held.gone and not look.alive(held.node)) for held in look.held.values()
    )


async def assign(room: Compute, look: Look) -> Outcome:
    server = look.server
    await room.fleet.assign(server.host, Kind.MACHINE, server.id, look.spec, server.generation)
    held = look.held.get(server.host)
    machine = look.machine
    spoke = held is not None and held.observed == held.generation and held.observed >= server.generation
    if machine is not None and spoke and machine.fault is not None:
        if machine.fault.code == NOT_YET:
            return await wait_for_guest(room, look, machine, machine.fault)
        return Failed(machine.fault)
    return waiting(room, look, POWERING_SECONDS, "its node has not reported", "The node did not obey in time")


async def withdraw(room: Compute, look: Look) -> Outcome:
    for held in look.held.values():
        if not held.gone:
            await room.fleet.withdraw(held.node, Kind.MACHINE, look.server.id)
    return Again(LOOK_AGAIN, "its machine is being removed")
