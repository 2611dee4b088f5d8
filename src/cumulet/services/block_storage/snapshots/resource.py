"""What does a client see of snapshots, and what may it do with them?"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import Anything, Bool, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage import metadata
from cumulet.services.block_storage.asking import metadata_filter, page_of, shown_without
from cumulet.services.block_storage.errors import InvalidInput, SnapshotNotFound
from cumulet.services.block_storage.metadata import Alter, Metadata
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots import operations
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.resource import volumes

RULE = "volume:"
EXTENDED_PROJECT = "os-extended-snapshot-attributes:project_id"
EXTENDED_PROGRESS = "os-extended-snapshot-attributes:progress"
EXTENDED = "volume_extension:extended_snapshot_attributes"
_FORCE_IS_IMPLIED = version("3.66")
STATUSES = {"available", "creating", "deleting", "error", "error_deleting", "backing-up", "restoring", "unmanaging"}
DERIVED = {"available"}
_NOT_AT_ONCE = (EXTENDED_PROJECT, EXTENDED_PROGRESS, "group_snapshot_id")
"""What the answer to making or changing one does not show."""


def _progress(row: SnapshotRow, call: Call) -> str:
    return row.progress or ("100%" if row.made else "0%")


snapshots = Resource(
    path="/snapshots",
    one="snapshot",
    many="snapshots",
    row=SnapshotRow,
    missing=SnapshotNotFound,
    fields=[
        Field("id", Uuid, brief=True),
        Field("volume_id", Uuid.or_null(), create=REQUIRED, brief=True),
        Field("name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("name"), brief=True),
        Field("display_name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=""),
        Field(
            "description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description"), brief=True
        ),
        Field("display_description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=""),
        Field("force", Bool.or_null(), create=OPTIONAL, source=""),
        Field("status", Text(), brief=True),
        Field("size", Anything, brief=True),
        Field("metadata", Metadata.or_null(), create=OPTIONAL, source=raw("metadata"), brief=True),
        Field("created_at", Text(), source=written("created_at", iso_micros), brief=True),
        Field("updated_at", Text(), source=written("updated_at", iso_micros), brief=True),
        Field(EXTENDED_PROJECT, Text(), source="project_id", rule=EXTENDED),
        Field(EXTENDED_PROGRESS, Text(), source=_progress, rule=EXTENDED),
        Field("group_snapshot_id", Text(), source=or_null("group_snapshot_id"), since="3.14"),
        Field("user_id", Text(), since="3.41"),
        Field("consumes_quota", Bool, source=lambda row, call: True, since="3.65"),
    ],
    listing=Listing(
        filters=[
            Filter("id"),
            Filter("name"),
            Filter("display_name", "name"),
            Filter("status", parse=str.lower),
            Filter("volume_id"),
            Filter("project_id", rule="context_is_admin"),
            Filter("user_id"),
            Filter("name~", "name", contains=True, since="3.31"),
            metadata_filter(SnapshotRow),
        ],
        sorts={
            **{name: name for name in ("id", "name", "status", "volume_id", "created_at", "updated_at")},
            "display_name": "name",
            "volume_size": "size",
        },
        all_projects="all_tenants",
    ),
)


@snapshots.create(RULE + "create_snapshot", status=202)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    force = wish.get("force")
    if force is False and call.version >= _FORCE_IS_IMPLIED:
        raise InvalidInput("'force' is invalid at this version: a volume in use is always taken. Leave it out.")
    volume = await volumes.find(room, call, wish["volume_id"] or "")
    call.allow(RULE + "create_snapshot", volumes.target(volume))
    row = await operations.take(
        room,
        volume,
        new_uuid(),
        user_id=call.caller.user_id,
        name=wish.get("name") or wish.get("display_name") or "",
        description=wish.get("description") or wish.get("display_description") or "",
        metadata=msgspec.json.encode(wish.get("metadata") or {}).decode(),
        in_use=bool(force) or call.version >= _FORCE_IS_IMPLIED,
    )
    return shown_without(snapshots, call, row, *_NOT_AT_ONCE)


@snapshots.list(RULE + "get_all_snapshots")
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, snapshots, SnapshotRow, brief=True)


@snapshots.list(RULE + "get_all_snapshots", suffix="/detail")
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, snapshots, SnapshotRow, brief=False)


@snapshots.show(RULE + "get_snapshot")
async def show(room: BlockStorage, call: Call, row: SnapshotRow) -> SnapshotRow:
    return row


@snapshots.update(RULE + "update_snapshot")
async def update(room: BlockStorage, call: Call, row: SnapshotRow) -> dict[str, Any]:
    wish = call.wish
    values = {
        column: wish[field] or ""
        for column in ("name", "description")
        for field in (f"display_{column}", column)
        if field in wish
    }
    if not values:
        raise BadRequest("Must specify at least one of name or description.")

    async def write(tx: Transaction) -> SnapshotRow:
        await store.set_snapshot(room, tx, row.id, **values)
        return await tx.get(SnapshotRow, id=row.id) or row

    changed = await room.database.write(write)
    return shown_without(snapshots, call, changed, *_NOT_AT_ONCE)


@snapshots.delete(RULE + "delete_snapshot", status=202)
async def delete(room: BlockStorage, call: Call, row: SnapshotRow) -> None:
    await operations.delete(room, row)


@snapshots.action("os-force_delete", "volume_extension:snapshot_admin_actions:force_delete", kind=Anything)
async def force_delete(room: BlockStorage, call: Call, row: SnapshotRow) -> None:
    await operations.delete(room, row, force=True)


async def _say(room: BlockStorage, row: SnapshotRow, status: str, progress: str = "") -> None:
    if status not in STATUSES:
        raise BadRequest(f"Invalid status: {status[:60]!r}; use one of {', '.join(sorted(STATUSES))}")
    forced = "" if status in DERIVED else status

    async def write(tx: Transaction) -> None:
        await store.set_snapshot(room, tx, row.id, forced_status=forced, progress=progress, fault="", hold="")
        await store.order(room, tx, row.volume_id)

    await room.database.write(write)


@snapshots.action(
    "os-reset_status",
    "volume_extension:snapshot_admin_actions:reset_status",
    Field("status", Text(64), create=REQUIRED),
)
async def reset_status(room: BlockStorage, call: Call, row: SnapshotRow) -> None:
    await _say(room, row, call.wish["status"].lower())


@snapshots.action(
    "os-update_snapshot_status",
    "snapshot_extension:snapshot_actions:update_snapshot_status",
    Field("status", Text(64), create=REQUIRED),
    Field("progress", Text(4, pattern=r"^[0-9]{1,3}%$").or_null(), create=OPTIONAL),
)
async def update_snapshot_status(room: BlockStorage, call: Call, row: SnapshotRow) -> None:
    """What a service that takes snapshots by itself reports: only of a snapshot that is being made or removed."""
    status = call.wish["status"].lower()
    ways = {"creating": ("available", "error", "creating"), "deleting": ("deleting", "error_deleting")}
    if status not in ways.get(row.status, ()):
        raise BadRequest(f"Provided snapshot status {status[:60]!r} not allowed for snapshot with status {row.status}.")
    await _say(room, row, status, call.wish.get("progress") or "")


async def _change_metadata(room: BlockStorage, tx: Transaction, snapshot_id: str, alter: Alter) -> dict[str, str]:
    # The volume's lock orders the changes of its snapshots.
    row = await tx.get(SnapshotRow, id=snapshot_id)
    if row is None:
        raise SnapshotNotFound(f"Snapshot {snapshot_id} could not be found.")
    await store.held(room, tx, row.volume_id)
    row = await tx.get(SnapshotRow, id=snapshot_id) or row
    text = metadata.altered(row.metadata, alter)
    await store.set_snapshot(room, tx, snapshot_id, metadata=text)
    return metadata.decoded(text)


_METADATA = {"get": "get", "create": "update", "update": "update", "delete": "delete"}
metadata.declare(
    snapshots, {verb: f"{RULE}{name}_snapshot_metadata" for verb, name in _METADATA.items()}, _change_metadata
)
