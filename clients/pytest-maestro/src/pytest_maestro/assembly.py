"""From what was seen in a run to its recording."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from maestro_selection import tables
from maestro_selection.recording import (
    CALL,
    OUTCOMES_KEPT,
    SETUP,
    TEARDOWN,
    Note,
    Outcome,
    Recording,
    RecordingError,
    Step,
    Test,
    Trace,
    merge,
)
from pytest_maestro.activity import Activity
from pytest_maestro.checkout import Checkout
from pytest_maestro.installed import distributions, interpreter
from pytest_maestro.recorder import Recorder, Run

EXTENSIONS = (".so", ".pyd", ".dylib")


def seen(recorder: Recorder) -> Recording:
    """What a recorder saw, as a recording without the state that it is of."""
    traces = _Traces(recorder)
    return Recording(
        recorded=time.time(),
        tests={node: traces.test(node, run) for node, run in recorder.runs.items() if run.over},
        fixtures=dict(recorder.fixtures),
        imports={path: traces.of(activity) for path, activity in recorder.watch.imports.items()},
        collections={path: traces.of(activity) for path, activity in recorder.collections.items()},
        session=traces.of(recorder.ledger.session),
        notes=tuple(recorder.notes) + tuple(_modules_unseen(recorder)),
        modules=frozenset(name.partition(".")[0] for name in sys.modules),
        readers={path: frozenset(readers) for path, readers in recorder.ledger.readers.items()},
    )


class _Traces:
    """Traces of activities; a shared activity has one, and equal ones are the same object."""

    def __init__(self, recorder: Recorder) -> None:
        self.made: dict[int, Trace] = {}
        self.equal: dict[Trace, Trace] = {}
        self.unwanted = frozenset(recorder.watch.written)

    def of(self, activity: Activity) -> Trace:
        known = self.made.get(id(activity))
        if known is None:
            trace = activity.trace(self.unwanted)
            known = self.made[id(activity)] = self.equal.setdefault(trace, trace)
        return known

    def test(self, node: str, run: Run) -> Test:
        steps = [(SETUP, made.key, made.setup) for made in run.made.values()]
        steps += [(phase, "", run.phases[phase]) for phase in (SETUP, CALL, TEARDOWN)]
        steps += [(TEARDOWN, made.key, made.teardown) for made in run.made.values()]
        return Test(
            node,
            run.path,
            run.function,
            run.parameters,
            tuple(run.fixtures),
            (Outcome(run.result, "", round(run.seconds, 4)),),
            tuple(Step(phase, key, trace) for phase, key, did in steps if (trace := self.of(did))),
        )


def _modules_unseen(recorder: Recorder) -> Iterable[Note]:
    """Modules of the repository whose import was not seen, or whose lines cannot be."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        path = recorder.place.relative(file) if isinstance(file, str) else ""
        if not path or name == "__main__":
            continue
        if path.endswith(EXTENSIONS):
            yield Note("extension", path, f"{path} is compiled: what it does is not known.")
        elif path.endswith(".py") and path not in recorder.watch.imports:
            text = f"{path} was imported before recording began: what its import did is not known."
            yield Note("imported-early", path, text)
    yield from _run_from_elsewhere(recorder)


def _run_from_elsewhere(recorder: Recorder) -> Iterable[Note]:
    """Modules that were imported from an installed copy, though the repository has them as well."""
    root = recorder.place.root
    files = {
        name: file
        for name, module in list(sys.modules.items())
        if isinstance(file := getattr(module, "__file__", None), str) and file.endswith(".py")
    }
    tops = {name.partition(".")[0] for name in files}
    homes: dict[str, str] = {}
    for folder in (root, *sorted(entry.path for entry in os.scandir(root) if entry.is_dir())):
        for top in tops:
            if os.path.isfile(os.path.join(folder, top, "__init__.py")):
                homes.setdefault(top, folder)
    for name, file in sorted(files.items()):
        home = homes.get(name.partition(".")[0])
        if home is None or recorder.place.relative(file):
            continue
        end = "/__init__.py" if os.path.basename(file) == "__init__.py" else ".py"
        own = os.path.join(home, name.replace(".", os.sep) + end.replace("/", os.sep))
        path = recorder.place.relative(own) if os.path.isfile(own) else ""
        if path:
            yield Note("outside", path, f"{path} was not run from here: {name} was imported from elsewhere.")


