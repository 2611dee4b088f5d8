"""The rungs of a server, read downwards for one that should live, upwards for one that should go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from cumulet.core.reconcile import Goal, Outcome
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.rungs import attached, claimed, powered, reimaged, told, wired

Ladder = tuple[Goal[Look], ...]
Fact = Callable[[Look], bool]
Act = Callable[[Compute, Look], Awaitable[Outcome]]


def ladder(room: Compute) -> Ladder:
    """The goals of one room's servers."""

    def goal(name: str, met: Fact, held: Fact, pursue: Act, release: Act) -> Goal[Look]:
        return Goal(name, met, held, partial(pursue, room), partial(release, room))

    return (
        goal("claimed", claimed.is_claimed, claimed.is_held, claimed.claim_host, claimed.free_claim),
        goal("wired", wired.is_wired, wired.is_held, wired.bind_ports, wired.unplug),
        goal("reimaged", reimaged.is_reimaged, _never, reimaged.reimage, attached.disconnect),
        goal("attached", attached.is_attached, attached.is_held, attached.connect, attached.disconnect),
        goal("powered", powered.is_powered, powered.has_machine, powered.assign, powered.withdraw),
        goal("told", told.is_told, _never, told.tell_volumes, powered.withdraw),
        goal("allotted", wired.holds_its_shares, _never, wired.allot_anew, powered.withdraw),
        goal("trimmed", told.is_trimmed, _never, told.trim, powered.withdraw),
    )


def _never(look: Look) -> bool:
    """What holds nothing of its own."""
    return False
