"""Placement's door: what other rooms may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from cumulet.core.db import Transaction
from cumulet.lib.ids import new_uuid
from cumulet.services.placement.counting import give_back, take, touch
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import (
    AllocationRow,
    ConsumerRow,
    InventoryRow,
    ProviderAggregateRow,
    ProviderRow,
    ProviderTraitRow,
)


class Offer(Protocol):
    """How much of one resource a node offers."""

    @property
    def total(self) -> int: ...
    @property
    def reserved(self) -> int: ...
    @property
    def min_unit(self) -> int: ...
    @property
    def max_unit(self) -> int: ...
    @property
    def step_size(self) -> int: ...
    @property
    def allocation_ratio(self) -> float: ...


class HostRoom(msgspec.Struct):
    """What a node can hold, and how much of that is given out."""

    node: str
    provider_id: str
    total: dict[str, int]
    used: dict[str, int]
    reserved: dict[str, int]
    ratio: dict[str, float]
    traits: set[str]
    aggregates: set[str]
    generation: int


class _DoesNotFit(Exception):
    """Undoes the transaction of a claim."""


class PlacementDoor:
    """Claims of servers on nodes. A node's provider has the node's name."""

    def __init__(self, room: Placement) -> None:
        self._room = room

    async def hosts(self) -> list[HostRoom]:
        """Every root provider, with what it offers and has given out."""
        async with self._room.database.read() as tx:
            providers = [row for row in await tx.find(ProviderRow, order_by="name") if not row.parent_id]
            inventories = await tx.find(InventoryRow)
            traits = await tx.find(ProviderTraitRow)
            aggregates = await tx.find(ProviderAggregateRow)
        rooms = {row.id: HostRoom(row.name, row.id, {}, {}, {}, {}, set(), set(), row.generation) for row in providers}
        for inventory in inventories:
            if room := rooms.get(inventory.provider_id):
                name = inventory.resource_class
                room.total[name], room.used[name] = inventory.total, inventory.used
                room.reserved[name], room.ratio[name] = inventory.reserved, inventory.allocation_ratio
        for trait in traits:
            if room := rooms.get(trait.provider_id):
                room.traits.add(trait.name)
        for membership in aggregates:
            if room := rooms.get(membership.provider_id):
                room.aggregates.add(membership.aggregate_id)
        return list(rooms.values())

    async def ensure_provider(self, node: str, inventory: Mapping[str, Offer]) -> str:
        """Make the provider of a node offer just this; its id. What is given out stays given out."""

        async def write(tx: Transaction) -> str:
            now = self._room.clock.now()
            provider = await tx.get(ProviderRow, name=node)
            if provider is None:
                id_ = new_uuid()
                provider = ProviderRow(id_, node, 0, "", id_, now, now)
                await tx.insert(provider)
            known = {row.resource_class: row for row in await tx.find(InventoryRow, provider_id=provider.id)}
            changed = False
            for name, offer in inventory.items():
                terms: dict[str, Any] = {
                    "total": offer.total,
                    "reserved": offer.reserved,
                    "min_unit": offer.min_unit,
                    "max_unit": offer.max_unit,
                    "step_size": offer.step_size,
                    "allocation_ratio": offer.allocation_ratio,
                }
                row = known.get(name)
                if row is None:
                    await tx.insert(InventoryRow(provider.id, name, **terms))
                elif all(getattr(row, key) == value for key, value in terms.items()):
                    continue
                else:
                    await tx.update(InventoryRow, {"provider_id": provider.id, "resource_class": name}, **terms)
                changed = True
            if changed:
                await touch(tx, provider.id)
            return provider.id

        return await self._room.database.write(write)

    async def claim(
        self, consumer_id: str, node: str, resources: Mapping[str, int], *, project_id: str, user_id: str
    ) -> bool:
        """Let a consumer hold these of a node; a claim that stands is left as it is. False: it does not fit."""

        async def write(tx: Transaction) -> bool:
            provider = await tx.get(ProviderRow, name=node)
            if provider is None:
                return False
            held = await tx.find(AllocationRow, consumer_id=consumer_id, provider_id=provider.id)
            wanted = {name: n for name, n in resources.items() if n}
            if {row.resource_class: row.used for row in held} == wanted:
                return True
            await give_back(tx, consumer_id, provider.id)
            if await tx.get(ConsumerRow, id=consumer_id) is None:
                now = self._room.clock.now()
                await tx.insert(ConsumerRow(consumer_id, project_id, user_id, 1, "INSTANCE", now, now))
            if await take(tx, consumer_id, provider.id, wanted):
                raise _DoesNotFit
            return True

        try:
            return await self._room.database.write(write)
        except _DoesNotFit:
            return False

    async def release(self, consumer_id: str, node: str = "") -> None:
        """Give back what a consumer holds of a node, or of all."""

        async def write(tx: Transaction) -> None:
            provider = await tx.get(ProviderRow, name=node) if node else None
            if not node or provider:
                await give_back(tx, consumer_id, provider.id if provider else "")

        await self._room.database.write(write)

    async def claims(self, consumer_id: str) -> dict[str, dict[str, int]]:
        """What a consumer holds, by node."""
        async with self._room.database.read() as tx:
            held = await tx.find(AllocationRow, consumer_id=consumer_id)
            found: dict[str, dict[str, int]] = {}
            for row in held:
                provider = await tx.get(ProviderRow, id=row.provider_id)
                if provider:
                    found.setdefault(provider.name, {})[row.resource_class] = row.used
        return found
