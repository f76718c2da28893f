"""Test selection on mutants: of the tests that fail on a small wrong change, how often is one left out?

    python -m benchmarks.mutants CLONE --into DIR --source FOLDER [--source ...] [--mutants 100] [--seed 1]
                                [--rev HEAD] [--python PYTHON] [--pythonpath FOLDER] [-- WORDS]

CLONE is copied into DIR and its tests are recorded once, at REV. Mutants of the Python files below the
SOURCE folders are drawn by chance, one a place; for each the tests of its diff are asked for, by the
recording alone (`local`) and of Maestro's service, and all tests are run. PYTHON is that of an environment
with what these need, pytest and coverage; WORDS are pytest's arguments. cosmic-ray makes the mutants, and
has to be installed where this runs (`pip install cosmic-ray==8.7.0`).

A mutant is killed when a test fails that passes without it, every time of several. It is missed when
such a test was not selected, and fails again when all tests are run once more; one that does not is told as
flaky, and of the others it is told whether they fail without all the other tests too, or only by what
another one left. Where a file of tests cannot be imported any more, its tests have no outcome: such a
mutant has to be shown by one selected test at least.

Outcomes are kept in DIR: a run that was stopped goes on, and a changed selection is scored without running
tests again. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from maestro_selection import changes, recording
from maestro_selection.selection import Selector
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api import selection
from api.questions import Question, Subject
from benchmarks.figures import print_figures
from benchmarks.mutant_verdicts import (
    BROKEN,
    KILLED,
    SURVIVED,
    Answer,
    Verdict,
    figures_of,
    judged,
    selected_of,
)
from benchmarks.mutating import MissingLibraryError, Mutant, UnmadeError, drawn, made, mutants
from benchmarks.selection_modes import opened
from benchmarks.suites import Outcomes, Suite
from benchmarks.test_selection import recorder

LOCAL, SERVICE = "local", "service"
PLAIN_RUNS = 3
"""Runs without a mutant: what does not pass in all of them is no witness."""
NAME = "mutated"


@dataclass
class Course:
    """A base state of a repository, its mutants, and what is known of them so far."""

    tree: Path
    into: Path
    suite: Suite
    commit: str
    mutants: dict[Mutant, str] = field(default_factory=dict)
    plain: list[Outcomes] = field(default_factory=list)
    runs: dict[str, list[Outcomes]] = field(default_factory=dict)
    apart: dict[str, Outcomes] = field(default_factory=dict)

    def git(self, *words: str) -> bytes:
        """What git says in the copy."""
        return subprocess.run(["git", "-C", str(self.tree), *words], check=True, capture_output=True).stdout

    @property
    def steady(self) -> frozenset[str]:
        """Tests that passed in every run without a mutant."""
        return frozenset.intersection(*(run.passing for run in self.plain))

    @property
    def recording(self) -> Path:
        """The recording of the base state, by this version of the recorder; made when it is not there."""
        kept = self.into / f"{recorder()}.rec"
        if not kept.exists():
            self.suite.record(self.tree, kept)
            self.restore()
        return kept

    def apply(self, mutant: Mutant) -> None:
        """Puts a mutant into the copy."""
        (self.tree / mutant.path).write_bytes(self.mutants[mutant].encode())

    def restore(self) -> None:
        """Puts the copy back to its base state, without what tests left in it."""
        self.git("checkout", "-q", "-f", self.commit)
        self.git("clean", "-f", "-d", "-x", "-q")

    def run(self, tests: Sequence[str] = ()) -> Outcomes:
        """All tests of the copy as it stands, or some of them.

        A phase of a test may take as long as all tests do without a mutant, and 10 s at least.
        """
        whole = max((run.seconds for run in self.plain), default=0.0)
        limit = max(10.0, whole)
        whole = 10 * whole + 120 if self.plain else 3600.0
        return self.suite.outcomes(self.tree, limit=limit, whole=whole, tests=tests)

    def note(self, key: str, outcomes: Outcomes, *, apart: bool = False) -> None:
        """Keeps the outcomes of a run; `apart`: of some tests without the others."""
        row = {"mutant": key, "apart": apart, **outcomes.to_json()}
        with (self.into / "outcomes.jsonl").open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(row) + "\n")

    def load(self) -> None:
        """Reads the outcomes that were kept; a last line that was cut off is left out."""
        kept = self.into / "outcomes.jsonl"
        if not kept.exists():
            return
        with kept.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    row = json.loads(line)
                    found = Outcomes.from_json(row)
                    if row["apart"]:
                        self.apart[row["mutant"]] = found
                    elif row["mutant"]:
                        self.runs.setdefault(row["mutant"], []).append(found)
                    else:
                        self.plain.append(found)

    def measure(self, mutant: Mutant, times: int) -> None:
        """Runs all tests with a mutant, as often as it was not done yet."""
        known = self.runs.setdefault(mutant.key, [])
        while len(known) < times:
            self.apply(mutant)
            try:
                known.append(self.run())
            finally:
                self.restore()
            self.note(mutant.key, known[-1])

    def part(self, mutant: Mutant, tests: frozenset[str]) -> None:
        """Runs tests with a mutant and without all the others, unless that was done."""
        known = self.apart.get(mutant.key)
        if known is not None and tests <= known.results.keys():
            return
        self.apply(mutant)
        try:
            self.apart[mutant.key] = self.run(sorted(tests))
        finally:
            self.restore()
        self.note(mutant.key, self.apart[mutant.key], apart=True)

    def diff(self, mutant: Mutant) -> bytes:
        """The mutant as a diff on the base state."""
        self.apply(mutant)
        try:
            return self.git("diff", "--binary", "--full-index")
        finally:
            self.restore()


def locally(course: Course) -> dict[str, Answer]:
    """What the recording alone selects for each mutant."""
    selector = Selector(recording.read(course.recording))
    selector.prepare()
    known = selector.evidence.recording.tests
    found = {}
    for mutant, text in course.mutants.items():
        after = text.encode()
        before = selector.evidence.tables.get(mutant.path, (course.tree / mutant.path).read_bytes())
        begun = time.perf_counter()
        answer = selector.select([changes.compare(mutant.path, before, after)])
        seconds = time.perf_counter() - begun
        meant = {test.node for test in answer.tests} | (course.steady - known.keys())
        found[mutant.key] = Answer(selected_of(meant, course.steady), seconds)
    return found


async def served(course: Course) -> dict[str, Answer]:
    """What Maestro's service selects for each mutant."""
    found = {}
    async with opened(course.into / "data") as service:
        await service.index(course.tree, NAME, rev=course.commit, recordings=(course.recording,))
        for mutant in course.mutants:
            question = Question(Subject.DIFF, course.commit, course.diff(mutant), NAME)
            begun = time.perf_counter()
            answer = await selection.select(service, question, static=False, refresh=False)
            seconds = time.perf_counter() - begun
            meant = (each.test for each in answer.selected)
            found[mutant.key] = Answer(selected_of(meant, course.steady), seconds)
    return found


