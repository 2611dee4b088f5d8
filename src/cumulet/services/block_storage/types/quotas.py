"""Quotas for each type: what a project may hold of volumes, gigabytes and snapshots of that type alone.

Clients name them by the type's name, which can change; they are counted by its id.
"""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.core.errors import OverQuota
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import TypeRow

PER_TYPE = ("volumes", "gigabytes", "snapshots")


async def names(tx: Transaction) -> dict[str, str]:
    """Under which resource what clients call `volumes_<type>` is counted."""
    types = await tx.find(TypeRow, order_by="created_at")
    return {f"{resource}_{kind.name}": f"{resource}_{kind.id}" for kind in types for resource in PER_TYPE}


def _both(type_id: str, amounts: dict[str, int]) -> dict[str, int]:
    """What counts towards the project counts towards the type, too."""
    return amounts | _of_type(type_id, amounts)


def _of_type(type_id: str, amounts: dict[str, int]) -> dict[str, int]:
    return {f"{resource}_{type_id}": amount for resource, amount in amounts.items()} if type_id else {}


async def take(room: BlockStorage, tx: Transaction, project_id: str, type_id: str, **amounts: int) -> None:
    """Count these in, or raise OverQuota in words that name the type."""
    await _take(room, tx, project_id, type_id, _both(type_id, amounts))


async def _take(room: BlockStorage, tx: Transaction, project_id: str, type_id: str, amounts: dict[str, int]) -> None:
    try:
        await room.quota.take(tx, project_id, **amounts)
    except OverQuota as error:
        kind = await tx.get(TypeRow, id=type_id) if type_id else None
        if kind is None:
            raise
        resources = tuple(resource.replace(kind.id, kind.name) for resource in error.resources)
        raise OverQuota(error.message.replace(kind.id, kind.name), resources) from error


async def give_back(room: BlockStorage, tx: Transaction, project_id: str, type_id: str, **amounts: int) -> None:
    await room.quota.give_back(tx, project_id, **_both(type_id, amounts))


async def take_too(room: BlockStorage, tx: Transaction, project_id: str, type_id: str, **amounts: int) -> None:
    """What counts already counts towards this type, too: it is to be of it."""
    await _take(room, tx, project_id, type_id, _of_type(type_id, amounts))


async def give_back_too(room: BlockStorage, tx: Transaction, project_id: str, type_id: str, **amounts: int) -> None:
    """It is not of this type any more, or is not to be."""
    await room.quota.give_back(tx, project_id, **_of_type(type_id, amounts))


async def move(room: BlockStorage, tx: Transaction, project_id: str, old: str, new: str, **amounts: int) -> None:
    """What the project holds stays; it counts towards another type now."""
    await room.quota.give_back(tx, project_id, **_of_type(old, amounts))
    await _take(room, tx, project_id, new, _of_type(new, amounts))
