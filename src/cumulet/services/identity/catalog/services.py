"""Services: what the cloud does."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.wire import StrictBool, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.catalog.rows import EndpointRow, ServiceRow
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Description, Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"

services = Noun(
    "/services",
    "service",
    "services",
    ServiceRow,
    [
        Field("id", Id),
        Field("type", Text(255, 1), create=REQUIRED, update=OPTIONAL),
        Field("name", Text(255), create=OPTIONAL, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("enabled", StrictBool, create=True, update=OPTIONAL),
    ],
    filters=[Filter("type"), Filter("name")],
    target=lambda row: {"target": {"service": {"id": row.id}}},
    missing=Missing,
)


@services.create(RULE + "create_service")
async def create(room: Identity, call: Call) -> ServiceRow:
    wish = call.wish
    row = ServiceRow(
        new_hex(),
        wish["type"],
        wish.get("name", ""),
        wish.get("description") or "",
        wish["enabled"],
        services.extras(call),
        room.clock.now(),
    )
    await room.change(lambda tx: tx.insert(row))
    return row


services.listed(RULE + "list_services")
services.shown(RULE + "get_service")


@services.update(RULE + "update_service", method="PATCH")
async def update(room: Identity, call: Call, row: ServiceRow) -> ServiceRow:
    changes: dict[str, Any] = {"extra": services.extras(call, row)}
    for name in ("type", "name", "description", "enabled"):
        if name in call.wish:
            changes[name] = "" if call.wish[name] is None else call.wish[name]

    return await room.change(lambda tx: services.changed(tx, row, changes))


@services.delete(RULE + "delete_service")
async def delete(room: Identity, call: Call, row: ServiceRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(EndpointRow, service_id=row.id)
        await tx.delete(ServiceRow, id=row.id)

    await room.change(write)
