"""How long computations are run: here and now, or beside an event loop that has others to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Runs a computation and hands back what it returns."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Begin it."""


async def at_once(work: Callable[[], T], /) -> T:
    """Run it here and now: ctrl-C then stops it where it is."""
    return work()
