"""Graphs of a million incidences and more, grown from the graph of a real repository.

The generator, with `base` the arrays of one repository and `copies` how many times it is laid down:

1. Nodes whose keys belong to the repository are copied; a copy's paths stand under a folder of its own
   (`c00017/`). Nodes that belong to no single repository (owners, packages) stay one: their
   degrees grow with the copies, as an owner's or a bot's do.
2. Hyperedges are copied with all they say. Sizes of hyperedges, degrees, tiers, forms, lines and hubs are
   those of the real graph.
3. Of the hyperedges of kinds in `CROSSING`, a share of `CROSS` uses another copy: all members that are
   depended upon are the same nodes of another copy. Half of these use copy 0, as a company's
   code uses its common libraries (the hubs there grow with the graph); the others any copy, evenly.

Arrays are grown column by column, so that a hundred million incidences would take memory, not time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph.assembly import EDGE_CODE, NODE_CODE, ROLE_CODE
from graph.incidence import Incidence
from graph.packing import key_prefix
from graph.schema import EDGES, EdgeKind, NodeKind
from graph.strings import Keys, Strings

CROSS = 0.05
"""Share of the hyperedges that cross from one copy to another."""
CROSSING = (EdgeKind.CALLS, EdgeKind.REFERENCES, EdgeKind.IMPORTS, EdgeKind.INHERITS)
"""Kinds whose used side may stand in another repository."""
_REPEATED = (
    "edge_kind",
    "tier",
    "form",
    "edge_resolver",
    "edge_from",
    "virtual",
    "count",
    "member_role",
    "member_line",
    "lines",
)
"""Columns over hyperedges and members that every copy has alike."""
_FOLDER = "c{:05d}/"

Ints = NDArray[np.int32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the nodes of the base stand in the grown graph: shared ones first, then copy by copy."""

    copied: Places
    shared: Places
    copies: int

    @property
    def size(self) -> int:
        """Nodes of the grown graph."""
        return len(self.shared) + len(self.copied) * self.copies

    def places(self) -> Places:
        """int64[copies, nodes of the base]: the id of each node of the base in each copy."""
        found = np.empty((self.copies, len(self.copied) + len(self.shared)), np.int64)
        found[:, self.shared] = np.arange(len(self.shared))
        first = len(self.shared) + np.arange(self.copies)[:, None] * len(self.copied)
        found[:, self.copied] = first + np.arange(len(self.copied))
        return found


