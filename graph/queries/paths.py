"""The k shortest proofs that one thing reaches another: surest first, then fewest steps.

J. Y. Yen, "Finding the K Shortest Loopless Paths in a Network", Management Science 17 (1971),
over each tier in turn. Spur searches are breadth-first and go only where the end can still be
reached in the steps that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import WIDTH, Adjacency, Direction, spread
from graph.errors import InputError
from graph.incidence import Incidence
from graph.queries.nodes import NodeView
from graph.queries.proofs import Proofs, StepView
from graph.reach import DEPTH, DEPTH_LIMIT, FAR, Distances, Watch, shown
from graph.schema import DEFAULT_TIER, TIERS, Tier

Places = NDArray[np.int64]
Route = tuple[int, ...]
COUNT = 3


@dataclass(frozen=True, slots=True)
class ProofPath:
    """One proof that `end` depends on `start`; `tier` is that of its weakest step."""

    tier: Tier
    distance: int
    steps: tuple[StepView, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """The proofs from one thing to another, surest and shortest first; `complete`: there are no more."""

    start: NodeView
    end: NodeView
    paths: tuple[ProofPath, ...]
    complete: bool


def shortest_paths(
    incidence: Incidence,
    start: int,
    end: int,
    *,
    count: int = COUNT,
    tier: Tier = DEFAULT_TIER,
    depth: int = DEPTH,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Paths:
    """How a change to `start` reaches `end`: at most `count` paths without a loop.

    Of paths with the same weakest tier the shorter comes first; of those as long, the one with
    lower ids. Two paths differ in the nodes that they lead through.

    Parameters
    ----------
    tier : Tier
        The weakest tier that a step may have.
    depth : int
        Steps at most, 1 to 254; through an override counts as one step however far it is.

    Raises
    ------
    InputError
        For a count, depth or node out of bounds.
    DeadlineError
        When the deadline passed or the question was cancelled.
    """
    if count < 1 or not 1 <= depth <= DEPTH_LIMIT:
        raise InputError(
            f"{count} paths of at most {depth} steps cannot be searched.",
            f"Ask for one path or more, of 1 to {DEPTH_LIMIT} steps.",
        )
    if not all(0 <= node < incidence.node_count for node in (start, end)):
        raise InputError(f"A node is out of bounds: ids run from 0 to {incidence.node_count - 1}.")
    watch = Watch(deadline, cancelled)
    routes: dict[Route, int] = {}
    for rank in range(tier.rank + 1):
        if start == end:
            break
        for route in _Yen(incidence, start, end, rank, depth, watch).routes():
            routes.setdefault(route, rank)
            if len(routes) > count:
                break
        if len(routes) > count:
            break
    proofs = Proofs(incidence)
    adjacency = incidence.adjacency()
    paths = tuple(
        ProofPath(TIERS[rank], len(route) - 1, proofs.steps(shown(incidence, entries, Direction.UP)))
        for route, rank in list(routes.items())[:count]
        for entries in (_entries(adjacency, route),)
    )
    return Paths(proofs.node(start), proofs.node(end), paths, len(routes) <= count)


def _entries(adjacency: Adjacency, route: Route) -> list[tuple[int, int, int, int]]:
    """A route's steps as (from, to, edge, rank of the tier)."""
    steps = []
    for source, target in pairwise(route):
        first, last = int(adjacency.ptr[source * WIDTH]), int(adjacency.ptr[(source + 1) * WIDTH])
        at = first + int(np.flatnonzero(adjacency.node[first:last] == target)[0])
        row = adjacency.ptr[source * WIDTH : (source + 1) * WIDTH + 1]
        rank = int(np.searchsorted(row, at, side="right")) - 1
        steps.append((source, target, int(adjacency.edge[at]), rank))
    return steps


class _Yen:
    """Loopless routes over the entries up to one tier, shortest first."""

    def __init__(
        self, incidence: Incidence, start: int, end: int, rank: int, depth: int, watch: Watch
    ) -> None:
        self.up = incidence.adjacency(Direction.UP)
        self.down = incidence.adjacency(Direction.DOWN)
        self.start, self.end, self.rank, self.depth, self.watch = start, end, rank, depth, watch
        self.left = self._steps_left()

    def routes(self) -> Iterator[Route]:
        """Routes as they are found; each is asked for before the next is searched."""
        first = self._spur((self.start,), set())
        heap: list[tuple[int, Route]] = []
        if first is not None:
            heappush(heap, (len(first), first))
        known = {first}
        found: list[Route] = []
        while heap:
            route = heappop(heap)[1]
            yield route
            found.append(route)
            for at in range(len(route) - 1):
                root = route[: at + 1]
                banned = {other[at + 1] for other in found if other[: at + 1] == root}
                spur = self._spur(root, banned)
                if spur is not None and spur not in known:
                    known.add(spur)
                    heappush(heap, (len(spur), spur))

    def _steps_left(self) -> Distances:
        """The fewest steps from each node to the end."""
        left = np.full(self.up.size, FAR, np.uint8)
        left[self.end] = 0
        frontier = np.array([self.end], np.int64)
        for level in range(1, self.depth + 1):
            self.watch.check()
            targets = self._followed(self.down, frontier)
            targets = targets[left[targets] > level]
            if not len(targets):
                break
            left[targets] = level
            frontier = np.unique(targets)
        return left

    def _followed(self, adjacency: Adjacency, nodes: Places) -> Places:
        first = adjacency.ptr.take(nodes * WIDTH)
        count = adjacency.ptr.take(nodes * WIDTH + (self.rank + 1)) - first
        return adjacency.node.take(spread(first, count)).astype(np.int64)

    def _spur(self, root: Route, banned: set[int]) -> Route | None:
        """The shortest route that begins with `root`, does not go on to `banned`, and has no loop.

        A search from the root's last node, level by level; among equals the lowest ids win.
        """
        self.watch.check()
        room = self.depth - len(root) + 1
        if self.left[root[-1]] > room:
            return None
        seen = np.zeros(self.up.size, np.bool_)
        seen[list(root)] = True
        blocked = np.array(sorted(banned), np.int64)
        levels = [np.array([root[-1]], np.int64)]
        for level in range(1, room + 1):
            targets = self._followed(self.up, levels[-1])
            targets = targets[~seen[targets] & (self.left[targets] <= room - level)]
            if level == 1 and len(blocked):
                targets = targets[~np.isin(targets, blocked)]
            targets = np.unique(targets)
            if not len(targets):
                return None
            seen[targets] = True
            levels.append(targets)
            if seen[self.end]:
                return root + self._traced(levels)
        return None

    def _traced(self, levels: list[Places]) -> Route:
        """The way back from the end through the levels of a search, without the first node."""
        route = [self.end]
        for level in levels[-2:0:-1]:
            before = self._followed(self.down, np.array(route[-1:], np.int64))
            route.append(int(before[np.isin(before, level)][0]))
        return tuple(route[::-1])
