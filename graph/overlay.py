"""Both sides of a change laid over each other: one hypergraph that knows which side said what.

A cone of a change runs here: a caller of a deleted function is found by the old version's edges,
a user of an added one by the new version's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import spread
from graph.assembly import EDGE_CODE
from graph.incidence import Incidence
from graph.schema import EDGES, EdgeKind
from graph.strings import Strings

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Hashes = NDArray[np.uint64]


@unique
class Version(StrEnum):
    """Which side of a change holds a node or says a fact; the places are codes of the arrays."""

    BOTH = "both"
    BASE = "base"
    HEAD = "head"


VERSIONS = tuple(Version)
_BOTH, _BASE, _HEAD = range(3)
_CODES = np.array(
    [EDGE_CODE[kind] for kind, spec in EDGES.items() if spec.impact or kind is EdgeKind.OVERRIDES], np.uint8
)
"""Kinds that a cone can follow; of all others (who owns a file, what was not resolved) only the
head's word counts."""


@dataclass(slots=True, eq=False, kw_only=True)
class Overlay(Incidence):
    """The union of two Incidences: ids of the head's nodes and edges come first and stay.

    Attributes
    ----------
    node_version : uint8[n]
        Which side the node is in (0 both, 1 base, 2 head); what both hold is described as in the head.
    edge_version : uint8[m]
        Which side says the hyperedge.
    base_line : int32[n]
        First line of a symbol in the base, -1 where it is not there: the lines of edges that
        only the base has count from it.
    """

    node_version: Bytes
    edge_version: Bytes
    base_line: Ints

    def version_of(self, edge: int) -> Version:
        """Which side says a hyperedge."""
        return VERSIONS[int(self.edge_version[edge])]


def align(base: Incidence, head: Incidence, moved: Mapping[int, int] | None = None) -> Ints:
    """For each node of the base its id in the union: the head's, or one beyond the head's.

    Parameters
    ----------
    moved : mapping of node id to node id
        Nodes of the base that the head holds under another key and that count as the same: the
        contents of files that were only renamed.
    """
    ids = head.match(base)
    for old, new in (moved or {}).items():
        ids[old] = new
    beyond = np.flatnonzero(ids < 0)
    ids[beyond] = head.node_count + np.arange(len(beyond), dtype=np.int32)
    return ids


def unite(base: Incidence, head: Incidence, moved: Mapping[int, int] | None = None) -> Overlay:
    """The union of both sides by key of node and by content of hyperedge; see `align` for `moved`.

    A hyperedge whose sites moved a line is the same hyperedge. Of those that only the base has,
    those that a cone can follow are taken.
    """
    ids = align(base, head, moved)
    news = np.flatnonzero(ids >= head.node_count)
    nodes = _node_columns(base, head, ids, news)
    kept, versions = _base_edges(base, head, ids)
    edges = _edge_columns(base, head, ids, kept)
    return Overlay(
        scope=head.scope,
        head=head.head,
        commit=head.commit,
        tree=head.tree,
        resolver=head.resolver,
        edge_version=versions,
        **nodes,
        **edges,
    )


def _node_columns(base: Incidence, head: Incidence, ids: Ints, news: NDArray[np.int64]) -> dict[str, Any]:
    """Columns over nodes: the head's rows, then those of nodes that only the base knows.

    A node that the head knows by key alone, since it is gone from there, is described as in the base.
    """
    size = head.node_count
    gone = np.flatnonzero((ids < size) & base.alive)
    gone = gone[~head.alive[ids[gone]]]
    rows = {
        name: getattr(base, name) for name in ("node_kind", "sort", "alive", "line", "mark", "end", "digest")
    }
    rows["name_id"] = _shifted(base.name_id, len(head.names))
    rows["path_id"] = _shifted(base.path_id, len(head.paths))
    rows["file"] = _followed(base.file, ids)
    columns: dict[str, Any] = {}
    for name, column in rows.items():
        columns[name] = np.concatenate((getattr(head, name), column[news]))
        columns[name][ids[gone]] = column[gone]
    for name in ("names", "paths"):
        columns[name] = getattr(head, name).joined(getattr(base, name))
    columns["keys"] = head.keys.appended([base.keys.raw(at) for at in news.tolist()])
    columns["node_rest"] = head.node_rest.joined(_chosen(base.node_rest, news))
    told = gone[np.diff(base.node_rest.offsets)[gone] > 0]
    if len(told):
        rests = columns["node_rest"].raws()
        for at in told.tolist():
            rests[ids[at]] = base.node_rest.raw(at)
        columns["node_rest"] = Strings.of_bytes(rests)
    columns["hash_value"], columns["hash_node"] = _hashes(base, head, ids, news)
    held = np.zeros((2, len(columns["alive"])), np.bool_)
    held[0, ids[base.alive]] = True
    held[1, :size] = head.alive
    columns["node_version"] = np.select([held[0] & held[1], held[0]], [_BOTH, _BASE], _HEAD).astype(np.uint8)
    columns["base_line"] = np.full(len(columns["alive"]), -1, np.int32)
    columns["base_line"][ids] = base.line
    return columns


