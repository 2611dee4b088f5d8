"""(wish, facts) → the status of a snapshot. Pure; run at every write of it or its volume."""

from __future__ import annotations

from cumulet.services.block_storage.snapshots.row import SnapshotRow


def status_of(snapshot: SnapshotRow, *, restoring: bool = False) -> str:
    """One word for a snapshot's state. `restoring`: its volume is returning to it at this moment."""
    if not snapshot.wanted:
        return "deleting"
    if snapshot.forced_status:
        return snapshot.forced_status
    if snapshot.fault:
        return "error"
    if not snapshot.made:
        return "creating"
    if restoring:
        return "restoring"
    return snapshot.hold or "available"


def is_settled(snapshot: SnapshotRow) -> bool:
    """Nothing is left to do for it. A snapshot that should go is forgotten when it is gone."""
    return snapshot.wanted and (snapshot.made or bool(snapshot.fault))
