"""Memory: many small values without the collector looking at each again, and what a service keeps of it."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_ALLOCATOR = (
    ("MALLOC_ARENA_MAX", -8, 1),
    ("MALLOC_TRIM_THRESHOLD_", -1, 1 << 19),
    ("MALLOC_MMAP_THRESHOLD_", -3, 1 << 19),
)
"""What the operator calls it, glibc's number for it (malloc.h), and our value: arenas, bytes, bytes."""


def modest() -> None:
    """For a process that stays up: threads share one arena, and large blocks that are freed are given back.

    By itself glibc makes arenas of their own for up to eight threads a processor, each of which keeps what
    its largest answer took; Python's threads allocate one at a time anyway. Eight workers of a service held
    459 MB without and 420 MB with. What the operator set in the environment stands; other allocators are
    left alone.
    """
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return
    mallopt = ctypes.CDLL(None).mallopt
    for name, number, value in _ALLOCATOR:
        if name not in os.environ:
            mallopt(number, value)


class _Holding:
    """How many hold the collector back, in whatever threads, and whether it ran before the first of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holders = 0
        self._ran = False
        self._spared = False

    def begin(self) -> None:
        with self._lock:
            if not self._holders:
                self._ran = gc.isenabled()
                gc.disable()
            self._holders += 1

    def end(self, kept: bool) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders or not self._ran:
                return
            if kept and not self._spared and not gc.get_freeze_count():
                # Through the permanent generation everything becomes old without being looked at. Once: what
                # is old is hardly ever looked at, and a process that stays up would never be rid of the
                # cycles that each piece of work leaves.
                self._spared = True
                gc.freeze()
                gc.unfreeze()
            gc.enable()


_holding = _Holding()


@contextmanager
def uncollected(*, kept: bool = False) -> Iterator[None]:
    """Hold Python's cycle collector back: it would walk all values each time that a few more are made.

    A tree is a few hundred thousand objects with hardly a cycle: collecting took as long again as reading it
    (102k lines: 2.0 s of CPU without, 3.9 s with). What reference counts free is freed all the same. It may
    be used in several threads at once; the collector runs again, if it did before, when the last has ended.

    Parameters
    ----------
    kept : bool
        What was made is to stay: the first time in a process it counts as old, so that the collector does not
        go through all of it as soon as it runs again.
    """
    _holding.begin()
    try:
        yield
    finally:
        _holding.end(kept)


@contextmanager
def loading() -> Iterator[None]:
    """For a process that is about to import all that answers need: 0.85 s of CPU without, 0.67 s with.

    The collector is held back, and numpy starts no threads for linear algebra, of which there is none here.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with uncollected():
        yield
