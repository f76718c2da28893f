"""Mutants: which are drawn, how a suite's outcomes are told, and what counts as missed."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import proportion_interval
from benchmarks.mutant_verdicts import BROKEN, KILLED, SURVIVED, Answer, figures_of, judged, selected_of
from benchmarks.mutating import MissingLibraryError, Mutant, drawn, mutants
from benchmarks.suites import START, Outcomes, Suite, outcomes_of

TESTS = frozenset({"t.py::a", "t.py::b", "t.py::c", "u.py::d"})
MUTANTS = st.builds(
    Mutant,
    st.sampled_from(["a.py", "b.py"]),
    st.sampled_from(["core/Not", "core/Add", "core/Number"]),
    st.integers(0, 2),
    st.integers(1, 4),
    st.integers(0, 2),
)


def ran(
    failing: set[str], broken: tuple[str, ...] = (), *, without: frozenset[str] = frozenset()
) -> Outcomes:
    results = {node: "failed" if node in failing else "passed" for node in TESTS - without}
    return Outcomes(results, broken, True, 1.0)


@given(st.lists(MUTANTS, unique=True), st.integers(0, 9))
def test_one_mutant_a_place_is_drawn_and_the_order_is_that_of_the_seed_alone(every, seed):
    found = drawn(every, seed)
    assert found == drawn(list(reversed(every)), seed)
    places = [(one.path, one.line, one.column) for one in found]
    assert len(set(places)) == len(places)
    assert set(places) == {(one.path, one.line, one.column) for one in every}
    assert set(found) <= set(every)


def test_another_seed_draws_another_sample():
    every = [Mutant("a.py", f"core/{n}", 0, line, 0) for line in range(50) for n in range(4)]
    assert drawn(every, 1)[:20] != drawn(every, 2)[:20]


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cosmic_ray", None)
    monkeypatch.setitem(sys.modules, "cosmic_ray.plugins", None)
    with pytest.raises(MissingLibraryError, match="pip install cosmic-ray=="):
        list(mutants("a.py", "x = 1"))


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_the_proportion_and_each_end_is_where_the_tail_is_a_fortieth(hits, others):
    trials = hits + others
    low, high = proportion_interval(hits, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= hits / trials <= high

    def chance(rate: float, counts: range) -> float:
        return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in counts)

    if hits:
        assert chance(low, range(hits, trials + 1)) == pytest.approx(0.025, abs=1e-6)
    if others:
        assert chance(high, range(hits + 1)) == pytest.approx(0.025, abs=1e-6)


def test_no_hit_in_a_hundred_leaves_what_the_known_table_says():
    low, high = proportion_interval(0, 100)
    assert low == 0
    assert high == pytest.approx(0.0362, abs=1e-4)


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3)])
def test_what_is_no_proportion_is_refused(hits, trials):
    with pytest.raises(ValueError, match="no proportion"):
        proportion_interval(hits, trials)


def test_a_mutant_on_which_nothing_fails_survived():
    assert judged(TESTS, ran(set()), None, frozenset()).fate == SURVIVED


def test_a_test_that_fails_without_the_mutant_is_no_witness():
    assert judged(TESTS - {"t.py::a"}, ran({"t.py::a"}), None, frozenset()).fate == SURVIVED


def test_a_failing_test_that_was_not_selected_is_missed():
    verdict = judged(TESTS, ran({"t.py::a", "t.py::b"}), None, frozenset({"t.py::a"}))
    assert (verdict.fate, verdict.missed) == (KILLED, {"t.py::b"})


def test_one_that_does_not_fail_again_is_flaky_and_not_missed():
    verdict = judged(TESTS, ran({"t.py::a", "t.py::b"}), ran({"t.py::a"}), frozenset({"t.py::a"}))
    assert not verdict.missed
    assert verdict.flaky == {"t.py::b"}
    assert verdict.failing == {"t.py::a"}


def test_a_missed_one_that_passes_without_the_others_is_missed_and_told_apart():
    run = ran({"t.py::a", "t.py::b"})
    apart = Outcomes({"t.py::a": "passed", "t.py::b": "failed"}, (), True, 1.0)
    verdict = judged(TESTS, run, run, frozenset(), apart)
    assert verdict.missed == {"t.py::a", "t.py::b"}
    assert verdict.in_company == {"t.py::a"}
    answers = {"1": Answer(frozenset(), 0.1)}
    assert figures_of("local", {"1": verdict}, answers, 4)["local_missed_in_company"] == 0
    alone = judged(TESTS, ran({"t.py::a"}), ran({"t.py::a"}), frozenset(), apart)
    assert figures_of("local", {"1": alone}, answers, 4)["local_missed_in_company"] == 1


def test_a_mutant_that_breaks_an_import_is_shown_by_one_test():
    gone = frozenset({"u.py::d"})
    run = ran({"t.py::a"}, ("u.py",), without=gone)
    for shown in ("t.py::a", "u.py::d"):
        verdict = judged(TESTS, run, None, frozenset({shown}))
        assert (verdict.fate, verdict.missed) == (BROKEN, frozenset())
    assert judged(TESTS, run, None, frozenset({"t.py::b"})).missed == {"t.py::a", "u.py::d"}


def test_a_run_that_was_cut_off_tells_nothing_of_the_tests_after_it():
    run = Outcomes({"t.py::a": "failed"}, ("u.py",), False, 1.0)
    assert judged(TESTS, run, None, frozenset()).failing == {"t.py::a"}


@given(st.sets(st.sampled_from(sorted(TESTS))), st.sets(st.sampled_from(sorted(TESTS))))
def test_missed_is_what_fails_and_is_not_selected(failing, chosen):
    verdict = judged(TESTS, ran(failing), None, frozenset(chosen))
    assert verdict.missed == failing - chosen
    assert verdict.failing == failing


def test_an_id_without_brackets_means_all_of_its_parameters():
    steady = frozenset({"t.py::a[1]", "t.py::a[2]", "t.py::b"})
    assert selected_of(["t.py::a", "t.py::gone"], steady) == {"t.py::a[1]", "t.py::a[2]"}


def test_figures_count_killed_mutants_and_not_those_that_survive():
    found = {
        "1": judged(TESTS, ran({"t.py::a"}), None, frozenset()),
        "2": judged(TESTS, ran({"t.py::a"}), None, frozenset({"t.py::a"})),
        "3": judged(TESTS, ran(set()), None, frozenset()),
    }
    answers = {key: Answer(frozenset({"t.py::a"}), 0.5) for key in found}
    figures = figures_of("local", found, answers, len(TESTS))
    assert figures["local_missed"] == 1
    assert figures["local_miss_rate"] == 0.5
    assert figures["local_miss_low"] < 0.5 < figures["local_miss_high"]
    assert figures["local_share_mean"] == 0.25


def test_a_line_that_was_cut_off_is_left_out_and_the_test_it_was_in_failed():
    lines = [
        '{"begun": "a"}\n',
        '{"node": "a", "result": "passed"}\n',
        '{"begun": "b"}\n',
        '{"node": "b", "re',
    ]
    found = outcomes_of(lines, 2.0)
    assert found.results == {"a": "passed", "b": "failed"}
    assert not found.finished
    assert Outcomes.from_json(found.to_json()) == found


def test_a_real_run_tells_each_outcome_also_of_tests_that_hang(tmp_path: Path):
    (tmp_path / "test_kinds.py").write_text(
        """
