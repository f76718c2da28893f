"""The recording of a process that a recorded test started or forked.

Such a process leaves two small files in the folder that the recording run named in its environment: one
when it begins, one when it ends, with what it did in between. The first without the second means that it
was killed before it could tell.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from typing import Any

FOLDER = "MAESTRO_RECORDING_CHILD"
SINCE = "MAESTRO_RECORDING_SINCE"
QUIET = "MAESTRO_RECORDING_QUIET"
"""Set for a process that does nothing of its own but fork others, and that outlives the run."""


class Child:
    """One followed process, from its beginning to its end.

    Parameters
    ----------
    folder : str
        Where its files go.
    since : str
        When its parent was about to start it, by the clock that all processes share; also what the parent
        knows it by.
    """

    def __init__(self, folder: str, since: str) -> None:
        from pytest_maestro.activity import Activity

        self.folder = folder
        self.since = since
        self.process = os.getpid()
        self.activity = Activity()
        self.readers: dict[str, set[tuple[str, int]]] = {}
        self.expected: list[list[Any]] = []
        self.told = False

    def announce(self) -> None:
        """Say that it has begun."""
        self._leave("begun", {"since": self.since, "parent": os.getppid()})

    def tell(self) -> None:
        """Say what was done until now; once."""
        if self.told or os.getpid() != self.process:
            return
        self.told = True
        done = self.activity
        self._leave(
            "ended",
            {
                "since": self.since,
                "until": time.monotonic(),
                "lines": {path: format(bits, "x") for path, bits in done.lines.items()},
                "opened": sorted(done.opened),
                "listed": sorted(done.listed),
                "sought": sorted(done.sought),
                "readers": {path: sorted(readers) for path, readers in self.readers.items()},
                "variables": sorted(done.variables),
                "imported": sorted(done.imported),
                "processes": sorted([each.program, each.followed] for each in done.processes),
                "expected": self.expected,
            },
        )

    def _leave(self, kind: str, content: dict[str, Any]) -> None:
        place = os.path.join(self.folder, f"{self.process}-{self.since}.{kind}")
        try:
            with open(place + ".part", "w", encoding="ascii") as file:
                json.dump(content, file)
            os.replace(place + ".part", place)
        except OSError as error:
            # The run that asked for it may be over, and its folder gone: nobody is left to tell.
            if os.path.isdir(self.folder):
                sys.stderr.write(f"maestro: what a process did could not be kept: {error}\n")


def begin() -> None:
    """Record this process, from the start of its interpreter on; does nothing where nobody asked for it."""
    folder, since = os.environ.get(FOLDER, ""), os.environ.get(SINCE, "")
    if Forks.registered or not since or not os.path.isdir(folder):
        return
    try:
        _begin(folder, since)
    except Exception as error:  # a program must run as it would without being recorded
        sys.stderr.write(f"maestro: a process is not recorded: {type(error).__name__}: {error}\n")


def _begin(folder: str, since: str) -> None:
    from pytest_maestro.activity import Ledger
    from pytest_maestro.lines import Lines
    from pytest_maestro.places import Place
    from pytest_maestro.processes import Started
    from pytest_maestro.watching import Watch

    with open(os.path.join(folder, "place.json"), encoding="ascii") as file:
        told = json.load(file)
    place, ledger = Place(told["root"], told["apart"]), Ledger()
    child = Child(folder, since)
    ledger.session = ledger.current = child.activity
    child.readers = ledger.readers
    ledger.pinned = True
    # Not into the activity itself: after this process has forked, another one is current.
    lines = Lines(place, ledger.enter)
    started = Started(place, ledger)
    watch = Watch(place, ledger, started)
    child.expected = started.expected

    def end() -> None:
        lines.drain()
        child.tell()

    atexit.register(end)
    _end_on_signal(end)
    if not os.environ.pop(QUIET, ""):
        child.announce()
    lines.start()
    watch.start()
    watch_forks(ledger, folder, lines.drain, started)


def _end_on_signal(end: Any) -> None:
    """Tell before SIGTERM ends the process, unless the program handles it."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def ending(number: int, frame: Any) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, ending)


class Forks:
    """What is to be done when this process forks; registered once, since it cannot be taken back."""

    ledger: Any = None
    folder = ""
    drain: Any = None
    started: Any = None
    registered = False


def watch_forks(ledger: Any, folder: str, drain: Any, started: Any) -> None:
    """Follow what is forked from now on; with None for the ledger, no more."""
    Forks.ledger, Forks.folder, Forks.drain, Forks.started = ledger, folder, staticmethod(drain), started
    if not Forks.registered and hasattr(os, "register_at_fork"):
        Forks.registered = True
        os.register_at_fork(before=_before_fork, after_in_child=_forked)


def _before_fork() -> None:
    if Forks.ledger is not None:
        Forks.ledger.watch_time()


def _forked() -> None:
    ledger = Forks.ledger
    # subprocess forks on its way to another program, which begins a recording of its own.
    if ledger is None or sys._getframe(1).f_globals.get("__name__") == "subprocess":
        return
    try:
        _follow_fork(ledger)
    except Exception as error:  # a program must run as it would without being recorded
        Forks.ledger = None
        sys.stderr.write(f"maestro: a forked process is not recorded: {type(error).__name__}: {error}\n")


def _follow_fork(ledger: Any) -> None:
    drain, started = Forks.drain, Forks.started
    drain()  # what the parent did is its own to tell
    child = Child(Forks.folder, repr(time.monotonic()))
    ledger.pinned, ledger.current = True, child.activity
    child.readers = ledger.readers
    started.expected = child.expected
    leave = os._exit

    def end() -> None:
        drain()
        child.tell()

    def exit_now(status: int) -> Any:
        end()
        leave(status)

    os._exit = exit_now
    atexit.register(end)
    _end_on_signal(end)
    child.announce()
