"""Giving out and taking back: the only code that moves an inventory's `used`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.placement.rows import AllocationRow, ConsumerRow, InventoryRow, ProviderRow


@cache
def _take() -> Query:
    c = InventoryRow.c
    n = sa.bindparam("n", type_=sa.BigInteger)
    capacity = sa.cast((c.total - c.reserved) * c.allocation_ratio, sa.BigInteger)
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
def _touch() -> Query:
    c = ProviderRow.c
    return Query(
        sa.update(ProviderRow.table).where(c.id == sa.bindparam("provider")).values(generation=c.generation + 1)
    )


async def touch(tx: Transaction, provider_id: str) -> None:
    """A provider's offers or holders changed: its generation rises."""
    await tx.execute(_touch(), {"provider": provider_id})


async def take(tx: Transaction, consumer_id: str, provider_id: str, resources: Mapping[str, int]) -> str:
    """Let a consumer hold these; the resource that did not fit, or nothing. The caller undoes the transaction then."""
    for resource, n in sorted(resources.items()):
        if not await tx.execute(_take(), {"provider": provider_id, "class": resource, "n": n}):
            return resource
        await tx.insert(AllocationRow(consumer_id, provider_id, resource, n))
    await touch(tx, provider_id)
    return ""


async def give_back(tx: Transaction, consumer_id: str, provider_id: str = "") -> None:
    """Take back what a consumer holds of one provider, or of all."""
    where: dict[str, Any] = {"consumer_id": consumer_id, **({"provider_id": provider_id} if provider_id else {})}
    held = await tx.find(AllocationRow, **where)
    for row in held:
        values = {"provider": row.provider_id, "class": row.resource_class, "n": row.used}
        await tx.execute(_give_back(), values)
    await tx.delete(AllocationRow, **where)
    for provider in {row.provider_id for row in held}:
        await touch(tx, provider)
    if not await tx.count(AllocationRow, consumer_id=consumer_id):
        await tx.delete(ConsumerRow, id=consumer_id)
