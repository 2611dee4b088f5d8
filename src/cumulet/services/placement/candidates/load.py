"""From rows to the world that the search sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.placement.candidates.world import Provider, Stock, World
from cumulet.services.placement.rows import InventoryRow, ProviderAggregateRow, ProviderRow, ProviderTraitRow


async def load_world(tx: Transaction, ids: Sequence[str] | None = None) -> World:
    """Every provider, or just these, in four queries at any size."""
    own: dict[str, Any] = {} if ids is None else {"id": ids}
    of: dict[str, Any] = {} if ids is None else {"provider_id": ids}
    rows = await tx.find(ProviderRow, order_by="name", **own)
    found = {row.id: Provider(row.id, row.name, row.parent_id, row.root_id) for row in rows}
    for offer in await tx.find(InventoryRow, **of):
        if one := found.get(offer.provider_id):
            one.stock[offer.resource_class] = Stock(
                offer.total,
                offer.used,
                offer.reserved,
                offer.min_unit,
                offer.max_unit,
                offer.step_size,
                offer.allocation_ratio,
            )
    for trait in await tx.find(ProviderTraitRow, **of):
        if one := found.get(trait.provider_id):
            one.traits.add(trait.name)
    for membership in await tx.find(ProviderAggregateRow, **of):
        if one := found.get(membership.provider_id):
            one.aggregates.add(membership.aggregate_id)
    return World(found.values())
