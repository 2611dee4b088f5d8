"""Bringing the world to the wish: look, decide, act, tell, as often as it takes."""

from cumulet.core.reconcile.goals import Goal, Step, next_step
from cumulet.core.reconcile.loop import Loop, Reconciler
from cumulet.core.reconcile.outcome import Again, Done, Failed, Outcome
from cumulet.core.reconcile.shards import EveryShard, Shards

__all__ = [
    "Again",
    "Done",
    "EveryShard",
    "Failed",
    "Goal",
    "Loop",
    "Outcome",
    "Reconciler",
    "Shards",
    "Step",
    "next_step",
]
