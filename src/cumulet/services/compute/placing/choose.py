"""The choice of a host, with its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from cumulet.services.compute.placing.filters import FILTERS
from cumulet.services.compute.placing.hosts import Host, Request
from cumulet.services.compute.placing.weighers import ranked

MOST_NAMED = 20
"""Reasons that are told to an administrator, and hosts that are named for each."""


@dataclass(frozen=True)
class Refusal:
    """Why a host cannot take the server."""

    host: str
    by: str
    """The filter's name, or placement's."""
    reason: str


@dataclass(frozen=True)
class Choice:
    """The hosts that can take the server, best first, and who refused which other, and why."""

    hosts: Sequence[Host]
    refusals: Sequence[Refusal]

    def without(self, refusals: Sequence[Refusal]) -> Choice:
        """The choice that is left when some of its hosts turned out not to be able to."""
        refused = {refusal.host for refusal in refusals}
        hosts = [host for host in self.hosts if host.name not in refused]
        return replace(self, hosts=hosts, refusals=[*self.refusals, *refusals])

    @property
    def explanation(self) -> str:
        """For an administrator: who refused which hosts, and why."""
        if not self.refusals:
            return "No host has joined this cloud."
        alike: dict[tuple[str, str], list[str]] = {}
        for refusal in self.refusals:
            alike.setdefault((refusal.by, refusal.reason), []).append(refusal.host)
        told = [f"{by} refused {_named(hosts)}: {reason}" for (by, reason), hosts in islice(alike.items(), MOST_NAMED)]
        more = len(alike) - len(told)
        return "; ".join(told) + (f"; and {more} more reasons." if more else ".")

    @property
    def summary(self) -> str:
        """One sentence for the owner of the server, which names no host."""
        if not self.refusals:
            return "There are not enough hosts available."
        refused = sorted(Counter(refusal.by for refusal in self.refusals).items())
        return f"There are not enough hosts available; {', '.join(f'{n} refused by {by}' for by, n in refused)}."


def _named(hosts: Sequence[str]) -> str:
    more = len(hosts) - MOST_NAMED
    return ", ".join(hosts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def choose(hosts: Collection[Host], request: Request) -> Choice:
    """Ask every filter about every host; the first that refuses is remembered."""
    able: list[Host] = []
    refusals: list[Refusal] = []
    for host in hosts:
        for name, refuses in FILTERS.items():
            if reason := refuses(host, request):
                refusals.append(Refusal(host.name, name, reason))
                break
        else:
            able.append(host)
    return Choice(ranked(able, request), refusals)
