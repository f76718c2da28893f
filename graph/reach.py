"""What a change reaches: breadth-first search by tiers over the arrays, exact and with proofs.

A reached node has the strongest tier at which any path of at most `depth` steps leads to it (the
path whose weakest edge is best), then the fewest steps at that tier. Tiers are searched surest
first. A path at tier t may use surer edges too, and may be shorter than what those alone offer,
so each tier works on distances of its own: it begins from the distances of the tier before and
follows again only nodes that got nearer, and elsewhere only entries of the tier that was added.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import WIDTH, Adjacency, Direction, Ints, Overriding, Places, spread
from graph.errors import DeadlineError, InputError
from graph.schema import DEFAULT_TIER, TIERS, Tier
from graph.strings import Keys

Distances = NDArray[np.uint8]

FAR = 255
"""Distance of what is not reached."""
DEPTH_LIMIT = FAR - 1
HUB_LIMIT = 10_000
DEPTH = 10


class Graph(Protocol):
    """What a cone needs of an Incidence or an overlay."""

    keys: Keys

    @property
    def node_count(self) -> int:
        """Ids given to nodes."""

    def adjacency(self, direction: Direction = ...) -> Adjacency:
        """Dependencies in one direction."""

    def overriding(self) -> Overriding:
        """Which method stands in for which."""

    def unresolved(self) -> Ints:
        """References that could not be followed, by symbol."""


class Step(NamedTuple):
    """One edge of a proof: by hyperedge `edge`, as followed at `tier`, `source` leads to `target`.

    Upwards `target` depends on `source`; downwards it is the other way round.
    """

    source: int
    target: int
    edge: int
    tier: Tier


class Watch:
    """Raises DeadlineError when the time is over or the question was cancelled."""

    def __init__(self, deadline: float | None, cancelled: Callable[[], bool] | None) -> None:
        self._deadline = deadline
        self._cancelled = cancelled

    def check(self) -> None:
        """Look at the clock and the canceller."""
        if self._cancelled is not None and self._cancelled():
            raise DeadlineError("The question was cancelled.")
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise DeadlineError(
                "The search took longer than it was allowed to.",
                "Ask with a smaller depth or a stronger tier, or allow more time.",
            )


class _Search:
    """The distances of one tier after another from the same starts."""

    def __init__(self, adjacency: Adjacency, starts: Places, depth: int, limit: int, watch: Watch) -> None:
        self.adjacency = adjacency
        self.depth = depth
        self.limit = limit
        self.watch = watch
        self.starts = starts
        self.distances = np.full(adjacency.size, FAR, np.uint8)
        self.distances[starts] = 0
        self.reached = starts
        self.low = 0
        self.cut: set[int] = set()

    def grow(self, tier: int, asked: int) -> Places:
        """Take in the entries up to a tier; returns the nodes that are reached only now.

        Hubs are judged by their entries up to `asked`, or to the tier where that is weaker.
        """
        before = self.distances
        hubs = self.adjacency.hubs(max(tier, asked), self.limit) if self.limit else None
        seeds, levels = self._seeds(tier)
        if not len(seeds):
            self.low = tier + 1
            return seeds
        after = before.copy()
        frontier = np.zeros(0, np.int64)
        gained = [frontier]
        last = int(levels[-1])
        for level in range(int(levels[0]), self.depth):
            if level > last and not len(frontier):
                break
            self.watch.check()
            old = seeds[slice(*np.searchsorted(levels, (level, level + 1)).tolist())]
            old = old[after.take(old) == level]
            found = [
                self._followed(nodes, low, tier, hubs)
                for nodes, low in ((old, self.low), (frontier, 0))
                if len(nodes)
            ]
            frontier = _nearer(found, after, level + 1)
            gained.append(frontier)
        self.distances = after
        self.low = tier + 1
        fresh: Places = np.concatenate(gained)
        fresh = fresh[before.take(fresh) == FAR]
        self.reached = np.concatenate((self.reached, fresh))
        return fresh

    def _seeds(self, tier: int) -> tuple[Places, Distances]:
        """Reached nodes with entries that are new at this tier, and their distances, ascending."""
        rows = self.reached * WIDTH
        ptr = self.adjacency.ptr
        seeds: Places = self.reached[ptr.take(rows + self.low) < ptr.take(rows + (tier + 1))]
        levels = self.distances.take(seeds)
        order = np.argsort(levels, kind="stable")
        ordered: Places = seeds[order]
        return ordered, levels[order]

    def _followed(self, nodes: Places, low: int, tier: int, hubs: NDArray[np.bool_] | None) -> Ints:
        """Where the entries of nodes from tier `low` to `tier` lead; hubs are cut but for starts."""
        if hubs is not None:
            over = hubs.take(nodes)
            if over.any():
                over &= self.distances.take(nodes) != 0
                self.cut.update(nodes[over].tolist())
                nodes = nodes[~over]
        rows = nodes * WIDTH
        ptr = self.adjacency.ptr
        first = ptr.take(rows + low)
        return self.adjacency.node.take(spread(first, ptr.take(rows + (tier + 1)) - first))


def _nearer(found: list[Ints], after: Distances, level: int) -> Places:
    """The nodes among `found` that were farther than `level`; they are at that distance now."""
    if not found:
        return np.zeros(0, np.int64)
    targets = found[0] if len(found) == 1 else np.concatenate(found)
    if len(targets) * 16 > len(after):  # many: mark them all, and look at every node once
        marks = np.zeros(len(after), np.bool_)
        marks[targets] = True
        marks &= after > level
        after[marks] = level
        return np.flatnonzero(marks)
    targets = targets[after.take(targets) > level]
    after[targets] = level
    targets.sort()
    if len(targets) > 1:
        targets = targets[np.concatenate(([True], targets[1:] != targets[:-1]))]
    return targets.astype(np.int64)


@dataclass(slots=True, eq=False)
class Reached:
    """A cone, by node id, in no particular order; proofs are found when they are asked for.

    Attributes
    ----------
    starts, nodes : int64
        Where it begins, and what it reaches besides.
    tiers, distances : uint8, as nodes
        Rank of the strongest tier, and steps at that tier. Through an override it is two steps
        to a caller, however far up the method that is called stands.
    hubs : tuple of (node, entries that were not followed)
    possible : tuple of (tier, nodes reached only at that weaker tier)
    unresolved : int
        References in the starts and in what they reach that could not be followed.
    """

    starts: Places
    nodes: Places
    tiers: NDArray[np.uint8]
    distances: Distances
    hubs: tuple[tuple[int, int], ...]
    possible: tuple[tuple[Tier, int], ...]
    unresolved: int
    tier: Tier
    depth: int
    direction: Direction
    _graph: Graph = field(repr=False)
    _passes: list[Distances] = field(repr=False)
    _limit: int = field(repr=False)
    _lasts: dict[tuple[int, int], tuple[int, Sequence[Step]]] = field(default_factory=dict, repr=False)
    """By node and rank of a tier: the node before it on its path, and the steps from there."""

    def proof(self, node: int) -> list[Step]:
        """The path that proves a reached node, from a start; empty for a start itself.

        Of equal paths the one whose last edges are surest, then whose nodes come first by key.

        Raises
        ------
        InputError
            Where the cone does not reach the node.
        """
        found = self._walked(node)
        if found is None:
            end = self._end(node)
            found = self._walked(end) if end >= 0 else None
        if found is None:
            raise InputError(f"Node {node} is not in this cone.")
        return found

    def _walked(self, node: int) -> list[Step] | None:
        """The path to a node, or an end, at the strongest tier that reaches it; None where none does."""
        for rank, distances in enumerate(self._passes):
            if distances[node] != FAR:
                return self._walk(node, rank)
        return None

    def _end(self, node: int) -> int:
        """The end that stands for a wrapper; -1 where a node has none."""
        first, wrappers = self._graph.adjacency(self.direction).ends(self._graph.node_count)
        at = int(np.searchsorted(wrappers, node))
        return first + at if at < len(wrappers) and wrappers[at] == node else -1

    def _walk(self, node: int, rank: int) -> list[Step]:
        found: list[Sequence[Step]] = []
        while (last := self._last(node, rank)) is not None:
            node, steps = last
            found.append(steps)
        return [step for steps in reversed(found) for step in steps]

    def _last(self, node: int, rank: int) -> tuple[int, Sequence[Step]] | None:
        """The end of a node's path at a tier: the node before it, and the steps from there; None at a start.

        Most paths of a cone share all but their end, so each is looked up, and told, once.
        """
        found = self._lasts.get((node, rank))
        if found is None and self._passes[rank][node]:
            parent, edge, tier = self._parent(node, rank)
            found = parent, shown(self._graph, ((parent, node, edge, tier),), self.direction)
            self._lasts[node, rank] = found
        return found

    def _parent(self, node: int, rank: int) -> tuple[int, int, int]:
        """The node before one on its shortest path at a tier, the edge, and that edge's tier."""
        turned = Direction.DOWN if self.direction is Direction.UP else Direction.UP
        back = self._graph.adjacency(turned)
        offsets: list[int] = back.ptr[node * WIDTH : node * WIDTH + rank + 2].tolist()
        distances = self._passes[rank]
        near = back.node[offsets[0] : offsets[-1]]
        right = distances.take(near) == distances[node] - 1
        hubs = self._hub_marks()
        if hubs is not None:
            right &= ~hubs.take(near) | (distances.take(near) == 0)
        places: list[int] = right.nonzero()[0].tolist()
        tier = bisect_right(offsets, offsets[0] + places[0]) - 1
        del places[bisect_left(places, offsets[tier + 1] - offsets[0]) :]
        at = places[0]
        if len(places) > 1:
            # Keys decide, not ids, so that every build of the same graph proves alike.
            at = min(places, key=lambda place: self._name(int(near[place])))
        at += offsets[0]
        return int(back.node[at]), int(back.edge[at]), tier

    def _name(self, node: int) -> tuple[bytes, bool]:
        """What a node is told from others by; a dispatch node comes after its method."""
        count = self._graph.node_count
        if node < count:
            return self._graph.keys.raw(node), False
        real = self._graph.adjacency(self.direction).real(node, count)
        return self._graph.keys.raw(real), True

    def followed(self) -> tuple[tuple[Tier, int], ...]:
        """Dependencies that the search followed, by tier."""
        adjacency = self._graph.adjacency(self.direction)
        distances = self._passes[-1]
        inner = np.flatnonzero(distances < self.depth)
        hubs = self._hub_marks()
        if hubs is not None:
            inner = inner[~hubs[inner] | (distances[inner] == 0)]
        ranks = range(self.tier.rank + 2)
        bounds = [adjacency.ptr[inner * WIDTH + rank].sum(dtype=np.int64) for rank in ranks]
        return tuple((TIERS[rank], int(b - a)) for rank, (a, b) in enumerate(pairwise(bounds)))

    def _hub_marks(self) -> NDArray[np.bool_] | None:
        adjacency = self._graph.adjacency(self.direction)
        return adjacency.hubs(self.tier.rank, self._limit) if self._limit else None


