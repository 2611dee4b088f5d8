"""What does a client see of volumes, and what may he send?"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.body import HIDDEN, OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing, ask
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import AnyObject, Anything, Bool, Int, Text, Uuid, parse_bool
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.asking import flag, metadata_filter, page_of, shown_without
from cumulet.services.block_storage.errors import GroupNotFound, InvalidInput, VolumeNotFound
from cumulet.services.block_storage.groups.rows import GroupRow
from cumulet.services.block_storage.metadata import Metadata, decoded
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types import choice
from cumulet.services.block_storage.volumes import hints, operations, server_images, sources, store
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.sources import Source
from cumulet.services.block_storage.zones import check_zone

RULE = "volume:"
ADMIN = "volume_extension:volume_host_attribute"
_SORTS = ("id", "name", "size", "status", "created_at", "updated_at", "availability_zone", "bootable")


def _links(row: VolumeRow, call: Call) -> list[dict[str, str]]:
    project = row.project_id
    return [
        {"rel": "self", "href": f"{call.base}/{project}/volumes/{row.id}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/v3')[0]}/{project}/volumes/{row.id}"},
    ]


def _host(row: VolumeRow, call: Call) -> str | None:
    return f"{row.node}@{row.backend}#{row.pool}" if row.node else None


def _cluster(row: VolumeRow, call: Call) -> str | None:
    return f"{row.cluster}@{row.backend}#{row.pool}" if row.cluster else None


def _metadata(row: VolumeRow, call: Call) -> Any:
    """With what an administrator set of it: whether it is only to be read."""
    if not row.read_only:
        return msgspec.Raw(row.metadata.encode())
    return {**decoded(row.metadata), "readonly": row.read_only}


_nothing = lambda row, call: None  # noqa: E731 - a source like any other

volumes = Resource(
    path="/volumes",
    one="volume",
    many="volumes",
    row=VolumeRow,
    missing=VolumeNotFound,
    beside=[Field("OS-SCH-HNT:scheduler_hints", AnyObject.or_null(), create=OPTIONAL)],
    fields=[
        Field("id", Uuid, brief=True),
        Field("name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("name"), brief=True),
        Field("display_name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=HIDDEN),
        Field("links", Anything, source=_links, brief=True),
        Field("description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
        Field("display_description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=HIDDEN),
        Field("size", Int(1).or_null(), create=OPTIONAL),
        Field("status", Text()),
        Field("availability_zone", Text(255, 1).or_null(), create=OPTIONAL),
        Field("volume_type", Text(255).or_null(), create=OPTIONAL, source=or_null("type_name")),
        Field("volume_type_id", Text(), source=or_null("type_id"), since="3.63"),
        Field("snapshot_id", Uuid.or_null(), create=OPTIONAL, source=or_null("snapshot_id")),
        Field("source_volid", Uuid.or_null(), create=OPTIONAL, source=or_null("source_volume_id")),
        Field("imageRef", Text(255).or_null(), create=OPTIONAL, source=HIDDEN),
        Field("image_id", Text(255).or_null(), create=OPTIONAL, source=HIDDEN),
        Field("backup_id", Uuid.or_null(), create=OPTIONAL, source=HIDDEN, since="3.47"),
        Field("consistencygroup_id", Uuid.or_null(), create=OPTIONAL, source=_nothing),
        Field("group_id", Text(255).or_null(), create=OPTIONAL, source=or_null("group_id"), since="3.13"),
        Field("metadata", Metadata.or_null(), create=OPTIONAL, update=OPTIONAL, source=_metadata),
        Field("multiattach", Bool.or_null(), create=OPTIONAL),
        Field("user_id", Text()),
        Field("bootable", Text(), source=lambda row, call: "true" if row.bootable else "false"),
        Field("encrypted", Bool, source=lambda row, call: bool(row.encryption_key_id)),
        Field("replication_status", Text(), source=_nothing),
        Field("attachments", Anything, source=raw("attachments")),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("updated_at", Text(), source=written("updated_at", iso_micros)),
        Field("volume_image_metadata", AnyObject, source=raw("image_metadata")),
        Field("shared_targets", Bool, source=lambda row, call: False, since="3.48"),
        Field("service_uuid", Text(), source=_nothing, since="3.48"),
        Field("consumes_quota", Bool, source=lambda row, call: True, since="3.65"),
        Field("os-vol-tenant-attr:tenant_id", Text(), source="project_id"),
        Field("os-vol-host-attr:host", Text(), source=_host, rule=ADMIN),
        Field("os-vol-mig-status-attr:migstat", Text(), source=or_null("migration_status"), rule=ADMIN),
        Field("os-vol-mig-status-attr:name_id", Text(), source=_nothing, rule=ADMIN),
        Field("migration_status", Text(), source=or_null("migration_status"), rule=ADMIN),
        Field("provider_id", Text(), source=_nothing, since="3.21", rule=ADMIN),
        Field("cluster_name", Text(), source=_cluster, since="3.61", rule=ADMIN),
    ],
    listing=Listing(
        filters=[
            Filter("name"),
            Filter("display_name", "name"),
            Filter("status", parse=str.lower),
            Filter("id"),
            Filter("availability_zone"),
            Filter("size", parse=int),
            Filter("bootable", parse=parse_bool),
            Filter("multiattach", parse=parse_bool),
            Filter("user_id"),
            Filter("project_id", rule="context_is_admin"),
            Filter("volume_type", "type_name"),
            Filter("volume_type_id", "type_id"),
            Filter("group_id", since="3.10"),
            Filter("source_volid", "source_volume_id"),
            Filter("snapshot_id"),
            Filter("name~", "name", contains=True, since="3.31"),
            metadata_filter(VolumeRow),
        ],
        sorts={**{name: name for name in _SORTS}, "display_name": "name"},
        all_projects="all_tenants",
    ),
    sees_all="context_is_admin",
)


_SINCE_FIELDS_ARE_CHECKED = "3.53"
_SINCE_IMAGES_OF_SERVERS = version("3.46")
_Lenient = Body("volume", volumes.fields, beside=volumes.beside, extra=True)
_LenientUpdate = Body("volume", volumes.fields, verb="update", extra=True)


NOT_AT_ONCE = (
    "os-vol-host-attr:host",
    "os-vol-mig-status-attr:migstat",
    "os-vol-mig-status-attr:name_id",
    "os-vol-tenant-attr:tenant_id",
    "volume_image_metadata",
)
"""What only a volume's own page tells, not the answer to its making or change."""


