"""Work on hundreds of thousands of small values at once, without the collector looking at each again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold Python's cycle collector back: it would walk all facts each time that a few more are made.

    Facts are tuples of plain values and form no cycles, so nothing is left behind.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
