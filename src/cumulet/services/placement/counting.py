"""Giving out and taking back: the only code that moves an inventory's `used`, and a generation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.placement.errors import ConcurrentUpdate
from cumulet.services.placement.rows import AllocationRow, ConsumerRow, InventoryRow, ProviderRow

Holdings = Mapping[str, Mapping[str, int]]
"""What a consumer holds: provider → resource → how much."""


@cache
def _take() -> Query:
    c = InventoryRow.c
    n = sa.bindparam("n", type_=sa.BigInteger)
    # A whole number fits below the capacity's fraction exactly when it fits below its whole part; without a cast no
    # ratio, however large, leaves the range of the database's integers.
    capacity = (c.total - c.reserved) * c.allocation_ratio
    return Query(
        sa.update(InventoryRow.table)
        .where(
            c.provider_id == sa.bindparam("provider"),
            c.resource_class == sa.bindparam("class"),
            c.used + n <= capacity,
            c.min_unit <= n,
            c.max_unit >= n,
            n % c.step_size == 0,
        )
        .values(used=c.used + n)
    )


@cache
def _give_back() -> Query:
    c = InventoryRow.c
    return Query(
        sa.update(InventoryRow.table)
        .where(c.provider_id == sa.bindparam("provider"), c.resource_class == sa.bindparam("class"))
        .values(used=c.used - sa.bindparam("n", type_=sa.BigInteger))
    )


@cache
def _touch(checked: bool) -> Query:
    c = ProviderRow.c
    statement = sa.update(ProviderRow.table).where(c.id == sa.bindparam("provider"))
    if checked:
        statement = statement.where(c.generation == sa.bindparam("seen", type_=sa.BigInteger))
    return Query(statement.values(generation=c.generation + 1))


async def touch(tx: Transaction, provider_id: str) -> None:
    """A provider's offers or holders changed: its generation rises."""
    await tx.execute(_touch(False), {"provider": provider_id})


async def advance(tx: Transaction, provider_id: str, seen: int) -> int:
    """Raise a provider's generation from the one that was seen. Raises ConcurrentUpdate when it is another by now."""
    if not await tx.execute(_touch(True), {"provider": provider_id, "seen": seen}):
        raise ConcurrentUpdate(
            f"resource provider generation conflict: {provider_id} is not at generation {seen} any more. Look at it "
            "again, then decide again."
        )
    return seen + 1


async def take(tx: Transaction, consumer_id: str, provider_id: str, resources: Mapping[str, int]) -> str:
    """Let a consumer hold these; the resource that did not fit, or nothing. The caller undoes the transaction then."""
    lacking = await _hold(tx, consumer_id, provider_id, resources)
    if not lacking:
        await touch(tx, provider_id)
    return lacking


async def give_back(tx: Transaction, consumer_id: str, provider_id: str = "") -> None:
    """Take back what a consumer holds of one provider, or of all."""
    for provider in await _release(tx, consumer_id, provider_id):
        await touch(tx, provider)
    await forget_idle(tx, consumer_id)


async def forget_idle(tx: Transaction, consumer_id: str) -> None:
    """A consumer that holds nothing is nobody."""
    if not await tx.count(AllocationRow, consumer_id=consumer_id):
        await tx.delete(ConsumerRow, id=consumer_id)


async def exchange(tx: Transaction, wanted: Mapping[str, Holdings]) -> tuple[str, str]:
    """Let each consumer hold just this; the (provider, resource) that did not fit, or two empty texts.

    Everything is given back before anything is taken, so that consumers may trade places. The caller undoes the
    transaction when something did not fit.
    """
    return await take_all(tx, wanted, await give_back_all(tx, set(wanted)))


async def give_back_all(tx: Transaction, consumer_ids: set[str]) -> set[str]:
    """Take back everything that these hold; the providers whose generation must rise when the exchange is complete."""
    providers: set[str] = set()
    for consumer_id in sorted(consumer_ids):
        providers |= await _release(tx, consumer_id)
    return providers


async def take_all(tx: Transaction, wanted: Mapping[str, Holdings], touched: set[str]) -> tuple[str, str]:
    """The second half of an exchange."""
    for consumer_id in sorted(wanted):
        for provider_id in sorted(wanted[consumer_id]):
            lacking = await _hold(tx, consumer_id, provider_id, wanted[consumer_id][provider_id])
            if lacking:
                return provider_id, lacking
            touched.add(provider_id)
    for provider_id in sorted(touched):
        await touch(tx, provider_id)
    return "", ""


async def trade(tx: Transaction, consumer_id: str, old: set[str], wanted: Holdings) -> str:
    """Give these providers' shares back and take others instead; the resource that did not fit, or nothing."""
    for provider_id in sorted(old):
        await _release(tx, consumer_id, provider_id)
    for provider_id in sorted(wanted):
        lacking = await _hold(tx, consumer_id, provider_id, wanted[provider_id])
        if lacking:
            return lacking
    for provider_id in sorted({*old, *wanted}):
        await touch(tx, provider_id)
    return ""


async def _hold(tx: Transaction, consumer_id: str, provider_id: str, resources: Mapping[str, int]) -> str:
    for resource, n in sorted(resources.items()):
        if not await tx.execute(_take(), {"provider": provider_id, "class": resource, "n": n}):
            return resource
        await tx.insert(AllocationRow(consumer_id, provider_id, resource, n))
    return ""


async def _release(tx: Transaction, consumer_id: str, provider_id: str = "") -> set[str]:
    where: dict[str, Any] = {"consumer_id": consumer_id, **({"provider_id": provider_id} if provider_id else {})}
    held = await tx.find(AllocationRow, **where)
    for row in held:
        values = {"provider": row.provider_id, "class": row.resource_class, "n": row.used}
        await tx.execute(_give_back(), values)
    await tx.delete(AllocationRow, **where)
    return {row.provider_id for row in held}
