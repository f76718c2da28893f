"""Describing what occurs again and again only once: the proofs of one answer share most of their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def once(describe: Callable[[A], B]) -> Callable[[A], B]:
    """The same function, which hands back what it made where it is given the same object again.

    For the length of one answer: it keeps all that it was given.
    """
    known: dict[int, tuple[A, B]] = {}

    def described(thing: A) -> B:
        found = known.get(id(thing))
        if found is None:
            found = known[id(thing)] = thing, describe(thing)
        return found[1]

    return described
