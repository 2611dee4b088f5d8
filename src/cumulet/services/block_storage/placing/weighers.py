"""Which able pool takes a volume best: the greatest sum of weights, each between 0 and 1, times a factor. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cumulet.services.block_storage.placing.expressions import BadExpression, value_of
from cumulet.services.block_storage.placing.filters import known
from cumulet.services.block_storage.placing.pools import Candidate, Request

Weigher = Callable[[Candidate, Request], float]


def capacity(pool: Candidate, request: Request) -> float:
    return pool.promisable_gib


def allocated_capacity(pool: Candidate, request: Request) -> float:
    return pool.given_out_gib


def goodness(pool: Candidate, request: Request) -> float:
    """Of the operator's expression; one that says none, or nothing from 0 to 100, is worth nothing."""
    if not pool.goodness_function:
        return 0
    try:
        found = float(value_of(pool.goodness_function, known(pool, request)))
    except (BadExpression, ValueError, OverflowError):
        return 0
    return found if 0 <= found <= 100 else 0


def volume_number(pool: Candidate, request: Request) -> float:
    return pool.volumes


WEIGHERS: Mapping[str, Weigher] = {
    "CapacityWeigher": capacity,
    "AllocatedCapacityWeigher": allocated_capacity,
    "GoodnessWeigher": goodness,
    "VolumeNumberWeigher": volume_number,
}
FACTORS: Mapping[str, float] = {"CapacityWeigher": 1.0, "GoodnessWeigher": 1.0}
"""What counts unless the operator says otherwise; a factor below 0 prefers the least."""


def ranked(pools: Sequence[Candidate], request: Request, factors: Mapping[str, float]) -> list[Candidate]:
    """The best first; equals by the number of their volumes, then by name."""
    totals = {pool.name: 0.0 for pool in pools}
    for name, factor in factors.items():
        weights = {pool.name: WEIGHERS[name](pool, request) for pool in pools}
        least, most = min(weights.values(), default=0), max(weights.values(), default=0)
        if most > least:
            for place, weight in weights.items():
                totals[place] += factor * (weight - least) / (most - least)
    return sorted(pools, key=lambda pool: (-totals[pool.name], pool.volumes, pool.name))
