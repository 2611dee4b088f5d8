"""Where a volume is made: filters, weighers, and the expressions of operators."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.lib.spec_operators import compare
from cumulet.services.block_storage.placing.choose import choose
from cumulet.services.block_storage.placing.expressions import BadExpression, check, value_of
from cumulet.services.block_storage.placing.pools import Candidate, Request

ONE, TWO, SHARED = "one@fast#fast", "two@slow#slow", "ceph@rbd#rbd"


def pool(name: str = ONE, **changes: Any) -> Candidate:
    given: dict[str, Any] = {
        "nodes": frozenset({name.partition("@")[0]}),
        "zones": frozenset({"nova"}),
        "total_gib": 100,
        "free_gib": 100,
        "capabilities": {"volume_backend_name": name.partition("#")[2], "multiattach": True},
    }
    return Candidate(name=name, **{**given, **changes})


def chosen(*pools: Candidate, factors: dict[str, float] | None = None, **wish: Any) -> str:
    choice = choose(pools, Request(**{"size": 1, **wish}), *([factors] if factors else []))
    return choice.pool.name if choice.pool else ""


def refused(name: str, candidate: Candidate, **wish: Any) -> str:
    """The reason of the filter that refuses a pool; it must be this one."""
    choice = choose([candidate], Request(**{"size": 1, **wish}))
    [(place, by, why)] = choice.refusals
    assert (place, by) == (candidate.name, name)
    assert choice.sentence() == f"No backend can hold this volume. {place}: {name}: {why}"
    return why


def test_each_filter_says_why() -> None:
    assert refused("ServiceFilter", pool(alive=False)) == "it is not heard from"
    assert refused("ServiceFilter", pool(disabled=True)) == "it is disabled"
    assert refused("ServiceFilter", pool(fault="the share is gone")) == "the share is gone"
    assert refused("RetryFilter", pool(), tried={ONE: "it was full"}) == "it failed here: it was full"
    assert refused("AvailabilityZoneFilter", pool(), zone="attic") == "it is in zone nova"
    assert refused("CapabilitiesFilter", pool(), specs={"volume_backend_name": "slow"}) == (
        "the type asks for volume_backend_name = 'slow'; the backend has 'fast'"
    )
    assert "no such thing" in refused("CapabilitiesFilter", pool(), specs={"capabilities:disk": "ssd"})
    assert refused("CapabilitiesFilter", pool(), source=TWO) == f"the source lives on {TWO}"
    assert refused("CapabilitiesFilter", pool(), only=TWO) == f"{TWO} was asked for"
    lacking = pool(lacks=frozenset({"encryption"}))
    assert refused("CapabilitiesFilter", lacking, needs=frozenset({"encryption"})) == "its volumes have no encryption"
    assert refused("CapacityFilter", pool(given_out_gib=98), size=3) == "2 GiB are free of 100"
    assert refused("InstanceLocalityFilter", pool(), near="two") == "the server is on two"
    assert refused("InstanceLocalityFilter", pool(), near="") == "the server it should be near is on no node"
    assert refused("SameBackendFilter", pool(), beside=frozenset({TWO})) == f"it should be with volumes on {TWO}"
    assert refused("DifferentBackendFilter", pool(), apart=frozenset({ONE}))
    no = pool(filter_function="volume.size < 10")
    assert refused("DriverFilter", no, facts={"volume": {"size": 10}}) == (
        "its filter_function says no: volume.size < 10"
    )
    assert "there is no volume.colour" in refused("DriverFilter", pool(filter_function="volume.colour == 'red'"))


def test_what_is_asked_for_and_there_is_taken() -> None:
    assert chosen(pool(), pool(TWO), specs={"volume_backend_name": "slow", "multiattach": "<is> True"}) == TWO
    assert chosen(pool(), pool(SHARED, nodes=frozenset({"two", "three"})), near="three") == SHARED
    assert chosen(pool(), pool(TWO), beside=frozenset({TWO})) == TWO
    assert chosen(pool(), pool(TWO), apart=frozenset({ONE})) == TWO
    assert chosen(pool(filter_function="volume.size < 10"), facts={"volume": {"size": 9}}) == ONE
    assert chosen(pool(given_out_gib=100), size=50, here=ONE) == ONE
    assert chosen(pool(), specs={"quality:of": "what is for others"}) == ONE


def test_room_may_be_promised_more_than_once_and_some_is_kept() -> None:
    full = {"given_out_gib": 100}
    assert not chosen(pool(**full))
    assert chosen(pool(**full, ratio=2.0), size=100) == ONE
    assert not chosen(pool(**full, ratio=2.0), size=101)
    assert not chosen(pool(reserved_percentage=20), size=81)
    assert chosen(pool(reserved_percentage=20), size=80) == ONE
    assert not chosen(pool(free_gib=3), size=4)


def test_weighers() -> None:
    roomy, empty = pool(given_out_gib=10, volumes=1), pool(TWO, total_gib=50, free_gib=50)
    assert chosen(roomy, empty) == ONE
    assert chosen(roomy, empty, factors={"CapacityWeigher": -1.0}) == TWO
    assert chosen(roomy, empty, factors={"AllocatedCapacityWeigher": -1.0}) == TWO
    assert chosen(roomy, empty, factors={"VolumeNumberWeigher": -1.0}) == TWO
    good = pool(TWO, total_gib=50, free_gib=50, goodness_function="volume.size > 5 ? 100 : 0")
    factors = {"GoodnessWeigher": 2.0, "CapacityWeigher": 1.0}
    assert chosen(roomy, good, factors=factors, facts={"volume": {"size": 6}}) == TWO
    assert chosen(roomy, good, factors=factors, facts={"volume": {"size": 5}}) == ONE
    assert chosen(roomy, pool(TWO, goodness_function="nonsense.at_all"), factors={"GoodnessWeigher": 1.0}) == TWO


def test_no_pool_at_all() -> None:
    choice = choose([], Request(size=1))
    assert choice.pool is None
    assert "No node has joined" in choice.sentence()


KNOWN = {"volume": {"size": 10, "name": "v"}, "extra": {"cost": "2.5"}, "stats": {"free_capacity_gb": 7}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ^ 2", -4),
        ("2 ^ 3 ^ 0", 2),
        ("7 / 2", 3.5),
        ("volume.size > 5 and stats.free_capacity_gb >= 7", True),
        ("!(volume.size > 5) | volume.name == 'v'", True),
        ("not volume.size == 10", False),
        ("max(1, volume.size, 3) - min(2, 5) + abs(-1)", 9),
        ("extra.cost * 2", 5.0),
        ("volume.size < 5 ? 1 : volume.size < 20 ? 2 : 3", 2),
        ("1e2 + 0.5", 100.5),
    ],
)
def test_expressions(text: str, value: object) -> None:
    assert value_of(text, KNOWN) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "(1",
        "1 2",
        "size",
        "volume.colour",
        "volume.size ? 1",
        "1 / 0",
        "9 ^ 99",
        "volume.name + 1",
        "volume.name * 100000",
        "volume.name < 1",
        "__import__('os')",
        "volume.size.__class__",
        "x" * 2000,
        "(" * 900,
        "!" * 900,
        "1 $ 2",
        "(-8) ^ 0.5",
    ],
)
def test_what_has_no_value_says_so(text: str) -> None:
    with pytest.raises(BadExpression):
        value_of(text, KNOWN)


def test_what_can_be_read_has_a_value_however_deep_the_stack_is_already() -> None:
    text = "+".join(["1"] * 480)

    def deeper(levels: int) -> object:
        return deeper(levels - 1) if levels else value_of(text, KNOWN)

    assert deeper(0) == 480
    with pytest.raises(BadExpression, match="nested too deeply"):
        deeper(600)


def test_a_check_needs_no_pool() -> None:
    check("volume.size < extra.whatever")
    with pytest.raises(BadExpression):
        check("volume.size <")


@pytest.mark.parametrize(
    ("value", "wanted", "fits"),
    [
        ("True", "<is> true", True),
        ("False", "<is> true", False),
        ("nfs", "<or> iSCSI <or> nfs", True),
        ("ssd and more", "<in> ssd", True),
        ("aes,avx", "<all-in> aes avx", True),
        ("10", "= 9", True),
        ("10", ">= 9", True),
        ("9", "> 9", False),
        ("2", "<= 10", True),
        ("10", "== 10.0", True),
        ("a", "!= b", True),
        ("a", "== a", True),
        ("a", "> 1", False),
        ("a", "s== a", True),
        ("a", "s< b", True),
        ("a", "s!= a", False),
        ("ssd", "ssd", None),
    ],
)
def test_operators_of_extra_specs(value: str, wanted: str, fits: bool | None) -> None:
    assert compare(value, wanted) is fits
