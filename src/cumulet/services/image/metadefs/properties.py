"""Properties in a namespace, each a JSON schema."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import UNREADABLE
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Owner, Resource
from cumulet.services.image.errors import DefinitionExists, DefinitionNotFound, InvalidDefinition
from cumulet.services.image.metadefs.contents import prefix_of, property_rows
from cumulet.services.image.metadefs.namespaces import namespaces, refuse_protected, target
from cumulet.services.image.metadefs.rows import AssociationRow, PropertyDefinitionRow
from cumulet.services.image.room import Image


async def _load(room: Any, call: Call, name: str) -> PropertyDefinitionRow | None:
    """The property of this name, or of the name that it has on a type of resource."""
    resource_type = call.request.one("resource_type") or ""
    async with room.database.read() as tx:
        types = await tx.find(AssociationRow, namespace_id=call.parent.id) if resource_type else []
        prefix = prefix_of(types, resource_type)
        if not name.startswith(prefix):
            return None
        return await tx.get(  # type: ignore[no-any-return]
            PropertyDefinitionRow, namespace_id=call.parent.id, name=name.removeprefix(prefix)
        )


properties = Resource(
    path="/metadefs/namespaces/{namespace_name}/properties",
    one="property",
    many="properties",
    row=PropertyDefinitionRow,
    key="property_name",
    owner=Owner.NOBODY,
    parent=namespaces,
    wrapped=False,
    load=_load,
    missing=DefinitionNotFound,
    fields=[],
)


def _shown(row: PropertyDefinitionRow, name: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.decode(row.schema)
    return {"name": name or row.name} | schema


async def _given(call: Call, namespace_id: str, now: int) -> PropertyDefinitionRow:
    """The property in a request: flat, its name beside its schema."""
    try:
        body = msgspec.json.decode(await call.request.body(112 * 1024), type=dict[str, Any])
    except UNREADABLE as error:
        raise BadRequest(f"The request body is not a JSON object: {error}. Check its syntax.") from error
    name = body.get("name")
    if not isinstance(name, str):
        raise InvalidDefinition("Provided object does not match schema 'property': name is required")
    return property_rows(namespace_id, {name: body}, now)[0]


async def _create(room: Image, call: Call) -> dict[str, Any]:
    row = await _given(call, call.parent.id, room.clock.now())
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as taken:
        raise DefinitionExists(f"A metadata definition property {row.name} exists in this namespace.") from taken
    base = f"{call.base}/metadefs/namespaces/{call.parent.namespace}"
    call.response_headers["Location"] = f"{base}/properties/{row.name}"
    return _shown(row)


properties.collection("POST", "add_metadef_property", status=201, raw=True)(_create)


@properties.list("")
async def index(room: Image, call: Call) -> dict[str, Any]:
    call.allow("get_metadef_properties", target(call.parent))
    async with room.database.read() as tx:
        rows = await tx.find(PropertyDefinitionRow, order_by="name", limit=1000, namespace_id=call.parent.id)
    return {"properties": {row.name: _shown(row) for row in rows}, "schema": "/v2/schemas/metadefs/properties"}


@properties.show("")
async def show(room: Image, call: Call, row: PropertyDefinitionRow) -> dict[str, Any]:
    call.allow("get_metadef_property", target(call.parent))
    return _shown(row, call.path["property_name"])


async def _update(room: Image, call: Call, row: PropertyDefinitionRow) -> dict[str, Any]:
    call.allow("modify_metadef_property", target(call.parent))
    new = await _given(call, row.namespace_id, room.clock.now())
    new.created_at = row.created_at

    async def write(tx: Transaction) -> None:
        await tx.delete(PropertyDefinitionRow, namespace_id=row.namespace_id, name=row.name)
        await tx.insert(new)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(f"A metadata definition property {new.name} exists in this namespace.") from taken
    return _shown(new)


properties.item("PUT", "", raw=True)(_update)


@properties.delete("")
async def delete(room: Image, call: Call, row: PropertyDefinitionRow) -> None:
    call.allow("remove_metadef_property", target(call.parent))
    refuse_protected(call.parent)
    where = {"namespace_id": row.namespace_id, "name": row.name}
    await room.database.write(lambda tx: tx.delete(PropertyDefinitionRow, **where))


@properties.collection("DELETE", "", status=204)
async def delete_all(room: Image, call: Call) -> None:
    call.allow("delete_metadef_namespace", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(PropertyDefinitionRow, namespace_id=call.parent.id))
