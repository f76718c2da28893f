"""What a test run's profile says of the calls between a clone's functions, and how far cones hold them."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks import call_edges, calls_seen
from graph.facts import Batch
from graph.ingest.python import reader
from tests.graph.ingest.python.test_reader import SCOPE, File

CODE = """\
import functools

def kept(function):
    @functools.wraps(function)
    def wrapper(*rest): return function(*rest)
    return wrapper

@kept
def inner(x): return x

def every(xs): return [inner(x) for x in xs]

def gives():
    yield inner(1)

class Thing:
    size = inner(3)
    def __len__(self): return 1

def length(): return len(Thing())
def named(name): return globals()[name]()
def hidden(): return 1
"""
TESTS = """\
import code_under

def test_all():
    assert code_under.every([1, 2]) == [1, 2]
    assert list(code_under.gives()) == [1]
    assert code_under.length() == 1
    assert (lambda: code_under.named("hidden"))() == 1
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "code_under.py").write_text(CODE)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def lines(rows: list[list[str | int]]) -> set[tuple[str, str]]:
    text = {"code_under.py": CODE.split("\n"), "test_it.py": TESTS.split("\n")}
    return {(text[str(a)][int(b) - 1].strip(), text[str(c)][int(d) - 1].strip()) for a, b, c, d in rows}


def test_calls_are_told_by_the_first_lines_of_functions(clone: Path) -> None:
    found = lines(calls_seen.watch(clone, [], python=sys.executable, pythonpath=str(clone)))
    wrapper, inner = "def wrapper(*rest): return function(*rest)", "@kept"
    assert ("def every(xs): return [inner(x) for x in xs]", "@functools.wraps(function)") in found
    assert ("@functools.wraps(function)", inner) in found, wrapper
    assert ("def length(): return len(Thing())", "def __len__(self): return 1") in found
    assert ("def test_all():", "def length(): return len(Thing())") in found
    assert ("def named(name): return globals()[name]()", "def hidden(): return 1") in found
    assert not any("gives" in callee or "lambda" in caller for caller, callee in found)


def test_a_run_that_fails_says_so(clone: Path) -> None:
    with pytest.raises(RuntimeError, match="not_there"):
        calls_seen.watch(clone, ["not_there.py"], python=sys.executable)


def test_how_many_callers_are_in_the_cone_of_what_they_called(clone: Path, tmp_path: Path) -> None:
    rows = calls_seen.watch(clone, [], python=sys.executable, pythonpath=str(clone))
    batch = read_here(clone, tmp_path / "cache")
    known = call_edges.functions(batch, runtime=True)
    truth = {(known.lines[str(a), int(b)], known.lines[str(c), int(d)]) for a, b, c, d in rows}
    missed = {
        (caller, callee)
        for caller, callee in truth
        if call_edges.reached(batch, known, {(caller, callee)}) < 1
    }
    said = {textwrap.shorten(CODE.split("\n")[callee[1] - 1], 30) for _, callee in missed}
    assert said == {"def hidden(): return 1"}, "a name that is only known at run time"
    assert call_edges.reached(batch, known, truth) == pytest.approx(1 - len(missed) / len(truth))
    assert call_edges.reached(batch, known, set()) == 0


def read_here(clone: Path, cache: Path) -> Batch:
    data = {path.name: path.read_bytes() for path in clone.glob("*.py")}
    sources = [File(name, name, len(content), "python") for name, content in data.items()]
    return reader.read(SCOPE, sources, data.__getitem__, cache, engine=True)
