"""What the doctor says, and how the rules are listed."""

from __future__ import annotations

import socket
from pathlib import Path

from cumulet.contracts.assignments import NodeFacts
from cumulet.programs import policy
from cumulet.programs.doctor import cloud, machine
from cumulet.programs.doctor.finding import MODES, REAL, Finding, page
from cumulet.programs.settings import Settings


def test_only_what_the_mode_needs_is_missing() -> None:
    lacks = Finding("QEMU", False, "not here", "install it", REAL)

    assert page([Finding("Python", True, "3.13"), lacks], "real") == [
        "ok       Python: 3.13",
        "MISSING  QEMU: not here",
        "           remedy: install it",
    ]
    assert page([lacks], "simulate")[0] == "note     QEMU: not here"
    assert lacks.stops("rootless")
    assert not lacks.stops("simulate")


def test_a_port_in_use_stops_every_mode_and_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = machine.port("127.0.0.1", taken.getsockname()[1])

    assert not found.works
    assert found.stops("simulate")
    assert "--port" in found.remedy


def test_what_only_some_machines_need_stops_no_mode(tmp_path: Path) -> None:
    disks, firmware = machine.extras({"mkfs.nowhere": "sometools"}, (tmp_path,))

    assert "sometools" in disks.remedy
    assert "ovmf" in firmware.remedy
    for finding in (disks, firmware):
        assert not finding.works
        assert not any(finding.stops(mode) for mode in MODES)


def test_orphans_are_named_up_to_a_limit() -> None:
    facts = NodeFacts(
        name="n1",
        hypervisor="QEMU",
        accelerator="tcg",
        hypervisor_version=7002000,
        vcpus=1,
        memory_mib=1,
        disk_gib=1,
        tunnel_address="",
        address="unix:/x",
    )
    assert cloud.orphans(facts).works

    lost = cloud.orphans(
        NodeFacts(**{name: getattr(facts, name) for name in facts.__struct_fields__} | {"orphans": tuple("abcdefg")})
    )
    assert lost.detail == "nobody ordered a, b, c, d, e and 2 more"
    assert not lost.stops("real")


async def test_a_database_that_does_not_answer_is_told_with_a_remedy(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path), database="postgresql://nobody@127.0.0.1:1/none")

    (found,) = await cloud.database(settings)

    assert found.stops("simulate")
    assert "URL" in found.remedy


def test_memory_is_what_programs_may_still_take() -> None:
    assert machine.available_mib("MemTotal: 8 kB\nMemAvailable:  2097152 kB\n") == 2048


def test_a_changed_rule_is_listed_with_its_default() -> None:
    defaults = {"a:get": "role:reader", "b:get": "@"}

    assert policy.lines("x", defaults, {"a:get": "!"}) == [
        'x  "a:get": "!"',
        'x    by default: "role:reader"',
        'x  "b:get": "@"',
    ]
    assert policy.lines("x", defaults, {"a:get": "!"}, changed=True) == [
        'x  "a:get": "!"',
        'x    by default: "role:reader"',
    ]


def test_a_broken_policy_file_is_found_with_its_rule(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path))
    folder = policy.folder(settings, "compute")
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text('"os_compute_api:servers:create": "role:admin and"\n')

    (found,) = cloud.policies(settings)

    assert "policy.yaml:1" in found.detail
    assert "os_compute_api:servers:create" in found.detail
    assert found.stops("simulate")
