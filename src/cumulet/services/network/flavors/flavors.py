"""The noun `flavor`, and which service profiles it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Bool, Enum, ListOf, Text, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network.attributes import clean, read_one
from cumulet.services.network.facets import Facet, Passed
from cumulet.services.network.flavors.errors import (
    FlavorInUse,
    FlavorNotFound,
    FlavorServiceProfileBindingExists,
    FlavorServiceProfileBindingNotFound,
    ServiceProfileNotFound,
)
from cumulet.services.network.flavors.row import FlavorProfileRow, FlavorRow, ServiceProfileRow, next_profile
from cumulet.services.network.noun import Noun, again_if_doubled
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.service_providers import ROUTERS
from cumulet.services.network.standard import LongName, NameText, json_text

ServiceType = Enum(ROUTERS, "FLAVORS", "METERING", "QOS", "TRUNK", "VPN", "DUMMY")
"""Things that flavors may be of, as the real service calls them. Only routers ask for one."""
ProfileIds = ListOf(Uuid, most=64, unique=True)

flavors = Noun(
    "/flavors",
    "flavor",
    "flavors",
    FlavorRow,
    [
        Facet(
            "flavors",
            "Flavors and service profiles",
            (
                Field("id", Text()),
                Field("name", NameText, create="", update=OPTIONAL),
                Field("description", LongName, create="", update=OPTIONAL),
                Field("service_type", ServiceType, create=REQUIRED),
                Field("enabled", Bool, create=True, update=OPTIONAL),
                Field("service_profiles", ProfileIds, create=[], update=OPTIONAL, source=Passed("profiles")),
                Field("project_id", Text(255), create=OPTIONAL, source=""),
            ),
        )
    ],
    missing=FlavorNotFound,
    owner="",
)
flavors.reads()


@flavors.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> FlavorRow:
    row = FlavorRow(new_uuid(), wish["name"], wish["description"], wish["service_type"], wish["enabled"], profiles="[]")
    await tx.insert(row)
    return await _have(room, tx, row, wish["service_profiles"])


@flavors.updating
async def update(room: Network, call: Call, tx: Transaction, row: FlavorRow, wish: dict[str, Any]) -> FlavorRow:
    profiles = wish.pop("service_profiles", None)
    changed: FlavorRow = await flavors.save(room, tx, row, **wish)
    return changed if profiles is None else await _have(room, tx, changed, profiles)


@flavors.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: FlavorRow) -> None:
    if await tx.count(RouterRow, flavor_id=row.id):
        raise FlavorInUse(f"Flavor {row.id} is used by some service instance.")
    await tx.delete(FlavorProfileRow, flavor_id=row.id)


async def _have(room: Network, tx: Transaction, row: FlavorRow, profiles: Sequence[str]) -> FlavorRow:
    """Let a flavor have just these profiles."""
    known = {profile.id for profile in await tx.find(ServiceProfileRow, id=list(profiles))} if profiles else set()
    for missing in sorted(set(profiles) - known):
        raise ServiceProfileNotFound(f"Service Profile {missing} could not be found.")
    await tx.delete(FlavorProfileRow, flavor_id=row.id)
    await tx.insert_all(FlavorProfileRow(row.id, profile) for profile in sorted(set(profiles)))
    return await flavors.save(room, tx, row, profiles=json_text(sorted(set(profiles))))  # type: ignore[no-any-return]


async def _bind(room: Network, call: Call) -> dict[str, Any]:
    call.allow("create_flavor_service_profile")
    given = read_one(await call.request.body(1 << 16), "service_profile")
    id: str = clean(Field("id", Uuid, create=REQUIRED), given.get("id"))

    async def write(tx: Transaction) -> None:
        flavor: FlavorRow = await flavors.sought(tx, call, call.path["flavor_id"])
        has = [row.profile_id for row in await tx.find(FlavorProfileRow, flavor_id=flavor.id)]
        if id in has:
            raise FlavorServiceProfileBindingExists(
                f"Service Profile {id} is already associated with flavor {flavor.id}."
            )
        await _have(room, tx, flavor, [*has, id])

    await room.database.write(again_if_doubled(write))
    return {"service_profile": {"id": id}}


async def _release(room: Network, call: Call) -> None:
    call.allow("delete_flavor_service_profile")
    id = call.path["profile_id"]

    async def write(tx: Transaction) -> None:
        flavor: FlavorRow = await flavors.sought(tx, call, call.path["flavor_id"])
        has = [row.profile_id for row in await tx.find(FlavorProfileRow, flavor_id=flavor.id)]
        if id not in has:
            raise FlavorServiceProfileBindingNotFound(
                f"Service Profile {id[:64]} is not associated with flavor {flavor.id}."
            )
        await _have(room, tx, flavor, [profile for profile in has if profile != id])

    await room.database.write(again_if_doubled(write))


async def _next_providers(room: Network, call: Call) -> dict[str, Any]:
    """Who makes what is made next of this flavor."""
    call.allow("default", {"project_id": "", "tenant_id": ""})  # no rule names it, and it is nobody's
    async with room.database.read() as tx:
        flavor: FlavorRow = await flavors.sought(tx, call, call.path["flavor_id"])
        profile, provider = await next_profile(tx, flavor)
    shown = {"driver": profile.driver or provider.driver, "provider": provider.name, "metainfo": profile.metainfo}
    return {"next_providers": [shown]}


def endpoints() -> list[Endpoint]:
    profiles = "/flavors/{flavor_id}/service_profiles"
    return [
        Endpoint("POST", profiles, _bind, 201, raw=True, name="create_flavor_service_profile"),
        Endpoint("DELETE", profiles + "/{profile_id}", _release, 204, name="delete_flavor_service_profile"),
        Endpoint("GET", "/flavors/{flavor_id}/next_providers", _next_providers, name="list_next_providers"),
    ]
