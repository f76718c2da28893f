"""Who owns files, by the rules of CODEOWNERS."""

from __future__ import annotations

from collections.abc import Iterable

from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind


def owners_of(source: Incidence, paths: Iterable[str]) -> dict[str, list[str]]:
    """For each of these files who owns it: handles or names, sorted; one pass over the rules."""
    found: dict[str, set[str]] = {path: set() for path in paths}
    wanted = {source.find(NodeKind.FILE, source.scope.file(path)): path for path in found}
    for edge in source.edges_of(EdgeKind.OWNS).tolist():
        files = [wanted[node] for node in source.in_role(edge, "file") if node in wanted]
        owners = [source.name(node) for node in source.in_role(edge, "owner")] if files else []
        for path in files:
            found[path].update(owners)
    return {path: sorted(owners) for path, owners in found.items()}
