"""Orders of tests, and what they are judged by."""

from __future__ import annotations

from itertools import permutations
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from maestro_selection.ordering import Candidate, apfd, by_expectation, chance_apfd, weight

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


def candidate(node: str, seconds: float = 0.01, breadth: int = 1) -> Candidate:
    return Candidate(node, seconds, frozenset({"a.py:1"}), 1, 0.0, 0.0, breadth)


def test_further_cases_of_one_test_wait_for_other_tests():
    found = [*(candidate(f"t.py::many[{case}]") for case in range(4)), candidate("t.py::other", breadth=3)]
    order = [each.node.partition("::")[2] for each in by_expectation(found)]
    assert order == ["many[0]", "many[1]", "other", "many[2]", "many[3]"]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.floats(0, 9), st.integers(1, 50)),
        unique_by=lambda each: each[:2],
    )
)
def test_an_order_holds_each_test_once_and_does_not_depend_on_the_order_given(drawn):
    found = [candidate(f"t.py::{name}[{case}]", seconds, wide) for name, case, seconds, wide in drawn]
    order = by_expectation(found)
    assert sorted(order, key=found.index) == found
    assert by_expectation(found[::-1]) == order
    for name in "ab":  # among the cases of one test nothing but their own worth decides
        worth = [
            weight(c) / max(c.seconds, 0.001) ** 0.5 for c in order if c.node.startswith(f"t.py::{name}")
        ]
        assert worth == sorted(worth, reverse=True)
