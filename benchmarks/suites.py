"""Running another repository's tests in its own environment: recorded, or to see how each comes out."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).resolve().parent.parent / "clients" / "pytest-maestro" / "src"
FAILING = frozenset({"failed", "error"})
START = "<start>"
"""What is broken when pytest ends before it comes to a test: a conftest.py that cannot be imported."""
MEMORY = 8 << 30
"""Bytes of addresses that a run may take: a wrong change can ask for all there are."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the tests of one run came out.

    Parameters
    ----------
    results : dict of str to str
        `passed`, `failed`, `error`, `skipped` or `xfailed` by node id; a test in which the run was cut off
        counts as failed.
    broken : tuple of str
        What could not be collected.
    finished : bool
        Whether the run came to its end; of what is not in `results` nothing is known otherwise.
    seconds : float
        On the wall.
    """

    results: dict[str, str]
    broken: tuple[str, ...]
    finished: bool
    seconds: float

    @property
    def passing(self) -> frozenset[str]:
        """Tests that passed."""
        return frozenset(node for node, result in self.results.items() if result == "passed")

    @property
    def failing(self) -> frozenset[str]:
        """Tests that failed, in whichever of their phases."""
        return frozenset(node for node, result in self.results.items() if result in FAILING)

    def to_json(self) -> dict[str, Any]:
        """Its fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Outcomes:
        """What `to_json` wrote."""
        return cls(kept["results"], tuple(kept["broken"]), kept["finished"], kept["seconds"])


def outcomes_of(lines: Iterable[str], seconds: float) -> Outcomes:
    """What the plugin told; a last line that was cut off is left out."""
    results: dict[str, str] = {}
    begun: str | None = None
    broken: list[str] = []
    finished = False
    for line in lines:
        if not line.endswith("\n"):
            break
        said = json.loads(line)
        if "begun" in said:
            begun = said["begun"]
        elif "node" in said:
            results[said["node"]] = said["result"]
            begun = None
        elif "broken" in said:
            broken.append(said["broken"])
        else:
            finished = True
    if begun is not None:
        results[begun] = "failed"
    return Outcomes(results, tuple(broken), finished, seconds)


@dataclass(frozen=True, slots=True)
class Suite:
    """How a repository's tests run.

    Parameters
    ----------
    python : str
        Of an environment with pytest, coverage and what the tests need.
    pythonpath : str
        Folder within the tree that the code is imported from.
    arguments : tuple of str
        Of pytest.
    """

    python: str
    pythonpath: str = ""
    arguments: tuple[str, ...] = ()

    def record(self, tree: Path, to: Path) -> float:
        """Records the tests of a tree; the seconds that it took.

        Raises
        ------
        RuntimeError
            When nothing was recorded.
        """
        made = to.with_name(to.name + ".part")
        words = ["-p", "pytest_maestro.plugin", "--maestro-record", f"--maestro-recording={made}"]
        environment = {**os.environ, **self._environment(tree, PLUGIN)}
        begun = time.perf_counter()
        run = subprocess.run(
            self._command(tree, words),
            cwd=tree,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if not made.exists():
            raise RuntimeError(f"Recording {tree} failed:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
        made.rename(to)
        return time.perf_counter() - begun

    def outcomes(self, tree: Path, *, limit: float, whole: float, tests: Sequence[str] = ()) -> Outcomes:
        """Runs all tests of a tree, or those of these node ids.

        Parameters
        ----------
        limit : float
            Seconds that one phase of one test may take.
        whole : float
            Seconds that all may take; then the run and its children are killed.
        """
        with tempfile.TemporaryDirectory(prefix="maestro-outcomes-") as made:
            scratch = Path(made)
            # Alone in a folder: beside the other benchmarks it would put their names on the path.
            shutil.copy(Path(__file__).with_name("outcomes.py"), scratch / "maestro_outcomes.py")
            told = scratch / "told"
            told.touch()
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
            environment = {**kept, **self._environment(tree, scratch)}
            environment |= {"OUTCOMES_FILE": str(told), "OUTCOMES_LIMIT": str(limit)}
            words = ["-p", "maestro_outcomes", "--continue-on-collection-errors", *tests]
            begun = time.perf_counter()
            ended = _run(self._command(tree, words), tree, environment, whole)
            with told.open(encoding="utf-8") as lines:
                found = outcomes_of(lines, time.perf_counter() - begun)
            if ended and not found.finished and not found.results:
                return replace(found, broken=(*found.broken, START), finished=True)
            return found

    def _command(self, tree: Path, words: Sequence[str]) -> list[str]:
        common = ["-p", "no:cacheprovider", "-o", "addopts=", f"--rootdir={tree}", *self.arguments]
        return [self.python, "-m", "pytest", "-q", *words, *common]

    def _environment(self, tree: Path, plugin: Path) -> dict[str, str]:
        path = os.pathsep.join([str(plugin), str(tree / self.pythonpath)])
        return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _run(command: Sequence[str], tree: Path, environment: dict[str, str], whole: float) -> bool:
    """Whether a run ended by itself."""
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        process.wait(whole)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        # What tests left running would go on beside the next run.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
