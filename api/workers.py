"""Several processes that are one service: more processors at work, for little more memory.

They are forked from one that has loaded all they need, so what Python and its libraries take is there once;
array files are mapped, and are there once anyway. What a worker changes becomes its own, page by page.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from graph.errors import InputError, StoreUnavailableError

MOST = 64
"""Workers at most."""
_BRIEF = 5.0
"""The next of a worker that lived for fewer seconds than this is not begun at once."""
_PAUSE = 0.2
"""Seconds until it is begun."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 3
"""So many workers in a row that end before they got to work, and the service gives up."""
Ready = Callable[[], None]
"""What a worker calls when it gets to work."""


def check(count: int, uploads: bool) -> None:
    """Refuse a number of workers that cannot be had.

    Raises
    ------
    InputError
        There are none, too many, several where recordings are taken, or the system cannot fork.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"There cannot be {count} workers.", f"Ask for 1 to {MOST}.")
    if count > 1 and uploads:
        raise InputError(
            "Recordings are taken by one process, and several workers were asked for.",
            "Leave out --workers, or serve recordings on a port of their own.",
        )
    if count > 1 and not hasattr(os, "fork"):
        raise InputError("This system cannot fork, so there is one worker.", "Leave out --workers.")


def run(serving: Sequence[Callable[[Ready], None]]) -> None:
    """Have processes serve until ctrl-C or SIGTERM; one that dies is replaced by another that does the same.

    At the end the first is told to go, and the others when it is gone: it may still need them.

    Parameters
    ----------
    serving : sequence of callable
        What each process does. It says when it gets to work, and ends in order at SIGTERM and SIGINT.

    Raises
    ------
    StoreUnavailableError
        Processes kept dying before they got to work; what they said stands on standard error.
    """
    gc.collect()
    gc.freeze()  # the collector would write to every object, and no page would stay shared
    _Processes(serving).run()


class _Processes:
    """The processes, and who looks after them."""

    def __init__(self, serving: Sequence[Callable[[Ready], None]]) -> None:
        self._serving = serving
        self._begun: dict[int, tuple[int, float]] = {}
        """By number of the process: which one it is, and when it began."""
        self._leaving = False
        self._failed = 0
        # Only this process holds the writing end: where it dies, however, workers read the end and leave.
        self._life, self._held = os.pipe()
        # Workers write which one they are when they get to work.
        self._told, self._tell = os.pipe()
        os.set_blocking(self._told, False)
        self._ready: set[int] = set()

    def run(self) -> None:
        before = {number: signal.signal(number, self._leave) for number in _SIGNALS}
        try:
            while self._begun or not self._leaving:
                there = {place for place, _ in self._begun.values()}
                for place in range(len(self._serving)):
                    if place not in there and not self._leaving:
                        self._start(place)
                if self._leaving and 0 not in there:
                    self._end(*there)
                self._wait()
        finally:
            self._leaving = True
            self._end(*range(len(self._serving)))
            for end in (self._held, self._life, self._told, self._tell):
                os.close(end)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._failed >= _PATIENCE:
            raise StoreUnavailableError(
                f"{self._failed} workers ended before they got to work.", "What they said is above."
            )

    def _start(self, place: int) -> None:
        # A signal in between would miss the new worker, or find it with this process's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid:
            self._begun[pid] = place, time.monotonic()
            self._ready.discard(place)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return
        self._work(place)

    def _work(self, place: int) -> NoReturn:
        """What a worker does from its first moment to its last."""
        code = 1
        try:
            os.close(self._held)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            threading.Thread(target=self._outlive_nobody, daemon=True).start()
            self._serving[place](lambda: self._say(place))
            code = 0
        except KeyboardInterrupt:
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # the rest of the stack is the other process's to unwind

    def _say(self, place: int) -> None:
        os.write(self._tell, bytes([place]))

    def _outlive_nobody(self) -> None:
        os.read(self._life, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _wait(self) -> None:
        """Wait for a worker's end; one that had no time to work counts as failed."""
        try:
            pid, _ = os.wait()
        except ChildProcessError:
            self._begun.clear()
            return
        place, begun = self._begun.pop(pid, (-1, 0.0))
        if place < 0 or self._leaving:
            return
        with suppress(BlockingIOError):
            self._ready.update(os.read(self._told, 1 << 16))
        self._failed = 0 if place in self._ready else self._failed + 1
        if self._failed >= _PATIENCE:
            self._leave(signal.SIGTERM, None)
        elif time.monotonic() - begun < _BRIEF:
            time.sleep(_PAUSE)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """Have the first go; all of them where it was told before."""
        self._end(*range(len(self._serving) if self._leaving else 1))
        self._leaving = True

    def _end(self, *places: int) -> None:
        for pid, (place, _) in list(self._begun.items()):
            if place not in places:
                continue
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
