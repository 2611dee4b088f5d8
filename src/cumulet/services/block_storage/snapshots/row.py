"""What do we remember of a snapshot?"""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored


@stored(
    "block_storage_snapshots",
    sa.Index("block_storage_snapshots_project", "project_id", "created_at"),
    sa.Index("block_storage_snapshots_volume", "volume_id"),
)
class SnapshotRow(Row):
    """A snapshot. Its volume's order to the node names it; what the node reports of the volume speaks of it too."""

    id: Id
    project_id: Ref
    user_id: Ref
    volume_id: Ref
    name: Name
    description: LongText
    size: Number
    """GiB of the volume at that moment."""
    metadata: Json = "{}"
    group_snapshot_id: Ref = ""
    kept_as: Ref = ""
    """Its name on the node, if that is not its id: it was there before it was known here."""
    hold: Short = ""
    """What else holds it, as its status says: `backing-up`."""
    wanted: bool = True
    """False: it should go."""
    made: bool = False
    fault: LongText = ""
    forced_status: Short = ""
    """What an administrator said it is."""
    progress: Short = ""
    """What a service that takes snapshots by itself said of it; empty: what is known here."""
    status: Short = "creating"
    """Derived at every write by `status.py`."""
    created_at: Instant = 0
    updated_at: Instant = 0


def on_node(snapshot: SnapshotRow) -> str:
    """The name by which a snapshot's node knows it."""
    return snapshot.kept_as or snapshot.id
