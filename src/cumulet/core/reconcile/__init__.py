"""Bringing the world to the wish: look, decide, act, tell, as often as it takes."""

from cumulet.core.reconcile.goals import Goal, Step, next_step
from cumulet.core.reconcile.leases import EveryShard, Leases, Shards
from cumulet.core.reconcile.loop import Loop, Reconciler
from cumulet.core.reconcile.outcome import Again, Done, Failed, Outcome

__all__ = [
    "Again",
    "Done",
    "EveryShard",
    "Failed",
    "Goal",
    "Leases",
    "Loop",
    "Outcome",
    "Reconciler",
    "Shards",
    "Step",
    "next_step",
]