async def _check_group(room: BlockStorage, call: Call, group_id: str, type_name: str) -> None:
    """A new volume joins a group of its project that takes its type."""
    kind = await choice.choose(room, call.caller.project_id, type_name, call.caller)
    async with room.database.read() as tx:
        group = await tx.get(GroupRow, id=group_id)
    if group is None or group.project_id != call.caller.project_id:
        raise GroupNotFound(f"Group {group_id[:64]} could not be found.")
    if kind is None or kind.id not in msgspec.json.decode(group.volume_types, type=list[str]):
        raise InvalidInput(f"group {group_id} takes volumes of its own types alone; name one of them")


async def _create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    source = Source(
        wish.get("imageRef") or wish.get("image_id") or "",
        wish.get("snapshot_id") or "",
        wish.get("source_volid") or "",
        wish.get("backup_id") or "",
    )
    if wish.get("multiattach") and call.version >= version("3.50"):
        raise InvalidInput("multiattach is a property of volume types; choose a type that has it")
    if source.image_id:
        call.allow(RULE + "create_from_image")
        snapshot_id = await server_images.snapshot_of(room, call.caller, source.image_id)
        if snapshot_id and call.version < _SINCE_IMAGES_OF_SERVERS:
            raise InvalidInput(
                f"image {source.image_id} has no bytes; microversion 3.46 takes the snapshot it stands for"
            )
        source = Source(snapshot_id=snapshot_id) if snapshot_id else source
    content = await sources.admit(room, call.caller, source)
    size = wish.get("size") or (
        content.least_gib if source.volume_id or source.snapshot_id or source.backup_id else None
    )
    if size is None:
        raise InvalidInput("Volume size must be specified as an option.")
    if size < content.least_gib:
        raise InvalidInput(f"Volume size {size}GB cannot be smaller than what it is made of: {content.least_gib}GB.")
    zone = wish.get("availability_zone") or ""
    await check_zone(room, zone)
    group_id = wish.get("group_id") or ""
    if group_id:
        await _check_group(room, call, group_id, wish.get("volume_type") or "")
    row = await operations.make(
        room,
        new_uuid(),
        call.caller.project_id,
        call.caller.user_id,
        source,
        size=size,
        name=wish.get("name") or wish.get("display_name") or "",
        description=wish.get("description") or wish.get("display_description") or "",
        zone=zone,
        type_name=wish.get("volume_type") or "",
        metadata=wish.get("metadata") or {},
        multiattach=bool(wish.get("multiattach")),
        content=content,
        caller=call.caller,
        group_id=group_id,
        hints=hints.read(wish.get("OS-SCH-HNT:scheduler_hints")),
    )
    return shown_without(volumes, call, row, *NOT_AT_ONCE)


