"""Test selection on real bug fixes, turned round: are all tests kept that fail, and how much else is run?

    python -m benchmarks.test_selection CASES_DIR --clones DIR [--static|--local] [--only NAME] [--cache DIR]

CASES_DIR has a JSON file a case, and `repos.json` beside it, which says how each repository's tests run; DIR
has a git directory (or a clone) a repository, by its name there. For each case the repository is checked out
and its tests are recorded; then the source files of the case are put back to before C, and the selection
for that difference is held against what really fails. `changed_tests` is never read, and `fault_revealing`
only to score.

- by default Maestro's service selects, by recording, index and graph;
- `--local`: the recording alone, as `pytest --maestro` does without a server;
- `--static`: the index alone, without a recording.

Environments and recordings are kept in the cache, and used again until what they are made of changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from maestro_selection import changes, recording, tables
from maestro_selection.ordering import apfd, by_expectation, chance_apfd, cover
from maestro_selection.recording import Recording
from maestro_selection.selection import Selector

from benchmarks import recording as overhead
from benchmarks import selection_modes
from benchmarks.figures import print_figures
from benchmarks.selection_modes import Scored
from benchmarks.suites import PLUGIN, Suite
from graph.queries.backtest import Orders

BARS = {
    "local": {"kept": (33, 33), "share_mean": (0.40, 0.30)},
    **selection_modes.BARS,
}
SECONDS = {"select_s_p50": (1.0, 0.2), "record_overhead": (1.3, 1.0)}

Case = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where cases, clones and kept things are."""

    repositories: dict[str, Any]
    clones: Path
    cache: Path

    def git(self, case: Case, *words: str) -> bytes:
        """What git says of a case's clone."""
        clone = self.clones / case["name"]
        inside = clone / ".git" if (clone / ".git").exists() else clone
        return subprocess.run(["git", f"--git-dir={inside}", *words], check=True, capture_output=True).stdout

    def text(self, case: Case, revision: str, path: str) -> bytes | None:
        """A file at a revision; None where it is not there."""
        if not self.git(case, "ls-tree", "--name-only", revision, "--", path):
            return None
        return self.git(case, "show", f"{revision}:{path}")

    def checkout(self, case: Case) -> Path:
        """The repository's tree at the case's commit, made when it is not there."""
        folder = self.cache / "checkouts" / label(case)
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            made = folder.with_name(folder.name + ".part")
            shutil.rmtree(made, ignore_errors=True)
            clone = str((self.clones / case["name"]).resolve())
            quiet = ["git", "clone", "-q", "--shared", "--no-checkout", clone, str(made)]
            subprocess.run(quiet, check=True)
            subprocess.run(["git", "-C", str(made), "checkout", "-q", case["commit"]], check=True)
            made.rename(folder)
        return folder

    def python(self, case: Case) -> Path:
        """The interpreter of the repository's own environment, made when it is not there."""
        requires = self.repositories[case["name"]]["requires"]
        stamp = hashlib.sha256(json.dumps([sys.version, requires]).encode()).hexdigest()[:12]
        folder = self.cache / "environments" / f"{case['name']}-{stamp}"
        interpreter = folder / "bin" / "python"
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run(
                [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requires],
                check=True,
            )
            (folder / "ready").touch()
        return interpreter

    @property
    def recordings(self) -> Path:
        """Where what this recorder recorded is kept."""
        return self.cache / f"recordings-{recorder()}"

    def recording(self, case: Case) -> Path:
        """The recording of the case's commit, made when it is not there."""
        kept = self.recordings / f"{label(case)}.rec"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            self._record(case, kept)
        return kept

    def _record(self, case: Case, to: Path) -> None:
        how = self.repositories[case["name"]]
        suite = Suite(str(self.python(case)), how["pythonpath"], tuple(how["args"]))
        try:
            seconds = suite.record(self.checkout(case), to)
        except RuntimeError as error:
            raise SystemExit(f"{case['id']}: {error}") from error
        print(f"recorded {label(case)} in {seconds:.0f} s", flush=True)

    def evidence(self, case: Case) -> Recording:
        """The recording with tables that this version understands."""
        kept = recording.read(self.recording(case))
        version = next((table.get("version") for table in kept.tables.values()), tables.VERSION)
        if version == tables.VERSION:
            return kept
        checkout = self.checkout(case)
        fresh = {path: tables.read(path, (checkout / path).read_bytes()).to_json() for path in kept.tables}
        return replace(kept, tables=fresh)


