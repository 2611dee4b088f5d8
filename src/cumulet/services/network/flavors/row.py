"""What is remembered of flavors and service profiles, and what a flavor stands for."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Json, LongText, Name, Row, Short, Transaction, stored
from cumulet.services.network.flavors.errors import (
    FlavorDisabled,
    FlavorServiceProfileBindingNotFound,
    ServiceProfileDisabled,
    ServiceProfileDriverNotFound,
)
from cumulet.services.network.service_providers import Provider, provider_of


@stored("network_flavors")
class FlavorRow(Row):
    """A flavor."""

    id: Id
    name: Name
    description: LongText
    service_type: Short
    enabled: bool
    profiles: Json
    """Ids of its service profiles, as the view shows them."""


@stored("network_service_profiles")
class ServiceProfileRow(Row):
    """A service profile: a driver, or what somebody noted, or both."""

    id: Id
    description: LongText
    driver: LongText
    enabled: bool
    metainfo: LongText


@stored("network_flavor_profiles", sa.Index("network_flavor_profiles_profile", "profile_id"))
class FlavorProfileRow(Row):
    """A flavor has a service profile."""

    flavor_id: Annotated[str, sa.String(36), PRIMARY]
    profile_id: Annotated[str, sa.String(36), PRIMARY]


async def next_profile(tx: Transaction, flavor: FlavorRow) -> tuple[ServiceProfileRow, Provider]:
    """The profile that what is made next gets, and who makes it. Raises."""
    if not flavor.enabled:
        raise FlavorDisabled("Flavor is not enabled.")
    bound = [row.profile_id for row in await tx.find(FlavorProfileRow, flavor_id=flavor.id)]
    profiles = await tx.find(ServiceProfileRow, id=bound, order_by="id") if bound else []
    if not profiles:
        raise FlavorServiceProfileBindingNotFound(f"Flavor {flavor.id} has no service profile.")
    profile = next((row for row in profiles if row.enabled), None)
    if profile is None:
        raise ServiceProfileDisabled("Service Profile is not enabled.")
    provider = provider_of(profile.driver)
    if provider is None:
        raise ServiceProfileDriverNotFound(f"Service Profile driver {profile.driver[:255]} could not be found.")
    return profile, provider
