"""What does a client see of snapshots of groups, and what may it do with them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import Enum, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.asking import page_of
from cumulet.services.block_storage.errors import GroupNotFound
from cumulet.services.block_storage.groups import operations
from cumulet.services.block_storage.groups.resource import groups
from cumulet.services.block_storage.groups.rows import GroupSnapshotRow
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow

RULE = "group:"
SINCE = "3.14"

group_snapshots = Resource(
    path="/group_snapshots",
    one="group_snapshot",
    many="group_snapshots",
    row=GroupSnapshotRow,
    missing=GroupNotFound,
    fields=[
        Field("id", Uuid, brief=True),
        Field("name", Text().or_null(), create=OPTIONAL, brief=True),
        Field("description", Text().or_null(), create=OPTIONAL, source=or_null("description")),
        Field("group_id", Uuid, create=REQUIRED),
        Field("group_type_id", Text()),
        Field("status", Text(), source="forced_status"),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("project_id", Text(), since="3.58", rule="group:group_snapshot_project_attribute"),
    ],
    listing=Listing(
        filters=[Filter("id"), Filter("name"), Filter("group_id")],
        sorts={name: name for name in ("id", "name", "group_id", "created_at")},
        all_projects="all_tenants",
    ),
)


def status_of(parts: Sequence[SnapshotRow]) -> str:
    """A group's snapshot is what its parts are: the worst of them. Pure."""
    found = {part.status for part in parts}
    for word in ("error", "deleting", "creating"):
        if word in found:
            return word
    return "available"


async def with_status(room: BlockStorage, rows: Sequence[GroupSnapshotRow]) -> Sequence[GroupSnapshotRow]:
    """Rows that say what they are."""
    asked = [row.id for row in rows if not row.forced_status]
    async with room.database.read() as tx:
        parts = await tx.find(SnapshotRow, group_snapshot_id=asked) if asked else []
    for row in rows:
        row.forced_status = row.forced_status or status_of([part for part in parts if part.group_snapshot_id == row.id])
    return rows


@group_snapshots.create(RULE + "create_group_snapshot", status=202, since=SINCE)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    group = await groups.find(room, call, call.wish["group_id"])
    call.allow(RULE + "create_group_snapshot", groups.target(group))
    row = await operations.take(room, call.caller, group, call.wish)
    return {"group_snapshot": {"id": row.id, "name": row.name, "group_type_id": row.group_type_id}}


@group_snapshots.list(RULE + "get_all_group_snapshots", since=SINCE)
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, group_snapshots, GroupSnapshotRow, brief=True, counted=False)


@group_snapshots.list(RULE + "get_all_group_snapshots", suffix="/detail", since=SINCE)
async def detail(room: BlockStorage, call: Call) -> Listed:
    listed = await page_of(room, call, group_snapshots, GroupSnapshotRow, brief=False, counted=False)
    await with_status(room, listed.rows)
    return listed


@group_snapshots.show(RULE + "get_group_snapshot", since=SINCE)
async def show(room: BlockStorage, call: Call, row: GroupSnapshotRow) -> GroupSnapshotRow:
    return (await with_status(room, [row]))[0]


@group_snapshots.delete(RULE + "delete_group_snapshot", status=202, since=SINCE)
async def delete(room: BlockStorage, call: Call, row: GroupSnapshotRow) -> None:
    await operations.drop(room, row)


_STATUSES = ("available", "creating", "deleting", "error", "error_deleting")


@group_snapshots.action(
    "reset_status",
    RULE + "reset_group_snapshot_status",
    Field("status", Enum(*_STATUSES), create=REQUIRED),
    since="3.19",
)
async def reset_status(room: BlockStorage, call: Call, row: GroupSnapshotRow) -> None:
    status = call.wish["status"]
    forced = "" if status == "available" else status
    await room.database.write(lambda tx: tx.update(GroupSnapshotRow, {"id": row.id}, forced_status=forced))
