"""What is going on: stretches of a run, which of them is current, and what belongs to it."""

from __future__ import annotations

import time
from typing import Callable, Union

from maestro_selection.recording import Process, Trace

Names = Union[set[str], frozenset[str]]
_NONE: frozenset[str] = frozenset()


class Activity:
    """What one stretch of a run did so far; becomes a `Trace`. Lines are bitmaps by path."""

    __slots__ = ("imported", "lines", "listed", "opened", "processes", "sought", "variables")

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        # Most stretches do none of these, and there are many stretches.
        self.opened: Names = _NONE
        self.listed: Names = _NONE
        self.variables: Names = _NONE
        self.imported: Names = _NONE
        self.processes: frozenset[Process] = frozenset()
        self.sought: Names = _NONE

    def open(self, path: str) -> None:
        """Enter a file that was opened."""
        self.opened = _with(self.opened, path)

    def list(self, path: str) -> None:
        """Enter a folder that was listed."""
        self.listed = _with(self.listed, path)

    def seek(self, path: str) -> None:
        """Enter a path of which it was asked whether it is there."""
        self.sought = _with(self.sought, path)

    def ask(self, variable: str) -> None:
        """Enter a variable that was asked for."""
        self.variables = _with(self.variables, variable)

    def begin_import(self, path: str) -> None:
        """Enter a file whose import was begun."""
        self.imported = _with(self.imported, path)

    def begin_process(self, process: Process) -> None:
        """Enter a process that was started."""
        self.processes |= {process}

    def add(self, path: str, bits: int) -> None:
        """Enter lines of a file."""
        self.lines[path] = self.lines.get(path, 0) | bits

    def take(self, other: Activity | Trace) -> None:
        """Enter all that another did."""
        for path, bits in other.lines.items():
            self.add(path, bits)
        self.opened = {*self.opened, *other.opened}
        self.listed = {*self.listed, *other.listed}
        self.sought = {*self.sought, *other.sought}
        self.variables = {*self.variables, *other.variables}
        self.imported = {*self.imported, *other.imported}
        self.processes |= other.processes

    def trace(self, unwanted: frozenset[str] = frozenset()) -> Trace:
        """What was done, for good; files in `unwanted` are not told as opened."""
        variables = frozenset("*") if "*" in self.variables else frozenset(self.variables)
        return Trace(
            self.lines,
            frozenset(self.opened - unwanted),
            frozenset(self.listed),
            variables,
            frozenset(self.imported),
            self.processes,
            frozenset(self.sought - unwanted),
        )


def _with(names: Names, name: str) -> Names:
    if isinstance(names, set):
        names.add(name)
        return names
    return {name}


class Ledger:
    """Which activity is current.

    `drain` is called before another becomes current, to enter into the one that ends what was executed
    in it. Once processes have been started, the times of every switch are kept, so that what a process
    did can be entered where it belongs.
    """

    def __init__(self) -> None:
        self.session = Activity()
        self.current = self.session
        self.drain: Callable[[], None] = lambda: None
        self.timeline: list[tuple[float, Activity]] = []
        self.readers: dict[str, set[tuple[str, int]]] = {}
        """For each path that was opened, listed or sought: the functions on whose behalf."""
        self.pinned = False
        """Whether one activity has all (in a process that is followed as a whole)."""

    def enter(self, path: str, bits: int) -> None:
        """Enter lines of a file into what is current."""
        self.current.add(path, bits)

    def switch(self, activity: Activity) -> Activity:
        """Make an activity current; returns the one that was."""
        before = self.current
        if activity is not before and not self.pinned:
            self.drain()
            self.current = activity
            if self.timeline:
                self.timeline.append((time.monotonic(), activity))
        return before

    def watch_time(self) -> float:
        """Keep the times from now on; the time it is."""
        now = time.monotonic()
        if not self.timeline:
            self.timeline.append((now, self.current))
        return now

    def during(self, since: float, until: float) -> list[Activity]:
        """The activities that were current at any time between two moments."""
        found: dict[int, Activity] = {}
        for place, (begun, activity) in enumerate(self.timeline):
            ended = self.timeline[place + 1][0] if place + 1 < len(self.timeline) else float("inf")
            if begun <= until and ended >= since:
                found[id(activity)] = activity
        return list(found.values())
