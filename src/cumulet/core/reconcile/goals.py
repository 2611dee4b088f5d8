"""A ladder of goals: read downwards for what should live, upwards for what should go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cumulet.core.reconcile.outcome import Outcome

S = TypeVar("S")
Act = Callable[[S], Awaitable[Outcome]]


@dataclass(frozen=True)
class Goal(Generic[S]):
    """One thing that must hold in the world. `met`: all is as wished; `held`: any of it is there."""

    name: str
    met: Callable[[S], bool]
    held: Callable[[S], bool]
    pursue: Act[S]
    release: Act[S]


@dataclass(frozen=True)
class Step(Generic[S]):
    """The next thing to do. It may be done twice without harm."""

    name: str
    act: Act[S]


def next_step(goals: Sequence[Goal[S]], state: S, *, wanted: bool) -> Step[S] | None:
    """The first goal not met, or, when nothing should be left, the last one that still holds something. Pure."""
    if wanted:
        for goal in goals:
            if not goal.met(state):
                return Step(goal.name, goal.pursue)
    else:
        for goal in reversed(goals):
            if goal.held(state):
                return Step(f"not {goal.name}", goal.release)
    return None
