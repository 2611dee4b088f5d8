"""Tags in a namespace: words without values."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Owner, Resource
from cumulet.core.web.view import written
from cumulet.core.web.wire import ListOf, Obj, Text
from cumulet.lib.clock import iso_seconds
from cumulet.services.image.errors import DefinitionExists, DefinitionNotFound, InvalidDefinition
from cumulet.services.image.metadefs.namespaces import DefinitionName, namespaces, refuse_protected, target
from cumulet.services.image.metadefs.paging import page
from cumulet.services.image.metadefs.rows import TagDefinitionRow
from cumulet.services.image.room import Image


async def _load(room: Any, call: Call, name: str) -> TagDefinitionRow | None:
    async with room.database.read() as tx:
        return await tx.get(TagDefinitionRow, namespace_id=call.parent.id, name=name)  # type: ignore[no-any-return]


tags = Resource(
    path="/metadefs/namespaces/{namespace_name}/tags",
    one="tag",
    many="tags",
    row=TagDefinitionRow,
    key="tag_name",
    owner=Owner.NOBODY,
    parent=namespaces,
    wrapped=False,
    load=_load,
    missing=DefinitionNotFound,
    fields=[
        Field("name", DefinitionName, update=REQUIRED),
        Field("created_at", Text(), source=written("created_at", iso_seconds)),
        Field("updated_at", Text(), source=written("updated_at", iso_seconds)),
    ],
)
_MANY = Body("", [Field("tags", ListOf(Obj(Field("name", DefinitionName, create=REQUIRED))), create=REQUIRED)])


async def _create(room: Image, call: Call) -> TagDefinitionRow:
    now = room.clock.now()
    row = TagDefinitionRow(call.parent.id, call.path["tag_name"], now, now)
    if not 0 < len(row.name) <= 80 or "\x00" in row.name:
        raise InvalidDefinition("name: a tag has 1 to 80 characters")
    await _store(room, call, [row], append=True)
    call.response_headers["Location"] = f"{call.base}/metadefs/namespaces/{call.parent.namespace}/tags/{row.name}"
    return row


tags.collection("POST", "add_metadef_tag", status=201, suffix="/{tag_name}")(_create)


async def _create_many(room: Image, call: Call) -> dict[str, Any]:
    """These tags in place of all there were, or besides them when the client says so."""
    now = room.clock.now()
    rows = [TagDefinitionRow(call.parent.id, given["name"], now, now) for given in call.wish["tags"]]
    append = call.request.headers.get("x-openstack-append", "").lower() in ("true", "1", "yes")
    if not append:
        refuse_protected(call.parent)
    await _store(room, call, rows, append=append)
    return {"tags": [{"name": row.name} for row in rows]}


tags.collection("POST", "add_metadef_tags", status=201, body=_MANY)(_create_many)


async def _store(room: Image, call: Call, rows: list[TagDefinitionRow], *, append: bool) -> None:
    async def write(tx: Transaction) -> None:
        if not append:
            await tx.delete(TagDefinitionRow, namespace_id=call.parent.id)
        await tx.insert_all(rows)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists("A metadata definition tag of one of these names exists in this namespace.") from taken


@tags.list("")
async def index(room: Image, call: Call) -> dict[str, Any]:
    call.allow("get_metadef_tags", target(call.parent))
    rows, links = await page(room, call, TagDefinitionRow, "tags")
    return {"tags": [{"name": row.name} for row in rows]} | links


@tags.show("")
async def show(room: Image, call: Call, row: TagDefinitionRow) -> TagDefinitionRow:
    call.allow("get_metadef_tag", target(call.parent))
    return row


@tags.update("")
async def update(room: Image, call: Call, row: TagDefinitionRow) -> TagDefinitionRow:
    call.allow("modify_metadef_tag", target(call.parent))
    new = TagDefinitionRow(row.namespace_id, call.wish["name"], row.created_at, room.clock.now())
    where = {"namespace_id": row.namespace_id, "name": row.name}

    async def write(tx: Transaction) -> None:
        if not await tx.update(TagDefinitionRow, where, name=new.name, updated_at=new.updated_at):
            raise DefinitionNotFound(f"Tag {row.name} could not be found.")

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(f"A metadata definition tag {new.name} exists in this namespace.") from taken
    return new


@tags.delete("")
async def delete(room: Image, call: Call, row: TagDefinitionRow) -> None:
    call.allow("delete_metadef_tag", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(TagDefinitionRow, namespace_id=row.namespace_id, name=row.name))


@tags.collection("DELETE", "", status=204)
async def delete_all(room: Image, call: Call) -> None:
    call.allow("delete_metadef_tags", target(call.parent))
    refuse_protected(call.parent)
    await room.database.write(lambda tx: tx.delete(TagDefinitionRow, namespace_id=call.parent.id))