def recorder() -> str:
    """Digest of what makes recordings: another one's are not used again."""
    made = hashlib.sha256()
    for path in sorted((PLUGIN / "pytest_maestro").glob("*.py")):
        made.update(path.read_bytes())
    made.update(f"{recording.FORMAT} {recording.VERSION}".encode())
    return made.hexdigest()[:12]


def label(case: Case) -> str:
    """A case's state in a few letters."""
    return f"{case['name']}-{case['commit'][:8]}"


def local(bench: Bench, cases: Iterable[Case]) -> list[Scored]:
    """Every case by its recording alone."""
    scores = []
    for case in cases:
        selector = Selector(bench.evidence(case))
        versions = []
        for changed in case["changed_source"]:
            sides = (bench.text(case, f"{case['commit']}{side}", changed["file"]) for side in ("", "^"))
            versions.append((changed["file"], *sides))
        selector.prepare()
        begun = time.perf_counter()
        differing = [
            changes.compare(path, selector.evidence.tables.get(path, old), new) for path, old, new in versions
        ]
        found = selector.select(differing)
        seconds = time.perf_counter() - begun
        known = selector.evidence.recording.tests
        chosen = {test.node for test in found.tests}
        # A test that no recording tells of is a new one, and always runs.
        run = {node for node, _ in case["tests"] if node in chosen or node not in known}
        missed = tuple(sorted(set(case["fault_revealing"]) - run))
        share = len(run) / len(case["tests"])
        orders = ordered(selector, differing, frozenset(case["fault_revealing"]))
        scores.append(Scored(case["name"], case["id"], share, missed, seconds, found.widened, orders))
        print(f"{case['id']:<32}{share:>8.3f}{seconds:>8.2f} s  {', '.join(missed[:3])}", flush=True)
    return scores


def ordered(selector: Selector, differing: list[changes.FileChange], revealing: frozenset[str]) -> Orders:
    """How soon orders of the selected tests show the fault, and whether the minimal set does at all."""
    safe, candidates = selector.weigh(differing)
    fault = {"fault": revealing}
    quickest = sorted(safe.tests, key=lambda test: (test.seconds, test.node))
    few = {candidate.node for candidate in cover(candidates).chosen}
    return Orders(
        expected=apfd([each.node for each in by_expectation(candidates)], fault),
        quickest=apfd([test.node for test in quickest], fault),
        chance=chance_apfd(len(safe.tests), (sum(test.node in revealing for test in safe.tests),)),
        minimal=len(few),
        missed=few.isdisjoint(revealing),
    )


def through_service(bench: Bench, cases: list[Case], *, static: bool) -> list[Scored]:
    """Every case through Maestro's service."""
    for case in cases if not static else ():
        bench.recording(case)
    recordings = None if static else bench.recordings
    return anyio.run(selection_modes.measure, cases, bench.clones, recordings)


