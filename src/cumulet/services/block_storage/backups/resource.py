"""What does a client see of backups, and what may it do with them?"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import Anything, Bool, Enum, Int, Obj, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.asking import metadata_filter, page_of
from cumulet.services.block_storage.backups import operations, store
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.errors import BackupNotFound, InvalidVolume
from cumulet.services.block_storage.metadata import Metadata
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.resource import snapshots
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.zones import check_zone

RULE = "backup:"
ADMIN = "volume_extension:backup_admin_actions:"
STATUSES = ("available", "creating", "deleting", "error", "error_deleting", "restoring")
_SORTS = ("id", "name", "status", "size", "volume_id", "created_at", "updated_at")


def links(row: BackupRow, call: Call) -> list[dict[str, str]]:
    tail = f"{row.project_id}/backups/{row.id}"
    return [
        {"rel": "self", "href": f"{call.base}/{tail}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/v3')[0]}/{tail}"},
    ]


backups = Resource(
    path="/backups",
    one="backup",
    many="backups",
    row=BackupRow,
    missing=BackupNotFound,
    fields=[
        Field("id", Uuid, brief=True),
        Field("name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("name"), brief=True),
        Field("links", Anything, source=links, brief=True),
        Field("description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
        Field("volume_id", Uuid, create=REQUIRED),
        Field("snapshot_id", Uuid.or_null(), create=OPTIONAL, source=or_null("snapshot_id")),
        Field("container", Text().or_null(), create=OPTIONAL, source=or_null("container")),
        Field("incremental", Bool, create=OPTIONAL, source=HIDDEN),
        Field("force", Bool, create=OPTIONAL, source=HIDDEN),
        Field("status", Text()),
        Field("size", Int()),
        Field("object_count", Int(), source=lambda row, call: 1 if row.made else 0),
        Field("fail_reason", Text(), source=or_null("fault")),
        Field("is_incremental", Bool, source=lambda row, call: bool(row.parent_id)),
        Field("has_dependent_backups", Bool, source=lambda row, call: row.dependents > 0),
        Field("data_timestamp", Text(), source=written("data_timestamp", iso_micros)),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("updated_at", Text(), source=written("updated_at", iso_micros)),
        Field("availability_zone", Text(), source=or_null("availability_zone")),
        Field(
            "os-backup-project-attr:project_id",
            Text(),
            source="project_id",
            since="3.18",
            rule=f"{RULE}backup_project_attribute",
        ),
        Field("metadata", Metadata.or_null(), create=OPTIONAL, update=OPTIONAL, source=raw("metadata"), since="3.43"),
        Field("user_id", Text(), since="3.56"),
    ],
    listing=Listing(
        filters=[
            Filter("id"),
            Filter("name"),
            Filter("status", parse=str.lower),
            Filter("volume_id"),
            Filter("snapshot_id"),
            Filter("project_id", rule="context_is_admin"),
            Filter("name~", "name", contains=True, since="3.31"),
            metadata_filter(BackupRow),
        ],
        sorts={name: name for name in _SORTS},
        all_projects="all_tenants",
    ),
)
_Elsewhere = Field("availability_zone", Text(255).or_null(), create=OPTIONAL)
_CHOOSES_ZONE = "3.51"


def brief(call: Call, row: BackupRow) -> dict[str, Any]:
    return {"backup": backups.view.render(call, brief=True)(row, call)}


async def _create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    zone = wish.get("availability_zone") or ""
    await check_zone(room, zone)
    volume = await volumes.find(room, call, wish["volume_id"])
    call.allow(RULE + "create", volumes.target(volume))
    snapshot = None
    if wish.get("snapshot_id"):
        snapshot = await snapshots.find(room, call, wish["snapshot_id"])
        if snapshot.volume_id != volume.id:
            raise InvalidVolume(f"Snapshot {snapshot.id} is not one of volume {volume.id}")
    row = await operations.make(
        room,
        call.caller,
        volume,
        snapshot,
        incremental=wish.get("incremental", False),
        force=wish.get("force", False),
        zone=zone,
        name=wish.get("name") or "",
        description=wish.get("description") or "",
        container=wish.get("container") or "",
        metadata=msgspec.json.encode(wish.get("metadata") or {}).decode(),
    )
    return brief(call, row)


@backups.collection(
    "POST",
    RULE + "create",
    status=202,
    body=Body("backup", (*(one for one in backups.fields if one.name != _Elsewhere.name), _Elsewhere)),
    since=_CHOOSES_ZONE,
)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    return await _create(room, call)


@backups.create(RULE + "create", status=202, until="3.50")
async def create_here(room: BlockStorage, call: Call) -> dict[str, Any]:
    """Before 3.51 a backup's zone was its volume's."""
    return await _create(room, call)


@backups.list(RULE + "get_all")
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, backups, BackupRow, brief=True)


@backups.list(RULE + "get_all", suffix="/detail")
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, backups, BackupRow, brief=False)


@backups.show(RULE + "get")
async def show(room: BlockStorage, call: Call, row: BackupRow) -> BackupRow:
    return row


@backups.update(RULE + "update", since="3.9")
async def update(room: BlockStorage, call: Call, row: BackupRow) -> dict[str, Any]:
    wish = call.wish
    values: dict[str, Any] = {name: wish[name] or "" for name in ("name", "description") if name in wish}
    if "metadata" in wish:
        values["metadata"] = msgspec.json.encode(wish["metadata"] or {}).decode()
    if not values:
        raise BadRequest("Must specify at least one of name, description or metadata.")

    async def write(tx: Transaction) -> BackupRow:
        return await store.change(tx, await store.held(room, tx, row.id), **values)

    return brief(call, await room.database.write(write))


@backups.delete(RULE + "delete", status=202)
async def delete(room: BlockStorage, call: Call, row: BackupRow) -> None:
    await operations.let_go(room, row)


_Restore = Body(
    "restore",
    (),
    kind=Obj(
        Field("volume_id", Uuid.or_null(), create=OPTIONAL),
        Field("name", Text().or_null(), create=OPTIONAL),
    ).or_null(),
)


@backups.item("POST", RULE + "restore", status=202, suffix="/restore", body=_Restore)
async def restore(room: BlockStorage, call: Call, row: BackupRow) -> dict[str, Any]:
    wish = call.wish["restore"] or {}
    if wish.get("volume_id"):
        volume = await volumes.find(room, call, wish["volume_id"])
        volume = await operations.restore_over(room, row, volume)
    else:
        volume = await operations.restore_as_new(room, call.caller, row, wish.get("name") or "")
    return {"restore": {"backup_id": row.id, "volume_id": volume.id, "volume_name": volume.name}}


@backups.action("os-reset_status", ADMIN + "reset_status", Field("status", Enum(*STATUSES), create=REQUIRED))
async def reset_status(room: BlockStorage, call: Call, row: BackupRow) -> None:
    """An administrator's word stands until the next one; of an available one it is looked up what it truly is."""
    status = call.wish["status"]
    values = {"forced_status": "" if status == "available" else status}
    if status == "available" and row.made:
        values["fault"] = ""

    async def write(tx: Transaction) -> None:
        await store.change(tx, await store.held(room, tx, row.id), **values)

    await room.database.write(write)


@backups.action("os-force_delete", ADMIN + "force_delete", kind=Anything)
async def force_delete(room: BlockStorage, call: Call, row: BackupRow) -> None:
    await operations.let_go(room, row, force=True)
