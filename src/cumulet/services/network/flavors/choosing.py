"""How a router of a flavor is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.flavors.errors import FlavorNotFound
from cumulet.services.network.flavors.row import FlavorRow, next_profile
from cumulet.services.network.service_providers import ROUTERS


async def made_ha(tx: Transaction, flavor_id: str, wish: Mapping[str, Any]) -> bool:
    """Whether several nodes are to hold a router of this flavor. Raises."""
    if "ha" in wish:
        raise InvalidInput(
            "Bad router request: ha and flavor_id cannot both be given: the flavor says how the router is made.",
            type_name="BadRequest",
        )
    flavor = await tx.get(FlavorRow, id=flavor_id[:36])
    if flavor is None:
        raise FlavorNotFound(f"Flavor {flavor_id[:64]} could not be found.")
    if flavor.service_type != ROUTERS:
        raise InvalidInput(
            f"Invalid service type {flavor.service_type} for a router's flavor; it must be {ROUTERS}.",
            type_name="InvalidServiceType",
        )
    _, provider = await next_profile(tx, flavor)
    return provider.ha
