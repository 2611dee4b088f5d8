"""Registered limits: the default for every project, by service, region and resource."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import ListOf, Obj, StrictInt, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.catalog.rows import RegionRow, ServiceRow
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.fields import AnyName, Description, Id
from cumulet.services.identity.limits.rows import LimitRow, RegisteredLimitRow
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"
Amount = StrictInt(-1, 2**31 - 1)
Region = Text(255, 1).or_null()

registered_limits = Noun(
    "/registered_limits",
    "registered_limit",
    "registered_limits",
    RegisteredLimitRow,
    [
        Field("id", Id),
        Field("service_id", Id, create=REQUIRED, update=OPTIONAL),
        Field("region_id", Region, create=OPTIONAL, update=OPTIONAL, source=or_null("region_id")),
        Field("resource_name", AnyName, create=REQUIRED, update=OPTIONAL),
        Field("default_limit", Amount, create=REQUIRED, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
    ],
    filters=[Filter("service_id"), Filter("region_id"), Filter("resource_name")],
    target=lambda row: {},
    missing=Missing,
    extra=False,
)
_BODY = Body("registered_limits", [], kind=ListOf(Obj(*registered_limits.fields), most=500, least=1))
IN_USE = Query(
    sa.select(sa.func.count()).select_from(LimitRow.table).where(LimitRow.c.registered_id == sa.bindparam("id"))
)


async def check_place(tx: Transaction, wish: dict[str, Any]) -> None:
    """The service and region of a wish exist. Raises InvalidValue."""
    if "service_id" in wish and not await tx.get(ServiceRow, id=wish["service_id"]):
        raise InvalidValue(f"service_id: there is no service {wish['service_id']}.")
    if wish.get("region_id") and not await tx.get(RegionRow, id=wish["region_id"]):
        raise InvalidValue(f"region_id: there is no region {wish['region_id']}.")


@registered_limits.collection("POST", RULE + "create_registered_limits", status=201, body=_BODY)
async def create(room: Identity, call: Call) -> dict[str, Any]:
    now = room.clock.now()
    rows = [
        RegisteredLimitRow(
            new_hex(),
            wish["service_id"],
            wish.get("region_id") or "",
            wish["resource_name"],
            wish["default_limit"],
            wish.get("description") or "",
            now,
        )
        for wish in call.wish["registered_limits"]
    ]

    async def write(tx: Transaction) -> None:
        for wish in call.wish["registered_limits"]:
            await check_place(tx, wish)
        await tx.insert_all(rows)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise _taken() from taken
    return {"registered_limits": [registered_limits.show_row(call, row) for row in rows]}


def _taken() -> NameTaken:
    return NameTaken("Conflict occurred attempting to store registered_limit - Duplicate entry.")


registered_limits.listed(RULE + "list_registered_limits")
registered_limits.shown(RULE + "get_registered_limit")


@registered_limits.update(RULE + "update_registered_limit", method="PATCH")
async def update(room: Identity, call: Call, row: RegisteredLimitRow) -> RegisteredLimitRow:
    wish = call.wish
    changes = {name: "" if value is None else value for name, value in wish.items()}

    async def write(tx: Transaction) -> RegisteredLimitRow:
        await check_place(tx, wish)
        await _check_unused(tx, row, {"service_id", "region_id", "resource_name"} & set(wish))
        if changes:
            await tx.update(RegisteredLimitRow, {"id": row.id}, **changes)
        changed = await tx.get(RegisteredLimitRow, id=row.id)
        if changed is None:
            raise Missing(f"Could not find registered limit: {row.id}.")
        return changed

    try:
        return await room.database.write(write)
    except Duplicate as taken:
        raise _taken() from taken


async def _check_unused(tx: Transaction, row: RegisteredLimitRow, changed: set[str]) -> None:
    if changed and await tx.scalar(IN_USE, {"id": row.id}):
        raise NotAllowed(f"Unable to change or delete registered limit {row.id} because there are limits under it.")


@registered_limits.delete(RULE + "delete_registered_limit")
async def delete(room: Identity, call: Call, row: RegisteredLimitRow) -> None:
    async def write(tx: Transaction) -> None:
        await _check_unused(tx, row, {"everything"})
        await tx.delete(RegisteredLimitRow, id=row.id)

    await room.database.write(write)
