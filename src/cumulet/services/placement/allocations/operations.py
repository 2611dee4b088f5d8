"""What may be done to allocations. A consumer's row is locked by raising its generation before its holdings are read,
so that two writers of one consumer never mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.errors import NotFound
from cumulet.services.placement.counting import Holdings, exchange, give_back
from cumulet.services.placement.errors import ConcurrentUpdate, DoesNotFit, UnknownProvider
from cumulet.services.placement.names import check_classes
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import AllocationRow, ConsumerRow, ProviderRow

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The project and user of a consumer whose owner was never told."""


@dataclass(frozen=True)
class Change:
    """What a consumer shall hold from now on; nothing at all makes it disappear."""

    holdings: Holdings
    project_id: str = ""
    user_id: str = ""
    checked: bool = False
    """Is the generation to be compared?"""
    generation: int | None = None
    """The one that was seen; None: the consumer did not exist."""
    type: str = ""


@cache
def _advance(checked: bool) -> Query:
    c = ConsumerRow.c
    statement = sa.update(ConsumerRow.table).where(c.id == sa.bindparam("consumer"))
    if checked:
        statement = statement.where(c.generation == sa.bindparam("seen", type_=sa.BigInteger))
    return Query(statement.values(generation=c.generation + 1))


async def apply(room: Placement, changes: Mapping[str, Change]) -> None:
    """Let each consumer hold just what its change says: all of them, or none."""

    async def write(tx: Transaction) -> None:
        await check_holdings(tx, changes)
        await note_consumers(tx, changes, room.clock.now())
        short = await exchange(tx, {consumer: change.holdings for consumer, change in changes.items()})
        refuse(short)
        await forget_idle(tx, changes)

    await room.database.write(write)


async def remove(room: Placement, consumer_id: str) -> None:
    """Take everything back from a consumer."""

    async def write(tx: Transaction) -> None:
        if not await tx.execute(_advance(False), {"consumer": consumer_id}):
            raise NotFound(f"No allocations for consumer '{consumer_id[:64]}'")
        await give_back(tx, consumer_id)

    await room.database.write(write)


async def check_holdings(tx: Transaction, changes: Mapping[str, Change]) -> None:
    """Raise UnknownProvider or UnknownClass for what nobody could hold."""
    providers = {provider for change in changes.values() for provider in change.holdings}
    known = {row.id for row in await tx.find(ProviderRow, id=sorted(providers))} if providers else set()
    for provider in sorted(providers - known):
        raise UnknownProvider(f"Allocation for resource provider '{provider}' that does not exist.")
    await check_classes(
        tx, {name for change in changes.values() for units in change.holdings.values() for name in units}
    )


async def note_consumers(tx: Transaction, changes: Mapping[str, Change], now: int) -> None:
    """Lock every consumer, make the new ones. Raises ConcurrentUpdate for a generation that is another by now."""
    for id_ in sorted(changes):
        change = changes[id_]
        seen = change.generation
        existing = False
        if not change.checked or seen is not None:
            existing = bool(await tx.execute(_advance(change.checked), {"consumer": id_, "seen": seen}))
        if not existing and (seen is not None or (change.checked and await tx.count(ConsumerRow, id=id_))):
            expected = "null" if seen is None else seen
            raise ConcurrentUpdate(
                f"consumer generation conflict - {id_} is not at generation {expected}. Look at it again, then decide "
                "again."
            )
        if not existing:
            project, user = change.project_id or NOBODY, change.user_id or NOBODY
            await tx.insert(ConsumerRow(id_, project, user, 1, change.type, now, now))
            continue
        named = {"project_id": change.project_id, "user_id": change.user_id, "type": change.type}
        values = {name: value for name, value in named.items() if value}
        await tx.update(ConsumerRow, {"id": id_}, updated_at=now, **values)


async def forget_idle(tx: Transaction, changes: Mapping[str, Change]) -> None:
    """A consumer that holds nothing is nobody."""
    idle = sorted(id_ for id_, change in changes.items() if not change.holdings)
    if idle:
        await tx.delete(ConsumerRow, id=idle)


def refuse(short: tuple[str, str]) -> None:
    """Undo the transaction when something did not fit."""
    provider, resource = short
    if resource:
        raise DoesNotFit(
            f"Unable to allocate inventory: Unable to create allocation for '{resource}' on resource provider "
            f"'{provider}'. The requested amount would exceed the capacity, or is not one that the inventory gives out."
        )


async def held_by(tx: Transaction, consumer_id: str) -> list[AllocationRow]:
    return await tx.find(AllocationRow, order_by="provider_id", consumer_id=consumer_id)
