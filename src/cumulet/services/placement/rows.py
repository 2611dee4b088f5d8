"""What placement remembers."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Name, Ref, Row, stored

ClassName = Annotated[str, sa.String(255), PRIMARY]
ProviderKey = Annotated[str, sa.String(64), PRIMARY]


@stored("placement_providers", sa.Index("placement_providers_name", "name", unique=True))
class ProviderRow(Row):
    """Something that can hold consumers. Its generation rises with every change to what it offers or has given out."""

    id: Id
    name: Name
    generation: int
    parent_id: Ref
    root_id: Annotated[str, sa.String(64)]
    updated_at: Instant
    created_at: Instant


@stored("placement_inventories")
class InventoryRow(Row):
    """How much of one resource a provider offers. `used` is the sum of its allocations, moved together with them."""

    provider_id: ProviderKey
    resource_class: ClassName
    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float
    used: int = 0


@stored("placement_consumers")
class ConsumerRow(Row):
    """Whoever holds allocations: mostly a server."""

    id: Id
    project_id: Name
    user_id: Name
    generation: int
    type: Name
    updated_at: Instant
    created_at: Instant


@stored("placement_allocations", sa.Index("placement_allocations_provider", "provider_id"))
class AllocationRow(Row):
    """How much of one provider's resource a consumer holds."""

    consumer_id: ProviderKey
    provider_id: ProviderKey
    resource_class: ClassName
    used: int


@stored("placement_provider_traits", sa.Index("placement_provider_traits_name", "name"))
class ProviderTraitRow(Row):
    """A quality that a provider has."""

    provider_id: ProviderKey
    name: ClassName


@stored("placement_provider_aggregates")
class ProviderAggregateRow(Row):
    """A group that a provider belongs to."""

    provider_id: ProviderKey
    aggregate_id: ProviderKey


@stored("placement_traits")
class TraitRow(Row):
    """A quality that an operator named: `CUSTOM_…`."""

    name: ClassName
    created_at: Instant


@stored("placement_classes")
class ResourceClassRow(Row):
    """A resource that an operator named: `CUSTOM_…`."""

    name: ClassName
    created_at: Instant