def _shifted(column: Ints, by: int) -> Ints:
    return np.where(column < 0, column, column + np.int32(by))


def _followed(column: Ints, ids: Ints) -> Ints:
    """Node ids of the base as ids of the union; -1 stays."""
    return np.where(column < 0, column, ids[column]) if len(ids) else column


def _chosen(texts: Strings, places: NDArray[np.int64]) -> Strings:
    lengths = np.diff(texts.offsets)[places]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return Strings(texts.blob[spread(texts.offsets[:-1][places], lengths)], offsets)


def _hashes(
    base: Incidence, head: Incidence, ids: Ints, news: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], Ints]:
    """The sorted hashes by which a key is found, of the union."""
    of_base = np.empty(base.node_count, np.uint32)
    of_base[base.hash_node] = base.hash_value
    values = np.concatenate((head.hash_value, of_base[news]))
    nodes = np.concatenate((head.hash_node, ids[news]))
    order = np.argsort(values, kind="stable")
    return values[order], nodes[order]


def _base_edges(base: Incidence, head: Incidence, ids: Ints) -> tuple[NDArray[np.int64], Bytes]:
    """The base's hyperedges that the head lacks, and the versions of the union's hyperedges."""
    ours, theirs = _short_digests(head), _short_digests(base)
    same = among(ours, theirs)
    followed = np.zeros(256, np.bool_)
    followed[_CODES] = True
    rest = np.flatnonzero(followed[base.edge_kind] & ~among(theirs, ours))
    open_ends = np.flatnonzero(~same)
    contents = edge_contents(head, open_ends, np.arange(head.node_count, dtype=np.int32))
    old_contents = edge_contents(base, rest, ids)
    same[open_ends] = among(contents, old_contents)
    kept = rest[~among(old_contents, contents)]
    versions = np.where(same, np.uint8(_BOTH), np.uint8(_HEAD))
    return kept, np.concatenate((versions, np.full(len(kept), _BASE, np.uint8)))


def among(values: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are among the others: a fifth of the time of numpy's `isin` on a million integers."""
    if not len(others):
        return np.zeros(len(values), np.bool_)
    order = np.argsort(values)
    known = np.sort(others)
    places = np.searchsorted(known, values[order])
    places[places == len(known)] = 0
    found = np.empty(len(values), np.bool_)
    found[order] = known[places] == values[order]
    return found


def _short_digests(incidence: Incidence) -> Hashes:
    return np.ascontiguousarray(incidence.digests[:, :8]).view(np.uint64).reshape(-1)


def edge_contents(incidence: Incidence, edges: NDArray[np.int64], ids: Ints) -> Hashes:
    """A 64-bit hash of what each hyperedge says, without its lines and its other properties.

    Kind, tier, form, resolver, dispatch and the set of (role, node) count; nodes by the ids given.
    """
    counts = np.diff(incidence.member_ptr)[edges]
    places = spread(incidence.member_ptr[:-1][edges], counts)
    nodes = ids[incidence.member_node[places]].astype(np.uint64) if len(places) else np.zeros(0, np.uint64)
    mixed = _mixed(nodes * np.uint64(256) + incidence.member_role[places])
    ends = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)))
    last = np.cumsum(counts)
    total = ends[last] - ends[last - counts]
    said = np.zeros(len(edges), np.uint64)
    for name in ("edge_kind", "tier", "form", "edge_resolver", "virtual"):
        said = said * np.uint64(256) + getattr(incidence, name)[edges].astype(np.uint64)
    return _mixed(total + _mixed(said))


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit moves every other."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _edge_columns(base: Incidence, head: Incidence, ids: Ints, kept: NDArray[np.int64]) -> dict[str, Any]:
    """Columns over hyperedges: the head's, then those kept of the base with their nodes' new ids."""
    columns: dict[str, Any] = {}
    for name in ("edge_kind", "tier", "form", "edge_resolver", "digests", "edge_from", "virtual", "count"):
        columns[name] = np.concatenate((getattr(head, name), getattr(base, name)[kept]))
    columns["source"] = np.concatenate((head.source, _followed(base.source[kept], ids)))
    columns["edge_rest"] = head.edge_rest.joined(_chosen(base.edge_rest, kept))
    for ptr, names in (
        ("member_ptr", ("member_node", "member_role", "member_line")),
        ("line_ptr", ("lines",)),
    ):
        starts, ends = getattr(base, ptr), getattr(head, ptr)
        counts = np.diff(starts)[kept]
        places = spread(starts[:-1][kept], counts)
        columns[ptr] = np.concatenate((ends, ends[-1] + np.cumsum(counts)))
        for name in names:
            column = getattr(base, name)[places]
            column = _followed(column, ids) if name == "member_node" else column
            columns[name] = np.concatenate((getattr(head, name), column))
    return columns
