"""Writing a server's row: always with its states derived anew, never over somebody else's change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.core.db import Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.compute.history import note_settled
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow
from cumulet.services.compute.servers.status import refresh

Alter = Callable[[ServerRow], None]
_fault = msgspec.json.Decoder(Fault)


async def save(tx: Transaction, room: Compute, before: ServerRow, row: ServerRow) -> bool:
    """Store what changed between two states of a row. Raises Collision when another writer was first."""
    refresh(row)
    changed: dict[str, Any] = {
        name: value for name in ServerRow.__struct_fields__ if (value := getattr(row, name)) != getattr(before, name)
    }
    if not changed:
        return False
    row.updated_at = changed["updated_at"] = room.clock.now()
    row.revision = changed["revision"] = before.revision + 1
    if not await tx.update(ServerRow, {"id": row.id, "revision": before.revision}, **changed):
        raise Collision(f"server {row.id}")
    if before.unsettled and not row.unsettled:
        failed = row.faulted == row.generation
        fault = _fault.decode(row.fault or '{"message":""}') if failed else None
        await note_settled(tx, row.id, row.generation, row.updated_at, fault=fault)
    return True


async def note(room: Compute, server_id: str, alter: Alter) -> ServerRow | None:
    """Record facts: change the row as it is at this moment. None: the server has ended."""

    async def write(tx: Transaction) -> ServerRow | None:
        before = await tx.get(ServerRow, id=server_id)
        if before is None or before.deleted_at:
            return None
        row = copy_of(before)
        alter(row)
        await save(tx, room, before, row)
        return row

    return await room.database.write(write)


async def change(room: Compute, row: DiskRow | NicRow, **columns: str | bool | int) -> None:
    """Write down what became of a disk or a card."""
    await room.database.write(lambda tx: tx.update(type(row), {"id": row.id}, **columns))


async def forget(room: Compute, row: DiskRow | NicRow) -> None:
    await room.database.write(lambda tx: tx.delete(type(row), id=row.id))


def copy_of(row: ServerRow) -> ServerRow:
    return ServerRow(*[getattr(row, name) for name in ServerRow.__struct_fields__])


def wish_again(row: ServerRow, now: int) -> None:
    """A new generation of the wish."""
    row.generation += 1
    row.wished_at = now


def touch(row: ServerRow, now: int) -> None:
    """The order changes in a detail. A server in ERROR stays so: only its owner's action reopens it."""
    if row.faulted != row.generation:
        wish_again(row, now)
