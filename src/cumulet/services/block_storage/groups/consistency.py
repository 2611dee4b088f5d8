"""Consistency groups and their snapshots: the older name for groups of one type, which every cloud has."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import Bool, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.asking import page_of
from cumulet.services.block_storage.errors import GroupNotFound, InvalidInput
from cumulet.services.block_storage.group_types import GroupTypeRow
from cumulet.services.block_storage.groups import operations
from cumulet.services.block_storage.groups.resource import listed
from cumulet.services.block_storage.groups.rows import GroupRow, GroupSnapshotRow
from cumulet.services.block_storage.groups.snapshots import with_status
from cumulet.services.block_storage.room import BlockStorage

RULE = "group:"
TYPE_ID = "3f2b1a50-7c7e-4a3e-9d0a-2b8c5e9f4d61"
"""The id of the type that these groups have: the same for all who make it at the same moment."""
TYPE_NAME = "default_cgsnapshot_type"


async def _ensure_type(room: BlockStorage) -> None:
    async with room.database.read() as tx:
        if await tx.get(GroupTypeRow, id=TYPE_ID):
            return
    row = GroupTypeRow(
        id=TYPE_ID,
        name=TYPE_NAME,
        description="Default group type for migrating cgsnapshot",
        public=True,
        group_specs='{"consistent_group_snapshot_enabled":"<is> True"}',
        created_at=room.clock.now(),
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as error:
        async with room.database.read() as tx:
            if not await tx.get(GroupTypeRow, id=TYPE_ID):
                raise InvalidInput(f"a group type of another make has the name {TYPE_NAME}; rename it first") from error


_NAMES = (
    Field("name", Text().or_null(), create=OPTIONAL, brief=True),
    Field("description", Text().or_null(), create=OPTIONAL, source=or_null("description")),
)
_SORTS = {name: name for name in ("id", "name", "created_at")}
groups = Resource(
    path="/consistencygroups",
    one="consistencygroup",
    many="consistencygroups",
    row=GroupRow,
    missing=GroupNotFound,
    hidden=GroupRow.c.group_type_id == TYPE_ID,
    extra=True,
    fields=[
        Field("id", Uuid, brief=True),
        *_NAMES,
        Field("volume_types", Text(8192, 1), create=REQUIRED, source=raw("volume_types")),
        Field("availability_zone", Text().or_null(), create=OPTIONAL),
        Field("status", Text(), source=lambda row, call: row.forced_status or "available"),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
    ],
    listing=Listing(filters=[Filter("id"), Filter("name")], sorts=_SORTS, all_projects="all_tenants"),
)


def _made(row: GroupRow) -> dict[str, Any]:
    return {"consistencygroup": {"id": row.id, "name": row.name or None}}


@groups.create(RULE + "create", status=202)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = {**call.wish, "group_type": TYPE_ID, "volume_types": listed(call.wish["volume_types"])}
    if not wish["volume_types"]:
        raise BadRequest("volume_types must be provided to create consistency group.")
    await operations.types_for(room, call.caller, wish["volume_types"])
    await _ensure_type(room)
    return _made(await operations.make(room, call.caller, wish))


_FromSource = Body(
    "consistencygroup-from-src",
    (
        *_NAMES,
        Field("cgsnapshot_id", Text(64).or_null(), create=OPTIONAL),
        Field("source_cgid", Text(64).or_null(), create=OPTIONAL),
    ),
    extra=True,
)


@groups.collection("POST", RULE + "create", status=202, suffix="/create_from_src", body=_FromSource)
async def create_from_source(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    source = {"group_snapshot_id": wish.get("cgsnapshot_id"), "source_group_id": wish.get("source_cgid")}
    return _made(await operations.make_from(room, call.caller, {**wish, **source}))


@groups.list(RULE + "get_all")
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, groups, GroupRow, brief=True, counted=False)


@groups.list(RULE + "get_all", suffix="/detail")
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, groups, GroupRow, brief=False, counted=False)


@groups.show(RULE + "get")
async def show(room: BlockStorage, call: Call, row: GroupRow) -> GroupRow:
    return row


_Change = Body(
    "consistencygroup",
    (
        *_NAMES,
        Field("add_volumes", Text(8192).or_null(), create=OPTIONAL),
        Field("remove_volumes", Text(8192).or_null(), create=OPTIONAL),
    ),
    extra=True,
)


@groups.item("PUT", RULE + "update", status=202, suffix="/update", body=_Change)
async def update(room: BlockStorage, call: Call, row: GroupRow) -> None:
    wish = call.wish
    given = {name: wish[name] for name in ("name", "description") if wish.get(name)}
    add, drop = listed(wish.get("add_volumes")), listed(wish.get("remove_volumes"))
    if not (given or add or drop):
        raise BadRequest("Name, description, add_volumes, and remove_volumes can not be all empty in the request body.")
    await operations.update(room, row, given, add, drop)


_Delete = Body("consistencygroup", (Field("force", Bool, create=OPTIONAL),), extra=True, optional=True)


@groups.item("POST", RULE + "delete", status=202, suffix="/delete", body=_Delete)
async def delete(room: BlockStorage, call: Call, row: GroupRow) -> None:
    await operations.delete(room, row, volumes_too=call.wish.get("force", False))


# ---- snapshots --------------------------------------------------------------------------------------------------

snapshots = Resource(
    path="/cgsnapshots",
    one="cgsnapshot",
    many="cgsnapshots",
    row=GroupSnapshotRow,
    missing=GroupNotFound,
    hidden=GroupSnapshotRow.c.group_type_id == TYPE_ID,
    extra=True,
    fields=[
        Field("id", Uuid, brief=True),
        *_NAMES,
        Field("consistencygroup_id", Text(64), create=REQUIRED, source="group_id"),
        Field("status", Text(), source="forced_status"),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
    ],
    listing=Listing(filters=[Filter("id"), Filter("name")], sorts=_SORTS, all_projects="all_tenants"),
)


@snapshots.create(RULE + "create_group_snapshot", status=202)
async def take(room: BlockStorage, call: Call) -> dict[str, Any]:
    group = await groups.find(room, call, call.wish["consistencygroup_id"])
    call.allow(RULE + "create_group_snapshot", groups.target(group))
    row = await operations.take(room, call.caller, group, call.wish)
    return {"cgsnapshot": {"id": row.id, "name": row.name or None}}


@snapshots.list(RULE + "get_all_group_snapshots")
async def snapshot_index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, snapshots, GroupSnapshotRow, brief=True, counted=False)


@snapshots.list(RULE + "get_all_group_snapshots", suffix="/detail")
async def snapshot_detail(room: BlockStorage, call: Call) -> Listed:
    found = await page_of(room, call, snapshots, GroupSnapshotRow, brief=False, counted=False)
    await with_status(room, found.rows)
    return found


@snapshots.show(RULE + "get_group_snapshot")
async def snapshot_show(room: BlockStorage, call: Call, row: GroupSnapshotRow) -> GroupSnapshotRow:
    return (await with_status(room, [row]))[0]


@snapshots.delete(RULE + "delete_group_snapshot", status=202)
async def drop(room: BlockStorage, call: Call, row: GroupSnapshotRow) -> None:
    await operations.drop(room, row)