def shown(graph: Graph, steps: Sequence[tuple[int, int, int, int]], direction: Direction) -> list[Step]:
    """Steps of a path without its dispatch nodes: the Overrides that they stand for instead.

    `steps` are (from, to, edge, rank of the tier), dispatch nodes among them.
    """
    adjacency, count = graph.adjacency(direction), graph.node_count
    found: list[Step] = []
    for source, target, edge, rank in steps:
        start, end = adjacency.real(source, count), adjacency.real(target, count)
        if edge >= 0:
            found.append(Step(start, end, edge, TIERS[rank]))
        elif direction is Direction.UP:
            found.extend(Step(a, b, e, TIERS[t]) for a, b, e, t in graph.overriding().chain(start, end))
        else:
            chain = graph.overriding().chain(end, start)
            found.extend(Step(b, a, e, TIERS[t]) for a, b, e, t in reversed(chain))
    return found


def cone(
    graph: Graph,
    starts: Sequence[int] | Ints | Places,
    *,
    tier: Tier = DEFAULT_TIER,
    depth: int = DEPTH,
    direction: Direction = Direction.UP,
    hub_limit: int = HUB_LIMIT,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    possible: bool = True,
) -> Reached:
    """What depends on the starts (up), or what they depend on (down), with tiers and distances.

    Parameters
    ----------
    tier : Tier
        The weakest tier that is followed; what only weaker tiers reach is counted as possible.
    depth : int
        Steps at most, 0 to 254.
    hub_limit : int
        Nodes with more direct dependents than this are not followed on, unless they are starts;
        0 follows all.
    deadline : float or None
        `time.monotonic()` at which to give up.
    possible : bool
        Whether to count what weaker tiers reach.

    Raises
    ------
    DeadlineError
        When the deadline passed or `cancelled()` is true.
    InputError
        For a depth out of bounds or a start that is no node.
    """
    if not 0 <= depth <= DEPTH_LIMIT:
        raise InputError(f"A depth of {depth} cannot be searched.", f"Give one from 0 to {DEPTH_LIMIT}.")
    begun = np.unique(np.asarray(starts, np.int64))
    if len(begun) and not 0 <= int(begun[0]) <= int(begun[-1]) < graph.node_count:
        raise InputError(f"A start is no node: ids run from 0 to {graph.node_count - 1}.")
    adjacency = graph.adjacency(direction)
    search = _Search(adjacency, begun, depth, hub_limit, Watch(deadline, cancelled))
    asked = tier.rank
    gained, passes = [], []
    for rank in range(asked + 1):
        gained.append(search.grow(rank, asked))
        passes.append(search.distances)
    gained, parts = _real(gained, passes, adjacency, graph.node_count)
    nodes = np.concatenate(gained)
    tiers = np.repeat(np.arange(asked + 1, dtype=np.uint8), [len(part) for part in gained])
    hubs = _hubs_of(search, graph, asked)
    weaker = range(asked + 1, len(TIERS)) if possible else ()
    more = tuple((TIERS[rank], int((search.grow(rank, asked) < graph.node_count).sum())) for rank in weaker)
    unresolved = graph.unresolved()
    return Reached(
        begun,
        nodes,
        tiers,
        np.concatenate(parts),
        hubs,
        more,
        int(unresolved.take(nodes).sum()) + int(unresolved.take(begun).sum()),
        tier,
        depth,
        direction,
        graph,
        passes,
        hub_limit,
    )


