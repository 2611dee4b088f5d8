"""What do we remember of groups? Their state is that of their members, so none is kept."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Ref, Row, Short, stored


@stored("block_storage_groups", sa.Index("block_storage_groups_project", "project_id", "created_at"))
class GroupRow(Row):
    """A group; its volumes name it."""

    id: Id
    project_id: Ref
    user_id: Ref
    name: Name
    description: LongText
    availability_zone: Name
    group_type_id: Ref
    volume_types: Json
    """Ids of the types that its volumes may have."""
    group_snapshot_id: Ref
    source_group_id: Ref
    forced_status: Short
    """What an administrator said it is."""
    created_at: Instant


@stored(
    "block_storage_group_snapshots",
    sa.Index("block_storage_group_snapshots_project", "project_id", "created_at"),
    sa.Index("block_storage_group_snapshots_group", "group_id"),
)
class GroupSnapshotRow(Row):
    """A snapshot of each volume of a group; these name it."""

    id: Id
    project_id: Ref
    user_id: Ref
    group_id: Ref
    group_type_id: Ref
    name: Name
    description: LongText
    forced_status: Short
    created_at: Instant
