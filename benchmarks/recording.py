"""What recording a test run costs, beside what plain coverage with a context a test costs.

    python -m benchmarks.recording CHECKOUT [--python PYTHON] [--pythonpath FOLDER] [--repeats 5] [-- WORDS]

CHECKOUT is a clone with its tests; PYTHON is that of an environment which has what these need, pytest and
coverage; WORDS are pytest's arguments. The same run is made three ways, in turn, so that what else the
machine does falls on all alike:

- plain: coverage with the C tracer, the same source, and its context switched for every phase of every
  test, as pytest-cov does with `--cov-context=test` (`dynamic_context = test_function` costs more);
- recorded: the plugin, all that it does included (files, environment, processes, tables, writing);
- bare: pytest alone, to tell what both stand on.

Compared is the processor time of the process and its children, since the wall clock is everybody's.
`record_overhead` is the median over the rounds of recorded by plain.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PLUGIN = Path(__file__).resolve().parent.parent / "clients" / "pytest-maestro" / "src"
ROUNDS = 5
FINE = (0, 1)
"""Exit statuses of a run whose tests ran: those that fail without being recorded fail here as well."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds of processor time, a list a way, in the order of the rounds."""

    plain: tuple[float, ...]
    recorded: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over the rounds of recorded by plain."""
        return statistics.median(
            ours / theirs for ours, theirs in zip(self.recorded, self.plain, strict=True)
        )


def measure(
    checkout: Path,
    arguments: Sequence[str] = (),
    *,
    python: str = sys.executable,
    pythonpath: str = "",
    rounds: int = ROUNDS,
) -> Overhead:
    """Make the runs and time them.

    Parameters
    ----------
    checkout : Path
        A clone with its tests; nothing is left in it.
    arguments : sequence of str
        Of pytest.
    python : str
        Of an environment with pytest and coverage.
    pythonpath : str
        Folder within the checkout that the code is imported from.

    Raises
    ------
    RuntimeError
        When a run does not come to its tests.
    """
    with tempfile.TemporaryDirectory(prefix="maestro-overhead-") as made:
        scratch = Path(made)
        # Alone in a folder: beside the other benchmarks it would put their names on the path.
        shutil.copy(Path(__file__).with_name("plain_contexts.py"), scratch)
        settings = scratch / "coveragerc"
        settings.write_text(
            f"[run]\nsource = {checkout.resolve()}\ndata_file = {scratch / 'data'}\n",
            encoding="utf-8",
        )
        common = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", f"--rootdir={checkout}", *arguments]
        recording = [
            "-p",
            "pytest_maestro.plugin",
            "--maestro-record",
            f"--maestro-recording={scratch / 'made'}",
        ]
        ways = {
            "plain": ["-m", "pytest", "-p", "plain_contexts", *common],
            "recorded": ["-m", "pytest", *recording, *common],
            "bare": ["-m", "pytest", *common],
        }
        environment = {**_environment(checkout, pythonpath, scratch), "COVERAGE_RCFILE": str(settings)}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            order = list(ways) if number % 2 else list(reversed(ways))
            for name in order:
                (scratch / "data").unlink(missing_ok=True)
                shutil.rmtree(scratch / "made", ignore_errors=True)
                taken[name].append(_run([python, *ways[name]], checkout, environment))
        return Overhead(tuple(taken["plain"]), tuple(taken["recorded"]), tuple(taken["bare"]))


def _environment(checkout: Path, pythonpath: str, scratch: Path) -> dict[str, str]:
    path = [str(PLUGIN), str(scratch), *([str(checkout / pythonpath)] if pythonpath else [])]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))},
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COVERAGE_CORE": "ctrace",
    }


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> float:
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in FINE:
            said.seek(0)
            tail = said.read().decode("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return used.ru_utime + used.ru_stime


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pythonpath", default="")
    parser.add_argument("--repeats", type=int, default=ROUNDS)
    parser.add_argument("arguments", nargs="*", help="pytest's, after --")
    asked = parser.parse_args(words)
    found = measure(
        asked.checkout.resolve(),
        asked.arguments,
        python=asked.python,
        pythonpath=asked.pythonpath,
        rounds=asked.repeats,
    )
    for name in ("bare", "plain", "recorded"):
        shown = ", ".join(f"{seconds:.2f}" for seconds in getattr(found, name))
        print(f"{name:9} {statistics.median(getattr(found, name)):7.2f} s of processor time ({shown})")
    print(json.dumps({"record_overhead": round(found.ratio, 3)}))


if __name__ == "__main__":
    main()
