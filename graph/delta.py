"""What a resolution moves beside what is valid: hyperedges by digest, nodes by what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.assembly import NODE_CODE, NONE, packed_node
from graph.facts import Batch, Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.renewal import pays, renew
from graph.schema import EdgeKind

Longs = NDArray[np.int64]

_NOTHING: Longs = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Delta:
    """What a run creates and retires beside what is valid now."""

    nodes: list[Node]
    """New ones, those that say otherwise than before, and those that the store may have pruned."""
    created: list[Hyperedge]
    retired: list[tuple[EdgeKind, str]]
    """Kind and `digest@run`, as the store takes them."""
    ended: Longs
    """The retired ones, by their ids in the old arrays."""
    gone: Longs
    """Nodes of the old arrays that the batch does not describe."""


def none() -> Delta:
    """Nothing moved."""
    return Delta([], [], [], _NOTHING, _NOTHING)


def difference(previous: Incidence | None, batch: Batch, run: int) -> tuple[Delta, list[int]]:
    """Compare a resolution with what is valid: by digest, so that equal facts stay as they are.

    Hyperedges that the batch says twice are taken out of it. Returns the delta and, for each hyperedge of
    the batch in order, the run it is valid from.
    """
    seen: set[bytes] = set()
    kept: list[Hyperedge] = []
    births: list[int] = []
    valid = _valid(previous)
    created: list[Hyperedge] = []
    for edge in batch.edges:
        digest = bytes.fromhex(edge.digest())
        if digest in seen:
            continue
        seen.add(digest)
        kept.append(edge)
        known = valid.get(digest)
        births.append(run if known is None else known[1])
        if known is None:
            created.append(edge)
    batch.edges = kept
    kinds = list(EdgeKind)
    gone = [(digest, *row) for digest, row in valid.items() if digest not in seen]
    retired = [(kinds[kind], f"{digest.hex()}@{birth}") for digest, kind, birth, _ in gone]
    ended = np.array([at for *_, at in gone], np.int64)
    nodes, undescribed = _nodes(previous, batch, created)
    return Delta(nodes, created, retired, ended, undescribed), births


def _valid(previous: Incidence | None) -> dict[bytes, tuple[int, int, int]]:
    """By digest: code of the kind, the run it is valid from, and the id of a hyperedge."""
    if previous is None:
        return {}
    raw = np.ascontiguousarray(previous.digests).tobytes()
    kinds, births = previous.edge_kind.tolist(), previous.edge_from.tolist()
    return {
        raw[16 * at : 16 * at + 16]: (kind, birth, at)
        for at, (kind, birth) in enumerate(zip(kinds, births, strict=True))
    }


def _nodes(previous: Incidence | None, batch: Batch, created: list[Hyperedge]) -> tuple[list[Node], Longs]:
    """Nodes to write, and old ones that the batch does not describe."""
    if previous is None:
        return list(batch.nodes.values()), _NOTHING
    known = {
        (code, key): at
        for at, (code, key) in enumerate(zip(previous.node_kind.tolist(), previous.keys, strict=True))
    }
    alive, sorts = previous.alive.tolist(), previous.sort.tolist()
    rests = previous.node_rest.raws()
    # Pruning deletes what stands alone: where a new hyperedge names such a node, it is written again.
    alone = np.bincount(previous.member_node, minlength=previous.node_count) == 0
    named = {(NODE_CODE[member.kind], member.key) for edge in created for member in edge.members}
    described = np.zeros(previous.node_count, np.bool_)
    nodes = []
    for node in batch.nodes.values():
        place = NODE_CODE[node.kind], node.key
        at = known.get(place, -1)
        if at < 0 or not alive[at]:
            nodes.append(node)
            continue
        described[at] = True
        sort, rest = packed_node(node)
        named_so_far = sort != NONE and not rest and previous.path_id[at] < 0
        pruned = alone[at] and place in named
        if sort != sorts[at] or rest != rests[at] or named_so_far or pruned:
            nodes.append(node)
    return nodes, np.flatnonzero(previous.alive & ~described)


def carried(
    previous: Incidence | None,
    batch: Batch,
    delta: Delta,
    births: list[int],
    *,
    scope: Scope,
    head: int,
    commit: str,
    tree: str,
    resolver: str = "",
    anew: bool = False,
) -> Incidence:
    """The arrays of a resolution: the old ones renewed by the delta, or built from the batch where that
    is no dearer, and always where `anew` asks for it."""
    if previous is None or anew or not pays(previous, len(delta.created) + len(delta.ended)):
        return Incidence.build(
            batch,
            scope=scope,
            head=head,
            commit=commit,
            tree=tree,
            resolver=resolver,
            previous=previous,
            births=births,
        )
    return renew(
        previous,
        nodes=delta.nodes,
        created=delta.created,
        retired=delta.ended,
        gone=delta.gone,
        head=head,
        commit=commit,
        tree=tree,
        resolver=resolver,
    )
