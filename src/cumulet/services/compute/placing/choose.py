"""The choice of a host, with its reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cumulet.services.compute.placing.filters import FILTERS, FORCED
from cumulet.services.compute.placing.hosts import Host, Request
from cumulet.services.compute.placing.weighers import ranked


@dataclass(frozen=True)
class Choice:
    """The hosts that can take the server, best first, and which filter refused which other, and why."""

    hosts: Sequence[Host]
    refusals: Sequence[tuple[str, str, str]]

    @property
    def explanation(self) -> str:
        """One sentence for an administrator."""
        if not self.refusals:
            return "No host has joined this cloud."
        return "; ".join(f"{name} refused {host}: {reason}" for host, name, reason in self.refusals[:20]) + "."

    @property
    def summary(self) -> str:
        """One sentence for the owner of the server, which names no host."""
        if not self.refusals:
            return "There are not enough hosts available."
        reasons = sorted({name for _, name, _ in self.refusals})
        return f"There are not enough hosts available; {len(self.refusals)} refused by {', '.join(reasons)}."


def choose(hosts: Collection[Host], request: Request) -> Choice:
    """Ask every filter about every host; the first that refuses is remembered."""
    names = FORCED if request.force else tuple(FILTERS)
    able: list[Host] = []
    refusals: list[tuple[str, str, str]] = []
    for host in hosts:
        for name in names:
            reason = FILTERS[name](host, request)
            if reason:
                refusals.append((host.name, name, reason))
                break
        else:
            able.append(host)
    return Choice(ranked(able, request), refusals)
