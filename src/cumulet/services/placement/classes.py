"""Resource classes: the things that are counted. The standard ones are fixed; `CUSTOM_…` are a cloud's own."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.wire import Text
from cumulet.services.placement.errors import ClassExists, ClassInUse, ClassNotFound, StandardName
from cumulet.services.placement.names import CLASSES, CUSTOM, is_custom
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import AllocationRow, InventoryRow, ResourceClassRow
from cumulet.services.placement.verbs import Verbs, created, modified, place

verbs = Verbs()
RULE = "placement:resource_classes"
ALL = "/resource_classes"
ONE = ALL + "/{name}"
NAMED = Body("", [Field("name", Text(255, 1, CUSTOM), create=REQUIRED)])


def show(call: Call, name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": place(call, f"{ALL}/{name}")}]}


@verbs("GET", ALL, f"{RULE}:list", since="1.2")
async def list_classes(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        own = await tx.find(ResourceClassRow, order_by="name")
    return {"resource_classes": [show(call, name) for name in (*CLASSES, *(row.name for row in own))]}


@verbs("POST", ALL, f"{RULE}:create", body=NAMED, since="1.2")
async def create_class(room: Placement, call: Call) -> Response:
    name = call.wish["name"]
    if not await _made(room, name):
        raise ClassExists(f"Conflicting resource class already exists: {name}")
    return created(call, f"{ALL}/{name}")


@verbs("GET", ONE, f"{RULE}:show", since="1.2")
async def show_class(room: Placement, call: Call) -> dict[str, Any]:
    name = call.path["name"]
    async with room.database.read() as tx:
        row = await _find(tx, name)
    modified(call, row.created_at if row else room.clock.now())
    return show(call, name)


@verbs("PUT", ONE, f"{RULE}:update", body=NAMED, since="1.2", until="1.6")
async def rename_class(room: Placement, call: Call) -> dict[str, Any]:
    old, new = call.path["name"], call.wish["name"]

    async def write(tx: Transaction) -> None:
        row = await _find(tx, old)
        if row is None:
            raise StandardName(f"Cannot update standard resource class {old}")
        if new == old:
            return
        await tx.delete(ResourceClassRow, name=old)
        await tx.insert(ResourceClassRow(new, row.created_at))
        for counted in (InventoryRow, AllocationRow):
            await tx.update(counted, {"resource_class": old}, resource_class=new)

    try:
        await room.database.write(write)
    except Duplicate as error:
        raise ClassExists(f"Resource class already exists: {new}") from error
    return show(call, new)


@verbs("PUT", ONE, f"{RULE}:update", since="1.7")
async def put_class(room: Placement, call: Call) -> Response:
    name = call.path["name"]
    if not is_custom(name):
        raise StandardName(
            f"Invalid resource class {name[:255]!r}: a name of one's own starts with CUSTOM_ and then has A-Z, 0-9, _."
        )
    return created(call, f"{ALL}/{name}", 201 if await _made(room, name) else 204)


@verbs("DELETE", ONE, f"{RULE}:delete", status=204, since="1.2")
async def delete_class(room: Placement, call: Call) -> None:
    name = call.path["name"]

    async def write(tx: Transaction) -> None:
        if await _find(tx, name) is None:
            raise StandardName(f"Cannot delete standard resource class {name}")
        if await tx.count(InventoryRow, resource_class=name):
            raise ClassInUse(f"Error in delete resource class: {name} is in use in inventory.")
        await tx.delete(ResourceClassRow, name=name)

    await room.database.write(write)


async def _made(room: Placement, name: str) -> bool:
    """Make a class; False when it is there."""

    async def write(tx: Transaction) -> bool:
        if await tx.get(ResourceClassRow, name=name):
            return False
        await tx.insert(ResourceClassRow(name, room.clock.now()))
        return True

    try:
        return await room.database.write(write)
    except Duplicate:
        return False


async def _find(tx: Transaction, name: str) -> ResourceClassRow | None:
    """The row of an operator's class, None for a standard one. Raises ClassNotFound."""
    row = await tx.get(ResourceClassRow, name=name) if is_custom(name) else None
    if row is None and name not in CLASSES:
        raise ClassNotFound(f"No such resource class {name[:255]}.")
    return row
