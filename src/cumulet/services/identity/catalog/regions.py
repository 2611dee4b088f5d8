"""Regions: parts of the cloud, perhaps within one another."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.catalog.rows import EndpointRow, RegionRow
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.fields import Description
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"
_ID = Text(255).or_null()

regions = Noun(
    "/regions",
    "region",
    "regions",
    RegionRow,
    [
        Field("id", _ID, create=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("parent_region_id", _ID, create=OPTIONAL, update=OPTIONAL, source=or_null("parent_id")),
    ],
    filters=[Filter("parent_region_id", "parent_id")],
    target=lambda row: {"target": {"region": {"id": row.id}}},
    missing=Missing,
)


@regions.create(RULE + "create_region")
async def create(room: Identity, call: Call) -> RegionRow:
    return await _create(room, call, call.wish.get("id") or new_hex())


@regions.collection("PUT", RULE + "create_region", suffix="/{region_id}", status=201, body=regions.body("create"))
async def create_as(room: Identity, call: Call) -> RegionRow:
    """Make a region under the id in the path."""
    id_ = call.path["region_id"]
    if (call.wish.get("id") or id_) != id_:
        raise InvalidValue("id: the id in the body differs from the one in the path.")
    return await _create(room, call, id_)


async def _create(room: Identity, call: Call, id_: str) -> RegionRow:
    wish = call.wish
    row = RegionRow(
        id_,
        wish.get("parent_region_id") or "",
        wish.get("description") or "",
        regions.extras(call),
        room.clock.now(),
    )
    if len(id_) > 255 or "\x00" in id_:
        raise InvalidValue("id: at most 255 characters, without NUL.")

    async def write(tx: Transaction) -> None:
        await _check_parent(tx, row.parent_id)
        await tx.insert(row)

    try:
        await room.change(write)
    except Duplicate as taken:
        raise NameTaken(f"Conflict occurred attempting to store region - Duplicate ID, {id_}.") from taken
    return row


async def _check_parent(tx: Transaction, parent_id: str) -> None:
    if parent_id and not await tx.get(RegionRow, id=parent_id):
        raise Missing(f"Could not find region: {parent_id}.")


regions.listed(RULE + "list_regions")
regions.shown(RULE + "get_region")


@regions.update(RULE + "update_region", method="PATCH")
async def update(room: Identity, call: Call, row: RegionRow) -> RegionRow:
    wish = call.wish
    changes: dict[str, Any] = {"extra": regions.extras(call, row)}
    if "description" in wish:
        changes["description"] = wish["description"] or ""
    if "parent_region_id" in wish:
        changes["parent_id"] = wish["parent_region_id"] or ""

    async def write(tx: Transaction) -> RegionRow:
        await _check_parent(tx, changes.get("parent_id", ""))
        await _check_circle(tx, row.id, changes.get("parent_id", ""))
        return await regions.changed(tx, row, changes)

    return await room.change(write)


async def _check_circle(tx: Transaction, id_: str, parent_id: str) -> None:
    seen: set[str] = set()
    while parent_id and parent_id not in seen:
        if parent_id == id_:
            raise NotAllowed("A region cannot lie within itself.")
        seen.add(parent_id)
        parent = await tx.get(RegionRow, id=parent_id)
        parent_id = parent.parent_id if parent else ""


@regions.delete(RULE + "delete_region")
async def delete(room: Identity, call: Call, row: RegionRow) -> None:
    async def write(tx: Transaction) -> None:
        if await tx.count(EndpointRow, region_id=row.id):
            raise NotAllowed(f"Unable to delete region {row.id} because it or its child regions have endpoints.")
        for child in await tx.find(RegionRow, parent_id=row.id):
            if await tx.count(EndpointRow, region_id=child.id):
                raise NotAllowed(f"Unable to delete region {row.id} because it or its child regions have endpoints.")
        await tx.delete(RegionRow, parent_id=row.id)
        await tx.delete(RegionRow, id=row.id)

    await room.change(write)
