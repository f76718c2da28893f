"""The tests that a change can alter, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional, Protocol

from maestro_selection.changes import FileChange
from maestro_selection.evidence import Evidence
from maestro_selection.judging import Judge
from maestro_selection.records import Recording
from maestro_selection.spread import Cause, World

SAFE, MINIMAL, BUDGET = "safe", "minimal", "budget"


class References(Protocol):
    """Answers who reads a value, more narrowly than names can (by types)."""

    def readers(self, path: str, name: str) -> Optional[Iterable[tuple[str, int]]]:
        """Files and lines that can read a definition, by its qualified name in a file; None when it is not known."""


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

    def explain(self, node: str) -> tuple[tuple[str, ...], ...]:
        """The reasons of a test, empty when it was skipped."""
        for test in self.tests:
            if test.node == node:
                return test.reasons
        return ()


class Selector:
    """Selects by one recording; made once, it answers many changes."""

    def __init__(self, recording: Recording) -> None:
        self.evidence = Evidence(recording)
        self.world = World(self.evidence)
        self.program = self.world.program

    def prepare(self) -> None:
        """Works out all that does not depend on a change, so that the first selection is as quick as the next."""
        self.program.readers(".")
        self.world.reaching.keepers()
        self.evidence.executing("", 0)
        self.evidence.looking_up(self.program)
        self.evidence.enumerating(self.program)

    def select(self, changes: Iterable[FileChange]) -> Selection:
        """Every test that the changes can alter."""
        judge = Judge(self.world, list(changes))
        judge.judge()
        return self._selection(judge)

    def _selection(self, judge: Judge) -> Selection:
        mask = 0
        reasons: dict[int, list[Cause]] = {}
        for tests, cause in judge.groups:
            mask |= tests
            for number in self.evidence.members(tests):
                found = reasons.setdefault(number, [])
                if len(found) < 3:
                    found.append(cause)
        chosen = []
        for number in self.evidence.members(mask):
            test = self.evidence.test(number)
            paths = tuple((*cause.path(), test.node) for cause in reasons[number])
            chosen.append(Chosen(test.node, test.seconds, paths))
        skipped = [self.evidence.nodes[n] for n in self.evidence.members(self.evidence.all & ~mask)]
        return Selection(
            tuple(chosen), tuple(skipped), tuple(dict.fromkeys(judge.widenings)), tuple(judge.notes)
        )


def select(
    recording: Recording,
    changes: Iterable[FileChange],
    *,
    mode: str = SAFE,
    references: Optional[References] = None,
) -> Selection:
    """Selects the tests that changes since a recording can alter."""
    return Selector(recording).select(changes)
