"""Which host takes a server, which cannot, and why."""

from __future__ import annotations

import pytest

from cumulet.services.compute.placing.choose import Refusal, choose
from cumulet.services.compute.placing.filters import matches
from cumulet.services.compute.placing.hosts import Aggregate, Host, Request

SIZE = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
FREE = {"VCPU": 8.0, "MEMORY_MB": 4096.0, "DISK_GB": 100.0}
FAST = Aggregate(1, "fast", {"ssd": "true", "filter_tenant_id": "p1"})


def host(name: str, **more: object) -> Host:
    return Host(**{"name": name, "zone": "nova", "free": FREE, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "request_", "refused_by"),
    [
        (host("h", alive=False), {}, "ComputeFilter"),
        (host("h", disabled=True), {}, "ComputeFilter"),
        (host("h"), {"zone": "other"}, "AvailabilityZoneFilter"),
        (host("h"), {"host": "other"}, "RequestedHostFilter"),
        (host("h"), {"avoid": frozenset({"h"})}, "RequestedHostFilter"),
        (host("h"), {"bound": frozenset({"other"})}, "VolumeFilter"),
        (host("h", free={**FREE, "MEMORY_MB": 511}), {}, "ResourceFilter"),
        (host("h", most={"MEMORY_MB": 511}), {}, "ResourceFilter"),
        (host("h"), {"short": {"h": "nothing of it is left"}}, "PortResourceFilter"),
        (host("h"), {"extra_specs": {"capabilities:hypervisor_type": "xen"}}, "ComputeCapabilitiesFilter"),
        (host("h"), {"extra_specs": {"trait:HW_AVX": "required"}}, "ComputeCapabilitiesFilter"),
        (host("h"), {"image_properties": {"hw_architecture": "aarch64"}}, "ImagePropertiesFilter"),
        (
            host("h"),
            {"extra_specs": {"aggregate_instance_extra_specs:ssd": "true"}},
            "AggregateInstanceExtraSpecsFilter",
        ),
        (host("h", aggregates=(FAST,)), {"project_id": "p2"}, "AggregateMultiTenancyIsolation"),
        (host("h"), {"same_host": frozenset({"s"})}, "SameHostFilter"),
        (host("h", servers=frozenset({"s"})), {"different_host": frozenset({"s"})}, "DifferentHostFilter"),
        (
            host("h", servers=frozenset({"s"})),
            {"policy": "anti-affinity", "group_members": frozenset({"s"})},
            "ServerGroupAntiAffinityFilter",
        ),
        (host("h"), {"policy": "affinity", "group_members": frozenset({"s"})}, "ServerGroupAffinityFilter"),
    ],
)
def test_each_filter_refuses_under_its_name(found: Host, request_: dict, refused_by: str) -> None:
    choice = choose([found, host("good", servers=frozenset({"x"}))], Request(SIZE, **request_))
    assert [refusal.by for refusal in choice.refusals if refusal.host == "h"] == [refused_by]
    assert f" refused by {refused_by}" in choice.summary
    assert f"{refused_by} refused h" in choice.explanation


def test_the_emptiest_host_is_best_and_equals_go_by_name() -> None:
    full = host("full", free={**FREE, "MEMORY_MB": 1024})
    assert [found.name for found in choose([full, host("b"), host("a")], Request(SIZE)).hosts] == ["a", "b", "full"]


def test_soft_policies_prefer_without_refusing() -> None:
    hosts = [host("a", servers=frozenset({"s"})), host("b")]
    members = frozenset({"s"})
    near = choose(hosts, Request(SIZE, policy="soft-affinity", group_members=members))
    apart = choose(hosts, Request(SIZE, policy="soft-anti-affinity", group_members=members))
    assert [found.name for found in near.hosts] == ["a", "b"]
    assert [found.name for found in apart.hosts] == ["b", "a"]


def test_an_aggregate_serves_who_asks_for_it() -> None:
    hosts = [host("plain"), host("fast", aggregates=(FAST,))]
    specs = {"aggregate_instance_extra_specs:ssd": "true"}
    assert [h.name for h in choose(hosts, Request(SIZE, project_id="p1", extra_specs=specs)).hosts] == ["fast"]


def test_no_host_at_all_says_so() -> None:
    assert "No host has joined" in choose([], Request(SIZE)).explanation


def test_what_placement_refuses_is_told_like_what_filters_refuse() -> None:
    choice = choose([host("a"), host("b"), host("c", alive=False)], Request(SIZE))
    left = choice.without([Refusal("a", "placement", "it is gone"), Refusal("b", "placement", "it is gone")])
    assert left.hosts == []
    assert left.summary == "There are not enough hosts available; 1 refused by ComputeFilter, 2 refused by placement."
    assert left.explanation == (
        "ComputeFilter refused c: it has not been heard of lately; placement refused a, b: it is gone."
    )


def test_of_many_hosts_and_reasons_only_some_are_named() -> None:
    alike = choose([host(f"h{number:03}", alive=False) for number in range(300)], Request(SIZE)).explanation
    assert "h019 and 280 more: it has not been heard of lately." in alike
    assert "h020" not in alike
    free = [host(f"h{number:03}", free={**FREE, "MEMORY_MB": number}) for number in range(300)]
    assert choose(free, Request(SIZE)).explanation.endswith("; and 280 more reasons.")


@pytest.mark.parametrize(
    ("value", "wanted", "fits"),
    [
        ("4", ">= 4", True), ("4", "> 4", False), ("abc", "<in> b", True), ("b", "<or> a <or> b", True),
        ("b", "<or> a <or> c", False), ("x", "s== x", True), ("x", "s!= x", False), (None, "x", False),
        ("abc", "a*", True), ("5", "= 4", True), ("word", ">= 4", False),
    ],
)  # fmt: skip
def test_comparisons_of_extra_specs(value: str | None, wanted: str, fits: bool) -> None:
    assert matches(value, wanted) is fits
