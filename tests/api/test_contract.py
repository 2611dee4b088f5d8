"""Whatever the contracts describe, and whatever comes near it: it is refused without a trace, or answered as described.

A long look, with requests from other seeds:  script/fuzz --minutes 30 --seed 5 compute
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import contract
from tests.support.asking import Asker, Fault, Served, furnished
from tests.support.target import ROOMS, State

EXAMPLES = 15
"""Requests to each endpoint."""


@pytest.fixture
def asker(room: str, tmp_path: Path) -> Iterator[Asker]:
    if contract.place() is None:
        pytest.skip("the contracts are not on this machine; CUMULET_CONTRACTS names their folder")
    with furnished(room, tmp_path, seed=1) as asker:
        yield asker


@pytest.mark.parametrize("room", ROOMS)
def test_requests_are_answered_as_described_or_refused_without_a_trace(asker: Asker, room: str) -> None:
    start = asker.target.state()
    found = [fault for served in asker.served() for fault in _faults(asker, served, start)]
    assert not found, f"{len(found)}:\n" + "\n".join(found)


def _faults(asker: Asker, served: Served, start: State) -> list[str]:
    """The simplest request that shows what is wrong with an endpoint, if anything is."""

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
    )  # fmt: skip
    @given(choice=st.randoms(use_true_random=False))
    def ask(choice: object) -> None:
        asker.target.restore(start)
        asker.check(asker.question(choice, served), served)  # type: ignore[arg-type]

    try:
        ask()
    except Fault as fault:
        return [str(fault)]
    return []
