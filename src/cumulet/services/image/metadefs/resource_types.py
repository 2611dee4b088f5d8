"""Types of resource, and which namespaces are meant for them."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint, Owner, Resource
from cumulet.core.web.wire import Text
from cumulet.lib.clock import iso_seconds
from cumulet.services.image.errors import DefinitionExists, DefinitionNotFound
from cumulet.services.image.metadefs import contents
from cumulet.services.image.metadefs.namespaces import DefinitionName, namespaces, refuse_protected, target
from cumulet.services.image.metadefs.rows import AssociationRow, ResourceTypeRow
from cumulet.services.image.room import Image

_SINCE = iso_seconds(0)


async def _load(room: Any, call: Call, name: str) -> AssociationRow | None:
    async with room.database.read() as tx:
        return await tx.get(AssociationRow, namespace_id=call.parent.id, name=name)  # type: ignore[no-any-return]


associations = Resource(
    path="/metadefs/namespaces/{namespace_name}/resource_types",
    one="resource_type",
    many="resource_type_associations",
    row=AssociationRow,
    key="resource_type",
    owner=Owner.NOBODY,
    parent=namespaces,
    wrapped=False,
    load=_load,
    missing=DefinitionNotFound,
    fields=[
        Field("name", DefinitionName, create=REQUIRED),
        Field("prefix", Text(80), create=OPTIONAL),
        Field("properties_target", Text(80), create=OPTIONAL),
    ],
)


@associations.create("add_metadef_resource_type_association")
async def create(room: Image, call: Call) -> dict[str, Any]:
    now = room.clock.now()
    given = msgspec.convert(call.wish, contents.GivenAssociation)
    row = AssociationRow(call.parent.id, given.name, given.prefix, given.properties_target, now, now)

    async def write(tx: Transaction) -> None:
        await tx.insert(row)
        await contents.know_types(tx, [row.name], now)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(f"The namespace is associated with {row.name} already.") from taken
    return contents.association(row)


@associations.list("")
async def index(room: Image, call: Call) -> dict[str, Any]:
    call.allow("get_metadef_resource_type", target(call.parent))
    async with room.database.read() as tx:
        rows = await tx.find(AssociationRow, order_by="name", limit=1000, namespace_id=call.parent.id)
    return {"resource_type_associations": [contents.association(row) for row in rows]}


@associations.delete("")
async def delete(room: Image, call: Call, row: AssociationRow) -> None:
    call.allow("remove_metadef_resource_type_association", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(AssociationRow, namespace_id=row.namespace_id, name=row.name))


async def types(room: Image, call: Call) -> dict[str, Any]:
    """Every type of resource that anybody may name."""
    call.allow("list_metadef_resource_types")
    async with room.database.read() as tx:
        named = await tx.find(ResourceTypeRow, order_by="name", limit=1000)
    shown = [{"name": name, "created_at": _SINCE, "updated_at": _SINCE} for name in contents.KNOWN_TYPES]
    shown += [
        {"name": row.name, "created_at": iso_seconds(row.created_at), "updated_at": iso_seconds(row.updated_at)}
        for row in named
    ]
    return {"resource_types": shown}


def endpoints() -> list[Endpoint]:
    return [Endpoint("GET", "/metadefs/resource_types", types)]
