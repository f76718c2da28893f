"""How long computations are run: here and now, or beside an event loop that has others to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Offload(Protocol):
    """Runs a computation and hands back what it returns."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Begin it."""


async def at_once(work: Callable[[], T], /) -> T:
    """Run it here and now: ctrl-C then stops it where it is."""
    return work()


def in_turn() -> Offload:
    """Run them in a thread, one after another.

    Of computations in Python threads only one advances at a time anyway: sixteen questions at once took 1.3
    times as long together, and the last of them 2.6 times, as when each waited for the one before it.
    """
    limiter = anyio.CapacityLimiter(1)

    async def run(work: Callable[[], T], /) -> T:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)

    return run


async def beside(work: Callable[[], T], /) -> T:
    """Run it in a thread, so that others are answered meanwhile."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
