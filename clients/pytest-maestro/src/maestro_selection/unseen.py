"""What a recording could not see, and which tests that widens a selection to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maestro_selection.changes import DOC, HINTS, FileChange
from maestro_selection.records import Recording

COMPILED = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".f", ".f90", ".go")
SYSTEM = (
    "uname",
    "stty",
    "tput",
    "tty",
    "hostname",
    "id",
    "locale",
    "ldconfig",
    "lsb_release",
    "ps",
    "whoami",
)
TEXT = (
    "cat",
    "less",
    "more",
    "head",
    "tail",
    "sed",
    "grep",
    "sort",
    "wc",
    "tr",
    "echo",
    "printf",
    "true",
    "false",
)
PLAIN = frozenset((*SYSTEM, *TEXT, "sleep"))
"""Programs that tell of the machine, or read what they are given: the files they name are told as opened."""


def unseen(recording: Recording, changes: Iterable[FileChange]) -> Iterator[tuple[frozenset[str], str]]:
    """Tests that a change may alter although no evidence says so, and why.

    A change that alters nothing at run time (comments, layout) widens nothing.
    """
    paths = [change.path for change in changes if any(one.kind not in (DOC, HINTS) for one in change)]
    if not paths:
        return
    everything = frozenset(recording.tests)
    outside = {note.path for note in recording.notes if note.kind == "outside"}
    for path in paths:
        if path in outside:
            yield (
                everything,
                f"{path} changed, and the tests were run with another copy of it, installed elsewhere",
            )
    extensions = [note.path for note in recording.notes if note.kind == "extension"]
    sources = [path for path in paths if path.endswith(COMPILED)]
    if extensions and sources:
        yield everything, f"{sources[0]} changed, and which tests use {extensions[0]} cannot be seen"
    unmeasured = {note.test for note in recording.notes if note.kind == "unmeasured" and note.test}
    if unmeasured & everything:
        yield frozenset(unmeasured & everything), "their lines could not be measured"
    for program, tests in sorted(_not_followed(recording).items()):
        yield frozenset(tests), f"they start {program}, which could not be followed"


def _not_followed(recording: Recording) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node, test in recording.tests.items():
        for step in test.steps:
            for process in step.trace.processes:
                if not process.followed and not is_plain(process.program):
                    found.setdefault(process.program, set()).add(node)
    return found


def is_plain(program: str) -> bool:
    """Whether a program tells of the machine alone, or of the files that it is given."""
    name = program.lower()
    return (name[: -len(".exe")] if name.endswith(".exe") else name) in PLAIN
