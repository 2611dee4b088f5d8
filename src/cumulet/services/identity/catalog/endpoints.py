"""Endpoints: where services answer."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import Enum, StrictBool, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.catalog.filtering import ProjectEndpointRow
from cumulet.services.identity.catalog.rows import EndpointRow, RegionRow, ServiceRow
from cumulet.services.identity.errors import InvalidValue, Missing
from cumulet.services.identity.fields import Id, Url
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"
_REGION = Text(255).or_null()

endpoints = Noun(
    "/endpoints",
    "endpoint",
    "endpoints",
    EndpointRow,
    [
        Field("id", Id),
        Field("service_id", Id, create=REQUIRED, update=OPTIONAL),
        Field("interface", Enum("admin", "internal", "public"), create=REQUIRED, update=OPTIONAL),
        Field("region_id", _REGION, create=OPTIONAL, update=OPTIONAL, source=or_null("region_id")),
        # The older name of the region's id; a region of this name is made where there is none.
        Field("region", _REGION, create=OPTIONAL, update=OPTIONAL, source=or_null("region_id")),
        Field("url", Url, create=REQUIRED, update=OPTIONAL),
        Field("enabled", StrictBool, create=True, update=OPTIONAL),
    ],
    filters=[Filter("interface"), Filter("service_id"), Filter("region_id"), Filter("region", "region_id")],
    target=lambda row: {"target": {"endpoint": {"id": row.id}}},
    missing=Missing,
)


@endpoints.create(RULE + "create_endpoint")
async def create(room: Identity, call: Call) -> EndpointRow:
    wish = call.wish
    row = EndpointRow(
        new_hex(),
        wish["service_id"],
        wish["interface"],
        wish.get("region_id") or wish.get("region") or "",
        wish["url"],
        wish["enabled"],
        endpoints.extras(call),
        room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        await _check(tx, wish, room.clock.now())
        await tx.insert(row)

    await room.change(write)
    return row


async def _check(tx: Transaction, wish: dict[str, Any], now: int) -> None:
    """The service and the region that a wish names exist. Raises InvalidValue."""
    if "service_id" in wish and not await tx.get(ServiceRow, id=wish["service_id"]):
        raise InvalidValue(f"service_id: there is no service {wish['service_id']}.")
    if wish.get("region_id"):
        if not await tx.get(RegionRow, id=wish["region_id"]):
            raise InvalidValue(f"region_id: there is no region {wish['region_id']}.")
    elif wish.get("region") and not await tx.get(RegionRow, id=wish["region"]):
        await tx.insert(RegionRow(wish["region"], "", "", "{}", now))


endpoints.listed(RULE + "list_endpoints")
endpoints.shown(RULE + "get_endpoint")


@endpoints.update(RULE + "update_endpoint", method="PATCH")
async def update(room: Identity, call: Call, row: EndpointRow) -> EndpointRow:
    wish = call.wish
    changes: dict[str, Any] = {"extra": endpoints.extras(call, row)}
    changes |= {name: wish[name] for name in ("service_id", "interface", "url", "enabled") if name in wish}
    if "region_id" in wish or "region" in wish:
        changes["region_id"] = wish.get("region_id") or wish.get("region") or ""

    async def write(tx: Transaction) -> EndpointRow:
        await _check(tx, wish, room.clock.now())
        return await endpoints.changed(tx, row, changes)

    return await room.change(write)


@endpoints.delete(RULE + "delete_endpoint")
async def delete(room: Identity, call: Call, row: EndpointRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(ProjectEndpointRow, endpoint_id=row.id)
        await tx.delete(EndpointRow, id=row.id)

    await room.change(write)
