"""The modes of `benchmarks.test_selection` that ask the service: with recordings, and without.

For each case the service indexes the repository at C, takes the recording of C in (`DIR/NAME-COMMIT8.rec`, as
the benchmark keeps them), and is asked for the tests of the diff; statically it is asked without one. What is
timed is a second question: diff to list, with evidence and arrays at hand.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import documents, selection
from api.questions import Question, Subject
from api.service import Service
from api.settings import Settings
from graph.queries.backtest import Orders

BARS = {
    "service": {"kept": (33, 33), "share_mean": (0.32, 0.29), "share_median": (0.12, 0.06)},
    "static": {"kept": (33, 33), "share_mean": (0.85, 0.60)},
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A case: share of its tests that were selected, what was missed, and how long the answer took."""

    name: str
    case: str
    share: float
    missed: tuple[str, ...]
    seconds: float
    widened: tuple[str, ...]
    orders: Orders | None = None


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
