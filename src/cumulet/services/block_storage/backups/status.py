"""(wish, facts) → the status of a backup. Pure; run at every write of it, and of the volumes restored from it."""

from __future__ import annotations

from cumulet.services.block_storage.backups.row import BackupRow


def status_of(backup: BackupRow, *, restoring: bool = False) -> str:
    """One word for a backup's state. `restoring`: a volume is getting its content at this moment."""
    if not backup.wanted:
        return "deleting"
    if backup.forced_status:
        return backup.forced_status
    if backup.fault:
        return "error"
    if not backup.made:
        return "creating"
    return "restoring" if restoring else "available"
