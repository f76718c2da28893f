"""Loaders: what hangs off many parents is asked for once a request."""

from __future__ import annotations

from typing import NamedTuple

from api.service import Service
from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind


class OwnerKey(NamedTuple):
    """A file of a repository."""

    repository: str
    path: str


async def load_owners(service: Service, keys: list[OwnerKey]) -> list[list[str]]:
    """Who owns each of these files: handles or names, sorted; one pass over the rules a repository."""
    found: dict[OwnerKey, set[str]] = {key: set() for key in keys}
    for repository in {key.repository for key in keys}:
        head = await service.arrays(await service.choose(repository))
        paths = {key.path for key in keys if key.repository == repository}
        for path, owner in _ownerships(head, paths):
            found[OwnerKey(repository, path)].add(owner)
    return [sorted(found[key]) for key in keys]


def _ownerships(head: Incidence, paths: set[str]) -> list[tuple[str, str]]:
    wanted = {head.find(NodeKind.FILE, head.scope.file(path)): path for path in paths}
    pairs = []
    for edge in head.edges_of(EdgeKind.OWNS).tolist():
        files = [wanted[node] for node in head.in_role(edge, "file") if node in wanted]
        owners = [head.name(node) for node in head.in_role(edge, "owner")] if files else []
        pairs += [(path, owner) for path in files for owner in owners]
    return pairs