def verdicts(course: Course, answers: Mapping[str, Answer]) -> dict[str, Verdict]:
    """The verdict of every mutant on one way of selecting."""
    found = {}
    for mutant in course.mutants:
        run, again = [*course.runs[mutant.key], None][:2]
        assert run is not None
        selected, apart = answers[mutant.key].selected, course.apart.get(mutant.key)
        found[mutant.key] = judged(course.steady, run, again, selected, apart)
    return found


def describe(course: Course, way: str, found: Mapping[str, Verdict]) -> None:
    """Every mutant of which a test was missed, and every flaky one."""
    for mutant in course.mutants:
        verdict = found[mutant.key]
        if verdict.missed:
            print(f"MISSED {way} {mutant.key} ({verdict.fate}, {len(verdict.failing)} failing)")
            changed = [line for line in course.diff(mutant).decode().splitlines() if line[:1] in "+-"]
            print("\n".join(f"    {line}" for line in changed if line[:3] not in {"+++", "---"}))
            for node in sorted(verdict.missed)[:10]:
                why = " (passes without the others)" if node in verdict.in_company else ""
                print(f"    not selected: {node}{why}")
            if len(verdict.missed) > 10:
                print(f"    and {len(verdict.missed) - 10} more")
        for node in sorted(verdict.flaky):
            print(f"flaky {way} {mutant.key}: {node} failed once and passed once")


