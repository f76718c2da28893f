"""Orders of tests, and what they are judged by."""

from __future__ import annotations

from itertools import permutations
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from maestro_selection.ordering import apfd, chance_apfd

TESTS = "abcdef"


def test_a_fault_that_the_first_test_shows_is_found_soonest():
    faults = {"fault": frozenset("a")}
    assert apfd("abcd", faults) == 1 - 1 / 8
    assert apfd("dcba", faults) == 1 / 8
    assert apfd("dcb", faults) == 1 - 4 / 3 + 1 / 6  # none shows it: after the last


def test_several_faults_count_alike():
    assert apfd("abcd", {"x": frozenset("a"), "y": frozenset("dc")}) == 1 - (1 + 3) / 8 + 1 / 8


def test_without_tests_or_faults_nothing_is_late():
    assert apfd("", {"x": frozenset("a")}) == apfd("ab", {}) == 1.0
    assert chance_apfd(0, (1,)) == chance_apfd(3, ()) == 1.0


@given(
    st.integers(1, len(TESTS)),
    st.lists(st.sets(st.sampled_from(TESTS)), min_size=1, max_size=3),
)
def test_chance_is_the_mean_over_all_orders(count, shown):
    tests = TESTS[:count]
    faults = {str(number): frozenset(each) for number, each in enumerate(shown)}
    each_order = mean(apfd(order, faults) for order in permutations(tests))
    showing = [len(fault.intersection(tests)) for fault in faults.values()]
    assert chance_apfd(count, showing) == pytest.approx(each_order)
