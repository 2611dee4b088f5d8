"""Which numbers of a range are free."""

from __future__ import annotations

from cumulet.services.network.networks.ranges import MOST_SHOWN, first_free


def test_used_numbers_and_what_others_own_are_passed_over() -> None:
    assert first_free(1, 9, {1, 8}, [(3, 4), (4, 6)]) == [2, 7, 9]
    assert first_free(5, 4, set(), []) == []


def test_only_the_first_ones_are_looked_for() -> None:
    assert first_free(1, 2**24, set(), []) == list(range(1, MOST_SHOWN + 1))


def test_a_span_of_any_width_costs_one_step() -> None:
    assert first_free(1, 2**64 + 1, set(), [(1, 2**64)]) == [2**64 + 1]
