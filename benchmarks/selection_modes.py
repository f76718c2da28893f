"""Test selection through the service, with recordings and without, on cases of real bug fixes.

    python -m benchmarks.selection_modes CASES_DIR --clones DIR [--recordings DIR] [--static] [--only NAME]

For each case the service indexes the repository at C, takes the recording of C in (`DIR/NAME-COMMIT8.rec`, as
`benchmarks.test_selection` keeps them), and is asked for the tests of the diff. `--static` asks without a
recording. What is timed is a second question: diff to list, with evidence and arrays at hand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from api import documents, selection
from api.questions import Question, Subject
from api.service import Service
from api.settings import Settings
from benchmarks.figures import print_figures

BARS = {
    "service": {"kept": (33, 33), "share_mean": (0.32, 0.29), "share_median": (0.12, 0.06)},
    "static": {"kept": (33, 33), "share_mean": (0.85, 0.60)},
}
SECONDS = {"select_s_p50": (1.0, 0.2)}


@dataclass(frozen=True, slots=True)
class Scored:
    """A case: share of its tests that were selected, what was missed, and how long the answer took."""

    name: str
    case: str
    share: float
    missed: tuple[str, ...]
    seconds: float
    widened: tuple[str, ...]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Service]:
    """A service with a store of its own, without the history of the repositories."""
    settings = Settings(data=folder, heap="512m", history=False)
    async with Service.open(settings) as service:
        yield service


def diff_of(clone: Path, case: dict[str, Any]) -> bytes:
    """The diff that puts a case's source files back to before its commit."""
    paths = [changed["file"] for changed in case["changed_source"]]
    ask = [
        "git",
        f"--git-dir={clone}",
        "diff",
        "--binary",
        "--full-index",
        case["commit"],
        f"{case['commit']}^",
    ]
    return subprocess.run([*ask, "--", *paths], check=True, capture_output=True).stdout


async def asked(
    service: Service, name: str, clone: Path, case: dict[str, Any], recording: Path | None
) -> tuple[documents.Tests, float]:
    """The answer to a case's diff at its commit, and the seconds that asking again takes."""
    given = (recording,) if recording is not None else ()
    await service.index(clone, name, rev=case["commit"], recordings=given)
    question = Question(Subject.DIFF, case["commit"], diff_of(clone, case), name)
    found = await selection.select(service, question, static=recording is None, refresh=False)
    begun = time.perf_counter()
    await selection.select(service, question, static=recording is None, refresh=False)
    return found, time.perf_counter() - begun


def chosen_of(found: documents.Tests, case: dict[str, Any]) -> set[str]:
    """The case's tests that an answer means: an id without brackets stands for all of its parameters."""
    meant = {each.test for each in found.selected}
    tests: list[str] = [node for node, _ in case["tests"]]
    return {node for node in tests if node in meant or node.partition("[")[0] in meant}


def scored(found: documents.Tests, seconds: float, case: dict[str, Any]) -> Scored:
    """An answer, held against what really failed."""
    chosen = chosen_of(found, case)
    missed = tuple(sorted(set(case["fault_revealing"]) - chosen))
    return Scored(case["name"], case["id"], len(chosen) / len(case["tests"]), missed, seconds, found.widened)


def figures_of(scores: list[Scored]) -> dict[str, float]:
    """The figures of a set of cases."""
    return {
        "cases": len(scores),
        "kept": sum(not score.missed for score in scores),
        "share_mean": round(statistics.mean(score.share for score in scores), 4),
        "share_median": round(statistics.median(score.share for score in scores), 4),
        "select_s_p50": round(statistics.median(score.seconds for score in scores), 3),
        "select_s_max": round(max(score.seconds for score in scores), 3),
    }


async def measure(cases: list[dict[str, Any]], clones: Path, recordings: Path | None) -> list[Scored]:
    """Every case through one service; a repository's evidence is forgotten before its next case."""
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as service:
            for case in cases:
                name = f"{case['name']}-{case['commit'][:8]}"
                recording = recordings / f"{name}.rec" if recordings else None
                clone = clones / case["name"]
                found, seconds = await asked(service, name, clone, case, recording)
                scores.append(scored(found, seconds, case))
                last = scores[-1]
                print(
                    f"{last.case:<32}{last.share:>8.3f}{last.seconds:>8.2f} s  {', '.join(last.missed[:3])}",
                    flush=True,
                )
    return scores


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    if (given.recordings is None) != given.static:
        parser.error("give --recordings DIR, or --static")
    cases = [json.loads(path.read_text()) for path in sorted(given.cases.glob("*.json"))]
    cases = [case for case in cases if given.only in (case["name"], case["id"], "")]
    scores = anyio.run(measure, cases, given.clones, given.recordings)
    print_scores("static" if given.static else "service", scores)


def print_scores(mode: str, scores: list[Scored]) -> None:
    """A line a repository, every miss, the figures beside their bars, and last the JSON."""
    for name in sorted({score.name for score in scores}):
        own = figures_of([score for score in scores if score.name == name])
        print(
            f"{name:<14}{own['kept']:>3} of {own['cases']:<3} mean {own['share_mean']:.3f} "
            f"median {own['share_median']:.3f}  {own['select_s_p50']:.2f} s"
        )
    for score in scores:
        for node in score.missed:
            print(f"MISSED {score.case}: {node}")
    figures = figures_of(scores)
    for figure, (bar, aim) in {**BARS[mode], **SECONDS}.items():
        value = figures[figure]
        within = value == figures["cases"] if figure == "kept" else value <= bar
        verdict = "within the bar" if within else "MISSES the bar"
        print(f"{figure:<14}{value:>8}  {verdict} (bar {bar}, aim {aim})")
    print_figures(f"test_selection.{mode}", "all", figures)


if __name__ == "__main__":
    main()