def _real(
    gained: list[Places], passes: list[Distances], adjacency: Adjacency, count: int
) -> tuple[list[Places], list[Distances]]:
    """What each tier gained without dispatch nodes, and how far it is.

    An end is the wrapper that it stands for, unless the wrapper was reached in its own right.
    """
    first, wrappers = adjacency.ends(count)
    nodes, distances = [], []
    for fresh, distance in zip(gained, passes, strict=True):
        ends = fresh[fresh >= first]
        lone = ends[passes[-1].take(wrappers.take(ends - first)) == FAR]
        plain = fresh[fresh < count]
        nodes.append(np.concatenate((plain, wrappers.take(lone - first).astype(np.int64))))
        distances.append(distance.take(np.concatenate((plain, lone))))
    return nodes, distances


def _hubs_of(search: _Search, graph: Graph, asked: int) -> tuple[tuple[int, int], ...]:
    """Hubs that were cut, most dependents first; a dispatch node counts as its method."""
    adjacency = search.adjacency
    cut: dict[int, int] = {}
    for node in search.cut:
        at = adjacency.real(node, graph.node_count)
        entries = int(adjacency.ptr[node * WIDTH + asked + 1] - adjacency.ptr[node * WIDTH])
        cut[at] = max(cut.get(at, 0), entries)
    return tuple(sorted(cut.items(), key=lambda item: (-item[1], item[0])))
