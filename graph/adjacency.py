"""Who depends on whom, derived from hyperedges by the schema's impact roles, in CSR arrays.

Entries of a node are sorted by tier, so that "tiers up to t" is one slice. A method that is
called virtually has a dispatch node of its own beyond the real ones: what overrides it, however
far below, leads there at tier hierarchy, and it leads to the virtual callers. Calls that are not
virtual are not reached through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from heapq import heappop, heappush
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from graph.assembly import EDGE_CODE, NONE, ROLE_CODE
from graph.schema import EDGES, TIERS, EdgeKind, Form, Tier, code_of

Ints = NDArray[np.int32]
Places = NDArray[np.int64]

RULES = 5
"""Counts up whenever the same hyperedges come to give other dependencies: array files hold those."""

WIDTH = len(TIERS)
"""Offsets a node has in `ptr`, one a tier."""
_HIERARCHY = Tier.HIERARCHY.rank
_DECORATING = code_of(Form.DECORATING)
_WRAPPER = code_of(Form.WRAPPER)


@unique
class Direction(StrEnum):
    """Which way a cone runs: to what depends on the starts, or to what they depend on."""

    UP = "up"
    DOWN = "down"


class Members(Protocol):
    """What adjacency is derived from: the columns of an Incidence that matter here."""

    edge_kind: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    form: NDArray[np.uint8]
    virtual: NDArray[np.bool_]
    file: Ints
    member_ptr: NDArray[np.int64]
    member_node: Ints
    member_role: NDArray[np.uint8]

    @property
    def node_count(self) -> int:
        """Ids given to nodes."""


@dataclass(frozen=True, slots=True, eq=False)
class Adjacency:
    """Dependencies in one direction.

    Attributes
    ----------
    ptr : int32[5 * nodes + 1]
        Entries of node v at tier t are `ptr[5 v + t] : ptr[5 v + t + 1]`; nodes are the real
        ones, then the dispatch nodes, then the ends.
    node : int32[entries]
        Where an entry leads.
    edge : int32[entries]
        The hyperedge that says so; -1 from a method to a dispatch node or back, where a chain
        of Overrides does (see `Overriding`).
    dispatch : int32[dispatch nodes + ends]
        The method that each dispatch node stands for, ascending; then, as `~wrapper`, the shared
        wrapper that each end stands for: a function leads there from within it, and no further.
    """

    ptr: Ints
    node: Ints
    edge: Ints
    dispatch: Ints
    _hubs: dict[tuple[int, int], NDArray[np.bool_] | None] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Nodes, dispatch nodes included."""
        return (len(self.ptr) - 1) // WIDTH

    def real(self, node: int, count: int) -> int:
        """The node that a node beyond the `count` real ones stands for; a real one is itself."""
        if node < count:
            return node
        found = int(self.dispatch[node - count])
        return found if found >= 0 else ~found

    def ends(self, count: int) -> tuple[int, Ints]:
        """The first id of the ends, where there are `count` real nodes, and their wrappers."""
        methods = int((self.dispatch >= 0).sum())
        return count + methods, ~self.dispatch[methods:]

    def counts(self, tier: int) -> Ints:
        """Entries of each node up to a tier."""
        starts = self.ptr[:-1:WIDTH]
        ends = self.ptr[tier + 1 :: WIDTH]
        return ends - starts

    def hubs(self, tier: int, limit: int) -> NDArray[np.bool_] | None:
        """Which nodes have more than `limit` entries up to a tier; None where none has."""
        known = (tier, limit)
        if known not in self._hubs:
            over = self.counts(tier) > limit
            self._hubs[known] = over if over.any() else None
        return self._hubs[known]