@volumes.create(RULE + "create", status=202, since=_SINCE_FIELDS_ARE_CHECKED)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    return await _create(room, call)


@volumes.collection("POST", RULE + "create", status=202, body=_Lenient, until="3.52")
async def create_leniently(room: BlockStorage, call: Call) -> dict[str, Any]:
    """Before 3.53 fields that nobody knows are ignored."""
    return await _create(room, call)


@volumes.collection("PUT", "")
@volumes.collection("DELETE", "")
async def without_id(room: BlockStorage, call: Call) -> None:
    """`/volumes/` with nothing behind it, where a client forgot the id: there is no such volume."""
    raise VolumeNotFound("Volume  could not be found.")


@volumes.list(RULE + "get_all")
async def index(room: BlockStorage, call: Call) -> Listed:
    if call.request.path.endswith("/"):
        await without_id(room, call)
    return await page_of(room, call, volumes, VolumeRow, brief=True)


@volumes.list(RULE + "get_all", suffix="/detail")
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, volumes, VolumeRow, brief=False)


@volumes.collection("GET", RULE + "get_all", suffix="/summary", since="3.12")
async def summary(room: BlockStorage, call: Call) -> dict[str, Any]:
    question = ask(volumes.listing, VolumeRow, call)
    question.limit = 0
    async with room.database.read() as tx:
        rows, _ = await volumes.page(tx, call, question)
    shown: dict[str, Any] = {"total_count": len(rows), "total_size": sum(row.size for row in rows)}
    if call.version >= version("3.36"):
        metadata: dict[str, list[str]] = {}
        for row in rows:
            for key, value in msgspec.json.decode(row.metadata, type=dict[str, str]).items():
                if value not in metadata.setdefault(key, []):
                    metadata[key].append(value)
        shown["metadata"] = metadata
    return {"volume-summary": shown}


@volumes.show(RULE + "get")
async def show(room: BlockStorage, call: Call, row: VolumeRow) -> VolumeRow:
    return row


async def _update(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    wish = call.wish
    values: dict[str, Any] = {}
    for column in ("name", "description"):
        for field in (f"display_{column}", column):
            if field in wish:
                values[column] = wish[field] or ""
    if "metadata" in wish:
        values["metadata"] = msgspec.json.encode(wish["metadata"] or {}).decode()
    if not values:
        raise InvalidInput("Must specify at least one of name, description or metadata.")
    changed = await room.database.write(lambda tx: store.change(room, tx, row.id, **values))
    return shown_without(volumes, call, changed, *NOT_AT_ONCE)


@volumes.update(RULE + "update", since=_SINCE_FIELDS_ARE_CHECKED)
async def update(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    return await _update(room, call, row)


@volumes.item("PUT", RULE + "update", body=_LenientUpdate, until="3.52")
async def update_leniently(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    """Before 3.53 fields that nobody knows are ignored."""
    return await _update(room, call, row)


@volumes.delete(RULE + "delete", status=202)
async def delete(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    force = call.version >= version("3.23") and flag(call, "force")
    if force:
        call.allow(RULE + "force_delete", volumes.target(row))
    await operations.delete(room, row, force=force, cascade=flag(call, "cascade"))
