"""Files that are mapped into memory, and what happens where one is cut short under a reader.

Maestro never writes into an array file: it puts a new one in its place, and who mapped the old one keeps
it. If somebody else cuts a file short, or its disk fails, reading what is gone raises SIGBUS, which no Python
code can catch. Nobody gets a wrong answer then, but a process dies without a word: `guard` gives it one.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
from typing import Any

from graph.incidence import Incidence

_MESSAGE = (
    "\nError: an array file was cut short while it was read, by another program or by a failing disk.\n"
    "Run this again: the file is then built anew from the store. `maestro doctor` looks at all of them.\n"
)
_KEPT: list[Any] = []
"""The handler must live as long as the process."""


def mapping_of(incidence: Incidence) -> mmap.mmap | None:
    """The file that arrays are read from; None where they are in memory of their own."""
    base: Any = incidence.member_node
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base if isinstance(base, mmap.mmap) else None


def intact(incidence: Incidence) -> bool:
    """Whether the file that arrays are read from is as long as it was when it was mapped."""
    mapped = mapping_of(incidence)
    return mapped is None or mapped.size() >= len(mapped)


def guard(exit_code: int) -> None:
    """End the process with words and this code where SIGBUS would end it without any.

    The handler runs in the thread that read, which cannot go on: it writes and leaves at once.
    """
    if not hasattr(signal, "SIGBUS") or _KEPT:
        return

    def told(_: int) -> None:
        os.write(2, _MESSAGE.encode())
        os._exit(exit_code)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(told)
    install = ctypes.CDLL(None).signal
    install.restype, install.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    install(signal.SIGBUS, ctypes.cast(handler, ctypes.c_void_p))
    _KEPT.append(handler)
