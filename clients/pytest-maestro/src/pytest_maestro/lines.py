"""Which lines are executed, by coverage.py's tracer, handed over whenever the current activity changes.

What coverage measured is taken from it as it hands it to its data: no data file and no database of
contexts is written, which is what dynamic contexts cost. Where another coverage is at work in the same
process (pytest-cov, `coverage run`), only one tracer can be active, so that one is used: it is made to
measure every file of the repository, and what it would not have measured by itself is kept from its data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Callable

import coverage
from coverage.exceptions import CoverageException

from maestro_selection.recording import bitmap
from pytest_maestro.places import Place

# The tracers that keep what was executed apart by context. `sys.monitoring` reports a line once and then
# no more, so that the second test to execute it would not be seen to.
RIGHT = ("CTracer", "PyTracer")

Sink = Callable[[str, int], None]


class LinesError(Exception):
    """Why lines cannot be measured."""


class Lines:
    """The measuring of lines in this process.

    Parameters
    ----------
    place : Place
        The repository; nothing outside of it is measured.
    sink : callable
        Is given a path and a bitmap of lines whenever `drain` finds some.
    """

    def __init__(self, place: Place, sink: Sink) -> None:
        self.place = place
        self.sink = sink
        self.notes: list[str] = []
        self._own: coverage.Coverage | None = None
        self._attached: list[coverage.Coverage] = []
        self._collectors: list[Any] = []
        self._shared: dict[int, _Shared] = {}
        self._data: Any = None
        self._sets: dict[frozenset[int], int] = {}
        self._trace: Any = None

    def start(self) -> None:
        """Begin; before anything of the repository is imported.

        Raises
        ------
        LinesError
            When there is no tracer here that keeps contexts apart.
        """
        os.environ["COVERAGE_CORE"] = "ctrace"
        if coverage.Coverage.current() is not None:
            self.follow()
            return
        own = coverage.Coverage(
            data_file=None,
            config_file=False,
            branch=False,
            source=[self.place.root],
            omit=[os.path.join(folder, "*") for folder in self.place.apart] + ["*/site-packages/*"],
            concurrency=self._concurrency(),
            messages=False,
        )
        # Nothing may be said at the end of having measured nothing, or little.
        own._warn_no_data = own._warn_unimported_source = False
        data: Any = own.get_data()
        data.add_lines = self._take
        data.add_file_tracers = data.set_context = lambda *_: None
        self._data = data
        own.start()
        self._own = own
        self._collectors.append(_checked(own))
        self._trace = sys.gettrace()

    def follow(self) -> None:
        """Join another coverage where one has been started since."""
        other = coverage.Coverage.current()
        if other is None or other is self._own or any(other is known for known in self._attached):
            return
        collector = _checked(other)
        self._attached.append(other)
        beyond: set[str] = set()
        self._shared[id(collector)] = _Shared(collector, beyond, self._take)
        self._widen(collector, beyond)
        self._collectors.append(collector)
        self._trace = sys.gettrace()

    def _widen(self, collector: Any, beyond: set[str]) -> None:
        decide = collector.should_trace
        place = self.place

        def should_trace(filename: str, frame: Any) -> Any:
            decision = decide(filename, frame)
            if not decision.trace and filename.endswith(".py") and place.relative(filename):
                decision.trace, decision.source_filename = True, decision.canonical_filename or filename
                beyond.add(decision.source_filename)
            return decision

        collector.should_trace = should_trace
        collector.should_trace_cache.clear()
        for tracer in collector.tracers:
            tracer.should_trace = should_trace

    def drain(self) -> None:
        """Hand what was executed since the last time to the sink."""
        for collector in self._collectors:
            if collector.covdata is self._data and not collector.file_tracers:
                self._take_from(collector)
            elif id(collector) in self._shared:
                self._shared[id(collector)].drain()
            else:
                collector.flush_data()

    def _take_from(self, collector: Any) -> None:
        """What flushing does, without handing every file that was ever executed around each time."""
        tracers = collector.tracers
        if not any(tracer.activity() for tracer in tracers):
            return
        for tracer in tracers:
            tracer.reset_activity()
        for filename, lines in list(collector.data.items()):
            if lines:
                # Other threads may go on adding: only what was taken is taken out.
                taken = frozenset(lines)
                lines.difference_update(taken)
                self._hand_over(filename, taken)

    def lost(self) -> bool:
        """Whether something took the tracer away since the last time; it is put back."""
        now = sys.gettrace()
        if now is self._trace:
            return False
        if any(now is tracer for collector in self._collectors for tracer in collector.tracers):
            self._trace = now
            return False
        if now is None:
            sys.settrace(self._trace)
        return True

    def stop(self) -> None:
        """Hand over the last, and end our own measuring; that of others goes on."""
        self.drain()
        if self._own is not None and coverage.Coverage.current() is self._own:
            self._own.stop()
            self._own = None

    def _take(self, found: Mapping[str, Iterable[int]]) -> None:
        for filename, lines in found.items():
            if lines:
                self._hand_over(filename, frozenset(lines))

    def _hand_over(self, filename: str, lines: frozenset[int]) -> None:
        path = self.place.relative(filename)
        if not path:
            return
        # Contexts repeat: most sets of lines have been seen before.
        bits = self._sets.get(lines)
        if bits is None:
            bits = self._sets[lines] = bitmap(lines)
        self.sink(path, bits)

    def _concurrency(self) -> list[str]:
        """What the project has told coverage of its kind of concurrency (gevent, greenlet)."""
        try:
            asked: Any = coverage.Coverage(data_file=None).get_option("run:concurrency")
        except CoverageException as error:
            self.notes.append(f"The project's settings for coverage cannot be read: {error}")
            return []
        return [name for name in asked or () if name not in ("multiprocessing", "thread")]


class _Shared:
    """Another coverage, whose lines are looked through before they go to its data.

    Its data is written when it would be written without us, and not whenever the activity changes: a data
    file that is there before its time can be taken away (each worker of xdist erases what earlier runs have
    left when it begins), and is written by two where a process forks.
    """

    def __init__(
        self, collector: Any, beyond: set[str], take: Callable[[Mapping[str, Iterable[int]]], None]
    ) -> None:
        data = collector.covdata  # asking the coverage for it would write it
        self._flush, self._draining = collector.flush_data, False
        self._beyond, self._take = beyond, take
        self._lines: dict[str, set[int]] = {}
        self._arcs: dict[str, set[tuple[int, int]]] = {}
        self._tracers: dict[str, str] = {}
        self._add_lines, self._add_arcs = data.add_lines, data.add_arcs
        self._add_tracers = data.add_file_tracers
        data.add_lines, data.add_arcs = self._take_lines, self._take_arcs
        data.add_file_tracers = self._take_tracers
        collector.flush_data = self.flush

    def drain(self) -> None:
        """Look through what was executed since the last time, and keep it for when it is asked for."""
        self._draining = True
        try:
            self._flush()
        finally:
            self._draining = False

    def flush(self) -> bool:
        """What coverage itself asks for: whether there was anything, which its data now holds."""
        self.drain()
        found = bool(self._lines or self._arcs)
        for add, kept in (
            (self._add_lines, self._lines),
            (self._add_arcs, self._arcs),
            (self._add_tracers, self._tracers),
        ):
            if kept:
                add(dict(kept))
                kept.clear()
        return found

    def _take_lines(self, found: Mapping[str, Iterable[int]]) -> None:
        if not self._draining:
            self._add_lines(found)
            return
        self._take(found)
        for path, lines in found.items():
            if path not in self._beyond:
                self._lines.setdefault(path, set()).update(lines)

    def _take_arcs(self, found: Mapping[str, Iterable[tuple[int, int]]]) -> None:
        if not self._draining:
            self._add_arcs(found)
            return
        self._take({path: {line for arc in arcs for line in arc if line > 0} for path, arcs in found.items()})
        for path, arcs in found.items():
            if path not in self._beyond:
                self._arcs.setdefault(path, set()).update(arcs)

    def _take_tracers(self, found: Mapping[str, str]) -> None:
        if not self._draining:
            self._add_tracers(found)
            return
        self._tracers.update({path: name for path, name in found.items() if path not in self._beyond})


def _checked(measuring: coverage.Coverage) -> Any:
    collector = getattr(measuring, "_collector", None)
    known = ("covdata", "data", "file_tracers", "flush_data", "should_trace", "should_trace_cache", "tracers")
    missing = [name for name in known if not hasattr(collector, name)]
    if missing:
        raise LinesError(f"this version of coverage ({coverage.__version__}) is not known")
    assert collector is not None
    name = collector.tracer_name()
    if name not in RIGHT:
        raise LinesError(f"coverage was started with {name}, which loses lines: set COVERAGE_CORE=ctrace")
    return collector