def spread(starts: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]) -> Places:
    """The places `starts[i], starts[i] + 1, ...` of ragged rows, `counts[i]` of each, in order."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    before: Places = starts + (counts - ends)
    return np.repeat(before, counts) + np.arange(total, dtype=np.int64)


@dataclass(slots=True, eq=False)
class Part:
    """Some hyperedges of the arrays, ascending, as `Members`: nodes keep their ids, hyperedges do not."""

    node_count: int
    edges: Places
    file: Ints
    edge_kind: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    form: NDArray[np.uint8]
    virtual: NDArray[np.bool_]
    member_ptr: Places
    member_node: Ints
    member_role: NDArray[np.uint8]

    @classmethod
    def of(cls, members: Members, edges: Places) -> Self:
        """The hyperedges of these ids, which ascend."""
        starts = members.member_ptr[edges]
        counts = members.member_ptr[edges + 1] - starts
        places = spread(starts, counts)
        return cls(
            members.node_count,
            edges,
            members.file,
            members.edge_kind[edges],
            members.tier[edges],
            members.form[edges],
            members.virtual[edges],
            np.concatenate(([0], np.cumsum(counts))),
            members.member_node[places],
            members.member_role[places],
        )

    @property
    def owner(self) -> Places:
        """For each member the place of its hyperedge in this part."""
        return np.repeat(np.arange(len(self.edges)), np.diff(self.member_ptr))


@dataclass(frozen=True, slots=True, eq=False)
class Dependencies:
    """Pairs of real nodes: `enters` depends on `leaves`, as hyperedge `edge` says, at `tier`.

    All int32 of one length, but tier (uint8); edges ascend within a kind and pair of roles.
    """

    leaves: Ints
    enters: Ints
    edge: Ints
    tier: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.edge)


def dependencies(members: Members) -> Dependencies:
    """Every pair that the schema's impact roles derive; Overrides are left to dispatch.

    A hyperedge without a tier is a plain fact of the source: exact.
    """
    table = _Table(members)
    parts = [
        table.pairs(kind, leaves, enters)
        for kind, spec in EDGES.items()
        if kind is not EdgeKind.OVERRIDES
        for leaves, enters in spec.impact
    ]
    leaving, entering, edges = (np.concatenate([part[i] for part in parts]) for i in range(3))
    apart = leaving != entering  # a function that calls itself depends on nobody else
    edges = edges[apart]
    return Dependencies(leaving[apart], entering[apart], edges, table.ranks[edges])


def tests_hold(members: Members) -> NDArray[np.bool_]:
    """bool[n]: nodes in files that hold code of tests, as Realises says."""
    edges = np.flatnonzero(members.edge_kind == EDGE_CODE[EdgeKind.REALISES])
    starts = members.member_ptr[edges]
    places = spread(starts, members.member_ptr[edges + 1] - starts)
    code = members.member_node[places[members.member_role[places] != ROLE_CODE["test"]]]
    inside = np.zeros(members.node_count + 1, np.bool_)
    inside[members.file[code]] = True
    inside[-1] = False  # the file of nodes that no file holds is -1
    held: NDArray[np.bool_] = inside[members.file]
    return held


def followed(members: Members, in_tests: NDArray[np.bool_] | None = None) -> Dependencies:
    """The dependencies that a cone follows: all but two kinds that would make every cone everything.

    What a module or class body runs to decorate a definition, since Decorates says what comes of
    it; and what the code of tests writes outside of it, since that lasts as long as the test.
    `in_tests` is what `tests_hold` says, where it is known already.
    """
    found = dependencies(members)
    kept = members.form[found.edge] != _DECORATING
    table = _Table(members)
    if in_tests is None:
        in_tests = tests_hold(members)
    writing = np.zeros(table.size, np.bool_)
    writing[table.owner[table.role == ROLE_CODE["writer"]]] = True
    kept &= ~(writing[found.edge] & in_tests[found.leaves] & ~in_tests[found.enters])
    return Dependencies(found.leaves[kept], found.enters[kept], found.edge[kept], found.tier[kept])


def _into_wrappers(members: Members, found: Dependencies) -> NDArray[np.bool_]:
    """Pairs from a wrapped function to the wrapper that all functions with its decorator share.

    Where somebody depends on the function itself. A cone that went on from the wrapper would
    reach the callers of every other function with that decorator.
    """
    wrapping = members.form[found.edge] == _WRAPPER
    shared = np.zeros(members.node_count, np.bool_)
    shared[found.leaves[wrapping]] = True
    known = np.zeros(members.node_count, np.bool_)
    known[found.leaves[~wrapping]] = True
    joined: NDArray[np.bool_] = wrapping & shared[found.enters] & known[found.leaves]
    return joined


class _Table:
    """The members of all hyperedges, to be paired by role."""

    def __init__(self, members: Members) -> None:
        self.size = len(members.edge_kind)
        self.node = members.member_node
        self.role = members.member_role
        self.owner = np.repeat(np.arange(self.size), np.diff(members.member_ptr))
        self.kind = members.edge_kind[self.owner]
        self.ranks = np.where(members.tier == NONE, 0, members.tier).astype(np.uint8)

    def pairs(self, kind: EdgeKind, left: str, right: str) -> tuple[Ints, Ints, Ints]:
        """Each member in role `left` with each in role `right` of the same hyperedge, and that."""
        at = np.flatnonzero(self.kind == EDGE_CODE[kind])
        roles = self.role[at]
        lefts, rights = at[roles == ROLE_CODE[left]], at[roles == ROLE_CODE[right]]
        counts = np.bincount(self.owner[rights], minlength=self.size)
        starts = np.cumsum(counts) - counts
        edges = self.owner[lefts]
        repeats = counts[edges]
        mates = rights[spread(starts[edges], repeats)]
        return (
            np.repeat(self.node[lefts], repeats),
            self.node[mates],
            np.repeat(edges, repeats).astype(np.int32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Overriding:
    """Overrides as pairs, sorted by the overriding method: `method` stands in for `base`."""

    method: Ints
    base: Ints
    edge: Ints
    tier: NDArray[np.uint8]

    def chain(self, method: int, base: int) -> list[tuple[int, int, int, int]]:
        """The Overrides that lead from a method to one that it stands in for: surest, then fewest.

        Rows of (method, base, hyperedge, rank of the tier); empty where there is no such chain.
        """
        came: dict[int, tuple[int, int, int, int]] = {}
        done: set[int] = set()
        heap: list[tuple[int, int, int, tuple[int, int, int, int] | None]] = [(0, 0, method, None)]
        while heap:
            worst, length, at, row = heappop(heap)
            if at in done:
                continue
            done.add(at)
            if row is not None:
                came[at] = row
            if at == base:
                break
            first, last = np.searchsorted(self.method, [at, at + 1]).tolist()
            for place in range(first, last):
                upper, tier = int(self.base[place]), max(int(self.tier[place]), _HIERARCHY)
                step = (at, upper, int(self.edge[place]), tier)
                heappush(heap, (max(worst, tier), length + 1, upper, step))
        rows: list[tuple[int, int, int, int]] = []
        while base in came:
            rows.append(came[base])
            base = came[base][0]
        return rows[::-1]

    def closure(self) -> tuple[Ints, Ints, NDArray[np.uint8]]:
        """(method, ancestor, tier) for every ancestor of every method; the surest chain counts.

        A chain is as sure as its weakest link, and never surer than hierarchy.
        """
        links = np.maximum(self.tier, _HIERARCHY)
        size = int(max(self.method.max(initial=0), self.base.max(initial=0))) + 1
        best: dict[int, int] = {}
        method, base, tier = self.method.astype(np.int64), self.base, links
        while len(method):
            better = []
            codes = (method * size + base).tolist()
            for place, (code, rank) in enumerate(zip(codes, tier.tolist(), strict=True)):
                if rank < best.get(code, NONE):
                    best[code] = rank
                    better.append(place)
            method, base, tier = method[better], base[better], tier[better]
            starts = np.searchsorted(self.method, base)
            counts = np.searchsorted(self.method, base, side="right") - starts
            places = spread(starts, counts)
            method = np.repeat(method, counts)
            tier = np.maximum(np.repeat(tier, counts), links[places])
            base = self.base[places]
        pairs = np.fromiter(best.keys(), np.int64, len(best))
        ranks = np.fromiter(best.values(), np.uint8, len(best))
        lower, upper = (pairs // size).astype(np.int32), (pairs % size).astype(np.int32)
        apart = lower != upper
        return lower[apart], upper[apart], ranks[apart]


def overriding(members: Members) -> Overriding:
    """The Overrides of the arrays, sorted by method, then base."""
    own = np.flatnonzero(members.edge_kind == EDGE_CODE[EdgeKind.OVERRIDES])
    table = _Table(Part.of(members, own))
    method, base, at = table.pairs(EdgeKind.OVERRIDES, "override", "base")
    edge = own[at].astype(np.int32)
    order = np.lexsort((edge, base, method))
    return Overriding(method[order], base[order], edge[order], table.ranks[at[order]])


def adjacencies(members: Members) -> tuple[Adjacency, Adjacency]:
    """The dependencies upwards (to what depends) and downwards (to what is depended upon)."""
    pairs, dispatch = dispatched(members)
    size = members.node_count + len(dispatch)
    pairs = distinct(pairs, size)
    return (
        _compressed(pairs.leaves, pairs.enters, pairs, size, dispatch),
        _compressed(pairs.enters, pairs.leaves, pairs, size, dispatch),
    )


def dispatched(members: Members, in_tests: NDArray[np.bool_] | None = None) -> tuple[Dependencies, Ints]:
    """Dependencies with those through dispatch nodes and to ends, and what `Adjacency.dispatch` says."""
    plain = followed(members, in_tests)
    ending = _into_wrappers(members, plain)
    lower, upper, links = overriding(members).closure()
    called = members.virtual[plain.edge]
    dispatch = np.intersect1d(plain.leaves[called], upper)
    called &= np.isin(plain.leaves, dispatch)
    used = np.isin(upper, dispatch)
    count = members.node_count
    above = (np.searchsorted(dispatch, upper[used]) + count).astype(np.int32)
    below = (np.searchsorted(dispatch, plain.leaves[called]) + count).astype(np.int32)
    ends, at = np.unique(plain.enters[ending], return_inverse=True)
    enters = plain.enters.copy()
    enters[ending] = at + count + len(dispatch)
    joined = Dependencies(
        np.concatenate((plain.leaves, lower[used], below)),
        np.concatenate((enters, above, plain.enters[called])),
        np.concatenate((plain.edge, np.full(len(above), -1, np.int32), plain.edge[called])),
        np.concatenate((plain.tier, links[used], np.maximum(plain.tier[called], _HIERARCHY))),
    )
    return joined, np.concatenate((dispatch, ~ends)).astype(np.int32)


def distinct(pairs: Dependencies, size: int) -> Dependencies:
    """One entry a pair of nodes: at its surest tier, from the hyperedge that comes first."""
    codes = pairs.leaves.astype(np.int64) * size + pairs.enters
    order = np.argsort(codes * WIDTH + pairs.tier, kind="stable")
    codes = codes[order]
    first = order[np.concatenate(([True], codes[1:] != codes[:-1]))] if len(order) else order
    return Dependencies(pairs.leaves[first], pairs.enters[first], pairs.edge[first], pairs.tier[first])


def _compressed(near: Ints, far: Ints, pairs: Dependencies, size: int, dispatch: Ints) -> Adjacency:
    rows = near.astype(np.int64) * WIDTH + pairs.tier
    order = np.argsort(rows * size + far)
    ptr = np.zeros(size * WIDTH + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=size * WIDTH), out=ptr[1:])
    return Adjacency(ptr, far[order], pairs.edge[order], dispatch)
