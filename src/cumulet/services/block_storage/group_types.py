"""Group types: what kinds of groups of volumes there may be."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Id, Instant, Json, LongText, Name, Row, Transaction, stored
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, ask
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Bool, MapOf, Text, parse_bool
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage import specs
from cumulet.services.block_storage.asking import page, sorted_as_asked
from cumulet.services.block_storage.errors import GroupTypeNotFound, InvalidGroupType, InvalidInput, NameTaken
from cumulet.services.block_storage.groups.rows import GroupRow
from cumulet.services.block_storage.room import BlockStorage

RULE = "group:group_types:"
SPEC = "group:group_types_specs:"
SINCE = "3.11"
_OneSpec = MapOf(Text(255), key=specs.KEY, least=1, most=1)


@stored("block_storage_group_types", sa.Index("block_storage_group_types_name", "name", unique=True))
class GroupTypeRow(Row):
    """A kind of group."""

    id: Id
    name: Name
    description: LongText | None
    public: bool
    group_specs: Json
    created_at: Instant


_public = GroupTypeRow.c.public == sa.true()


def _sees(call: Call) -> Clause | None:
    return None if call.may("context_is_admin") else _public


group_types = Resource(
    path="/group_types",
    one="group_type",
    many="group_types",
    row=GroupTypeRow,
    owner="",
    sees=_sees,
    guarded=True,
    missing=GroupTypeNotFound,
    fields=[
        Field("id", Text()),
        Field("name", Text(255, 1).also(str.strip), create=REQUIRED, update=OPTIONAL),
        Field("description", Text().or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("is_public", Bool, create=OPTIONAL, update=OPTIONAL, source="public"),
        Field(
            "group_specs",
            specs.Specs.or_null(),
            create=OPTIONAL,
            source=raw("group_specs"),
            rule="group:access_group_types_specs",
        ),
    ],
    listing=Listing(
        filters=[Filter("name"), Filter("id")],
        sorts={name: name for name in ("id", "name", "created_at")},
    ),
)


@group_types.create(RULE + "create", status=202, since=SINCE)
async def create(room: BlockStorage, call: Call) -> GroupTypeRow:
    wish = call.wish
    if not wish["name"]:
        raise InvalidInput("Group type name can not be empty.")
    row = GroupTypeRow(
        id=new_uuid(),
        name=wish["name"],
        description=wish.get("description"),
        public=wish.get("is_public", True),
        group_specs=specs.text_of(wish.get("group_specs") or {}),
        created_at=room.clock.now(),
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as error:
        raise NameTaken(f"Group Type {row.name} already exists.") from error
    return row


@group_types.list("", since=SINCE)
async def index(room: BlockStorage, call: Call) -> Listed:
    question = sorted_as_asked(group_types.listing, ask(group_types.listing, GroupTypeRow, call), call)
    asked = (call.request.one("is_public") or "true").lower()
    if call.may("context_is_admin") and asked != "none":
        try:
            public = parse_bool(asked)
        except ValueError as error:
            raise InvalidInput(f"is_public: {error}") from error
        question.where("public" if public else "private", GroupTypeRow.c.public == sa.literal(public, sa.Boolean))
    async with room.database.read() as tx:
        rows, more = await page(group_types, tx, call, question)
    return Listed(rows, more)


@group_types.show("", since=SINCE)
async def show(room: BlockStorage, call: Call, row: GroupTypeRow) -> GroupTypeRow:
    return row


@group_types.update(RULE + "update", since=SINCE)
async def update(room: BlockStorage, call: Call, row: GroupTypeRow) -> GroupTypeRow:
    wish = call.wish
    values: dict[str, Any] = {name: wish[name] for name in ("name", "description") if name in wish}
    if "is_public" in wish:
        values["public"] = wish["is_public"]
    if not values:
        raise InvalidInput("Specify group type name, description, is_public or a combination thereof.")

    async def write(tx: Transaction) -> GroupTypeRow:
        await tx.update(GroupTypeRow, {"id": row.id}, **values)
        return await tx.get(GroupTypeRow, id=row.id) or row

    try:
        return await room.database.write(write)
    except Duplicate as error:
        raise NameTaken(f"Group Type {values['name']} already exists.") from error


@group_types.delete(RULE + "delete", status=202, since=SINCE)
async def delete(room: BlockStorage, call: Call, row: GroupTypeRow) -> None:
    async def write(tx: Transaction) -> None:
        if await tx.find(GroupRow, group_type_id=row.id, limit=1):
            raise InvalidGroupType(f"{row.id} is used by groups; delete these first")
        await tx.delete(GroupTypeRow, id=row.id)

    await room.database.write(write)


# ---- group specs ------------------------------------------------------------------------------------------------


async def _alter(room: BlockStorage, row: GroupTypeRow, change: specs.Alter) -> None:
    await specs.alter(room, GroupTypeRow, row.id, "group_specs", change)


def _spec(row: GroupTypeRow, key: str) -> str:
    found: dict[str, str] = msgspec.json.decode(row.group_specs)
    if key not in found:
        raise GroupTypeNotFound(f"Group Type {row.id} has no specs with key {key[:255]}.")
    return found[key]


@group_types.item("GET", SPEC + "get_all", suffix="/group_specs", since=SINCE)
async def specs_index(room: BlockStorage, call: Call, row: GroupTypeRow) -> dict[str, Any]:
    return {"group_specs": msgspec.Raw(row.group_specs.encode())}


_Specs = Body("group_specs", (), kind=specs.Specs)


@group_types.item("POST", SPEC + "create", suffix="/group_specs", body=_Specs, status=202, since=SINCE)
async def specs_create(room: BlockStorage, call: Call, row: GroupTypeRow) -> dict[str, Any]:
    given = specs.written(call.wish["group_specs"])
    await _alter(room, row, lambda found: found.update(given))
    return {"group_specs": given}


@group_types.item("GET", SPEC + "get", suffix="/group_specs/{spec}", since=SINCE)
async def specs_show(room: BlockStorage, call: Call, row: GroupTypeRow) -> dict[str, Any]:
    key = call.path["spec"]
    return {key: _spec(row, key)}


@group_types.item("PUT", SPEC + "update", suffix="/group_specs/{spec}", raw=True, since=SINCE)
async def specs_update(room: BlockStorage, call: Call, row: GroupTypeRow) -> dict[str, Any]:
    given = await specs.one_given(call, call.path["spec"], _OneSpec)
    await _alter(room, row, lambda found: found.update(given))
    return dict(given)


@group_types.item("DELETE", SPEC + "delete", suffix="/group_specs/{spec}", status=202, since=SINCE)
async def specs_delete(room: BlockStorage, call: Call, row: GroupTypeRow) -> None:
    key = call.path["spec"]
    _spec(row, key)
    await _alter(room, row, lambda found: found.pop(key, None))
