"""The noun `service_profile`: a driver with its settings, for flavors to refer to."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.flavors.errors import (
    ServiceProfileDriverNotFound,
    ServiceProfileInUse,
    ServiceProfileNotFound,
)
from cumulet.services.network.flavors.row import FlavorProfileRow, ServiceProfileRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.service_providers import provider_of
from cumulet.services.network.standard import LongName

service_profiles = Noun(
    "/service_profiles",
    "service_profile",
    "service_profiles",
    ServiceProfileRow,
    [
        Facet(
            "flavors",
            "Flavors and service profiles",
            (
                Field("id", Text()),
                Field("description", LongName, create="", update=OPTIONAL),
                Field("driver", LongName, create="", update=OPTIONAL),
                Field("enabled", Bool, create=True, update=OPTIONAL),
                Field("metainfo", Text(4096), create="", update=OPTIONAL),
                Field("project_id", Text(255), create=OPTIONAL, source=""),
            ),
        )
    ],
    missing=ServiceProfileNotFound,
    owner="",
)
service_profiles.reads()


@service_profiles.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> ServiceProfileRow:
    row = ServiceProfileRow(new_uuid(), wish["description"], wish["driver"], wish["enabled"], wish["metainfo"])
    _refuse_odd(row)
    await tx.insert(row)
    return row


def _refuse_odd(row: ServiceProfileRow) -> None:
    if row.driver and provider_of(row.driver) is None:
        raise ServiceProfileDriverNotFound(f"Service Profile driver {row.driver[:255]} could not be found.")
    if not row.driver and not row.metainfo:
        raise InvalidInput("Empty Service Profile: it needs a driver or metainfo.", type_name="ServiceProfileEmpty")


@service_profiles.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: ServiceProfileRow, wish: dict[str, Any]
) -> ServiceProfileRow:
    changed = msgspec.structs.replace(row, **wish)
    _refuse_odd(changed)
    if (changed.driver, changed.metainfo) != (row.driver, row.metainfo):
        await _refuse_in_use(tx, row)
    return await service_profiles.save(room, tx, row, **wish)  # type: ignore[no-any-return]


@service_profiles.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: ServiceProfileRow) -> None:
    await _refuse_in_use(tx, row)


async def _refuse_in_use(tx: Transaction, row: ServiceProfileRow) -> None:
    if await tx.count(FlavorProfileRow, profile_id=row.id):
        raise ServiceProfileInUse(f"Service Profile {row.id} is used by some service instance.")
