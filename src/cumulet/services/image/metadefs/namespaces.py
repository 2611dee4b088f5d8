"""Namespaces, and what may be made together with one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Row, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, ask, parse_sort
from cumulet.core.web.resource import Owner, Resource
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import AnyObject, Enum, ListOf, StrictBool, Text
from cumulet.lib.clock import iso_seconds
from cumulet.lib.ids import new_uuid
from cumulet.services.image.errors import DefinitionExists, NamespaceNotFound, NamespaceProtected
from cumulet.services.image.metadefs import contents
from cumulet.services.image.metadefs.rows import AssociationRow, NamespaceRow, empty
from cumulet.services.image.room import Image

DefinitionName = Text(80, 1)

_VISIBLE = sa.or_(
    NamespaceRow.c.visibility == "public",
    NamespaceRow.c.owner == sa.bindparam("caller_project", type_=sa.String),
)


def _sees(call: Call) -> Clause | None:
    return None if call.may("context_is_admin") else _VISIBLE


def target(row: NamespaceRow) -> dict[str, object]:
    """What a rule may ask about a namespace and all that is in it."""
    asked: dict[str, object] = {"visibility": row.visibility}
    return asked | ({"project_id": row.owner} if row.owner else {})


def _having_types(names: list[str]) -> tuple[str, Clause, dict[str, Any]]:
    wanted = [name for value in names for name in value.split(",") if name]
    associated = sa.select(AssociationRow.c.namespace_id).where(
        AssociationRow.c.name.in_(sa.bindparam("resource_types", expanding=True))
    )
    return "resource_types", NamespaceRow.c.id.in_(associated), {"resource_types": wanted}


namespaces = Resource(
    path="/metadefs/namespaces",
    one="namespace",
    many="namespaces",
    row=NamespaceRow,
    owner=Owner.NOBODY,
    addressed_by="namespace",
    key="namespace_name",
    wrapped=False,
    sees=_sees,
    missing=NamespaceNotFound,
    target=target,
    fields=[
        Field("namespace", DefinitionName, create=REQUIRED, update=REQUIRED),
        Field("display_name", Text(80), create=OPTIONAL, update=OPTIONAL),
        Field("description", Text(500), create=OPTIONAL, update=OPTIONAL),
        Field("visibility", Enum("public", "private"), create="private", update="private"),
        Field("protected", StrictBool, create=False, update=False),
        Field("owner", Text(64), create=OPTIONAL, update=OPTIONAL, source=or_null("owner")),
        Field("created_at", Text(), source=written("created_at", iso_seconds)),
        Field("updated_at", Text(), source=written("updated_at", iso_seconds)),
        Field("self", Text(), source=lambda row, call: f"/v2/metadefs/namespaces/{row.namespace}"),
        Field("schema", Text(), source=lambda row, call: "/v2/schemas/metadefs/namespace"),
        Field("resource_type_associations", ListOf(AnyObject), create=OPTIONAL, update=OPTIONAL, source=""),
        Field("objects", ListOf(AnyObject), create=OPTIONAL, update=OPTIONAL, source=""),
        Field("properties", AnyObject, create=OPTIONAL, update=OPTIONAL, source=""),
        Field("tags", ListOf(AnyObject), create=OPTIONAL, update=OPTIONAL, source=""),
    ],
    listing=Listing(
        filters=[Filter("visibility"), Filter("resource_types", clause=_having_types)],
        sorts={name: name for name in ("namespace", "created_at", "updated_at", "visibility")},
        default_sort=(("created_at", "desc"), ("namespace", "desc")),
        marker_column="namespace",
    ),
)


@namespaces.create("add_metadef_namespace")
async def create(room: Image, call: Call) -> dict[str, Any]:
    wish = call.wish
    now = room.clock.now()
    row = NamespaceRow(
        new_uuid(),
        wish["namespace"],
        wish.get("owner", call.caller.project_id),
        wish["visibility"],
        wish["protected"],
        wish.get("display_name", ""),
        wish.get("description", ""),
        now,
        now,
    )
    inside: list[Row] = contents.read(row.id, wish, now)

    async def write(tx: Transaction) -> None:
        await tx.insert(row)
        for part in inside:
            await tx.insert(part)
        await contents.know_types(tx, [part.name for part in inside if isinstance(part, AssociationRow)], now)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(
            f"The metadata definition namespace={row.namespace} already exists, or one name in it is given twice."
        ) from taken
    call.response_headers["Location"] = f"{call.base}/metadefs/namespaces/{row.namespace}"
    return await _whole(room, call, row)


@namespaces.list("get_metadef_namespaces")
async def index(room: Image, call: Call) -> dict[str, Any]:
    request = call.request
    question = ask(namespaces.listing, NamespaceRow, call)
    if request.all("sort_key"):
        question.sort = parse_sort(namespaces.listing, request.all("sort_key"), request.all("sort_dir"))
    async with room.database.read() as tx:
        rows, more = await namespaces.page(tx, call, question)
        ids = [row.id for row in rows]
        found = await tx.find(AssociationRow, order_by="name", namespace_id=ids) if ids else []
    render = namespaces.view.render(call)
    shown = []
    for row in rows:
        types = [contents.association(part) for part in found if part.namespace_id == row.id]
        shown.append(render(row, call) | ({"resource_type_associations": types} if types else {}))
    marker = rows[-1].namespace if more else ""
    page = call.dialect.page("namespaces", shown, url="/v2/metadefs/namespaces", query=request.query, marker=marker)
    return page | {"schema": "/v2/schemas/metadefs/namespaces"}


@namespaces.show("get_metadef_namespace")
async def show(room: Image, call: Call, row: NamespaceRow) -> dict[str, Any]:
    return await _whole(room, call, row, call.request.one("resource_type") or "")


@namespaces.update("modify_metadef_namespace")
async def update(room: Image, call: Call, row: NamespaceRow) -> dict[str, Any]:
    wish = call.wish
    values = {
        "namespace": wish["namespace"],
        "display_name": wish.get("display_name", ""),
        "description": wish.get("description", ""),
        "visibility": wish["visibility"],
        "protected": wish["protected"],
        "owner": wish.get("owner", row.owner),
        "updated_at": room.clock.now(),
    }

    async def write(tx: Transaction) -> NamespaceRow:
        await tx.update(NamespaceRow, {"id": row.id}, **values)
        found = await tx.get(NamespaceRow, id=row.id)
        if found is None:
            raise NamespaceNotFound(f"Namespace {row.namespace} could not be found.")
        return found

    try:
        changed = await room.database.write(write)
    except Duplicate as taken:
        raise DefinitionExists(f"A namespace {wish['namespace']} exists. Choose another name.") from taken
    return namespaces.view.render(call)(changed, call)


@namespaces.delete("delete_metadef_namespace")
async def delete(room: Image, call: Call, row: NamespaceRow) -> None:
    refuse_protected(row)

    async def write(tx: Transaction) -> None:
        await empty(tx, row.id)
        await tx.delete(NamespaceRow, id=row.id)

    await room.database.write(write)


def refuse_protected(row: NamespaceRow) -> None:
    if row.protected:
        raise NamespaceProtected(
            f"Metadata definition namespace {row.namespace} is protected and cannot be deleted or emptied."
        )


async def _whole(room: Image, call: Call, row: NamespaceRow, resource_type: str = "") -> dict[str, Any]:
    """A namespace with all that is in it; names of properties as that type of resource carries them."""
    async with room.database.read() as tx:
        inside = await contents.show(tx, row.id, resource_type)
    return namespaces.view.render(call)(row, call) | inside
