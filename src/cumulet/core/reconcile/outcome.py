"""How one look at one key ended."""

from __future__ import annotations

from dataclasses import dataclass

from cumulet.contracts.assignments import Fault


@dataclass(frozen=True)
class Done:
    """Nothing is left to do until the wish or the world changes.

    For `rest` seconds more the key is not looked at even if it is woken: what changed by then is met by one look.
    """

    rest: float = 0.0


@dataclass(frozen=True)
class Again:
    """Not yet: look again after so many seconds, or when woken. 0: there is a next step at once."""

    after: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Failed:
    """The wish cannot be met. This closes the generation; only a new wish reopens it."""

    fault: Fault


Outcome = Done | Again | Failed
