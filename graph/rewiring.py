"""Adjacency carried over to renewed arrays: only the rows of nodes whose dependencies can have moved.

The outcome is, to the last bit, what `graph.adjacency.adjacencies` derives from the renewed arrays.
What makes a row move, beside a hyperedge of the node itself: a file that came to hold tests or no
longer does, a wrapper that others came to share, an override further up or down, and a method that
came to be called virtually. `_Moved.find` follows each of these; all else is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import (
    WIDTH,
    Adjacency,
    Dependencies,
    Members,
    Overriding,
    Part,
    dispatched,
    distinct,
    followed,
    overriding,
    spread,
    tests_hold,
)
from graph.assembly import EDGE_CODE, ROLE_CODE
from graph.schema import EDGES, EdgeKind, Form, code_of
from graph.splicing import found_in, shifted, without

A = TypeVar("A")
B = TypeVar("B")
Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_WRAPPER = code_of(Form.WRAPPER)
_OVERRIDES = EDGE_CODE[EdgeKind.OVERRIDES]
_LARGE = 200_000
"""Entries from which on two computations go on at once."""


def _leaving() -> Bools:
    """[kind, role]: whether impact leaves from it; of Overrides both ends count, for dispatch."""
    table = np.zeros((len(EDGE_CODE), len(ROLE_CODE)), np.bool_)
    for kind, spec in EDGES.items():
        for leaves, enters in spec.impact:
            table[EDGE_CODE[kind], ROLE_CODE[leaves]] = True
            if kind is EdgeKind.OVERRIDES:
                table[EDGE_CODE[kind], ROLE_CODE[enters]] = True
    return table


_LEAVING = _leaving()


class _Part(Part):
    """Some hyperedges of the arrays, and the nodes that impact leaves from by them."""

    __slots__ = ()

    def leaves(self) -> Ints:
        """The nodes that impact leaves from."""
        return self.member_node[_LEAVING[self.edge_kind[self.owner], self.member_role]]


def rewire(
    old: Members, new: Members, wiring: tuple[Adjacency, Adjacency], retired: Longs, kept: int
) -> tuple[Adjacency, Adjacency]:
    """The adjacency of `new`, from that of `old`.

    Parameters
    ----------
    wiring : (Adjacency, Adjacency)
        Upwards and downwards, as derived from `old`.
    retired : int64
        Hyperedges of `old` that `new` lacks, ascending. The others come first in `new`, in their order.
    kept : int
        How many those are; hyperedges from there on are new.
    """
    moved = _Moved.find(old, new, wiring[0], retired, kept)
    if not moved.dirty.any() and not len(retired) and new.node_count == old.node_count:
        return wiring
    numbers = np.zeros(len(old.edge_kind) + 1, np.int32)
    np.cumsum(np.bincount(retired, minlength=len(old.edge_kind)), out=numbers[:-1])
    dropping = _Dropping(old.node_count, moved.dirty)
    pairs, entering = _both(len(wiring[0].node), moved.pairs, lambda: dropping.entries(wiring[1]))
    step = _Step(dropping, new.node_count, numbers, *pairs)
    return step.carried(wiring, entering)


def _both(entries: int, one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Two computations over so many entries; at once where that pays: numpy holds no lock while it copies."""
    if entries < _LARGE:
        return one(), other()
    with ThreadPoolExecutor(1, "maestro-rewiring") as beside:
        found = beside.submit(other)
        return one(), found.result()


