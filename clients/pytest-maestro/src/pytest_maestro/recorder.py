"""The hooks of pytest by which a run is recorded: which test, phase and fixture is at work when."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from maestro_selection.recording import CALL, SETUP, TEARDOWN, Fixture, Note
from pytest_maestro.activity import Activity, Ledger
from pytest_maestro.child import Forks
from pytest_maestro.lines import Lines
from pytest_maestro.places import Place
from pytest_maestro.processes import Processes
from pytest_maestro.watching import Hook, Watch

_FUNCTION = "function"
_WORST = ("error", "failed", "xpassed", "passed", "xfailed", "skipped")
"""Of several reports on one test, the one that counts comes first."""


class Made:
    """One making of a fixture: what its set-up and tear-down did, and which other makings it stands on."""

    __slots__ = ("key", "setup", "teardown", "uses")

    def __init__(self, key: str) -> None:
        self.key = key
        self.setup = Activity()
        self.teardown = Activity()
        self.uses: dict[int, Made] = {}

    def all(self, seen: dict[int, Made]) -> None:
        """Enter it and all it stands on into `seen`."""
        if id(self) not in seen:
            seen[id(self)] = self
            for used in self.uses.values():
                used.all(seen)


class Run:
    """What is known so far of one test."""

    def __init__(self, path: str, function: str, parameters: str) -> None:
        self.path = path
        self.function = function
        self.parameters = parameters
        self.phases = {SETUP: Activity(), CALL: Activity(), TEARDOWN: Activity()}
        self.fixtures: dict[str, None] = {}
        self.made: dict[int, Made] = {}
        self.results: list[str] = []
        self.seconds = 0.0
        self.over = False

    @property
    def result(self) -> str:
        """How it ended."""
        return next((result for result in _WORST if result in self.results), "passed")


class Recorder:
    """Records one process of a run: the whole of it, or a worker's share.

    Parameters
    ----------
    place : Place
        The repository.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ledger = Ledger()
        self.lines = Lines(place, self.ledger.enter)
        self.processes = Processes(place, self.ledger)
        self.watch = Watch(place, self.ledger, self.processes.started)
        self.ledger.drain = self.lines.drain
        self.runs: dict[str, Run] = {}
        self.collections: dict[str, Activity] = {}
        self.fixtures: dict[str, Fixture] = {}
        self.notes: list[Note] = []
        self.broken_collection = False
        self.deselected = False
        self._made: dict[int, Made] = {}
        self._definitions: dict[int, tuple[Any, str]] = {}
        self._making: list[Made] = []

    def start(self, processes: bool) -> None:
        """Begin; with `processes`, those that are started from here are followed.

        Raises
        ------
        LinesError
            When lines cannot be measured here.
        """
        self.lines.start()
        if processes:
            self.processes.start(self.lines.drain)
        self.watch.start()

    def stop(self) -> None:
        """End; what was seen until now stays."""
        self.watch.stop()
        self.lines.stop()
        if self.processes.folder:
            self.notes += self.processes.stop()
        Forks.ledger = None
        for text in dict.fromkeys(self.lines.notes + Hook.faults):
            self.notes.append(Note("other", "", text))
        Hook.faults.clear()

    # Collecting.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, None]:
        """What collecting a file does belongs to the tests of that file."""
        self.lines.follow()
        path = self.place.relative(str(getattr(collector, "path", None) or collector.fspath))
        of_file = path.endswith(".py") and not isinstance(collector, (pytest.Session, pytest.Package))
        activity = self.collections.setdefault(path, Activity()) if of_file else self.ledger.session
        before = self.ledger.switch(activity)
        outcome = yield
        self.ledger.switch(before)
        if not outcome.excinfo and outcome.get_result().outcome == "failed":
            self.broken_collection = True

    def pytest_deselected(self) -> None:
        """Some tests are left out of this run."""
        self.deselected = True

    # Running.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """What is done for a test belongs to it, hooks between its phases included."""
        self.lines.follow()
        run = self.runs[item.nodeid] = self._run(item)
        before = self.ledger.switch(run.phases[SETUP])
        outcome = yield
        self.ledger.switch(before)
        run.over = outcome.excinfo is None
        if self.lines.lost():
            text = "The tracer was taken away by this test or something else: its lines are not all known."
            self.notes.append(Note("unmeasured", run.path, text, item.nodeid))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, None]:
        """A test's set-up; that of its fixtures is kept apart."""
        self.ledger.switch(self.runs[item.nodeid].phases[SETUP])
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        """A test's own code."""
        self.ledger.switch(self.runs[item.nodeid].phases[CALL])
        yield
        self._note_fixtures(item)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, None]:
        """A test's tear-down; that of its fixtures is kept apart."""
        self._note_fixtures(item)
        self.ledger.switch(self.runs[item.nodeid].phases[TEARDOWN])
        yield

    def pytest_runtest_logreport(self, report: Any) -> None:
        """How a phase of a test ended."""
        run = self.runs.get(report.nodeid)
        if run is None:
            return
        if hasattr(report, "context"):  # a subtest's: its test has a report too, with the whole duration
            run.results += ["failed"] if report.failed else []
            return
        run.seconds += report.duration
        run.results += _result(report)

    def _run(self, item: pytest.Item) -> Run:
        path = self.place.relative(str(getattr(item, "path", None) or item.fspath))
        call = getattr(item, "callspec", None)
        parameters = call.id if call is not None else ""
        name = getattr(item, "originalname", None) or item.name
        function = ""
        if isinstance(item, pytest.Function):
            parents = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
            function = ".".join([*parents, name])
        return Run(path, function, parameters)

    # Fixtures.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, None]:
        """The set-up of a fixture, and by finalizers around its own, its tear-down."""
        key = self._key(fixturedef)
        made = self._made[id(fixturedef)] = Made(key)
        if not self.fixtures[key].path and self.fixtures[key].scope == _FUNCTION:
            yield  # pytest's and plugins' own: what they do for one test is that test's set-up
            return
        known = set(_active(request))
        before: list[Activity] = []

        def leave() -> None:
            if before:
                self.ledger.switch(before.pop())

        def enter() -> None:
            before.append(self.ledger.switch(made.teardown))

        # Finalizers run last to first: `leave` after the fixture's own, `enter` before it.
        fixturedef.addfinalizer(leave)
        self._making.append(made)
        outer = self.ledger.switch(made.setup)
        yield
        self.ledger.switch(outer)
        self._making.pop()
        fixturedef.addfinalizer(enter)
        for name, definition in _active(request).items():
            if name in fixturedef.argnames or name not in known:
                self._uses(made, definition)
        if self._making:
            self._making[-1].uses[id(made)] = made

    def _uses(self, made: Made, definition: Any) -> None:
        used = self._made.get(id(definition))
        if used is not None and used is not made:
            made.uses[id(used)] = used

    def _note_fixtures(self, item: pytest.Item) -> None:
        run = self.runs[item.nodeid]
        for definition in _active(getattr(item, "_request", None)).values():
            made = self._made.get(id(definition))
            if made is not None:
                made.all(run.made)
        for made in run.made.values():
            run.fixtures.setdefault(made.key)

    def _key(self, definition: Any) -> str:
        known = self._definitions.get(id(definition))
        if known is None:
            # The definition itself is kept, so that its id stays its own.
            key = self._define(definition)
            known = self._definitions[id(definition)] = (definition, key)
        return known[1]

    def _define(self, definition: Any) -> str:
        function = definition.func
        function = inspect.unwrap(getattr(function, "__func__", function))
        code = getattr(function, "__code__", None)
        path = self.place.relative(code.co_filename) if code is not None else ""
        name = getattr(function, "__qualname__", "") if path else ""
        key = f"{path}::{name}" if path else definition.argname
        self.fixtures[key] = Fixture(definition.argname, path, name, str(definition.scope))
        return key


def _active(request: Any) -> dict[str, Any]:
    """The fixtures that a test's request holds so far, those asked for at run time included."""
    return getattr(request, "_fixture_defs", None) or {}


def _result(report: Any) -> Iterator[str]:
    expected = hasattr(report, "wasxfail")
    if report.failed:
        yield "failed" if report.when == CALL else "error"
    elif report.skipped:
        yield "xfailed" if expected else "skipped"
    elif report.when == CALL:
        yield "xpassed" if expected else "passed"
