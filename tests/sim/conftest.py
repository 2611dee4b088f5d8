"""Seeds."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.sim.story")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=500, help="how many seeds the simulation runs")
    parser.addoption("--seed", type=int, default=None, help="the one seed to run again")