@dataclass(frozen=True, slots=True)
class _Moved:
    """The nodes whose rows have to be derived anew."""

    new: Members
    in_tests: Bools
    dirty: Bools

    @classmethod
    def find(cls, old: Members, new: Members, up: Adjacency, retired: Longs, kept: int) -> _Moved:
        """Every node whose upward row, or that of its dispatch node, can differ."""
        in_tests = tests_hold(new)
        moved = cls(new, in_tests, np.zeros(new.node_count, np.bool_))
        gone = _Part.of(old, retired)
        come = _Part.of(new, np.arange(kept, len(new.edge_kind)))
        moved.dirty[gone.leaves()] = True
        moved.dirty[come.leaves()] = True
        before = np.zeros(new.node_count, np.bool_)
        before[: old.node_count] = tests_hold(old)
        flipped = before != in_tests
        flipped[old.node_count :] = False
        if flipped.any():
            moved.dirty[_Part.of(new, moved.touching(flipped)).leaves()] = True
        moved._follow_wrappers()
        moved._follow_overrides(up, old.node_count, gone, come)
        return moved

    def touching(self, nodes: Bools) -> Longs:
        """Hyperedges with one of these nodes, ascending."""
        places = found_in(nodes, self.new.member_node)
        return self.marked(np.searchsorted(self.new.member_ptr, places, "right") - 1)

    def marked(self, edges: Longs) -> Longs:
        """Hyperedges said any number of times, once each and ascending."""
        mark = np.zeros(len(self.new.edge_kind), np.bool_)
        mark[edges] = True
        return np.flatnonzero(mark)

    def wrapping(self) -> Longs:
        """Calls by wrappers that bear on dirty nodes: theirs, and those of the wrappers in them."""
        edges = np.flatnonzero(self.new.form == _WRAPPER)
        part = _Part.of(self.new, edges)
        owner = part.owner
        near = self.dirty.copy()
        touched = np.zeros(len(edges), np.bool_)
        for _ in range(2):
            touched[owner[near[part.member_node]]] = True
            near[part.member_node[touched[owner]]] = True
        return edges[touched]

    def _follow_wrappers(self) -> None:
        """Where a wrapper came to be shared or not, what it wraps leads elsewhere."""
        wrapping = np.flatnonzero(self.new.form == _WRAPPER)
        part = _Part.of(self.new, wrapping)
        touched = np.zeros(len(wrapping), np.bool_)
        touched[part.owner[self.dirty[part.member_node]]] = True
        self.dirty[_Part.of(self.new, wrapping[touched]).leaves()] = True

    def _follow_overrides(self, up: Adjacency, count: int, gone: _Part, come: _Part) -> None:
        """What stands below an override that moved, or below a method whose dispatch did; then all above."""
        over = overriding(self.new)
        lower = np.zeros_like(self.dirty)
        for part in (gone, come):
            inside = (part.edge_kind == _OVERRIDES)[part.owner]
            lower[part.member_node[inside & (part.member_role == ROLE_CODE["override"])]] = True
        was = np.zeros_like(self.dirty)
        was[up.dispatch[up.dispatch >= 0]] = True
        lower |= self.dirty & (was != self._dispatching(over, was))
        if not len(over.method):
            np.logical_or(self.dirty, lower, out=self.dirty)
            return
        self.dirty[_closed(lower, over.base, over.method)] = True
        self.dirty[_closed(self.dirty, over.method, over.base)] = True

    def _dispatching(self, over: Overriding, was: Bools) -> Bools:
        """Which of the dirty nodes have a dispatch node now."""
        above = np.zeros_like(self.dirty)
        above[over.base[over.method != over.base]] = True
        asked = self.dirty & (above | was)
        edges = self.touching(asked)
        called = followed(_Part.of(self.new, edges[self.new.virtual[edges]]), self.in_tests).leaves
        virtual = np.zeros_like(self.dirty)
        virtual[called] = True
        found: Bools = virtual & above
        return found

    def pairs(self) -> tuple[Dependencies, Ints]:
        """What leaves from dirty nodes and their dispatch nodes now, and the dispatch that it speaks of."""
        places = found_in(self.dirty, self.new.member_node)
        owners = np.searchsorted(self.new.member_ptr, places, "right") - 1
        owners = owners[_LEAVING[self.new.edge_kind[owners], self.new.member_role[places]]]
        edges = self.marked(np.concatenate((owners, self.wrapping())))
        part = _Part.of(self.new, edges)
        found, dispatch = dispatched(part, self.in_tests)
        real = found.leaves.copy()
        beyond = found.leaves >= self.new.node_count
        real[beyond] = dispatch[found.leaves[beyond] - self.new.node_count]
        mine = self.dirty[real]
        named = np.where(found.edge[mine] >= 0, edges[found.edge[mine]] if len(edges) else -1, -1)
        kept = Dependencies(found.leaves[mine], found.enters[mine], named.astype(np.int32), found.tier[mine])
        return distinct(kept, self.new.node_count + len(dispatch)), dispatch


