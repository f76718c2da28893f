"""What a Maestro that stays up keeps between questions, and how a tree's facts follow from the last one's."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Timer

import numpy as np
from numpy.typing import NDArray

from graph.delta import Delta
from graph.facts import Batch, Fact, Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.ingest.python.resident import Resident
from graph.schema import EdgeKind

Longs = NDArray[np.int64]
_KINDS = tuple(EdgeKind)


@dataclass(frozen=True, slots=True)
class Step:
    """How the facts of one tree follow from those of another: no node changes, few hyperedges do."""

    tree: str
    """Where the step starts."""
    went: list[Hyperedge]
    came: list[Hyperedge]
    """What was said, and is said now, by the files that say anything else; the same may be in both."""


class Residence:
    """Holds readers' last readings; `close` it when Maestro goes.

    Parameters
    ----------
    idle : float or None
        Seconds without a question (`lent`) after which everything is forgotten and what stayed up for it
        ended; the next question begins anew. None keeps it.
    """

    def __init__(self, idle: float | None = None) -> None:
        self.python = Resident()
        self._last: dict[Scope, tuple[str, list[Fact]]] = {}
        self._idle = idle
        self._asked = 0.0
        self._taken = Lock()
        self._timer: Timer | None = None

    @contextmanager
    def lent(self) -> Iterator[Residence | None]:
        """This, for the time of one question; None while another question has it."""
        if not self._taken.acquire(blocking=False):
            yield None
            return
        try:
            yield self
        finally:
            self._asked = time.monotonic()
            if self._idle is not None:
                self._wait(self._idle)
            self._taken.release()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Timer(seconds, self._end_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_idle(self) -> None:
        """Forget everything, unless a question came meanwhile."""
        if not self._taken.acquire(blocking=False):
            return  # it begins the wait again
        try:
            if self._idle is not None and time.monotonic() - self._asked >= self._idle:
                self._forget()
                gc.collect()  # what was read refers to itself
        finally:
            self._taken.release()

    def step(self, scope: Scope, rest: list[Fact]) -> str | None:
        """The tree read last, where all that is not said by code was the same; None otherwise."""
        tree, before = self._last.get(scope, ("", []))
        return tree if tree and before == rest else None

    def keep(self, scope: Scope, tree: str, rest: list[Fact]) -> None:
        """Remember what was read of a repository, and what is said there by other files than code."""
        self._last[scope] = tree, rest

    def close(self) -> None:
        """Forget everything, and end what stayed up for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        self._forget()

    def _forget(self) -> None:
        self.python.close()
        self._last.clear()

    def __enter__(self) -> Residence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def moved(previous: Incidence, step: Step, batch: Batch) -> Delta | None:
    """What a step creates and retires beside arrays of the tree that it starts from.

    None where the arrays do not hold what the step says they do: then everything is to be compared.
    """
    went = {bytes.fromhex(edge.digest()) for edge in step.went}
    came = {bytes.fromhex(edge.digest()): edge for edge in step.came}
    ending = sorted(went - came.keys())
    created = [edge for digest, edge in came.items() if digest not in went]
    ended = _found(previous, ending)
    if (ended < 0).any() or (_found(previous, sorted(came.keys() - went)) >= 0).any():
        return None
    retired = [
        (_KINDS[kind], f"{digest.hex()}@{birth}")
        for digest, kind, birth in zip(
            ending, previous.edge_kind[ended].tolist(), previous.edge_from[ended].tolist(), strict=True
        )
    ]
    return Delta(_lonely(previous, created, batch), created, retired, np.sort(ended), np.zeros(0, np.int64))


def _found(previous: Incidence, digests: list[bytes]) -> Longs:
    """Ids of hyperedges by digest; -1 where there is none."""
    held = np.ascontiguousarray(previous.digests).view(np.uint64).reshape(-1, 2)
    keys = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    near = np.flatnonzero(np.isin(held[:, 0], keys[:, 0]))
    table = dict(zip(map(tuple, held[near].tolist()), near.tolist(), strict=True))
    return np.array([table.get((first, second), -1) for first, second in keys.tolist()], np.int64)


def _lonely(previous: Incidence, created: list[Hyperedge], batch: Batch) -> list[Node]:
    """Nodes that new hyperedges name and that nothing named so far: pruning may have taken them."""
    alone = np.bincount(previous.member_node, minlength=previous.node_count) == 0
    named = {(member.kind, member.key): None for edge in created for member in edge.members}
    nodes = []
    for kind, key in named:
        at = previous.find(kind, key)
        if at < 0 or alone[at]:
            nodes.append(batch.nodes[f"{kind} {key}"])
    return nodes
