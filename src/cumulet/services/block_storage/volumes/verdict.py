"""(wish, report) → what is now known of a volume and its snapshots. Pure.

A fault does not undo what is there: a volume that was made stays, and the wish that failed returns to the last one met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cumulet.contracts.volumes import VolumeFacts
from cumulet.services.block_storage.messages import Action
from cumulet.services.block_storage.snapshots.row import SnapshotRow, on_node
from cumulet.services.block_storage.volumes.row import VolumeRow


@dataclass
class Verdict:
    """What a report means."""

    volume: dict[str, Any] = field(default_factory=dict)
    """Columns of the volume that change."""
    made: list[str] = field(default_factory=list)
    """Snapshots that exist now."""
    failed: list[str] = field(default_factory=list)
    """Snapshots that will not come to exist."""
    gone: list[str] = field(default_factory=list)
    """Snapshots that should go and are gone."""
    cause: Action | None = None
    """Which wish failed."""
    reason: str = ""
    may_be_made_elsewhere: bool = False
    """What failed is the making, by no fault of what was asked for."""

    @property
    def says_anything(self) -> bool:
        return bool(self.volume or self.made or self.failed or self.gone)


def judge(volume: VolumeRow, snapshots: Sequence[SnapshotRow], facts: VolumeFacts, *, current: bool) -> Verdict:
    """Read a report. `current`: it speaks of the newest order, so that a fault is the fault of what was asked last."""
    verdict = Verdict()
    if volume.fault and not volume.made_size:
        return verdict  # it failed for good; what a node still tries changes nothing
    if facts.size_gib > volume.made_size:
        verdict.volume["made_size"] = facts.size_gib
    if facts.reverts > volume.made_reverts:
        verdict.volume["made_reverts"] = facts.reverts
    if facts.reimages > volume.made_reimages:
        verdict.volume["made_reimages"] = facts.reimages
    if facts.restores > volume.made_restores:
        verdict.volume["made_restores"] = facts.restores
    # That it is offered nowhere is true once the order to end is obeyed.
    if facts.exported != volume.exported and (facts.exported or current):
        verdict.volume["exported"] = facts.exported
    if current and facts.size_gib and volume.cluster and volume.looked_after != volume.node:
        verdict.volume["looked_after"] = volume.node
    there = set(facts.snapshots)
    pending = [s for s in snapshots if s.wanted and not s.made and not s.fault]
    verdict.made = [s.id for s in pending if on_node(s) in there]
    verdict.gone = [s.id for s in snapshots if not s.wanted and on_node(s) not in there and (current or s.made)]
    if facts.fault is None or not current or volume.fault:
        return verdict
    verdict.reason = facts.fault.message
    if not facts.size_gib:
        verdict.volume["fault"] = verdict.reason
        verdict.cause = Action.CREATE_VOLUME
        bound = volume.adopt or volume.snapshot_id or volume.source_volume_id
        verdict.may_be_made_elsewhere = facts.fault.code >= 500 and not bound
    elif facts.reverts < volume.reverts:
        verdict.volume["reverts"] = facts.reverts
        verdict.cause = Action.REVERT
    elif facts.reimages < volume.reimages:
        verdict.volume["fault"] = verdict.reason
        verdict.cause = Action.REIMAGE
    elif facts.restores < volume.restores:
        verdict.volume["fault"] = verdict.reason
        verdict.cause = Action.BACKUP_RESTORE
    elif facts.size_gib < volume.size:
        verdict.volume["fault"] = verdict.reason
        verdict.cause = Action.EXTEND
    else:
        verdict.failed = [s.id for s in pending if on_node(s) not in there]
        verdict.cause = Action.SNAPSHOT_CREATE if verdict.failed else None
    return verdict
