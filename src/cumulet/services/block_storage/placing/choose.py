"""The choice of a pool, with its reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cumulet.services.block_storage.placing.filters import FILTERS
from cumulet.services.block_storage.placing.pools import Candidate, Request
from cumulet.services.block_storage.placing.weighers import FACTORS, ranked


@dataclass(frozen=True)
class Choice:
    """A pool, or which filter refused which, and why."""

    pool: Candidate | None
    refusals: Sequence[tuple[str, str, str]]

    def sentence(self) -> str:
        if not self.refusals:
            return "No node has joined this cloud. Start one with 'cumulet up' or 'cumulet node'."
        reasons = "; ".join(f"{pool}: {name}: {why}" for pool, name, why in self.refusals)
        return f"No backend can hold this volume. {reasons}"


def choose(pools: Sequence[Candidate], request: Request, factors: Mapping[str, float] = FACTORS) -> Choice:
    """Ask every filter about every pool; the first that refuses is remembered."""
    able: list[Candidate] = []
    refusals: list[tuple[str, str, str]] = []
    for pool in pools:
        for name, refuse in FILTERS.items():
            if reason := refuse(pool, request):
                refusals.append((pool.name, name, reason))
                break
        else:
            able.append(pool)
    best = ranked(able, request, factors)
    return Choice(best[0] if best else None, refusals)