import time
import pytest

def test_passes():
    pass

def test_fails():
    assert False

def test_hangs():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass

@pytest.fixture
def broken():
    raise ValueError

def test_set_up(broken):
    pass

@pytest.mark.xfail
def test_expected():
    assert False

def test_skipped():
    pytest.skip()

def test_after():
    pass
"""
    )
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    found = Suite(sys.executable).outcomes(tmp_path, limit=1.0, whole=120.0)
    assert {node.partition("::")[2]: result for node, result in found.results.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_hangs": "failed",
        "test_set_up": "error",
        "test_expected": "xfailed",
        "test_skipped": "skipped",
        "test_after": "passed",
    }
    assert found.broken == ("test_broken.py",)
    assert found.finished


def test_a_run_that_takes_too_long_is_ended_and_keeps_what_it_told(tmp_path: Path):
    (tmp_path / "test_long.py").write_text(
        "import time\n\ndef test_one():\n    pass\n\ndef test_two():\n    time.sleep(600)\n"
    )
    found = Suite(sys.executable).outcomes(tmp_path, limit=500.0, whole=15.0)
    assert not found.finished
    assert found.results.get("test_long.py::test_two", "failed") == "failed"
    assert found.seconds < 100


def test_a_conftest_that_cannot_be_imported_breaks_all_tests(tmp_path: Path):
    (tmp_path / "conftest.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    found = Suite(sys.executable).outcomes(tmp_path, limit=10.0, whole=120.0)
    assert found.broken == (START,)
    verdict = judged(frozenset({"test_one.py::test_one"}), found, None, frozenset())
    assert (verdict.fate, verdict.missed) == (BROKEN, {"test_one.py::test_one"})