def prepare(given: argparse.Namespace) -> Course:
    """The copy of the clone, its plain runs, and the mutants that are drawn of it."""
    into: Path = given.into.resolve()
    into.mkdir(parents=True, exist_ok=True)
    tree = into / "tree"
    if not tree.exists():
        copied = tree.with_name("tree.part")
        shutil.rmtree(copied, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", str(given.clone.resolve()), str(copied)], check=True)
        copied.rename(tree)
    ask = ["git", f"--git-dir={given.clone / '.git' if (given.clone / '.git').exists() else given.clone}"]
    said = subprocess.run(
        [*ask, "rev-parse", f"{given.rev}^{{commit}}"], check=True, capture_output=True, text=True
    )
    suite = Suite(given.python, given.pythonpath, tuple(given.arguments))
    course = Course(tree, into, suite, said.stdout.strip())
    order = {
        "commit": course.commit,
        "seed": given.seed,
        "source": given.source,
        "arguments": given.arguments,
    }
    kept = into / "order.json"
    if kept.exists() and json.loads(kept.read_text()) != order:
        raise SystemExit(f"{into} holds another course: {kept.read_text()}. Give another folder.")
    kept.write_text(json.dumps(order))
    course.restore()
    course.mutants = choose(course, given.source, given.seed, given.mutants)
    course.load()
    while len(course.plain) < PLAIN_RUNS:
        course.plain.append(course.run())
        course.note("", course.plain[-1])
        course.restore()
    return course


def choose(course: Course, sources: Iterable[str], seed: int, count: int) -> dict[Mutant, str]:
    """The mutants to try, and the text of the file in each: the first that are Python and another program."""
    listed = course.git("ls-files", "-z", "--", *sources).decode().split("\0")
    texts = {path: (course.tree / path).read_bytes().decode() for path in listed if path.endswith(".py")}
    if not texts:
        raise SystemExit(f"There is no Python file below {', '.join(sources)}.")
    order = drawn((one for path, text in texts.items() for one in mutants(path, text)), seed)
    found: dict[Mutant, str] = {}
    for mutant in order:
        if len(found) == count:
            break
        try:
            text = made(mutant, texts[mutant.path])
        except UnmadeError as error:
            print(f"left out, since the library cannot make it: {error}")
            continue
        if text is not None:
            found[mutant] = text
    return found


def progress() -> Progress:
    """Shown on the error stream, so that figures can be kept by themselves."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--source", action="append", required=True, help="folder or file to make mutants of")
    parser.add_argument("--mutants", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rev", default="HEAD")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pythonpath", default="")
    parser.add_argument("arguments", nargs="*", help="pytest's, after --")
    given = parser.parse_args()
    try:
        course = prepare(given)
    except MissingLibraryError as error:
        parser.error(str(error))
    with progress() as shown:
        for mutant in shown.track(course.mutants, description="mutants"):
            course.measure(mutant, 1)
    report(course)


def look_again(course: Course, answers: Mapping[str, Mapping[str, Answer]]) -> None:
    """Runs again where a test was missed: all tests, and what is still missed then without the others."""
    for times in (1, 2):
        missed: dict[str, frozenset[str]] = {}
        for each in answers.values():
            for key, verdict in verdicts(course, each).items():
                missed[key] = missed.get(key, frozenset()) | verdict.missed
        for mutant in course.mutants:
            if missed[mutant.key] and times == 1:
                course.measure(mutant, 2)
            elif missed[mutant.key] and not course.runs[mutant.key][0].broken:
                course.part(mutant, missed[mutant.key])


def report(course: Course) -> None:
    """Asks each way, runs again where a test was not selected, and prints what came out."""
    answers = {LOCAL: locally(course), SERVICE: anyio.run(served, course)}
    look_again(course, answers)
    steady = course.steady
    unsteady = sorted({node for run in course.plain for node in run.results} - steady)
    print(f"{len(steady)} tests pass every time without a mutant, {len(unsteady)} do not: {unsteady[:5]}")
    figures: dict[str, float] = {"mutants": len(course.mutants), "tests": len(steady)}
    flaky: set[str] = set()
    for way, given in answers.items():
        found = verdicts(course, given)
        describe(course, way, found)
        flaky |= {node for verdict in found.values() for node in verdict.flaky}
        for fate in (KILLED, BROKEN, SURVIVED):
            figures[fate] = sum(verdict.fate == fate for verdict in found.values())
        figures |= figures_of(way, found, given, len(steady))
    figures["cut_off"] = sum(not runs[0].finished for runs in course.runs.values())
    figures["flaky"] = len(flaky)
    for name, value in figures.items():
        print(f"{name:<24}{value:>10}")
    print_figures("mutants", f"{course.commit[:8]}, {len(course.mutants)} mutants", figures)


if __name__ == "__main__":
    main()
