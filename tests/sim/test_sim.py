"""The whole cloud, killed at random seams, wake-ups lost and doubled: afterwards nothing is stuck and nothing leaks.

A seed that fails replays with:  pytest tests/sim --seed N
"""

from __future__ import annotations

import random

import pytest

from cumulet.lib.ids import drawn_from
from tests.sim.story import live
from tests.support.virtual_time import run_virtually


def test_every_wish_is_met_or_has_its_fault(seed: int) -> None:
    with drawn_from(random.Random(seed).getrandbits):
        run_virtually(lambda clock: live(clock, seed))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.getoption("--seed")
    seeds = [chosen] if chosen is not None else range(metafunc.config.getoption("--seeds"))
    metafunc.parametrize("seed", seeds)
