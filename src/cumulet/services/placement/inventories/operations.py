"""What may be done to inventories. What is given out stays given out: `used` is never written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.versions import version
from cumulet.services.placement.counting import advance, touch
from cumulet.services.placement.errors import (
    InvalidInventory,
    InventoryExists,
    InventoryInUse,
    InventoryNotFound,
)
from cumulet.services.placement.names import check_classes
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.rows import InventoryRow

MOST = 2**31 - 1
RESERVE_ALL_SINCE = version("1.26")
"""From here everything may be reserved; before, something must remain."""
TERMS: dict[str, Any] = {"reserved": 0, "min_unit": 1, "max_unit": MOST, "step_size": 1, "allocation_ratio": 1.0}
"""What an inventory is when nothing is said but its total."""

Terms = Mapping[str, Any]


def complete(terms: Terms, resource: str, version: int) -> dict[str, Any]:
    """The terms of an inventory with their defaults. Raises InvalidInventory."""
    whole = {"total": terms["total"], **{name: terms.get(name, default) for name, default in TERMS.items()}}
    rest = whole["total"] - whole["reserved"]
    if rest < 0 or (rest == 0 and version < RESERVE_ALL_SINCE):
        raise InvalidInventory(
            f"Invalid inventory for {resource!r}: the reserved value {whole['reserved']} leaves nothing of the total "
            f"{whole['total']}."
        )
    return whole


async def offered(tx: Transaction, provider_id: str) -> list[InventoryRow]:
    return await tx.find(InventoryRow, order_by="resource_class", provider_id=provider_id)


async def replace(tx: Transaction, provider_id: str, wanted: Mapping[str, Terms], version: int) -> None:
    """Let a provider offer just this. Raises InventoryInUse for what goes and is held."""
    whole = {resource: complete(terms, resource, version) for resource, terms in wanted.items()}
    await check_classes(tx, set(wanted))
    known = {row.resource_class for row in await offered(tx, provider_id)}
    for resource in sorted(known - set(wanted)):
        await _drop(tx, provider_id, resource)
    for resource, terms in sorted(whole.items()):
        if resource in known:
            await tx.update(InventoryRow, {"provider_id": provider_id, "resource_class": resource}, **terms)
        else:
            await tx.insert(InventoryRow(provider_id, resource, **terms))


async def add(tx: Transaction, provider_id: str, resource: str, terms: Terms, seen: int | None, version: int) -> int:
    """Offer one more resource; the provider's new generation."""
    provider = await find(tx, provider_id)
    whole = complete(terms, resource, version)
    await check_classes(tx, {resource})
    if await tx.get(InventoryRow, provider_id=provider_id, resource_class=resource):
        raise InventoryExists(f"Update conflict: the provider {provider_id} has an inventory of {resource} already.")
    generation = await advance(tx, provider_id, provider.generation if seen is None else seen)
    await tx.insert(InventoryRow(provider_id, resource, **whole))
    return generation


async def update(tx: Transaction, provider_id: str, resource: str, terms: Terms, seen: int, version: int) -> int:
    """Offer another amount; the provider's new generation."""
    await find(tx, provider_id)
    whole = complete(terms, resource, version)
    generation = await advance(tx, provider_id, seen)
    if not await tx.count(InventoryRow, provider_id=provider_id, resource_class=resource):
        raise InvalidInventory(
            f"No inventory record with resource class {resource} for resource provider {provider_id}."
        )
    await tx.update(InventoryRow, {"provider_id": provider_id, "resource_class": resource}, **whole)
    return generation


async def remove(tx: Transaction, provider_id: str, resource: str) -> None:
    """Offer it no more."""
    if not await tx.count(InventoryRow, provider_id=provider_id, resource_class=resource):
        raise InventoryNotFound(f"No inventory of class {resource[:255]} found for delete")
    await _drop(tx, provider_id, resource)
    await touch(tx, provider_id)


async def _drop(tx: Transaction, provider_id: str, resource: str) -> None:
    if not await tx.delete(InventoryRow, provider_id=provider_id, resource_class=resource, used=0):
        raise InventoryInUse(f"Inventory for '{resource}' on resource provider '{provider_id}' in use.")
