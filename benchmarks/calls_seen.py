"""Which functions of a clone call which while its tests run: the truth for `call_edges --runtime`.

    python -m benchmarks.calls_seen CLONE --into FILE.json.gz [--python PYTHON] [--pythonpath FOLDER]
                                    [--seconds 600] [-- WORDS]

PYTHON is that of an environment which has what the tests need; WORDS are pytest's arguments. CLONE's code
is run. Written is a JSON list of [caller file, caller's first line, callee file, callee's first line], by
Python's profiler: a decorated function's first line is its first decorator's, a class body is a frame of its
own. Left out are lambdas and generator expressions, and generators and their like, which whoever takes
their next value runs; list, set and dict comprehensions belong to the function around them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 600.0
FINE = (0, 1)
"""Exit statuses of a run whose tests ran, whether or not all of them passed."""
_PLUGIN = """
import json, os, sys, threading

ROOT, INTO = os.environ["CALLS_SEEN_ROOT"] + os.sep, os.environ["CALLS_SEEN_INTO"]
WITHIN = {"<listcomp>", "<setcomp>", "<dictcomp>"}
NAMELESS = {"<genexpr>", "<lambda>", "<module>"}
places, seen = {}, set()


def place(code):
    if code not in places:
        path = code.co_filename
        inside = not path.startswith("<") and os.path.realpath(path).startswith(ROOT)
        foreign = not inside or f"{os.sep}site-packages{os.sep}" in path
        places[code] = None if foreign else (os.path.realpath(path)[len(ROOT):], code.co_firstlineno)
    return places[code]


def profile(frame, event, argument):
    if event != "call":
        return
    code = frame.f_code
    callee = place(code)
    if callee is None or code.co_flags & 0x220 or code.co_name in NAMELESS | WITHIN:
        return
    caller = frame.f_back
    while caller is not None and caller.f_code.co_name in WITHIN:
        caller = caller.f_back
    if caller is not None and caller.f_code.co_name not in NAMELESS and place(caller.f_code) is not None:
        seen.add((*place(caller.f_code), *callee))


def pytest_configure(config):
    threading.setprofile(profile)
    sys.setprofile(profile)


def pytest_runtest_setup(item):
    if sys.getprofile() is not profile:
        sys.setprofile(profile)


def pytest_unconfigure(config):
    sys.setprofile(None)
    threading.setprofile(None)
    with open(INTO, "w") as file:
        json.dump(sorted(seen), file)
"""


def watch(
    clone: Path,
    words: list[str],
    *,
    python: str = sys.executable,
    pythonpath: str = "",
    seconds: float = SECONDS,
) -> list[list[str | int]]:
    """The calls of one test run.

    Raises
    ------
    RuntimeError
        The tests could not be run; what pytest said last is in the message.
    subprocess.TimeoutExpired
        They took longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "calls_seen_plugin.py").write_text(_PLUGIN)
        into = Path(folder) / "calls.json"
        environment = {
            **os.environ,
            "CALLS_SEEN_ROOT": str(clone.resolve()),
            "CALLS_SEEN_INTO": str(into),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (folder, pythonpath))),
        }
        command = [python, "-m", "pytest", "-q", "-p", "calls_seen_plugin", "-p", "no:cacheprovider", *words]
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode not in FINE or not into.exists():
            raise RuntimeError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        rows: list[list[str | int]] = json.loads(into.read_text())
        return rows


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pythonpath", default="")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given, words = sys.argv[1:], []
    if "--" in given:
        at = given.index("--")
        given, words = given[:at], given[at + 1 :]
    arguments = parser.parse_args(given)
    try:
        rows = watch(
            arguments.clone,
            words,
            python=arguments.python,
            pythonpath=arguments.pythonpath,
            seconds=arguments.seconds,
        )
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise SystemExit(str(error)) from error
    arguments.into.write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))
    print(f"{len(rows):,} calls between functions of {arguments.clone.resolve().name}: {arguments.into}")


if __name__ == "__main__":
    main()
