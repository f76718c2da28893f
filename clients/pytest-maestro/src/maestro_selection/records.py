"""What a recording is made of: traces, tests with their steps, fixtures, and the state they tell of.

Values only; `maestro_selection.recording` reads, writes and merges them, and is the module to import.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


def bitmap(lines: Iterable[int]) -> int:
    """Line numbers as a bitmap: bit n stands for line n. Sets of lines are kept and joined in this form."""
    held = bytearray()
    for line in lines:
        place = line >> 3
        if place >= len(held):
            held.extend(bytes(place + 1 - len(held)))
        held[place] |= 1 << (line & 7)
    return int.from_bytes(held, "little")


def numbers(bits: int) -> Iterator[int]:
    """The line numbers of a bitmap, ascending."""
    for place, byte in enumerate(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        for bit in range(8):
            if byte >> bit & 1:
                yield place * 8 + bit


def span(first: int, last: int) -> int:
    """The bitmap of the lines from first to last, both included."""
    return ((1 << (last - first + 1)) - 1) << first


@dataclass(frozen=True)
class Process:
    """Another process that was started.

    Parameters
    ----------
    program : str
        Its program's name without folders, as `git` or `python`.
    followed : bool
        Whether what it did is in the same trace. A program that is no Python is never followed.
    """

    program: str
    followed: bool


@dataclass(frozen=True)
class Trace:
    """What was done in one stretch of a run. Paths are relative to the repository, with slashes.

    Parameters
    ----------
    lines : mapping of str to int
        Lines executed, as a bitmap a file.
    opened : frozenset of str
        Files that were opened to be read, or tried (so one that is missing is here too), other than by
        importing them. A Python file is here when something read its text.
    listed : frozenset of str
        Folders whose names were listed; `.` is the repository's root.
    variables : frozenset of str
        Environment variables that were asked for; `*` stands for all of them.
    imported : frozenset of str
        Files whose first import was begun here (what that import did is in `Recording.imports`), and those
        that were asked for by `importlib.import_module`.
    processes : frozenset of Process
        Processes that were started.
    sought : frozenset of str
        Files and folders of which it was asked whether they are there, other than by opening or listing.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    processes: frozenset[Process] = frozenset()
    sought: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        files = self.opened or self.listed or self.sought
        return bool(self.lines or files or self.variables or self.imported or self.processes)

    def __hash__(self) -> int:
        files = self.opened, self.listed, self.sought
        return hash((frozenset(self.lines.items()), files, self.variables, self.imported))

    def __or__(self, other: Trace) -> Trace:
        lines = dict(self.lines)
        for path, bits in other.lines.items():
            lines[path] = lines.get(path, 0) | bits
        return Trace(
            lines,
            self.opened | other.opened,
            self.listed | other.listed,
            self.variables | other.variables,
            self.imported | other.imported,
            self.processes | other.processes,
            self.sought | other.sought,
        )


SETUP, CALL, TEARDOWN = "setup", "call", "teardown"
PHASES = (SETUP, CALL, TEARDOWN)


@dataclass(frozen=True)
class Step:
    """A part of what a test did: a phase, the fixture that it ran in (empty: none), and the trace of it.

    Fixtures of a wider scope ran once for many tests: these share the trace, which is how evidence of a
    session's fixture belongs to every test that used it.
    """

    phase: str
    fixture: str
    trace: Trace


@dataclass(frozen=True)
class Fixture:
    """A fixture's definition; keyed `path::function` in `Recording.fixtures`, or `name` when built in."""

    name: str
    path: str
    function: str
    scope: str


@dataclass(frozen=True)
class Outcome:
    """How a test ended once: passed, failed, error, skipped, xfailed or xpassed, in which state, how long."""

    result: str
    state: str
    seconds: float


