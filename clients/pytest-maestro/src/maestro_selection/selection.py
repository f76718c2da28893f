"""The tests that a change can alter, each with its reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from maestro_selection.causes import Cause
from maestro_selection.changes import FileChange
from maestro_selection.evidence import Evidence
from maestro_selection.judging import Judge
from maestro_selection.ordering import Candidate, by_expectation, cover, within
from maestro_selection.records import Distribution, Recording
from maestro_selection.spread import World

SAFE, MINIMAL, BUDGET = "safe", "minimal", "budget"
SHOWN = 3
"""Reasons that are kept of a test."""


@dataclass(frozen=True)
class Chosen:
    """A selected test and its reasons, each a path from a changed statement to the test."""

    node: str
    seconds: float
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Selection:
    """What to run.

    Parameters
    ----------
    tests : tuple of Chosen
        In the order to run them.
    skipped : tuple of str
        Node ids that the change cannot alter.
    widened : tuple of str
        Each step by which more was taken than the evidence shows, and why.
    notes : tuple of str
        What else there is to be said.
    """

    tests: tuple[Chosen, ...]
    skipped: tuple[str, ...]
    widened: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    why_not: Callable[[str], str] | None = field(default=None, repr=False, compare=False)

    def explain(self, node: str) -> tuple[tuple[str, ...], ...]:
        """The reasons of a test; for one that is skipped, why there are none."""
        for test in self.tests:
            if test.node == node:
                return test.reasons
        return ((self.why_not(node),),) if self.why_not is not None else ()


class Selector:
    """Selects by one recording; made once, it answers many changes."""

    def __init__(self, recording: Recording) -> None:
        self.evidence = Evidence(recording)
        self.world = World(self.evidence)
        self.program = self.world.program

    def prepare(self) -> None:
        """Works out all that does not depend on a change, so that the first selection is as quick as the
        next.
        """
        self.program.readers(".")
        self.world.keepers.all()
        self.evidence.executing("", 0)
        self.evidence.looking_up(self.program)
        self.evidence.enumerating(self.program)

    def select(
        self,
        changes: Iterable[FileChange],
        *,
        mode: str = SAFE,
        seconds: float = 0.0,
        installed: Mapping[str, Distribution] | None = None,
    ) -> Selection:
        """The tests that the changes can alter.

        Parameters
        ----------
        installed : mapping of str to Distribution, optional
            The distributions of the environment that the tests will run in, where that is at hand.
        mode : str
            `safe`: all of them. `minimal`: the cheapest that touch every changed statement. `budget`: those
            that are expected to find the most within `seconds`.
        """
        judge = self._judged(changes, installed)
        if mode == SAFE:
            return self._selection(judge)
        return _less(self._selection(judge), self._candidates(judge), mode, seconds)

    def weigh(self, changes: Iterable[FileChange]) -> tuple[Selection, list[Candidate]]:
        """The safe answer, and what is known of each of its tests to order or cut it by."""
        judge = self._judged(changes)
        return self._selection(judge), self._candidates(judge)

    def _judged(
        self, changes: Iterable[FileChange], installed: Mapping[str, Distribution] | None = None
    ) -> Judge:
        judge = Judge(self.world, list(changes), installed)
        judge.judge()
        return judge

    def _selection(self, judge: Judge) -> Selection:
        mask = 0
        reasons: dict[int, list[Cause]] = {}
        for tests, cause in judge.groups:
            mask |= tests
            for number in self.evidence.members(tests):
                found = reasons.setdefault(number, [])
                if len(found) < SHOWN:
                    found.append(cause)
        chosen = []
        for number in self.evidence.members(mask):
            test = self.evidence.test(number)
            paths = tuple((*cause.path(), test.node) for cause in reasons[number])
            chosen.append(Chosen(test.node, test.seconds, paths))
        skipped = [self.evidence.nodes[n] for n in self.evidence.members(self.evidence.all & ~mask)]
        widened = tuple(dict.fromkeys(judge.widenings))
        files = tuple(change.path for change in judge.changes if change)
        return Selection(tuple(chosen), tuple(skipped), widened, tuple(judge.notes), self._why_not(files))

    def _why_not(self, files: tuple[str, ...]) -> Callable[[str], str]:
        def why_not(node: str) -> str:
            if node not in self.evidence.place:
                return f"{node} is not in the recording: it is new, and runs."
            number = self.evidence.place[node]
            touched = [path for path in files if self.evidence.using_file(path) >> number & 1]
            executed = (
                f"It executed other lines of {', '.join(touched)}, none that changed"
                if touched
                else "It executed nothing of the files that changed"
            )
            return f"{executed}, and nothing that reads what the changes can alter."

        return why_not

    def _candidates(self, judge: Judge) -> list[Candidate]:
        touched: dict[int, set[str]] = {}
        distance: dict[int, int] = {}
        counts: dict[str, int] = {}
        for tests, cause in judge.groups:
            path = cause.path()
            counts[path[0]] = counts.get(path[0], 0) | tests
            for number in self.evidence.members(tests):
                touched.setdefault(number, set()).add(path[0])
                distance[number] = min(distance.get(number, len(path)), len(path))
        found = []
        for number, changes in touched.items():
            test = self.evidence.test(number)
            failed = [outcome.result in {"failed", "error"} for outcome in test.outcomes]
            found.append(
                Candidate(
                    test.node,
                    test.seconds,
                    frozenset(changes),
                    distance[number],
                    sum(failed) / len(failed) if failed else 0.0,
                    test.flakiness,
                    min(bin(counts[change]).count("1") for change in changes),
                )
            )
        return found


def _less(found: Selection, candidates: list[Candidate], mode: str, seconds: float) -> Selection:
    if mode == MINIMAL:
        chosen = cover(candidates)
        picked = by_expectation(chosen.chosen)
        note = (
            f"{len(picked)} of {len(candidates)} tests touch every change, in {chosen.seconds:.2f} s: "
            f"at most {chosen.bound:.2f} times what the cheapest such set takes."
        )
    elif mode == BUDGET:
        cut = within(candidates, seconds)
        picked = list(cut.chosen)
        note = (
            f"{len(picked)} of {len(candidates)} tests fit into {seconds:g} s: "
            f"the chance that a fault shows in none of them is estimated at {cut.miss:.0%}."
        )
    else:
        raise ValueError(f"{mode!r} is no mode: {SAFE}, {MINIMAL} or {BUDGET}")
    by_node = {test.node: test for test in found.tests}
    tests = tuple(by_node.pop(candidate.node) for candidate in picked)
    skipped = (*found.skipped, *by_node)
    return Selection(tests, skipped, found.widened, (*found.notes, note), found.why_not)


def select(
    recording: Recording,
    changes: Iterable[FileChange],
    *,
    mode: str = SAFE,
    seconds: float = 0.0,
    installed: Mapping[str, Distribution] | None = None,
) -> Selection:
    """Selects the tests that changes since a recording can alter; see `Selector.select`."""
    return Selector(recording).select(changes, mode=mode, seconds=seconds, installed=installed)
