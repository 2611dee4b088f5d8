"""How the suites order machines and look for them."""

from __future__ import annotations

import msgspec

from cumulet.contracts.machines import MachineFacts, MachineSpec
from cumulet.contracts.record import digest_of
from tests.support.hypervisors.worlds import Door

change = msgspec.structs.replace


async def as_ordered(door: Door, spec: MachineSpec) -> MachineFacts:
    facts = await door.ensure(spec)
    assert facts.fault is None, facts.fault
    assert facts.digest == digest_of(spec)
    assert facts.power is spec.wanted
    return facts


async def found(door: Door, machine_id: str) -> MachineFacts | None:
    return next((facts for facts in await door.found() if facts.id == machine_id), None)