@dataclass(frozen=True)
class Test:
    """A test, by its node id.

    Parameters
    ----------
    path, function : str
        File and qualified name within it, as `TestThing.test_other`; empty where it is no function.
    parameters : str
        What stands in brackets in the node id.
    fixtures : tuple of str
        Keys of every fixture that it used, those of fixtures included.
    outcomes : tuple of Outcome
        The recent ones, newest last.
    steps : tuple of Step
        What it did. What its module's import and collection did stands in `Recording.imports` and
        `Recording.collections`, under its path.
    """

    node: str
    path: str
    function: str
    parameters: str = ""
    fixtures: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    steps: tuple[Step, ...] = ()

    __test__ = False

    @property
    def seconds(self) -> float:
        """Median of the recent durations, in seconds."""
        durations = sorted(outcome.seconds for outcome in self.outcomes)
        return durations[len(durations) // 2] if durations else 0.0

    @property
    def result(self) -> str:
        """How it ended last; empty when it never did."""
        return self.outcomes[-1].result if self.outcomes else ""

    @property
    def flakiness(self) -> float:
        """Share of the pairs of runs in one state, one after another, that ended differently; 0 to 1."""
        pairs = [
            before.result != after.result
            for before, after in zip(self.outcomes, self.outcomes[1:])
            if before.state == after.state
        ]
        return sum(pairs) / len(pairs) if pairs else 0.0


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: version, top-level modules, names it requires, whether it extends pytest."""

    version: str
    modules: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    plugin: bool = False


@dataclass(frozen=True)
class Note:
    """Something that could not be seen, and so has to widen a selection.

    Parameters
    ----------
    kind : str
        `imported-early`: a file whose import was over before recording began (its import is unknown).
        `outside`: a module of the repository that was run from elsewhere (its lines are unknown).
        `unmeasured`: a file whose lines could not be measured.
        `extension`: a compiled module of the repository (what it does is unknown).
        `lost-process`: a process that was killed before it could tell what it did.
        `incomplete`: the run was cut off; tests that are not in the recording are unknown.
        `other`: anything else.
    path : str
        The file it is about, or empty.
    text : str
        A sentence for people.
    test : str
        The node id of the test it is about, or empty for all.
    """

    kind: str
    path: str
    text: str
    test: str = ""


@dataclass(frozen=True)
class Recording:
    """What every test did, in one state of one repository.

    Parameters
    ----------
    roots : tuple of str
        The repository's root commits: two clones of one repository share them. Empty without git.
    commit : str
        Commit that was checked out; empty without git.
    dirty : bool
        Whether any file differed from that commit.
    recorded : float
        When the run ended, seconds since 1970.
    python, implementation, platform : str
        As `3.11.7`, `cpython`, `linux`.
    distributions : mapping of str to Distribution
        By normalised name.
    files : mapping of str to str
        Git blob id (SHA-1) of every tracked file, and of every other file of the repository that was used.
    tables : mapping of str to JSON
        `maestro_selection.tables` of every Python file in `files`, decoded when asked for.
    tests : mapping of str to Test
        By node id.
    fixtures : mapping of str to Fixture
        By key.
    imports : mapping of str to Trace
        What the first import of each file did: its own module-level lines, and what these called.
    collections : mapping of str to Trace
        What collecting each test file did besides importing it.
    session : Trace
        What ran outside of all tests and imports (hooks of conftest files): it belongs to every test.
    notes : tuple of Note
        What could not be seen.
    readers : mapping of str to frozenset of (str, int)
        For each path that was opened, listed or sought: the functions on whose behalf, as file and first
        line. A function that keeps what it read spares the next test the reading.
    modules : frozenset of str
        Top-level names of all modules that were loaded when the run ended; empty when that is not known.
    earlier : tuple of Recording
        Recordings of other states that were merged with this one, newest first. They may tell of tests that
        this one does not, and each is judged against its own state.
    """

    roots: tuple[str, ...] = ()
    commit: str = ""
    dirty: bool = False
    recorded: float = 0.0
    python: str = ""
    implementation: str = ""
    platform: str = ""
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    tests: Mapping[str, Test] = field(default_factory=dict)
    fixtures: Mapping[str, Fixture] = field(default_factory=dict)
    imports: Mapping[str, Trace] = field(default_factory=dict)
    collections: Mapping[str, Trace] = field(default_factory=dict)
    session: Trace = field(default_factory=Trace)
    notes: tuple[Note, ...] = ()
    readers: Mapping[str, frozenset[tuple[str, int]]] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    earlier: tuple[Recording, ...] = ()

    def states(self) -> Iterator[Recording]:
        """This recording and those merged into it, newest first."""
        yield self
        yield from self.earlier

    def same_state(self, other: Recording) -> bool:
        """Whether both tell of the same files under the same interpreter and distributions."""
        shared = self.files.keys() & other.files.keys()
        return (
            self.roots == other.roots
            and self.commit == other.commit
            and self.python == other.python
            and self.implementation == other.implementation
            and self.distributions == other.distributions
            and all(self.files[path] == other.files[path] for path in shared)
        )


class Tables(Mapping[str, Any]):
    """Tables by path, each decoded when it is first asked for."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self._decoded: dict[str, Any] = {}

    def __getitem__(self, path: str) -> Any:
        if path not in self._decoded:
            self._decoded[path] = json.loads(self._raw[path])
        return self._decoded[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def raw(self, path: str) -> str:
        """The table as it is written."""
        return self._raw[path]
