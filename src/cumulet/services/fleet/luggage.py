"""What machines take along when they move: handed from the node that has it to the one that was told to fetch it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import MachineSpec
from cumulet.contracts.moves import Luggage
from cumulet.core.errors import NotFound
from cumulet.services.fleet import asks
from cumulet.services.fleet.assignments import AssignmentRow
from cumulet.services.fleet.room import Fleet


async def listed(room: Fleet, node: str, machine_id: str) -> Luggage:
    """All that a node is to fetch for a machine that arrives there. Raises as `asks.ask`, and NotFound."""
    source = await _source(room, node, machine_id)
    return msgspec.json.decode(await asks.ask(room, source, "luggage", machine=machine_id), type=Luggage)


async def opened(room: Fleet, node: str, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
    """One of its files. The first piece is read at once, so that a refusal is one and not the end of a stream."""
    source = await _source(room, node, machine_id)
    stream = asks.stream(room, source, "luggage_file", machine=machine_id, name=name, offset=str(offset))
    first = await anext(stream, b"")
    return _joined(first, stream)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _source(room: Fleet, node: str, machine_id: str) -> str:
    """The node that has what this one was told to fetch: the disks of other machines are not its business."""
    async with room.database.read() as tx:
        row = await tx.get(AssignmentRow, node=node, kind=str(Kind.MACHINE), key=machine_id[:64])
    spec = msgspec.json.decode(row.spec, type=MachineSpec) if row and not row.gone else None
    if spec is None or spec.arrival is None:
        raise NotFound(f"Machine {machine_id[:64]} does not arrive at this node.")
    return spec.arrival.source
