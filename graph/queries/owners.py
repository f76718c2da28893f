"""Who owns files, by the rules of CODEOWNERS."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import spread
from graph.assembly import ROLE_CODE
from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind


def owners_of(source: Incidence, paths: Iterable[str]) -> dict[str, list[str]]:
    """For each of these files who owns it: handles or names, sorted; one pass over the rules."""
    found: dict[str, set[str]] = {path: set() for path in paths}
    nodes = {source.find(NodeKind.FILE, source.scope.file(path)): path for path in found}
    nodes.pop(-1, None)
    for edge in ownerships(source, np.array(sorted(nodes), np.int64)):
        owners = [source.name(node) for node in source.in_role(edge, "owner")]
        for node in source.in_role(edge, "file"):
            if node in nodes:
                found[nodes[node]].update(owners)
    return {path: sorted(owners) for path, owners in found.items()}


def ownerships(source: Incidence, files: NDArray[np.int64]) -> list[int]:
    """The Owns hyperedges that have one of these files."""
    edges = source.edges_of(EdgeKind.OWNS)
    first = source.member_ptr[edges]
    sizes = source.member_ptr[edges + 1] - first
    at = spread(first, sizes)
    marks = np.zeros(source.node_count, np.bool_)
    marks[files] = True
    held = marks[source.member_node[at]] & (source.member_role[at] == ROLE_CODE["file"])
    found: list[int] = np.unique(np.repeat(edges, sizes)[held]).tolist()
    return found
