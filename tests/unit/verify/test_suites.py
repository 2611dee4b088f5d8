from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.programs.verify import suites

TOKENS = "tempest.api.identity.v3.test_tokens.TokensV3Test.test_create_token[id-6f8e4436-fc96-4282-8122-e41df57197a9]"
FLAVORS = (
    "tempest.api.compute.flavors.test_flavors.FlavorsV2TestJSON.test_list_flavors"
    "[id-e36c0eaa-dff5-4082-ad1f-3f9a80aa3f59,smoke]"
)
SERIAL = "tempest.serial_tests.api.compute.admin.test_aggregates.AggregatesTest.test_add_host[id-1,negative]"
BOOT = (
    "tempest.scenario.test_server_basic_ops.TestServerBasicOps.test_server_basic_ops[compute,id-7fff3fb3,network,smoke]"
)
OBJECTS = (
    "tempest.scenario.test_object_storage_basic_ops.TestObjectStorageBasicOps.test_swift_basic_ops[object_storage]"
)
VPN = "neutron_tempest_plugin.vpnaas.api.test_vpnaas.VPNaaSTestJSON.test_list[id-2,smoke]"
SEGMENTS = "neutron_tempest_plugin.api.test_segments.SegmentsTest.test_list[id-3]"
TESTS = [TOKENS, FLAVORS, SERIAL, BOOT, OBJECTS, VPN, SEGMENTS]


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("identity", [TOKENS]),
        ("compute", [FLAVORS, SERIAL]),
        ("scenario", [BOOT, OBJECTS]),
        ("smoke", [FLAVORS, BOOT, VPN]),
        ("smoke:compute", [FLAVORS]),
        ("plugin:neutron", [VPN, SEGMENTS]),
        ("plugin:neutron/vpnaas", [VPN]),
        (r"test_(tokens|segments)\.", [TOKENS, SEGMENTS]),
        ("interop-compute", [FLAVORS, TOKENS]),
    ],
)
def test_a_name_stands_for_tests(suite: str, expected: list[str]) -> None:
    assert suites.select(suite, TESTS).tests == expected


def test_a_list_finds_a_renamed_test_by_its_identifier_and_tells_what_it_did_not_find(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text(
        "# why\n"
        "tempest.api.identity.OldName.test_token[id-6f8e4436-fc96-4282-8122-e41df57197a9]\tit failed\n"
        "neutron_tempest_plugin.api.test_segments.SegmentsTest.test_list\n"
        "tempest.api.gone.Gone.test_gone[id-00000000-0000-0000-0000-000000000000]\n"
    )

    selection = suites.select(f"@{names}", TESTS)

    assert selection.tests == [SEGMENTS, TOKENS]
    assert selection.unknown == ["tempest.api.gone.Gone.test_gone"]


@pytest.mark.parametrize("suite", ["plugin:nobody", "smoke:nobody", "interop-nothing", "@/no/such/file", "test_("])
def test_a_suite_that_does_not_exist_is_refused(suite: str) -> None:
    with pytest.raises(suites.UnknownSuite):
        suites.select(suite, TESTS)


def test_every_named_suite_can_be_selected() -> None:
    assert {"identity", "smoke:volume", "interop-platform", "plugin:keystone"} <= set(suites.names())
    for name in suites.names():
        suites.select(name, TESTS)


def test_a_group_stands_for_its_suites_each_once() -> None:
    assert suites.spread(["interop-platform", "interop", "x"]) == ["interop-platform", "interop-compute", "x"]
    assert {"compute", "object_storage", "scenario", "plugin:neutron"} <= set(suites.spread(["everything"]))
    assert {member for group in suites.GROUPS.values() for member in group} <= set(suites.names())


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (TOKENS, []),
        (FLAVORS, ["nova"]),
        (SERIAL, ["nova"]),
        (BOOT, ["nova", "glance"]),
        (OBJECTS, ["swift"]),
        (VPN, []),
    ],
)
def test_the_services_that_a_test_needs_and_a_cloud_lacks(test: str, expected: list[str]) -> None:
    assert suites.absent_services(test, ["neutron"]) == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (FLAVORS, "tempest.api.compute.flavors"),
        (SERIAL, "tempest.api.compute.admin"),
        (BOOT, "tempest.scenario"),
        (SEGMENTS, "neutron_tempest_plugin.api"),
    ],
)
def test_tests_are_counted_by_service_and_noun(test: str, expected: str) -> None:
    assert suites.group_of(test) == expected
