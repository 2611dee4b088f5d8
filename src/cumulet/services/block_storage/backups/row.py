"""What do we remember of a backup?"""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import BigInt, Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored

HOLD = "backing-up"
"""Why a volume or a snapshot is held while it is copied into a backup; its status says so."""


@stored(
    "block_storage_backups",
    sa.Index("block_storage_backups_project", "project_id", "created_at"),
    sa.Index("block_storage_backups_volume", "volume_id"),
    sa.Index("block_storage_backups_object", "object_id"),
)
class BackupRow(Row):
    """A backup. Columns up to `wanted` are the wish, those from `made` on the facts."""

    id: Id
    project_id: Ref
    user_id: Ref
    volume_id: Ref
    snapshot_id: Ref
    parent_id: Ref
    """The backup that it adds to; empty for a full one."""
    dependents: Number
    """How many backups add to it."""
    name: Name
    description: LongText
    availability_zone: Name
    container: Name
    metadata: Json
    volume: Json
    """What is kept of the volume beside its bytes: `KeptVolume`."""
    size: Number
    """GiB."""
    data_timestamp: Instant
    """The moment that its content is of."""
    wanted: bool
    """False: it should go."""
    made: bool
    attempts: Number
    object_id: Ref
    """Where its content lies in the store."""
    table_start: BigInt
    table_length: BigInt
    table_digest: Short
    fault: LongText
    forced_status: Short
    """What an administrator said it is."""
    status: Short
    """Derived at every write by `status.py`."""
    created_at: Instant
    updated_at: Instant
