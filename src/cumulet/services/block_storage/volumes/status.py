"""(wish, facts, attachments, snapshots) → the status that is shown. Pure; run at every write of any of them."""

from __future__ import annotations

from collections.abc import Iterable

from cumulet.contracts.volumes import export_name
from cumulet.services.block_storage.snapshots import status as snapshots_status
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

FREE = "available"


def status_of(volume: VolumeRow, attachments: Iterable[AttachmentRow]) -> str:
    """One word for a volume's state. The order is that of what its owner needs to know first."""
    if not volume.wanted:
        return "deleting"
    if volume.forced_status:
        return volume.forced_status
    if volume.fault:
        return _failed(volume)
    if not volume.made_size:
        return "managing" if volume.adopt else "creating"
    if volume.made_size < volume.size:
        return "extending"
    if volume.made_reverts < volume.reverts:
        return "reverting"
    if volume.made_reimages < volume.reimages:
        return "downloading"
    if volume.made_restores < volume.restores:
        return "restoring-backup"
    if volume.hold:
        return volume.hold
    holds = {attachment.status for attachment in attachments}
    for hold, word in (("detaching", "detaching"), ("attaching", "attaching"), ("reserved", "reserved")):
        if hold in holds:
            return word
    return "in-use" if holds else FREE


def _failed(volume: VolumeRow) -> str:
    if not volume.made_size:
        return "error_managing" if volume.adopt else "error"
    if volume.made_reimages < volume.reimages:
        return "error"
    return "error_restoring" if volume.made_restores < volume.restores else "error_extending"


def is_settled(volume: VolumeRow, snapshots: Iterable[SnapshotRow] = ()) -> bool:
    """Nothing is left to do for the reconciler."""
    if not volume.wanted or not all(map(snapshots_status.is_settled, snapshots)):
        return False
    met = volume.made_size >= volume.size and volume.made_reverts >= volume.reverts
    met = met and volume.made_reimages >= volume.reimages
    if volume.destination or volume.leaves or (volume.cluster and volume.looked_after != volume.node):
        return False
    met = met and volume.made_restores >= volume.restores
    return (bool(volume.fault) or met) and is_offered_as_wished(volume)


def is_offered_as_wished(volume: VolumeRow) -> bool:
    """Its node has said that it is offered over the network to those who should reach it; or not any more."""
    if not volume.export_secret:
        return not volume.exported
    return volume.exported.endswith(export_name(volume.export_secret))
