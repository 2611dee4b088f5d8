"""Tempest's tests that log in to guests, over a cloud with real ones: the smoke tests, and those that interoperability
asks for."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from cumulet.programs.verify.report import is_good
from cumulet.programs.verify.verdicts import Result
from tests.support.guest_image import tiny_image
from tests.support.real_cloud import eventually, real_cloud

pytestmark = pytest.mark.root

SCENARIO, SERVERS = "tempest.scenario", "tempest.api.compute.servers"
TESTS = (
    f"{SCENARIO}.test_server_basic_ops",
    f"{SCENARIO}.test_network_basic_ops.TestNetworkBasicOps.test_network_basic_ops",
    f"{SERVERS}.test_create_server.ServersTestJSON",
)
TIME_LIMIT = 300


def test_guests_are_logged_in_to(tmp_path: Path) -> None:
    suites = [option for suite in TESTS for option in ("--suite", suite)]
    with real_cloud() as cloud:
        environment = [f"OS_CLIENT_CONFIG_FILE={cloud.state / 'clouds.yaml'}", "OS_CLOUD=cumulet"]
        said = cloud.host.run(
            *("env", *environment, sys.executable, "-m", "cumulet", "verify", *suites),
            *(
                "--image",
                str(tiny_image()),
                "--time-limit",
                str(TIME_LIMIT),
                "--report",
                str(tmp_path),
            ),
            seconds=TIME_LIMIT + 60,
            check=False,
        )
        report = tmp_path / "results.json"
        assert report.exists(), said
        results = msgspec.json.decode(report.read_bytes(), type=list[Result])

        # A guest of these tests leaves a password for its owner; it goes with the machine.
        eventually("no password is left", lambda: not (cloud.state / "node" / "passwords").exists())

        assert {result.suite for result in results} == set(TESTS)
        bad = [f"{result.verdict} {result.test}: {result.why}" for result in results if not is_good(result)]
        assert not bad, "\n".join([*bad, cloud.logs()[-3000:]])