def _closed(starts: Bools, source: Ints, target: Ints) -> Bools:
    """All nodes that can be had from the starts by following source -> target, the starts included."""
    seen = starts.copy()
    while True:
        found = target[seen[source]]
        fresh = found[~seen[found]]
        if not len(fresh):
            return seen
        seen[fresh] = True


class _Dropped(NamedTuple):
    """Entries of an old wiring that are derived anew, ascending; rows, and how many each of them loses."""

    places: Longs
    rows: Longs
    lost: NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Dropping:
    """What an old wiring has of the nodes that are derived anew."""

    before: int
    """Nodes that there were."""
    dirty: Bools

    def beyond(self, old: Adjacency) -> Bools:
        """For each old node beyond the real ones whether it stands for a dirty method."""
        methods = old.dispatch >= 0
        found = np.zeros(len(old.dispatch), np.bool_)
        found[methods] = self.dirty[old.dispatch[methods]]
        return found

    def rows(self, up: Adjacency) -> _Dropped:
        """All entries of the nodes that are derived anew."""
        rows = np.concatenate(
            (np.flatnonzero(self.dirty[: self.before]), self.before + np.flatnonzero(self.beyond(up)))
        )
        starts = up.ptr[rows * WIDTH]
        places = spread(starts, up.ptr[(rows + 1) * WIDTH] - starts)
        rows = (rows[:, None] * WIDTH + np.arange(WIDTH)).reshape(-1)
        return _Dropped(places, rows, up.ptr[rows + 1] - up.ptr[rows])

    def entries(self, down: Adjacency) -> _Dropped:
        """The same entries, as the other direction has them."""
        all_of = np.concatenate((self.dirty[: self.before], self.beyond(down)))
        places = found_in(all_of, down.node)
        rows = np.searchsorted(down.ptr, places, "right") - 1
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        return _Dropped(places, rows[first], np.diff(first, append=len(rows)))