def figures_of(scores: list[Scored]) -> dict[str, float]:
    """The figures of a set of cases; those of orders where they were made."""
    orders = [score.orders for score in scores if score.orders is not None]
    ranked = (
        {
            "apfd": round(statistics.mean(each.expected for each in orders), 4),
            "apfd_quickest": round(statistics.mean(each.quickest for each in orders), 4),
            "apfd_chance": round(statistics.mean(each.chance for each in orders), 4),
            "minimal_tests_mean": round(statistics.mean(each.minimal for each in orders), 1),
            "minimal_missed": sum(each.missed for each in orders),
        }
        if orders
        else {}
    )
    return ranked | {
        "cases": len(scores),
        "kept": sum(not score.missed for score in scores),
        "share_mean": round(statistics.mean(score.share for score in scores), 4),
        "share_median": round(statistics.median(score.share for score in scores), 4),
        "select_s_p50": round(statistics.median(score.seconds for score in scores), 3),
        "select_s_max": round(max(score.seconds for score in scores), 3),
    }


def print_scores(mode: str, scores: list[Scored], figures: dict[str, float]) -> None:
    """A line a repository, every miss, and the figures beside their bars."""
    print(f"\n{'repository':<14}{'kept':>10}{'mean':>8}{'median':>8}{'select':>9}")
    for name in sorted({score.name for score in scores}):
        own = figures_of([score for score in scores if score.name == name])
        kept = f"{own['kept']} of {own['cases']}"
        print(
            f"{name:<14}{kept:>10}{own['share_mean']:>8.3f}{own['share_median']:>8.3f}"
            f"{own['select_s_p50']:>7.2f} s"
        )
    if "apfd" in figures:
        print(
            f"APFD of the selected tests: {figures['apfd']} in the budget's order, "
            f"{figures['apfd_quickest']} the quickest first, {figures['apfd_chance']} at random"
        )
        print(
            f"minimal: {figures['minimal_tests_mean']} tests on average, "
            f"{figures['minimal_missed']} of {figures['cases']} faults shown by none of them"
        )
    for score in scores:
        for node in score.missed:
            print(f"MISSED {score.case}: {node}")
        for said in score.widened:
            print(f"widened {score.case}: {said}")
    for figure, (bar, aim) in {**BARS[mode], **SECONDS}.items():
        if figure in figures:
            value = figures[figure]
            within = value == figures["cases"] if figure == "kept" else value <= bar
            verdict = "within the bar" if within else "MISSES the bar"
            print(f"{figure:<16}{value:>8}  {verdict} (bar {bar}, aim {aim})")


def measured_overhead(bench: Bench, case: Case, rounds: int) -> float:
    """Recording beside plain coverage contexts, in one repository."""
    how = bench.repositories[case["name"]]
    found = overhead.measure(
        bench.checkout(case),
        how["args"],
        python=str(bench.python(case)),
        pythonpath=how["pythonpath"],
        rounds=rounds,
    )
    return round(found.ratio, 3)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--only", default="", help="a repository's name or a case's id")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "maestro" / "test-selection")
    parser.add_argument("--overhead", type=int, default=0, metavar="ROUNDS", help="time recording as well")
    given = parser.parse_args()
    if given.static and given.local:
        parser.error("--static and --local are two modes")
    found = [json.loads(path.read_text()) for path in sorted(given.cases.glob("*.json"))]
    cases = [case for case in found if given.only in (case["name"], case["id"], "")]
    if not cases:
        parser.error(f"no cases{f' of {given.only}' if given.only else ''} in {given.cases}")
    repositories = json.loads((given.cases.parent / "repos.json").read_text())
    bench = Bench(repositories, given.clones, given.cache.resolve())
    modes: dict[str, Callable[[], list[Scored]]] = {
        "local": lambda: local(bench, cases),
        "static": lambda: through_service(bench, cases, static=True),
        "service": lambda: through_service(bench, cases, static=False),
    }
    mode = "local" if given.local else "static" if given.static else "service"
    scores = modes[mode]()
    figures = figures_of(scores)
    if given.overhead:
        figures["record_overhead"] = measured_overhead(bench, cases[0], given.overhead)
    print_scores(mode, scores, figures)
    on = f"{len(cases)} cases of {', '.join(sorted({case['name'] for case in cases}))}, {mode}"
    print_figures("test_selection", on, figures)


if __name__ == "__main__":
    main()
