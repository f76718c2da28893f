"""Which tests a change can alter, by what recordings of test runs have seen.

The one selector is `maestro_selection`'s. Here it is given what it needs: for every recorded state the files
that differ between it and the state under test, so that commits in between, and a stale recording, widen
the answer by themselves. Each test is judged by its newest recording.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from maestro_selection import changes as comparing
from maestro_selection import manifests, tables
from maestro_selection.changes import FileChange
from maestro_selection.ordering import Candidate
from maestro_selection.recording import Recording
from maestro_selection.selection import Selection, Selector
from maestro_selection.tables import FileTable

from graph.errors import InputError, RecordingError
from graph.facts import Scope
from graph.ingest.git import Mirror
from graph.recordings import Distance, distance

PYTHON = (".py", ".pyi", ".pyw")
NEW = "it is new: no recording tells of it"
SETTLED = ("passed", "skipped", "xfailed")
"""Results after which a test that nothing alters has nothing to show."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a test is selected: a path from what changed to the test, its first step first."""

    steps: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The path in one line."""
        return " → ".join(self.steps)


@dataclass(frozen=True, slots=True)
class Choice:
    """A selected test, by its runner's id. `new`: no recording tells of it; it may be a whole file."""

    node: str
    seconds: float
    reasons: tuple[Reason, ...]
    new: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A recorded state that the answer stands on: its commit, and the files that differ since."""

    commit: str
    dirty: bool
    distance: Distance
    tests: int
    differing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tests:
    """An answer: what to run, in order; what not; and every step by which more was taken than was seen."""

    scope: Scope
    mode: str
    basis: str
    """`recording`, or `static` where the graph alone told."""
    choices: tuple[Choice, ...]
    skipped: tuple[str, ...]
    widened: tuple[str, ...]
    notes: tuple[str, ...]
    states: tuple[Judged, ...]
    seconds: float
    left: tuple[str, ...] = ()
    """Tests that the change can alter and that the mode leaves out."""
    candidates: tuple[Candidate, ...] = ()
    """What is known of the selected tests that a changed statement leads to, where it was asked for."""


@dataclass(slots=True)
class Evidence:
    """Recordings made ready: for each recorded state a selector over the tests that it tells of last."""

    recording: Recording
    states: list[tuple[Recording, Selector]]
    _read: dict[tuple[str, str], FileTable] = field(default_factory=dict)

    @classmethod
    def of(cls, recording: Recording, mirror: Mirror) -> Evidence:
        """Make recordings ready; this is what costs, so it is kept.

        Raises
        ------
        RecordingError
            Its tables are another version's, and the mirror lacks the text to make them anew.
        """
        seen: set[str] = set()
        states = []
        for state in recording.states():
            tests = {node: test for node, test in state.tests.items() if node not in seen}
            seen.update(tests)
            if tests:
                alone = replace(state, tests=tests, earlier=())
                states.append(_selectable(alone, mirror))
        return cls(recording, states)

    def tests(self) -> set[str]:
        """Every test that is recorded."""
        return {node for state, _ in self.states for node in state.tests}


def _selectable(state: Recording, mirror: Mirror) -> tuple[Recording, Selector]:
    """A recorded state and its selector; tables of another version are made anew from what git has."""
    raw = state.tables
    if any(_version(raw[path]) != tables.VERSION for path in raw):
        made = {}
        for path in raw:
            blob = state.files.get(path, "")
            if not mirror.has(blob):
                raise RecordingError(
                    f"The recording of {state.commit[:12] or 'no commit'} was made by another version, and "
                    f"the text of {path} is not here to read it anew.",
                    "Record again with the pytest-maestro that belongs to this Maestro.",
                )
            made[path] = tables.read(path, mirror.blob(blob)).to_json()
        state = replace(state, tables=made)
    try:
        selector = Selector(state)
        selector.prepare()
    except (ValueError, LookupError, TypeError) as error:
        raise RecordingError(
            f"The recording of {state.commit[:12] or 'no commit'} cannot be used: {error}.",
            "Record again with the pytest-maestro that belongs to this Maestro.",
        ) from error
    return state, selector


def _version(table: object) -> object:
    return table.get("version") if isinstance(table, dict) else None


def select(
    evidence: Evidence,
    mirror: Mirror,
    scope: Scope,
    tree: str,
    *,
    head: str = "",
    unread: Iterable[str] = (),
    weigh: bool = False,
) -> Tests:
    """The tests that can come out otherwise at a tree than they did when they were recorded.

    Parameters
    ----------
    tree : str
        The state under test.
    head : str
        The commit to tell the recordings' distance from; empty where there is none.
    unread : iterable of str
        Paths that are known to differ, though the tree does not tell how (binary parts of a diff).
    weigh : bool
        Tell the candidates too, which orders and cuts are made by.
    """
    begun = time.monotonic()
    files = {entry.path: entry.blob for entry in mirror.files(tree)}
    unread = frozenset(unread)
    choices: dict[str, Choice] = {}
    skipped: list[str] = []
    widened: dict[str, None] = {}
    notes: dict[str, None] = {}
    states = []
    candidates: list[Candidate] = []
    fresh: set[str] | None = None
    for state, selector in evidence.states:
        found = list(_differing(evidence, mirror, state, files, unread))
        if weigh:
            chosen, weighed = selector.weigh(found)
            candidates.extend(weighed)
        else:
            chosen = selector.select(found)
        _take(state, chosen, choices, skipped, files, notes)
        widened.update(dict.fromkeys(chosen.widened))
        notes.update(dict.fromkeys(chosen.notes))
        far = distance(state, mirror, head)
        paths = tuple(change.path for change in found if change)
        states.append(Judged(state.commit, state.dirty, far, len(state.tests), paths))
        new = set(_new_tests(found))
        fresh = new if fresh is None else fresh & new
    known = {node.partition("[")[0] for node in evidence.tests()}
    for node in sorted(fresh or ()):
        if node not in known:
            choices[node] = Choice(node, 0.0, (Reason((NEW,)),), new=True)
    return Tests(
        scope=scope,
        mode="safe",
        basis="recording",
        choices=tuple(choices.values()),
        skipped=tuple(node for node in skipped if node not in choices),
        widened=tuple(widened),
        notes=tuple(notes),
        states=tuple(states),
        seconds=time.monotonic() - begun,
        candidates=tuple(each for each in candidates if each.node in choices),
    )


def _take(
    state: Recording,
    chosen: Selection,
    choices: dict[str, Choice],
    skipped: list[str],
    files: Mapping[str, str],
    notes: dict[str, None],
) -> None:
    """Take a state's selection in; tests whose file is gone cannot be run."""
    gone: dict[str, int] = {}
    for test in chosen.tests:
        path = test.node.partition("::")[0]
        if path not in files:
            gone[path] = gone.get(path, 0) + 1
            continue
        reasons = tuple(Reason(steps) for steps in test.reasons)
        choices.setdefault(test.node, Choice(test.node, test.seconds, reasons))
    for path, count in sorted(gone.items()):
        notes[f"{path} is not there any more, and its {count} recorded tests with it."] = None
    for node in chosen.skipped:
        if node.partition("::")[0] not in files:
            continue
        last = state.tests[node]
        if last.result in SETTLED:
            skipped.append(node)
            continue
        why = f"it ended with {last.result or 'nothing'} when it was last recorded"
        choices.setdefault(node, Choice(node, last.seconds, (Reason((why,)),)))