def completed(recording: Recording, before: Before, previous: Recording | None) -> Recording:
    """The recording with the state it is of: commit, files, tables, interpreter, distributions.

    Parameters
    ----------
    recording : Recording
        What was seen in the run.
    before : Before
        The repository's state when the run began.
    previous : Recording or None
        An earlier recording; its tables of files that are the same are taken as they are.
    """
    checkout = before.checkout
    files = dict(before.files)
    used = {path for trace in traces_of(recording) for path in (*trace.lines, *trace.opened, *trace.sought)}
    used |= recording.imports.keys()
    files.update(checkout.blobs(used - files.keys()))
    after, _ = checkout.files()
    moved = sorted(path for path in used if path in before.files and after.get(path) != before.files[path])
    notes = [
        Note("unmeasured", path, f"{path} changed while the tests ran: it counts as changed.")
        for path in moved
    ]
    python, implementation, platform = interpreter()
    state = before.commit[:12] + ("+" if before.dirty else "")
    return replace(
        recording,
        roots=checkout.roots(),
        commit=before.commit,
        dirty=before.dirty,
        python=python,
        implementation=implementation,
        platform=platform,
        distributions=distributions(),
        files={path: "" if path in moved else blob for path, blob in sorted(files.items())},
        tables=_tables(checkout, files, previous),
        tests={
            node: replace(test, outcomes=tuple(replace(each, state=state) for each in test.outcomes))
            for node, test in recording.tests.items()
        },
        notes=(*recording.notes, *notes),
    )


class Before:
    """The repository's state when a run begins."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.commit = checkout.commit()
        self.files, self.dirty = checkout.files()


def traces_of(recording: Recording) -> Iterable[Trace]:
    """Every trace of a recording, shared ones once or more."""
    yield recording.session
    yield from recording.imports.values()
    yield from recording.collections.values()
    for test in recording.tests.values():
        for step in test.steps:
            yield step.trace


def _tables(checkout: Checkout, files: Mapping[str, str], previous: Recording | None) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, blob in sorted(files.items()):
        if not path.endswith((".py", ".pyi")):
            continue
        known = _known_table(previous, path, blob)
        if known is not None:
            made[path] = known
            continue
        try:
            made[path] = tables.read(path, Path(checkout.root, path).read_bytes()).to_json()
        except OSError:  # it went away during the run: without a table it counts as changed
            continue
    return made


def _known_table(previous: Recording | None, path: str, blob: str) -> Any:
    for state in previous.states() if previous is not None else ():
        if state.files.get(path) == blob and path in state.tables:
            table = state.tables[path]
            if table.get("version") == tables.VERSION:
                return table
    return None


def with_history(recording: Recording, previous: Recording, complete: bool) -> Recording:
    """The recording with what an earlier one tells beyond it: outcomes, and tests that did not run now.

    With `complete`, all tests of the files that were collected ran: what an earlier recording tells of
    others in these files is of tests that are there no more.

    Raises
    ------
    RecordingError
        When the earlier one is of another repository.
    """
    if recording.roots and previous.roots and not set(recording.roots) & set(previous.roots):
        raise RecordingError(
            "The recording there is of another repository.",
            "Name another file (--maestro-recording FILE), or remove that one.",
        )
    tests = dict(recording.tests)
    for node, test in tests.items():
        older = next((state.tests[node] for state in previous.states() if node in state.tests), None)
        if older is not None:
            kept = (*older.outcomes, *test.outcomes)[-OUTCOMES_KEPT:]
            tests[node] = replace(test, outcomes=kept)
    recording = replace(recording, tests=tests)
    gone = set(recording.collections) if complete else set()
    earlier = []
    for state in previous.states():
        remaining = {
            node: test
            for node, test in state.tests.items()
            if node not in tests and test.path not in gone and test.path in recording.files
        }
        if remaining:
            earlier.append(replace(state, tests=remaining, earlier=()))
            tests = {**tests, **remaining}
    return merge([recording, *earlier]) if earlier else recording
