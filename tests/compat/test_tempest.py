"""Tempest over the simulated cloud, whose guests nobody can log in to: smoke tests, and what interoperability asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cumulet.programs.verify.report import is_good
from cumulet.programs.verify.verdicts import Result, Verdict
from tests.support.running_cloud import RunningCloud

SMOKE = ("smoke:identity", "smoke:image", "smoke:compute", "smoke:network", "smoke:volume")
SUITES = (*SMOKE, "interop-compute", "tempest.scenario.test_unified_limits")
TIME_LIMIT = 420
CUMULET = str(Path(sys.executable).parent / "cumulet")


@pytest.fixture(scope="session")
def results(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("verify")
    suites = [option for suite in SUITES for option in ("--suite", suite)]
    subprocess.run(
        [
            *(CUMULET, "verify", "--no-guests", *suites),
            *(
                "--overrides",
                str(cloud.overrides(folder / "tempest.ini")),
                "--time-limit",
                str(TIME_LIMIT),
                "--report",
                str(folder),
            ),
        ],
        env=cloud.environment(),
        timeout=TIME_LIMIT + 120,
        check=False,
    )
    return msgspec.json.decode((folder / "results.json").read_bytes(), type=list[Result])


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite(results: list[Result], suite: str) -> None:
    of_suite = [result for result in results if result.suite == suite]

    assert of_suite
    bad = [f"{result.verdict} {result.test}: {result.why}" for result in of_suite if not is_good(result)]
    assert not bad, "\n".join(bad)


def test_of_what_interoperability_asks_only_logins_are_left_out(results: list[Result]) -> None:
    of_suite = [result for result in results if result.suite == "interop-compute"]
    left_out = {result.test.rpartition(".")[2] for result in of_suite if result.verdict is not Verdict.PASSED}

    assert left_out == {"test_host_name_is_same_as_server_name", "test_verify_created_server_vcpus"}