def _differing(
    evidence: Evidence, mirror: Mirror, state: Recording, files: Mapping[str, str], unread: frozenset[str]
) -> Iterable[FileChange]:
    """Files that are otherwise in a tree than when a state was recorded, compared."""
    tracked = _tracked(mirror, state)
    for path in sorted(state.files.keys() | files.keys()):
        before, after = state.files.get(path), files.get(path)
        if before == after and path not in unread:
            continue
        if after is None and tracked is not None and path not in tracked:
            continue  # it was never committed: no change of commits takes it away
        if path in unread and before == after:
            yield (
                comparing.compare(f"{path}", before or "", "?")
                if not _is_python(path)
                else FileChange(
                    path, None, None, (comparing.Changed(path, comparing.FILE, comparing.CHANGED),)
                )
            )
            continue
        if not _is_python(path):
            yield _compared(mirror, comparing.compare(path, before, after), before, after)
            continue
        old = _old_table(evidence, mirror, state, path, before)
        new = _table(evidence, mirror, path, after) if after is not None else None
        # One that changes nothing at run time still differs for tests that read the text.
        yield _compared(mirror, comparing.compare(path, old, new), before, after)


def _compared(mirror: Mirror, change: FileChange, before: str | None, after: str | None) -> FileChange:
    """A change, with what differs in it where it is one of a manifest."""
    if not manifests.is_manifest(change.path):
        return change
    texts = (mirror.blob(blob) if blob and mirror.has(blob) else None for blob in (before, after))
    return manifests.told(change, *texts)


def _is_python(path: str) -> bool:
    return path.endswith(PYTHON)


def _tracked(mirror: Mirror, state: Recording) -> frozenset[str] | None:
    """Paths that the state's commit has; None where it is not here."""
    if not state.commit or not mirror.has(state.commit):
        return None
    return mirror.paths(mirror.commit(state.commit).tree)


def _old_table(
    evidence: Evidence, mirror: Mirror, state: Recording, path: str, blob: str | None
) -> FileTable | None:
    if blob is None:
        return None
    if path in state.tables:
        selector = next(selector for known, selector in evidence.states if known is state)
        return selector.evidence.tables[path]
    if mirror.has(blob):
        return _table(evidence, mirror, path, blob)
    raise InputError(
        f"The recording of {state.commit[:12] or 'no commit'} does not tell what {path} held.",
        "Record again: pytest --maestro-record.",
    )


def _table(evidence: Evidence, mirror: Mirror, path: str, blob: str) -> FileTable:
    key = (path, blob)
    if key not in evidence._read:
        if len(evidence._read) > 5_000:
            evidence._read.clear()
        evidence._read[key] = tables.read(path, mirror.blob(blob))
    return evidence._read[key]


def _new_tests(found: Iterable[FileChange]) -> Iterable[str]:
    """Tests that a change brings, by the names that runners look for; the runner has the last word."""
    for change in found:
        if change.new is None:
            continue
        name = change.path.rpartition("/")[2]
        if not (name.startswith("test") or name.removesuffix(".py").endswith("_test")):
            continue
        before = _test_names(change.old) if change.old is not None else frozenset()
        for test in _test_names(change.new) - before:
            yield f"{change.path}::{test.replace('.', '::')}"


def _test_names(table: FileTable) -> frozenset[str]:
    return frozenset(
        scope.name
        for scope in table.scopes
        if scope.kind == "function"
        and scope.name.rpartition(".")[2].startswith("test")
        and "<" not in scope.name
    )
