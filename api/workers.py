"""Several processes that answer at one socket: more processors at work, for little more memory.

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
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from graph.errors import InputError, StoreUnavailableError

MOST = 64
"""Workers at most."""
_BRIEF = 5.0
"""A worker that lived for fewer seconds than this did not get to work."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 3
"""So many such workers in a row, and the service gives up."""


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


def run(count: int, serve: Callable[[], None]) -> None:
    """Have workers serve until ctrl-C or SIGTERM; one that dies is replaced.

    Parameters
    ----------
    serve : callable
        What each worker does. It ends in order at SIGTERM and SIGINT.

    Raises
    ------
    StoreUnavailableError
        Workers kept dying before they got to work; what they said stands on standard error.
    """
    gc.collect()
    gc.freeze()  # the collector would write to every object, and no page would stay shared
    _Crew(count, serve).run()


class _Crew:
    """The workers, and who looks after them."""

    def __init__(self, count: int, serve: Callable[[], None]) -> None:
        self._count = count
        self._serve = serve
        self._begun: dict[int, float] = {}
        self._leaving = False
        self._failed = 0
        # Only this process holds the writing end: where it dies, however, workers read the end and leave.
        self._life, self._held = os.pipe()

    def run(self) -> None:
        before = {number: signal.signal(number, self._leave) for number in _SIGNALS}
        try:
            while self._begun or not self._leaving:
                while len(self._begun) < self._count and not self._leaving:
                    self._start()
                self._wait()
        finally:
            self._leave(signal.SIGTERM, None)
            os.close(self._held)
            os.close(self._life)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._failed >= _PATIENCE:
            raise StoreUnavailableError(
                f"{self._failed} workers ended before they got to work.", "What they said is above."
            )

    def _start(self) -> None:
        # A signal in between would miss the new worker, or find it with this process's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid:
            self._begun[pid] = time.monotonic()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return
        self._work()

    def _work(self) -> NoReturn:
        """What a worker does from its first moment to its last."""
        code = 1
        try:
            os.close(self._held)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            threading.Thread(target=self._outlive_nobody, daemon=True).start()
            self._serve()
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
        begun = self._begun.pop(pid, None)
        if begun is None or self._leaving:
            return
        self._failed = self._failed + 1 if time.monotonic() - begun < _BRIEF else 0
        if self._failed >= _PATIENCE:
            self._leave(signal.SIGTERM, None)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        self._leaving = True
        for pid in list(self._begun):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