def copies_for(base: Incidence, incidences: int) -> int:
    """How many copies give at least so many incidences."""
    return max(1, -(-incidences // len(base.member_node)))


def grow(base: Incidence, copies: int, *, cross: float = CROSS, seed: int = 1) -> Incidence:
    """The arrays of `copies` copies of a graph with edges between them; the same for the same seed."""
    own = np.zeros(base.node_count, np.bool_)
    for kind in NodeKind:
        if key_prefix(base.scope, kind) is not None:
            own |= base.node_kind == NODE_CODE[kind]
    layout = Layout(np.flatnonzero(own), np.flatnonzero(~own), copies)
    ids = layout.places()
    nodes = _node_columns(base, layout, ids)
    edges = _edge_columns(base, layout, ids, np.random.default_rng(seed), cross)
    return Incidence(
        scope=base.scope,
        head=base.head,
        commit=base.commit,
        tree=base.tree,
        resolver=base.resolver,
        **nodes,
        **edges,
    )


def _laid(column: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """A column over nodes, shared ones first, then each copy's."""
    parts = [column[layout.shared], *[column[layout.copied]] * layout.copies]
    return np.concatenate(parts)


def _node_columns(base: Incidence, layout: Layout, ids: Places) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: _laid(getattr(base, name), layout)
        for name in ("node_kind", "sort", "alive", "name_id", "line", "mark", "end", "digest")
    }
    columns["names"] = base.names
    columns["paths"] = Strings.of(
        [_FOLDER.format(copy) + path for copy in range(layout.copies) for path in base.paths]
    )
    columns["path_id"] = _moved(base.path_id, layout, len(base.paths))
    columns["file"] = _placed(base.file, layout, ids)
    columns["keys"] = _keys(base, layout)
    rests = base.node_rest.raws()
    own = [rests[at] for at in layout.copied.tolist()]
    common = [rests[at] for at in layout.shared.tolist()]
    columns["node_rest"] = Strings.of_bytes(common + own * layout.copies)
    hashes = np.fromiter(map(crc32, columns["keys"].raws(), columns["node_kind"].tolist()), np.uint32)
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    return columns | {"hash_value": hashes[order], "hash_node": order}


def _moved(column: Ints, layout: Layout, step: int) -> Ints:
    """Places in a list that is repeated for each copy; -1 stays."""
    parts = [column[layout.shared]]
    own = column[layout.copied]
    parts += [np.where(own < 0, own, own + np.int32(copy * step)) for copy in range(layout.copies)]
    return np.concatenate(parts)


def _placed(column: Ints, layout: Layout, ids: Places) -> Ints:
    """Ids of nodes of the base, as each copy has them; -1 stays."""
    shared, own = column[layout.shared], column[layout.copied]
    parts = [np.where(shared < 0, -1, ids[0][shared])]
    parts += [np.where(own < 0, -1, ids[copy][own]) for copy in range(layout.copies)]
    return np.concatenate(parts).astype(np.int32)


def _keys(base: Incidence, layout: Layout) -> Keys:
    """Keys with a copy's folder after `tenant/name:`, where they begin so."""
    prefix = base.scope.file("").encode()
    raws = base.keys.raws()
    own = [raws[at] for at in layout.copied.tolist()]
    found = [raws[at] for at in layout.shared.tolist()]
    for copy in range(layout.copies):
        folder = _FOLDER.format(copy).encode()
        found += [
            prefix + folder + raw[len(prefix) :] if raw.startswith(prefix) else raw + b"." + folder[:-1]
            for raw in own
        ]
    return Keys.of_bytes(found)


def _edge_columns(
    base: Incidence, layout: Layout, ids: Places, chance: np.random.Generator, cross: float
) -> dict[str, Any]:
    copies, count = layout.copies, base.edge_count
    columns: dict[str, Any] = {name: np.tile(getattr(base, name), copies) for name in _REPEATED}
    columns["digests"] = chance.integers(0, 256, (copies * count, 16), np.uint8)
    columns["source"] = np.concatenate([np.where(base.source < 0, -1, row[base.source]) for row in ids])
    columns["source"] = columns["source"].astype(np.int32)
    columns["edge_rest"] = Strings.of_bytes(base.edge_rest.raws() * copies)
    for name in ("member_ptr", "line_ptr"):
        sizes = np.tile(np.diff(getattr(base, name)), copies)
        columns[name] = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    columns["member_node"] = _members(base, ids, chance, cross)
    return columns


def _members(base: Incidence, ids: Places, chance: np.random.Generator, cross: float) -> Ints:
    """The members of every copy; where a hyperedge crosses, what it uses stands in another copy."""
    copies = len(ids)
    owner = np.repeat(np.arange(base.edge_count), np.diff(base.member_ptr))
    used, open_ends = np.zeros(len(owner), np.bool_), np.zeros(base.edge_count, np.bool_)
    for kind in CROSSING:
        here = base.edge_kind == EDGE_CODE[kind]
        open_ends |= here
        for role in {leaves for leaves, _ in EDGES[kind].impact} - {"writer"}:
            used |= here[owner] & (base.member_role == ROLE_CODE[role])
    parts = []
    for copy in range(copies):
        other = np.full(base.edge_count, copy)
        crossing = open_ends & (chance.random(base.edge_count) < cross)
        drawn = chance.integers(0, copies, base.edge_count)
        drawn[chance.random(base.edge_count) < 0.5] = 0
        other[crossing] = drawn[crossing]
        at = np.where(used, other[owner], copy)
        parts.append(ids[at, base.member_node].astype(np.int32))
    return np.concatenate(parts)