@dataclass(frozen=True, slots=True)
class _Step:
    """From one wiring to the next: old ids of rows and hyperedges, and the pairs that come anew."""

    dropping: _Dropping
    after: int
    numbers: Ints
    """For each old hyperedge how many before it, or it itself, were retired; then 0, for none."""
    pairs: Dependencies
    """In ids of `dispatch`, from `after` on."""
    dispatch: Ints

    @property
    def before(self) -> int:
        """Nodes that there were."""
        return self.dropping.before

    def carried(self, wiring: tuple[Adjacency, Adjacency], entering: _Dropped) -> tuple[Adjacency, Adjacency]:
        """Both directions. `entering`: what the second drops."""
        up, down = wiring
        ids, dispatch = self._numbered(up, down, entering)
        local = np.concatenate((np.arange(self.after), self._placed(self.dispatch, dispatch)))
        leaves, enters = local[self.pairs.leaves], local[self.pairs.enters]
        size = self.after + len(dispatch)
        tier = self.pairs.tier

        def upward() -> Adjacency:
            return self._merged(up, self.dropping.rows(up), ids, (leaves, enters, tier), size, dispatch)

        def downward() -> Adjacency:
            return self._merged(down, entering, ids, (enters, leaves, tier), size, dispatch)

        return _both(len(up.node), upward, downward)

    def _numbered(self, up: Adjacency, down: Adjacency, dropped: _Dropped) -> tuple[Longs, Ints]:
        """For each old node its new id, -1 where it is gone; and the new dispatch nodes and ends.

        `dropped`: entries of `down`.
        """
        methods = up.dispatch >= 0
        ours = self.dispatch[self.dispatch >= 0]
        kept = up.dispatch[methods & ~self.dropping.beyond(up)]
        now = np.union1d(kept, ours[self.dropping.dirty[ours]])
        ends = ~up.dispatch[~methods]
        left = shifted(down.ptr, dropped.rows, -dropped.lost)
        rows = self.before + np.flatnonzero(~methods)
        held = left[(rows + 1) * WIDTH] > left[rows * WIDTH]
        named = self.dispatch[self.pairs.enters[self.pairs.enters >= self.after] - self.after]
        wrappers = np.union1d(ends[held], ~named[named < 0])
        dispatch = np.concatenate((now, ~wrappers)).astype(np.int32)
        ids = np.concatenate((np.arange(self.before), self._placed(up.dispatch, dispatch)))
        return ids, dispatch

    def _placed(self, old: Ints, new: Ints) -> Longs:
        """Ids, in the new numbering, of what stands for these methods and wrappers; -1 where nothing does."""
        found = np.full(len(old), -1, np.int64)
        for sign in (False, True):
            mine, theirs = np.flatnonzero((old < 0) == sign), np.flatnonzero((new < 0) == sign)
            values, sought = np.abs(new[theirs].astype(np.int64)), np.abs(old[mine].astype(np.int64))
            at = np.searchsorted(values, sought)
            at[at == len(values)] = 0
            if len(values):
                found[mine] = np.where(values[at] == sought, theirs[at] + self.after, -1)
        return found

    def _merged(
        self,
        old: Adjacency,
        dropped: _Dropped,
        ids: Longs,
        fresh: tuple[Longs, Longs, NDArray[np.uint8]],
        size: int,
        dispatch: Ints,
    ) -> Adjacency:
        """Old entries but the dropped ones, in their order, with the fresh ones put among them."""
        node, edge = without(old.node, dropped.places), without(old.edge, dropped.places)
        if not len(dropped.places):  # they are the old ones themselves, which may be mapped
            node, edge = node.copy(), edge.copy()
        beyond = np.flatnonzero(node >= self.before)
        node[beyond] = ids[node[beyond]]
        edge -= self.numbers.take(edge)  # -1, no hyperedge, stays: it takes the last number, which is 0
        ptr = self._rows(old.ptr, dropped, ids, size)
        near, far, tier = fresh
        rows = near * WIDTH + tier
        order = np.lexsort((far, rows))
        rows, far = rows[order], far[order]
        places = _places(node, ptr, rows, far)
        return Adjacency(
            shifted(ptr, *np.unique(rows, return_counts=True)),
            np.insert(node, places, far.astype(np.int32)),
            np.insert(edge, places, self.pairs.edge[order]),
            dispatch,
        )

    def _rows(self, ptr: Ints, dropped: _Dropped, ids: Longs, size: int) -> Ints:
        """Where the rows of the outcome begin before anything new is put into them.

        Rows of real nodes keep their places; those beyond, which are few, are counted anew.
        """
        left = shifted(ptr, dropped.rows, -dropped.lost)
        real = self.before * WIDTH
        held = np.diff(left[real:]).reshape(-1, WIDTH)
        beyond = ids[self.before :]
        kept = np.flatnonzero(beyond >= 0)
        counts = np.zeros((size - self.before, WIDTH), np.int64)
        counts[beyond[kept] - self.before] = held[kept]
        found = np.empty(size * WIDTH + 1, np.int32)
        found[: real + 1] = left[: real + 1]
        np.cumsum(counts.reshape(-1), out=found[real + 1 :])
        found[real + 1 :] += left[real]
        return found


def _places(node: Ints, ptr: Ints, rows: Longs, far: Longs) -> Longs:
    """Before which entry each fresh one goes, so that every row stays sorted by where it leads."""
    own, at = np.unique(rows, return_inverse=True)
    starts = ptr[own].astype(np.int64)
    counts = ptr[own + 1] - starts
    inside = spread(starts, counts)
    width = int(max(node.max(initial=0), far.max(initial=0))) + 1
    keys = np.repeat(np.arange(len(own)), counts) * width + node[inside]
    place = np.searchsorted(keys, at * width + far)
    before = np.cumsum(counts) - counts
    found: Longs = starts[at] + place - before[at]
    return found
