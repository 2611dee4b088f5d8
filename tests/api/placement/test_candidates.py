"""Candidates over HTTP: what a client sees at each version, and what it may ask."""

from __future__ import annotations

import pytest

from cumulet.lib.ids import new_uuid
from tests.api.placement.making import provider, wish
from tests.support.client import Client

pytestmark = pytest.mark.db


async def test_what_a_candidate_looks_like(placement: Client) -> None:
    id_ = await provider(placement, "one", {"VCPU": 4, "MEMORY_MB": 64}, traits=["HW_CPU_X86_AVX"])
    child = await provider(placement, "child", {"VGPU": 1}, parent=id_)
    await placement.put(f"/allocations/{new_uuid()}", wish({id_: {"VCPU": 1}}), 204)
    path = "/allocation_candidates?resources=VCPU:2"
    oldest = await placement.at("1.10").get(path)
    assert oldest == {
        "allocation_requests": [
            {"allocations": [{"resource_provider": {"uuid": id_}, "resources": {"VCPU": 2}}]},
        ],
        "provider_summaries": {id_: {"resources": {"VCPU": {"capacity": 4, "used": 1}}}},
    }
    by_provider = await placement.at("1.12").get(path)
    assert by_provider["allocation_requests"] == [{"allocations": {id_: {"resources": {"VCPU": 2}}}}]
    with_traits = await placement.at("1.17").get(path)
    assert with_traits["provider_summaries"][id_]["traits"] == ["HW_CPU_X86_AVX"]
    whole = await placement.at("1.27").get(path)
    assert set(whole["provider_summaries"][id_]["resources"]) == {"VCPU", "MEMORY_MB"}
    newest = await placement.get(path)
    assert newest["allocation_requests"][0]["mappings"] == {"": [id_]}
    assert newest["provider_summaries"][child]["parent_provider_uuid"] == id_
    nested = "/allocation_candidates?resources=VCPU:1,VGPU:1"
    assert (await placement.at("1.28").get(nested))["allocation_requests"] == []
    assert len((await placement.at("1.29").get(nested))["allocation_requests"]) == 1
    await placement.at("1.9").get(path, 404)


async def test_a_candidate_is_a_wish_that_can_be_sent_back(placement: Client) -> None:
    await provider(placement, "one", {"VCPU": 4})
    found = await placement.get("/allocation_candidates?resources=VCPU:2&limit=1")
    body = {**wish({}), **found["allocation_requests"][0]}
    await placement.put(f"/allocations/{new_uuid()}", body, 204)


async def test_groups_members_and_limits(placement: Client) -> None:
    group = new_uuid()
    for n in range(3):
        await provider(placement, f"node-{n}", {"VCPU": 4}, aggregates=[group] if n else None)
    path = "/allocation_candidates?resources=VCPU:1"
    assert len((await placement.get(path))["allocation_requests"]) == 3
    assert len((await placement.get(f"{path}&limit=2"))["allocation_requests"]) == 2
    assert len((await placement.get(f"{path}&member_of={group}"))["allocation_requests"]) == 2
    assert len((await placement.get(f"{path}&member_of=!{group}"))["allocation_requests"]) == 1
    two = "/allocation_candidates?resources1=VCPU:1&resources2=VCPU:1&group_policy="
    assert len((await placement.get(two + "none"))["allocation_requests"]) == 3
    assert (await placement.get(two + "isolate"))["allocation_requests"] == []


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("", "1.39"),
        ("required=HW_CPU_X86_AVX", "1.39"),
        ("resources=", "1.39"),
        ("resources=VCPU:x", "1.39"),
        ("resources=VCPU:99999999999999999999999", "1.39"),
        ("resources=NO_SUCH:1", "1.39"),
        ("resources=VCPU:1&required=NO_SUCH", "1.39"),
        ("resources=VCPU:1&required=!in:HW_CPU_X86_AVX", "1.39"),
        ("resources=VCPU:1&limit=0", "1.39"),
        ("resources=VCPU:1&limit=-1", "1.39"),
        ("resources=VCPU:1&limit=1", "1.15"),
        ("resources=VCPU:1&colour=red", "1.39"),
        ("resources=VCPU:1&member_of=x", "1.39"),
        ("resources=VCPU:1&in_tree=x", "1.39"),
        ("resources1=VCPU:1", "1.24"),
        ("resources_A=VCPU:1", "1.32"),
        ("resources1=VCPU:1&resources2=VCPU:1", "1.39"),
        ("resources1=VCPU:1&resources2=VCPU:1&group_policy=some", "1.39"),
        ("resources1=VCPU:1&required2=HW_CPU_X86_AVX", "1.35"),
        ("resources1=VCPU:1&required2=HW_CPU_X86_AVX", "1.39"),
        ("resources1=VCPU:1&same_subtree=1,2", "1.39"),
        ("resources1=VCPU:1&same_subtree=", "1.39"),
        ("resources=VCPU:1&root_required=in:HW_CPU_X86_AVX", "1.39"),
        ("resources=VCPU:1&root_required=HW_CPU_X86_AVX", "1.34"),
        ("&".join(f"resources{n}=VCPU:1" for n in range(1, 100)) + "&group_policy=none", "1.39"),
    ],
)
async def test_questions_without_a_meaning(placement: Client, query: str, version: str) -> None:
    await placement.at(version).get(f"/allocation_candidates?{query}", 400)
