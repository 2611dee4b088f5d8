"""Objects: groups of properties in a namespace."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Owner, Resource
from cumulet.core.web.view import raw, written
from cumulet.core.web.wire import AnyObject, ListOf, Text
from cumulet.lib.clock import iso_seconds
from cumulet.services.image.errors import DefinitionExists, DefinitionNotFound
from cumulet.services.image.metadefs.contents import GivenObject, object_row
from cumulet.services.image.metadefs.namespaces import DefinitionName, namespaces, refuse_protected, target
from cumulet.services.image.metadefs.paging import page
from cumulet.services.image.metadefs.rows import ObjectRow
from cumulet.services.image.room import Image


async def _load(room: Any, call: Call, name: str) -> ObjectRow | None:
    async with room.database.read() as tx:
        return await tx.get(ObjectRow, namespace_id=call.parent.id, name=name)  # type: ignore[no-any-return]


def _self(row: ObjectRow, call: Call) -> str:
    return f"/v2/metadefs/namespaces/{call.parent.namespace}/objects/{row.name}"


objects = Resource(
    path="/metadefs/namespaces/{namespace_name}/objects",
    one="object",
    many="objects",
    row=ObjectRow,
    key="object_name",
    owner=Owner.NOBODY,
    parent=namespaces,
    wrapped=False,
    load=_load,
    missing=DefinitionNotFound,
    fields=[
        Field("name", DefinitionName, create=REQUIRED, update=REQUIRED),
        Field("description", Text(65535), create=OPTIONAL, update=OPTIONAL),
        Field("required", ListOf(Text(80, 1)), create=OPTIONAL, update=OPTIONAL, source=raw("required")),
        Field("properties", AnyObject, create=OPTIONAL, update=OPTIONAL, source=raw("properties")),
        Field("created_at", Text(), source=written("created_at", iso_seconds)),
        Field("updated_at", Text(), source=written("updated_at", iso_seconds)),
        Field("self", Text(), source=_self),
        Field("schema", Text(), source=lambda row, call: "/v2/schemas/metadefs/object"),
    ],
)


@objects.create("add_metadef_object")
async def create(room: Image, call: Call) -> ObjectRow:
    row = object_row(call.parent.id, msgspec.convert(call.wish, GivenObject), room.clock.now())
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as taken:
        raise DefinitionExists(f"A metadata definition object {row.name} exists in this namespace.") from taken
    call.response_headers["Location"] = f"{call.base}/metadefs/namespaces/{call.parent.namespace}/objects/{row.name}"
    return row


@objects.list("")
async def index(room: Image, call: Call) -> dict[str, Any]:
    call.allow("get_metadef_objects", target(call.parent))
    rows, links = await page(room, call, ObjectRow, "objects")
    render = objects.view.render(call)
    return {"objects": [render(row, call) for row in rows]} | links


@objects.show("")
async def show(room: Image, call: Call, row: ObjectRow) -> ObjectRow:
    call.allow("get_metadef_object", target(call.parent))
    return row


@objects.update("")
async def update(room: Image, call: Call, row: ObjectRow) -> ObjectRow:
    call.allow("modify_metadef_object", target(call.parent))
    new = object_row(row.namespace_id, msgspec.convert(call.wish, GivenObject), room.clock.now())
    new.created_at = row.created_at

    async def write(tx: Transaction) -> None:
        await tx.delete(ObjectRow, namespace_id=row.namespace_id, name=row.name)
        await tx.insert(new)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(f"A metadata definition object {new.name} exists in this namespace.") from taken
    return new


@objects.delete("")
async def delete(room: Image, call: Call, row: ObjectRow) -> None:
    call.allow("delete_metadef_object", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(ObjectRow, namespace_id=row.namespace_id, name=row.name))


@objects.collection("DELETE", "", status=204)
async def delete_all(room: Image, call: Call) -> None:
    call.allow("delete_metadef_namespace", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(ObjectRow, namespace_id=call.parent.id))
