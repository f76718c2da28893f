"""What a change reaches: each item with its tier, its distance and the path that proves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import Direction
from graph.assembly import NODE_CODE
from graph.facts import Scope
from graph.incidence import Incidence
from graph.queries.nodes import NodeView
from graph.queries.owners import ownerships
from graph.queries.proofs import Proofs, StepView
from graph.reach import DEPTH, HUB_LIMIT, Reached, cone
from graph.schema import DEFAULT_TIER, TIERS, NodeKind, Tier

Ints = NDArray[np.int32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is reached: its strongest tier, the steps at that tier, and that very path."""

    node: NodeView
    tier: Tier
    distance: int
    path: tuple[StepView, ...]


@dataclass(frozen=True, slots=True)
class Owned:
    """An owner, and the files of theirs that are reached or changed."""

    owner: NodeView
    files: tuple[str, ...]
    items: int
    """Symbols and tests that are reached in them, starts included."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A hub that was not followed on, and how many direct dependents were left out by that."""

    node: NodeView
    dependents: int


@dataclass(frozen=True, slots=True)
class Cone:
    """What depends on the starts (`up`), or what they depend on (`down`).

    Attributes
    ----------
    starts : tuple of NodeView
    items : tuple of Item
        Everything but tests, by distance, then tier, path and line; `reached` counts them all,
        `items` may have been limited.
    tests : tuple of Item
        In the same order; `tests_reached` counts them all.
    distances : tuple of (distance, count)
        Items and tests at each distance.
    tiers : tuple of (tier, count)
        Items and tests by their strongest tier.
    followed : tuple of (tier, count)
        Edges that were followed, by tier.
    owners : tuple of Owned
        Who answers for the files, most items first; `unowned` counts files that nobody owns.
    unresolved : int
        References in the starts and in what is reached that could not be followed.
    possible : tuple of (tier, count)
        What only weaker tiers than asked for reach besides.
    hubs : tuple of Cut
    head, commit, tree
        The run, commit and tree that this was computed at; of a change, those of its new side.
    """

    scope: Scope
    head: int
    commit: str
    tree: str
    tier: Tier
    depth: int
    direction: Direction
    starts: tuple[NodeView, ...]
    items: tuple[Item, ...]
    reached: int
    tests: tuple[Item, ...]
    tests_reached: int
    distances: tuple[tuple[int, int], ...]
    tiers: tuple[tuple[Tier, int], ...]
    followed: tuple[tuple[Tier, int], ...]
    owners: tuple[Owned, ...]
    unowned: int
    unresolved: int
    possible: tuple[tuple[Tier, int], ...]
    hubs: tuple[Cut, ...]


def impact(
    incidence: Incidence,
    starts: Sequence[int] | Ints,
    *,
    tier: Tier = DEFAULT_TIER,
    depth: int = DEPTH,
    direction: Direction = Direction.UP,
    hub_limit: int = HUB_LIMIT,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    limit: int | None = None,
    owners: Incidence | None = None,
) -> Cone:
    """The cone of these nodes, described; see `graph.reach.cone` for the search.

    Parameters
    ----------
    incidence : Incidence
        Arrays of a repository, or the overlay of a change.
    limit : int or None
        Items, and tests, to describe at most; all are counted.
    owners : Incidence or None
        Arrays that hold the Owns hyperedges, where `incidence` does not.

    Raises
    ------
    DeadlineError
        When the deadline passed or the question was cancelled.
    InputError
        For a depth out of bounds or a start that is no node.
    """
    found = cone(
        incidence,
        starts,
        tier=tier,
        depth=depth,
        direction=direction,
        hub_limit=hub_limit,
        deadline=deadline,
        cancelled=cancelled,
    )
    proofs = Proofs(incidence, direction is Direction.DOWN)
    order = _order(incidence, found)
    tests = incidence.node_kind[found.nodes[order]] == NODE_CODE[NodeKind.TEST]
    items, checks = order[~tests], order[tests]
    answered, unowned = _owners(incidence, owners or incidence, found)
    return Cone(
        scope=incidence.scope,
        head=incidence.head,
        commit=incidence.commit,
        tree=incidence.tree,
        tier=tier,
        depth=depth,
        direction=direction,
        starts=tuple(proofs.node(node) for node in _by_label(incidence, found.starts)),
        items=_described(found, items[:limit], proofs),
        reached=len(items),
        tests=_described(found, checks[:limit], proofs),
        tests_reached=len(checks),
        distances=tuple(sorted(Counter(found.distances.tolist()).items())),
        tiers=tuple((TIERS[rank], count) for rank, count in sorted(Counter(found.tiers.tolist()).items())),
        followed=found.followed(),
        owners=answered,
        unowned=unowned,
        unresolved=found.unresolved,
        possible=found.possible,
        hubs=tuple(Cut(proofs.node(node), count) for node, count in found.hubs),
    )


def _described(found: Reached, order: Places, proofs: Proofs) -> tuple[Item, ...]:
    return tuple(
        Item(proofs.node(node), TIERS[rank], distance, proofs.steps(found.proof(node)))
        for node, rank, distance in zip(
            found.nodes[order].tolist(),
            found.tiers[order].tolist(),
            found.distances[order].tolist(),
            strict=True,
        )
    )


def _order(incidence: Incidence, found: Reached) -> Places:
    """Places of the reached nodes by distance, tier, path, line and key: the same for every build."""
    nodes = found.nodes
    paths = incidence.path_ranks()[incidence.path_id[nodes]]
    columns = (incidence.line[nodes], paths, found.tiers, found.distances)
    order = np.lexsort(columns)
    # Keys are read only where all else is equal: tests of one file, properties and their setters.
    same = np.ones(max(0, len(order) - 1), np.bool_)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    tied = np.flatnonzero(np.concatenate((same, [False])) | np.concatenate(([False], same)))
    if len(tied):
        keys = [incidence.keys.raw(node) for node in nodes[order[tied]].tolist()]
        ranks = np.zeros(len(nodes), np.int64)
        ranks[order[tied[sorted(range(len(keys)), key=keys.__getitem__)]]] = np.arange(len(keys))
        order = np.lexsort((ranks, *columns))
    return order


def _by_label(incidence: Incidence, nodes: Places) -> list[int]:
    return sorted(nodes.tolist(), key=lambda at: (incidence.path(at), incidence.line[at], incidence.keys[at]))


def _owners(incidence: Incidence, source: Incidence, found: Reached) -> tuple[tuple[Owned, ...], int]:
    """Who owns the files of the starts and of what is reached, and how many files nobody owns."""
    everything = np.concatenate((found.starts, found.nodes))
    places = incidence.path_id[everything]
    counts: Counter[str] = Counter()
    for place, count in Counter(places[places >= 0].tolist()).items():
        counts[incidence.paths[place]] += count
    nodes = {source.find(NodeKind.FILE, source.scope.file(path)): path for path in counts}
    nodes.pop(-1, None)
    owned: dict[int, set[str]] = {}
    kept: set[str] = set()
    for edge in ownerships(source, np.array(sorted(nodes), np.int64)):
        files = [nodes[node] for node in source.in_role(edge, "file") if node in nodes]
        for owner in source.in_role(edge, "owner"):
            owned.setdefault(owner, set()).update(files)
            kept.update(files)
    proofs = Proofs(source)
    rows = [
        Owned(proofs.node(owner), tuple(sorted(files)), sum(counts[path] for path in files))
        for owner, files in owned.items()
    ]
    rows.sort(key=lambda row: (-row.items, row.owner.key))
    return tuple(rows), len(counts.keys() - kept)
