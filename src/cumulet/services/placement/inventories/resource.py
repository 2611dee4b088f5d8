"""What a client sees of inventories, and sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import MapOf, Obj, StrictInt, Text, Wire
from cumulet.services.placement.counting import advance
from cumulet.services.placement.errors import InventoryNotFound
from cumulet.services.placement.inventories import operations
from cumulet.services.placement.inventories.operations import MOST, TERMS, offered
from cumulet.services.placement.names import FORM
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import InventoryRow
from cumulet.services.placement.verbs import Verbs, created

verbs = Verbs()
RULE = "placement:resource_providers:inventories"
ALL = "/resource_providers/{uuid}/inventories"
ONE = ALL + "/{resource_class}"
MOST_CLASSES = 500


def _ratio(value: float) -> float:
    if not 0 <= value <= 3.40282e38:
        raise ValueError(f"{value} is not a ratio between 0 and 3.40282e+38")
    return float(value)


TERM_FIELDS = [
    Field("total", StrictInt(1, MOST), create=REQUIRED),
    Field("reserved", StrictInt(0, MOST), create=OPTIONAL),
    Field("min_unit", StrictInt(1, MOST), create=OPTIONAL),
    Field("max_unit", StrictInt(1, MOST), create=OPTIONAL),
    Field("step_size", StrictInt(1, MOST), create=OPTIONAL),
    Field("allocation_ratio", Wire(int | float, _ratio), create=OPTIONAL),
]
MAY_NAME_GENERATION = Field("resource_provider_generation", StrictInt(), create=OPTIONAL)
GENERATION = Field("resource_provider_generation", StrictInt(), create=REQUIRED)
INVENTORIES = Field(
    "inventories", MapOf(Obj(MAY_NAME_GENERATION, *TERM_FIELDS), most=MOST_CLASSES, key=FORM), create=REQUIRED
)

NEW = Body("", [Field("resource_class", Text(255, 1, FORM), create=REQUIRED), MAY_NAME_GENERATION, *TERM_FIELDS])
CHANGED = Body("", [GENERATION, *TERM_FIELDS])
REPLACED = Body("", [GENERATION, INVENTORIES])


def show(row: InventoryRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("total", *TERMS)}


def show_all(rows: Sequence[InventoryRow], generation: int) -> dict[str, Any]:
    shown = {row.resource_class: show(row) for row in rows}
    return {"resource_provider_generation": generation, "inventories": shown}


async def _one(tx: Transaction, provider_id: str, resource: str, generation: int) -> dict[str, Any]:
    row = await tx.get(InventoryRow, provider_id=provider_id, resource_class=resource)
    if row is None:
        raise InventoryNotFound(f"No inventory of class {resource[:255]} for {provider_id}")
    return {"resource_provider_generation": generation, **show(row)}


@verbs("GET", ALL, f"{RULE}:list")
async def list_inventories(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        provider = await find(tx, call.path["uuid"])
        return show_all(await offered(tx, provider.id), provider.generation)


@verbs("POST", ALL, f"{RULE}:create", body=NEW)
async def create_inventory(room: Placement, call: Call) -> Any:
    id_, terms = call.path["uuid"], dict(call.wish)
    resource, seen = terms.pop("resource_class"), terms.pop("resource_provider_generation", None)

    async def write(tx: Transaction) -> dict[str, Any]:
        generation = await operations.add(tx, id_, resource, terms, seen, call.version)
        return await _one(tx, id_, resource, generation)

    shown = await room.database.write(write)
    return created(call, f"/resource_providers/{id_}/inventories/{resource}", 201, shown)


@verbs("PUT", ALL, f"{RULE}:update", body=REPLACED)
async def replace_inventories(room: Placement, call: Call) -> dict[str, Any]:
    async def write(tx: Transaction) -> dict[str, Any]:
        provider = await find(tx, call.path["uuid"])
        generation = await advance(tx, provider.id, call.wish["resource_provider_generation"])
        await operations.replace(tx, provider.id, call.wish["inventories"], call.version)
        return show_all(await offered(tx, provider.id), generation)

    return await room.database.write(write)


@verbs("DELETE", ALL, f"{RULE}:delete", status=204, since="1.5")
async def delete_inventories(room: Placement, call: Call) -> None:
    async def write(tx: Transaction) -> None:
        provider = await find(tx, call.path["uuid"])
        await advance(tx, provider.id, provider.generation)
        await operations.replace(tx, provider.id, {}, call.version)

    await room.database.write(write)


@verbs("GET", ONE, f"{RULE}:show")
async def show_inventory(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        provider = await find(tx, call.path["uuid"])
        return await _one(tx, provider.id, call.path["resource_class"], provider.generation)


@verbs("PUT", ONE, f"{RULE}:update", body=CHANGED)
async def update_inventory(room: Placement, call: Call) -> dict[str, Any]:
    id_, resource, terms = call.path["uuid"], call.path["resource_class"], dict(call.wish)
    seen = terms.pop("resource_provider_generation")

    async def write(tx: Transaction) -> dict[str, Any]:
        generation = await operations.update(tx, id_, resource, terms, seen, call.version)
        return await _one(tx, id_, resource, generation)

    return await room.database.write(write)


@verbs("DELETE", ONE, f"{RULE}:delete", status=204)
async def delete_inventory(room: Placement, call: Call) -> None:
    async def write(tx: Transaction) -> None:
        provider = await find(tx, call.path["uuid"])
        await operations.remove(tx, provider.id, call.path["resource_class"])

    await room.database.write(write)
