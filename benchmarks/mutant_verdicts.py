"""What the runs of a mutant say of a selection, and the figures of many."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.figures import proportion_interval
from benchmarks.suites import Outcomes

SURVIVED, KILLED, BROKEN = "survived", "killed", "broken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mutant's runs say of one selection.

    Parameters
    ----------
    fate : str
        `survived`, `killed`, or `broken` where files of tests could not be imported.
    failing : frozenset of str
        Tests that fail because of it; of a broken one those without an outcome as well.
    missed : frozenset of str
        Those of them that were not selected and should have been.
    flaky : frozenset of str
        Tests that failed once only, not selected.
    in_company : frozenset of str
        Those of the missed ones that pass when they run without all the others: they fail by what another
        test left.
    """

    fate: str
    failing: frozenset[str]
    missed: frozenset[str] = frozenset()
    flaky: frozenset[str] = frozenset()
    in_company: frozenset[str] = frozenset()


def judged(
    steady: frozenset[str],
    run: Outcomes,
    again: Outcomes | None,
    selected: frozenset[str],
    apart: Outcomes | None = None,
) -> Verdict:
    """What one mutant says of one selection.

    Parameters
    ----------
    steady : frozenset of str
        Tests that pass without a mutant, every time.
    run, again : Outcomes
        All tests with the mutant, and once more where that was done.
    selected : frozenset of str
        What the selection would have run.
    apart : Outcomes
        The missed tests without all the others, where that was done.
    """
    failing = run.failing & steady
    if run.broken:
        gone = failing | (steady - run.results.keys() if run.finished else frozenset())
        return Verdict(BROKEN, gone, frozenset() if gone & selected else gone)
    if not failing:
        return Verdict(SURVIVED, failing)
    missed = failing - selected
    if again is None:
        return Verdict(KILLED, failing, missed)
    real = missed & again.failing
    company = real & apart.passing if apart is not None else frozenset()
    return Verdict(KILLED, failing - (missed - real), real, missed - real, company)


def selected_of(answer: Iterable[str], steady: frozenset[str]) -> frozenset[str]:
    """The tests that an answer means: an id without brackets stands for all of its parameters."""
    meant = set(answer)
    return frozenset(node for node in steady if node in meant or node.partition("[")[0] in meant)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a way of selecting takes of the tests that pass without a mutant, and how long it took."""

    selected: frozenset[str]
    seconds: float


def figures_of(
    way: str, found: Mapping[str, Verdict], answers: Mapping[str, Answer], tests: int
) -> dict[str, float]:
    """The figures of one way of selecting; `tests` is how many there are."""
    caught = [verdict for verdict in found.values() if verdict.fate != SURVIVED and verdict.failing]
    misses = sum(bool(verdict.missed) for verdict in caught)
    low, high = proportion_interval(misses, len(caught))
    shares = [len(answer.selected) / tests for answer in answers.values()]
    failing = sum(len(verdict.failing) for verdict in caught)
    left = sum(len(verdict.missed) for verdict in caught)
    return {
        f"{way}_missed": misses,
        f"{way}_missed_in_company": sum(
            bool(verdict.missed) and verdict.missed == verdict.in_company for verdict in caught
        ),
        f"{way}_miss_rate": round(misses / len(caught), 4) if caught else 0.0,
        f"{way}_miss_low": round(low, 4),
        f"{way}_miss_high": round(high, 4),
        f"{way}_tests_missed": left,
        f"{way}_tests_failing": failing,
        f"{way}_share_mean": round(statistics.mean(shares), 4),
        f"{way}_share_median": round(statistics.median(shares), 4),
        f"{way}_select_s_p50": round(statistics.median(a.seconds for a in answers.values()), 3),
    }
