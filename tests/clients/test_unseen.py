"""What a recording could not see widens a selection, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from maestro_selection import changes, selection
from maestro_selection.recording import CALL, Note, Process, Recording, Step, Test, Trace, bitmap
from maestro_selection.tables import read as table

OLD, NEW = "def f():\n    return 1\n", "def f():\n    return 2\n"
CHANGE = changes.compare("a.py", OLD, NEW)


def recorded(*notes: Note, **processes: Process) -> Recording:
    """Three tests, of which the first executed what changes."""
    tests = {}
    for name in ("one", "two", "three"):
        lines = {"a.py": bitmap([2])} if name == "one" else {"test_a.py": bitmap([1])}
        found = frozenset([processes[name]]) if name in processes else frozenset()
        step = Step(CALL, "", Trace(lines, processes=found))
        tests[f"test_a.py::{name}"] = Test(f"test_a.py::{name}", "test_a.py", name, steps=(step,))
    return Recording(
        files={"a.py": "1", "test_a.py": "2"},
        tables={
            "a.py": table("a.py", OLD).to_json(),
            "test_a.py": table("test_a.py", "import a\n").to_json(),
        },
        tests=tests,
        notes=notes,
    )


def chosen(recording: Recording, *found: changes.FileChange) -> tuple[set[str], tuple[str, ...]]:
    answer = selection.select(recording, found or (CHANGE,))
    return {test.node.rpartition("::")[2] for test in answer.tests}, answer.widened


def test_by_itself_the_evidence_counts():
    assert chosen(recorded()) == ({"one"}, ())


@pytest.mark.parametrize("program", ["python", "sh", "git"])
def test_a_process_that_was_not_followed(program):
    found, widened = chosen(recorded(two=Process(program, False)))
    assert found == {"one", "two"}
    assert any(program in sentence for sentence in widened)
    assert chosen(recorded(two=Process(program, True)))[0] == {"one"}


def test_programs_that_tell_of_the_machine_do_not_count():
    for program in ("uname", "cat", "LESS.EXE"):
        assert chosen(recorded(two=Process(program, False)))[0] == {"one"}


def test_lines_that_were_not_measured():
    found, widened = chosen(recorded(Note("unmeasured", "test_a.py", "taken away", "test_a.py::three")))
    assert found == {"one", "three"}
    assert widened


def test_a_copy_that_is_installed_elsewhere():
    recording = recorded(Note("outside", "a.py", "elsewhere"))
    assert chosen(recording)[0] == {"one", "two", "three"}
    other = changes.compare("b.txt", "1", "2")
    assert chosen(recording, other)[0] == set()


def test_compiled_modules():
    change = changes.compare("fast.pyx", "1", "2")
    assert chosen(recorded(), change)[0] == set()
    assert chosen(recorded(Note("extension", "fast.so", "compiled")), change)[0] == {"one", "two", "three"}


def test_remarks_widen_nothing():
    remark = changes.compare("a.py", OLD, "# A remark.\n" + OLD)
    recording = recorded(Note("outside", "a.py", "elsewhere"), two=Process("sh", False))
    assert chosen(recording, remark)[0] == set()
    assert chosen(replace(recording, notes=()), remark)[0] == set()
