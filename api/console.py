"""Where answers and progress go: answers to standard output, everything else to standard error."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text
from rich.theme import Theme

THEME = Theme(
    {
        "exact": "green",
        "typed": "cyan",
        "hierarchy": "yellow",
        "name": "magenta",
        "ambiguous": "red",
        "heading": "bold",
        "quiet": "bright_black",
        "place": "bright_black",
        "test": "blue",
        "count": "bold",
        "good": "green",
        "note": "yellow",
        "bad": "bold red",
        "command": "bold cyan",
    }
)
"""Colours by meaning; `NO_COLOR` and a pipe take them away."""

PIPED = 120
"""Columns of an answer that goes to a file or pipe."""
PATIENCE = 1.0
"""Seconds after which work shows how far it is."""
interrupted = threading.Event()
"""Set from ctrl-C until the command has ended."""


def answers() -> Console:
    """Standard output. Text is shown as it is: no markup, emoji or highlighting of names."""
    console = Console(theme=THEME, highlight=False, emoji=False, markup=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED
    return console


def messages() -> Console:
    """Standard error."""
    return Console(theme=THEME, highlight=False, emoji=False, markup=False, stderr=True)


class _Amount(ProgressColumn):
    """`120 of 161`, or nothing where the amount is not known."""

    def render(self, task: Task) -> Text:
        if not task.total or task.total <= 1:
            return Text(f"{int(task.completed):,}" if task.completed > 1 else "", style="quiet")
        return Text(f"{int(task.completed):,} of {int(task.total):,}", style="quiet")


class _Elapsed(ProgressColumn):
    """Seconds that a phase took so far."""

    def render(self, task: Task) -> Text:
        seconds = task.finished_time if task.finished else task.elapsed
        return Text(f"{seconds or 0.0:.1f} s", style="quiet")


class Meter:
    """A `graph.progress.Progress` that shows itself once work takes longer than `PATIENCE`.

    On a terminal it draws a line a phase and wipes them at the end; elsewhere it prints the name
    of each phase once.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._guard = threading.Lock()
        self._phase = ""
        self._done, self._total, self._drawn = 0, 0, 0.0
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._late = False
        self._timer = threading.Timer(PATIENCE, self._appear)
        self._timer.daemon = True

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Take note of how far the work is; cheap, since it is called often.

        Where ctrl-C was heard, and the work goes on, it is stopped here: an interrupt may come in wherever a
        signal does, and code in C that has no use for an exception there drops it.
        """
        if interrupted.is_set():
            raise KeyboardInterrupt
        now = time.monotonic()
        if phase == self._phase and now - self._drawn < 0.05 and done != total:
            self._done, self._total = done, total
            return
        self._drawn = now
        with self._guard:
            fresh = phase != self._phase
            self._phase, self._done, self._total = phase, done, total
            self._draw(fresh)

    def _appear(self) -> None:
        with self._guard:
            if self._console.is_terminal:
                self._bars = Progress(
                    SpinnerColumn("dots", finished_text="✓"),
                    TextColumn("{task.description}"),
                    BarColumn(bar_width=24),
                    _Amount(),
                    _Elapsed(),
                    console=self._console,
                    transient=True,
                )
                self._bars.start()
            self._timer.cancel()
            self._late = True
            self._draw(True)

    def _draw(self, fresh: bool) -> None:
        if not self._late or not self._phase:
            return
        if self._bars is None:
            if fresh:
                self._console.print(f"{self._phase} ...", style="quiet")
            return
        if fresh:
            if self._task is not None:
                ended = self._bars.tasks[self._task].completed or 1
                self._bars.update(self._task, completed=ended, total=ended)
            self._task = self._bars.add_task(self._phase, total=None)
        if self._task is not None:
            self._bars.update(self._task, completed=self._done, total=self._total if self._done else None)

    def start(self) -> None:
        """Begin to count the seconds of patience."""
        self._timer.start()

    def stop(self) -> None:
        """Wipe what was drawn."""
        self._timer.cancel()
        with self._guard:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None
            self._late = False


@contextmanager
def showing(console: Console) -> Iterator[Meter]:
    """A meter for the work of a `with` block."""
    meter = Meter(console)
    meter.start()
    try:
        yield meter
    finally:
        meter.stop()
