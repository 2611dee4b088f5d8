"""The search for candidates, on small worlds."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.versions import version
from cumulet.services.placement.candidates.request import parse
from cumulet.services.placement.candidates.search import Candidate, candidates
from cumulet.services.placement.candidates.world import Provider, Stock, World

AGG = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
NUMA0, NUMA1, ROOT, NIC = (f"{n}0000000-0000-0000-0000-000000000000" for n in "abcd")
SHARE = "MISC_SHARES_VIA_AGGREGATE"


def one(id_: str, stock: dict[str, int], parent: str = "", root: str = "", **more: Any) -> Provider:
    whole = {name: Stock(total) for name, total in stock.items()}
    return Provider(id_, id_, parent, root, whole, set(more.get("traits", ())), set(more.get("aggregates", ())))


def found(world: World, *query: tuple[str, str], at: str = "1.39") -> list[Candidate]:
    return candidates(world, parse(query, version(at)))


def shares(world: World, *query: tuple[str, str], at: str = "1.39") -> list[dict[str, dict[str, int]]]:
    return [candidate.allocations for candidate in found(world, *query, at=at)]


def server() -> World:
    return World(
        [
            one(ROOT, {"MEMORY_MB": 64}, traits=["COMPUTE_NODE"], aggregates=[AGG]),
            one(NUMA0, {"VCPU": 4}, ROOT, ROOT, traits=["HW_CPU_X86_AVX"]),
            one(NUMA1, {"VCPU": 4}, ROOT, ROOT),
            one(NIC, {"SRIOV_NET_VF": 2}, NUMA1, ROOT, traits=["CUSTOM_FAST"]),
        ]
    )


def test_a_tree_serves_together_what_no_provider_has_alone() -> None:
    assert shares(server(), ("resources", "VCPU:2,MEMORY_MB:8")) == [
        {NUMA0: {"VCPU": 2}, ROOT: {"MEMORY_MB": 8}},
        {NUMA1: {"VCPU": 2}, ROOT: {"MEMORY_MB": 8}},
    ]
    assert shares(server(), ("resources", "VCPU:5")) == []
    assert shares(server(), ("resources", "VCPU:2,MEMORY_MB:8"), at="1.28") == []


def test_traits_are_met_by_those_who_take_part() -> None:
    both = ("resources", "VCPU:1,MEMORY_MB:1")
    assert len(shares(server(), both, ("required", "HW_CPU_X86_AVX,COMPUTE_NODE"))) == 1
    assert list(shares(server(), both, ("required", "!HW_CPU_X86_AVX"))[0]) == [NUMA1, ROOT]
    assert shares(server(), both, ("required", "CUSTOM_FAST")) == []
    assert len(shares(server(), both, ("required", "in:HW_CPU_X86_AVX,CUSTOM_FAST"))) == 1
    assert len(shares(server(), both, ("required", "in:COMPUTE_NODE,CUSTOM_FAST"), ("required", "COMPUTE_NODE"))) == 2


def test_membership_of_the_root_counts_for_its_tree_but_not_for_a_granular_group() -> None:
    assert len(shares(server(), ("resources", "VCPU:1"), ("member_of", AGG))) == 2
    assert shares(server(), ("resources", "VCPU:1"), ("member_of", f"in:{OTHER}")) == []
    assert shares(server(), ("resources", "VCPU:1"), ("member_of", f"!{AGG}")) == []
    assert shares(server(), ("resources1", "VCPU:1"), ("member_of1", AGG)) == []
    assert len(shares(server(), ("resources1", "MEMORY_MB:1"), ("member_of1", AGG))) == 1


def test_granular_groups_meet_or_are_kept_apart() -> None:
    two = (("resources1", "VCPU:3"), ("resources2", "VCPU:1"))
    assert len(shares(server(), *two, ("group_policy", "none"))) == 4
    apart = found(server(), *two, ("group_policy", "isolate"))
    assert [candidate.mappings for candidate in apart] == [
        {"1": [NUMA0], "2": [NUMA1]},
        {"1": [NUMA1], "2": [NUMA0]},
    ]
    too_much = (("resources1", "VCPU:3"), ("resources2", "VCPU:3"), ("group_policy", "none"))
    assert all(len(allocation) == 2 for allocation in shares(server(), *too_much))


def test_the_same_subtree() -> None:
    query = (("resources_A", "VCPU:1"), ("resources_B", "SRIOV_NET_VF:1"), ("group_policy", "none"))
    assert len(found(server(), *query)) == 2
    near = found(server(), *query, ("same_subtree", "_A,_B"))
    assert [candidate.mappings for candidate in near] == [{"_A": [NUMA1], "_B": [NIC]}]
    placed = found(server(), ("resources1", "VCPU:1"), ("required_T", "CUSTOM_FAST"), ("same_subtree", "1,_T"))
    assert [candidate.mappings for candidate in placed] == [{"1": [NUMA1], "_T": [NIC]}]
    assert placed[0].allocations == {NUMA1: {"VCPU": 1}}


def test_the_root_and_the_tree() -> None:
    world = World([*server().providers.values(), one(OTHER, {"VCPU": 4})])
    assert len(shares(world, ("resources", "VCPU:1"))) == 3
    assert len(shares(world, ("resources", "VCPU:1"), ("root_required", "COMPUTE_NODE"))) == 2
    assert shares(world, ("resources", "VCPU:1"), ("root_required", "!COMPUTE_NODE")) == [{OTHER: {"VCPU": 1}}]
    assert shares(world, ("resources", "VCPU:1"), ("in_tree", OTHER)) == [{OTHER: {"VCPU": 1}}]
    assert len(shares(world, ("resources", "VCPU:1"), ("in_tree", NIC))) == 2


def test_shared_storage_serves_its_aggregate() -> None:
    world = World(
        [
            one("near", {"VCPU": 4}, aggregates=[AGG]),
            one("far", {"VCPU": 4, "DISK_GB": 10}),
            one("store", {"DISK_GB": 100}, traits=[SHARE], aggregates=[AGG]),
        ]
    )
    assert shares(world, ("resources", "VCPU:1,DISK_GB:5")) == [
        {"near": {"VCPU": 1}, "store": {"DISK_GB": 5}},
        {"far": {"VCPU": 1, "DISK_GB": 5}},
    ]
    assert shares(world, ("resources", "DISK_GB:50")) == [{"store": {"DISK_GB": 50}}]


def test_trees_take_turns_below_a_limit() -> None:
    world = World(
        [
            one("r", {}, root="r"),
            *(one(f"r{n}", {"VCPU": 1}, "r", "r") for n in range(3)),
            one("s", {"VCPU": 1}),
        ]
    )
    assert shares(world, ("resources", "VCPU:1"), ("limit", "2")) == [{"r0": {"VCPU": 1}}, {"s": {"VCPU": 1}}]


def test_the_effort_is_bounded() -> None:
    world = World([one("r", {}, root="r"), *(one(f"r{n}", {"VCPU": 1}, "r", "r") for n in range(30))])
    query = [(f"resources{n}", "VCPU:1") for n in range(1, 32)]
    assert found(world, *query, ("group_policy", "isolate")) == []


def test_a_ring_of_parents_ends() -> None:
    world = World([one("a", {"VCPU": 1}, "b", "a"), one("b", {"VCPU": 1}, "a", "a")])
    assert world.lineage("a") == {"a", "b"}
