"""What may be done to a resource provider: the only code that makes, moves and removes them."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.core.web.versions import version
from cumulet.lib.ids import new_uuid
from cumulet.services.placement.errors import (
    ConcurrentUpdate,
    InvalidProvider,
    ProviderExists,
    ProviderHasChildren,
    ProviderInUse,
    ProviderNotFound,
)
from cumulet.services.placement.providers.tree import DEEPEST, ancestors, height, subtree
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import (
    AllocationRow,
    InventoryRow,
    ProviderAggregateRow,
    ProviderRow,
    ProviderTraitRow,
)

MOVES_SINCE = version("1.37")
"""From here a provider with a parent may be given another, or none."""


async def find(tx: Transaction, id_: str) -> ProviderRow:
    """Raises ProviderNotFound."""
    row = await tx.get(ProviderRow, id=id_) if len(id_) <= 64 else None
    if row is None:
        raise ProviderNotFound(id_)
    return row


async def create(room: Placement, wish: dict[str, Any]) -> ProviderRow:
    id_ = wish.get("uuid") or new_uuid()
    parent_id = wish.get("parent_provider_uuid") or ""

    async def write(tx: Transaction) -> ProviderRow:
        root_id = id_
        if parent_id:
            parent = await _parent(tx, parent_id, id_)
            parents = await _hold_tree(tx, parent.root_id, parent_id)
            root_id = parent.root_id
            if len(ancestors(parents, parent_id)) >= DEEPEST:
                raise InvalidProvider(f"Unable to create resource provider: its tree would be deeper than {DEEPEST}.")
        now = room.clock.now()
        row = ProviderRow(id_, wish["name"], 0, parent_id, root_id, now, now)
        await tx.insert(row)
        return row

    try:
        return await room.database.write(write)
    except Duplicate as error:
        named = error.index == "placement_providers_name"
        what = f"name: {wish['name']}" if named else f"uuid: {id_}"
        raise ProviderExists(f"Conflicting resource provider {what} already exists.") from error


async def change(room: Placement, id_: str, wish: dict[str, Any], version: int) -> ProviderRow:
    """Rename a provider, or place it elsewhere with everything below it."""

    async def write(tx: Transaction) -> ProviderRow:
        row = await find(tx, id_)
        values: dict[str, Any] = {"name": wish["name"], "updated_at": room.clock.now()}
        if "parent_provider_uuid" in wish and (wish["parent_provider_uuid"] or "") != row.parent_id:
            parent_id = wish["parent_provider_uuid"] or ""
            if row.parent_id and version < MOVES_SINCE:
                verb = "re-parenting" if parent_id else "un-parenting"
                raise InvalidProvider(
                    f"Unable to save resource provider {id_}: {verb} a provider is not currently allowed."
                )
            values["parent_id"] = parent_id
            await _move(tx, row, parent_id)
        await tx.update(ProviderRow, {"id": id_}, **values)
        return await find(tx, id_)

    try:
        return await room.database.write(write)
    except Duplicate as error:
        raise ProviderExists(f"Conflicting resource provider name: {wish['name']} already exists.") from error


async def remove(room: Placement, id_: str) -> None:
    async def write(tx: Transaction) -> None:
        row = await find(tx, id_)
        await _hold_tree(tx, row.root_id, id_)
        if await tx.count(ProviderRow, parent_id=row.id):
            raise ProviderHasChildren(
                f"Unable to delete parent resource provider {id_}: it has child resource providers."
            )
        # Deleting only what nobody holds, and then looking, leaves no moment for a claim in between.
        await tx.delete(InventoryRow, provider_id=row.id, used=0)
        if await tx.count(InventoryRow, provider_id=row.id) or await tx.count(AllocationRow, provider_id=row.id):
            raise ProviderInUse(f"Unable to delete resource provider {id_}: Resource provider has allocations.")
        for belonging in (ProviderTraitRow, ProviderAggregateRow):
            await tx.delete(belonging, provider_id=row.id)
        await tx.delete(ProviderRow, id=row.id)

    await room.database.write(write)


async def _move(tx: Transaction, row: ProviderRow, parent_id: str) -> None:
    """Everything below a moved provider changes its root with it."""
    parent = await _parent(tx, parent_id, row.id) if parent_id else row
    trees = {}
    # In one order everywhere, so that two moves between the same trees wait for each other instead of locking up.
    for root_id, member in sorted({row.root_id: row.id, parent.root_id: parent.id}.items()):
        trees[root_id] = await _hold_tree(tx, root_id, member)
    own = trees[row.root_id]
    below = subtree(own, row.id)
    if parent_id:
        if parent_id in below:
            raise InvalidProvider(f"Unable to save resource provider {row.id}: creating loop in the provider tree.")
        if len(ancestors(trees[parent.root_id], parent_id)) + height(own, row.id) >= DEEPEST:
            raise InvalidProvider(f"Unable to save resource provider {row.id}: a tree has {DEEPEST} levels at most.")
    await tx.update(ProviderRow, {"id": sorted(below)}, root_id=parent.root_id if parent_id else row.id)


async def _parent(tx: Transaction, parent_id: str, child: str) -> ProviderRow:
    """The parent that was asked for. Raises InvalidProvider."""
    parent = await tx.get(ProviderRow, id=parent_id)
    if parent is None or parent_id == child:
        raise InvalidProvider(f"Unable to save resource provider {child}: there is no parent {parent_id}.")
    return parent


async def _hold_tree(tx: Transaction, root_id: str, member: str) -> dict[str, str]:
    """The parents of everything in a tree, which nobody else changes until this transaction ends."""
    await tx.execute(_lock(), {"root": root_id})
    tree = {row.id: row.parent_id for row in await tx.find(ProviderRow, root_id=root_id)}
    if member not in tree:
        raise ConcurrentUpdate(f"The resource provider {member} was moved at this moment: look again.")
    return tree


@cache
def _lock() -> Query:
    """Writing a row as it is makes every other writer of it wait, on each database."""
    c = ProviderRow.c
    return Query(sa.update(ProviderRow.table).where(c.id == sa.bindparam("root")).values(generation=c.generation))
