"""Which type a new volume has: the one that was asked for, the project's default, or everybody's."""

from __future__ import annotations

from cumulet.core.access.caller import Caller
from cumulet.core.db import Duplicate, Transaction
from cumulet.services.block_storage.errors import TypeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import DefaultTypeRow, TypeAccessRow, TypeRow

DEFAULT_ID = "5b9c5f0e-4c1f-4d0a-9a49-3f4d6c1e8a70"
"""The id of the type that every cloud begins with: the same for all who make it at the same moment."""


async def ensure_default(room: BlockStorage) -> None:
    """Make the default type where it is not there yet."""
    async with room.database.read() as tx:
        if await tx.get(TypeRow, name=room.default_type) or await tx.get(TypeRow, id=DEFAULT_ID):
            return
    row = TypeRow(
        id=DEFAULT_ID,
        name=room.default_type,
        description="Default Volume Type",
        public=True,
        extra_specs="{}",
        qos_specs_id="",
        encryption="",
        created_at=room.clock.now(),
        updated_at=0,
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate:
        return  # somebody else made it at this moment


async def find(tx: Transaction, key: str) -> TypeRow | None:
    """A type by id or name."""
    return await tx.get(TypeRow, id=key) or await tx.get(TypeRow, name=key)


async def default_of(room: BlockStorage, tx: Transaction, project_id: str) -> TypeRow | None:
    """The type of volumes for which none was asked."""
    chosen = await tx.get(DefaultTypeRow, project_id=project_id)
    if chosen is not None and (row := await tx.get(TypeRow, id=chosen.type_id)):
        return row
    return await tx.get(TypeRow, name=room.default_type)


async def choose(room: BlockStorage, project_id: str, key: str, caller: Caller | None = None) -> TypeRow | None:
    """The type for a volume of a project. Raises TypeNotFound for one that is not there, or not for this project."""
    await ensure_default(room)
    async with room.database.read() as tx:
        if not key:
            return await default_of(room, tx, project_id)
        row = await find(tx, key)
        if row is None or not await usable(tx, row, project_id, caller):
            raise TypeNotFound(f"Volume type with name or id {key[:64]} could not be found.")
        return row


async def usable(tx: Transaction, row: TypeRow, project_id: str, caller: Caller | None) -> bool:
    if row.public or (caller is not None and caller.is_admin):
        return True
    return await tx.get(TypeAccessRow, type_id=row.id, project_id=project_id) is not None
