"""What we remember of an image, and what of it a project's quota counts."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored

UNKNOWN = -1
"""A size that nobody knows yet, shown as null. Not null in the database, so that pages sort without a special case."""

MEBIBYTE = 1 << 20


@stored(
    "image_images",
    sa.Index("image_images_created", "created_at", "id"),
    sa.Index("image_images_owner", "owner", "created_at"),
    sa.Index("image_images_status", "status", "id"),
    sa.Index("image_images_data", "data_key"),
    sa.Index("image_images_staged", "staged_key"),
)
class ImageRow(Row):
    """An image. What the client wishes comes first, then what is known of its bytes."""

    id: Id
    owner: Ref
    status: Short
    visibility: Short
    created_at: Instant
    updated_at: Instant
    name: Name = ""
    named: bool = True
    """False: the name is null."""
    disk_format: Short = ""
    container_format: Short = ""
    min_disk: Number = 0
    min_ram: Number = 0
    protected: bool = False
    hidden: bool = False
    properties: Json = "{}"
    """A JSON object of texts."""
    tags: Json = "[]"
    """A sorted JSON list of texts."""
    size: BigInt = UNKNOWN
    virtual_size: BigInt = UNKNOWN
    checksum: Short = ""
    hash_algo: Short = ""
    hash_value: Annotated[str, sa.String(128)] = ""
    data_key: Ref = ""
    """The name of the bytes in the stores: another one for each attempt to upload."""
    stores: Name = ""
    """The stores that hold the bytes, separated by commas; empty: none does."""
    locations: Json = "[]"
    """What lies elsewhere and is only read: a JSON list of locations, see `locations.py`."""
    digest: Annotated[str, sa.String(128)] = ""
    """The SHA-512 of the bytes as they passed here: what nodes verify. `hash_value` may be a client's word."""
    staged_key: Ref = ""
    """The name of the bytes in the staging store."""
    staged_size: BigInt = 0
    touched_at: Instant = 0
    """When the process that is receiving bytes was last known to be alive."""
    revision: BigInt = 0
    """Rises with each change: whoever decided on an older one decides again."""

    @property
    def properties_dict(self) -> dict[str, str]:
        return msgspec.json.decode(self.properties, type=dict[str, str])

    @property
    def tag_list(self) -> list[str]:
        return msgspec.json.decode(self.tags, type=list[str])

    @property
    def has_data(self) -> bool:
        return self.status in ("active", "deactivated")

    @property
    def store_list(self) -> list[str]:
        """Those that hold copies of ours."""
        return self.stores.split(",") if self.stores else []


@stored("image_properties", sa.Index("image_properties_value", "name", "image_id"))
class PropertyRow(Row):
    """A property once more, where lists are filtered by it."""

    image_id: Id
    name: Annotated[str, sa.String(255), PRIMARY]
    value: LongText


@stored("image_tags", sa.Index("image_tags_value", "value", "image_id"))
class TagRow(Row):
    """A tag once more, where lists are filtered by it."""

    image_id: Id
    value: Annotated[str, sa.String(255), PRIMARY]


@stored("image_members", sa.Index("image_members_member", "member_id", "status", "image_id"))
class MemberRow(Row):
    """A project with which an image is shared, and whether that project wants to see it in its lists."""

    image_id: Id
    member_id: Annotated[str, sa.String(255), PRIMARY]
    status: Short
    created_at: Instant
    updated_at: Instant


def counted(row: ImageRow) -> dict[str, int]:
    """What this image uses of its project's quota."""
    if row.status == "deleted":
        return {}
    mebibytes = -(-row.size // MEBIBYTE) if row.size > 0 else 0
    return {
        "image_count_total": 1,
        "image_size_total": mebibytes * len(row.store_list),
        "image_stage_total": -(-row.staged_size // MEBIBYTE),
        "image_count_uploading": int(row.status in ("saving", "uploading", "importing")),
    }


def in_json(value: object) -> str:
    """A value as the text of a JSON column."""
    return msgspec.json.encode(value).decode()
