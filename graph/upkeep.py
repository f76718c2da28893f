"""What keeps the store in order: sweeping broken runs, pruning, forgetting, counting, looking for holes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graph import descriptions, packing
from graph.bolt import Line, Row, Transaction
from graph.claims import Claim
from graph.cypher import Filling
from graph.facts import Scope
from graph.schema import EDGES, NODES, EdgeKind, NodeKind

T = TypeVar("T")

SMALL = 500
"""Records of one deleting transaction: deleting connected nodes is slow on the embedded server."""

_EDGE_KINDS = tuple(spec.kind for spec in EDGES.values() if spec.live)
_NODE_KINDS = tuple(spec.kind for spec in NODES.values() if spec.live)


@dataclass(frozen=True, slots=True)
class Standing:
    """A repository in the store."""

    scope: Scope
    head: int
    heads: dict[str, int]
    """By family, the run at which it stands."""
    commit: str
    running: int | None
    """A run under way, or one that broke off."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a repository has: nodes; hyperedges in all, and valid at the head."""

    nodes: dict[NodeKind, int]
    edges: dict[EdgeKind, int]
    valid: dict[EdgeKind, int]


@dataclass(frozen=True, slots=True)
class Dangling:
    """Hyperedges of a kind that lack a role they must have."""

    kind: EdgeKind
    role: str
    count: int


@dataclass(slots=True)
class Pruned:
    """What was (or, in a dry run, would be) deleted."""

    horizon: int
    """Facts retired at this run or before it."""
    dry_run: bool
    edges: dict[EdgeKind, int] = field(default_factory=dict)
    nodes: dict[NodeKind, int] = field(default_factory=dict)
    """In a dry run only those that stand alone already."""


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


async def sweep(line: Line, claim: Claim, scope: Scope, run: int) -> int:
    """Remove what a run that never flipped the head wrote, and undo its retirements; how much was removed."""
    # A batch that was broken off may still be about to commit. It renewed the claim, so that doing the
    # same here comes after it, or makes it fail: what is listed from now on is all there will be.
    await line.write(claim.renew)
    gone = 0
    for kind in _EDGE_KINDS:
        written = {"prefix": packing.one_run(scope, run)}
        ids = await _column(line, "facts/edges_under", Filling(edge=kind), "id", written)
        gone += await _each(line, claim, "facts/delete_edges", Filling(edge=kind), "ids", ids)
        ended = {"prefix": packing.all_runs(scope), "run": run}
        ids = await _column(line, "facts/retired_by", Filling(edge=kind), "id", ended)
        await _each(line, claim, "facts/revive", Filling(edge=kind), "ids", ids)
    await _redescribe(line, claim, scope, lambda kind, stored: descriptions.undone(scope, kind, stored, run))

    async def settle(transaction: Transaction) -> None:
        await claim.renew(transaction)
        await transaction.rows("runs/settle", Filling(), {"key": scope.key, "run_key": scope.run(run)})

    await line.write(settle)
    return gone


async def prune(
    line: Line, claim: Claim, scope: Scope, horizon: int, dry_run: bool, described: int = 0
) -> Pruned:
    """Delete hyperedges retired at the horizon or before it, then nodes that stand alone.

    What described nodes otherwise goes up to the run `described`: no head before it can be told.

    That earlier heads cannot be told any more is noted before the first is deleted: pruning that breaks
    off, or runs while somebody reads, makes no earlier head look smaller than it was.
    """
    done = Pruned(horizon, dry_run)
    if not dry_run and horizon > 0:

        async def note(transaction: Transaction) -> None:
            await claim.renew(transaction)
            given = {"key": scope.key, "horizon": horizon}
            await transaction.rows("runs/note_horizon", Filling(), given)

        await line.write(note)
    for kind in _EDGE_KINDS:
        given = {"prefix": packing.all_runs(scope), "horizon": horizon}
        ids = await _column(line, "facts/retired_before", Filling(edge=kind), "id", given)
        if ids:
            done.edges[kind] = len(ids)
        if not dry_run:
            await _each(line, claim, "facts/delete_edges", Filling(edge=kind), "ids", ids)
    for node in _NODE_KINDS:
        prefix = packing.key_prefix(scope, node)
        if prefix is None or node is NodeKind.RUN:
            continue
        keys = await _column(line, "facts/lonely_nodes", Filling(node), "key", {"prefix": prefix})
        if keys:
            done.nodes[node] = len(keys)
        if not dry_run:
            await _each(line, claim, "facts/delete_nodes", Filling(node), "keys", keys)
    if not dry_run:
        await _redescribe(
            line, claim, scope, lambda _, stored: descriptions.forgotten(scope, stored, described)
        )
    return done


async def _redescribe(
    line: Line, claim: Claim, scope: Scope, said: Callable[[NodeKind, Row], Row | None]
) -> None:
    """Describe anew those nodes that were ever described otherwise, where `said` gives something."""
    for kind in descriptions.kinds():
        given = {"prefix": packing.key_prefix(scope, kind)}
        rows = await line.read(
            lambda tx, k=kind, p=given: tx.rows("facts/redescribed", Filling(k), p)  # type: ignore[misc]
        )
        new = [[row["key"], props] for row in rows if (props := said(kind, row["props"])) is not None]
        await _each(line, claim, "facts/update_nodes", Filling(kind), "rows", new)


async def forget(line: Line, claim: Claim, scope: Scope) -> int:
    """Delete a repository. People and packages stay: they are not its own. It goes last, so that one that
    broke off is still listed and can be forgotten again."""
    gone = 0
    for kind in _EDGE_KINDS:
        given = {"prefix": packing.all_runs(scope)}
        ids = await _column(line, "facts/edges_under", Filling(edge=kind), "id", given)
        gone += await _each(line, claim, "facts/delete_edges", Filling(edge=kind), "ids", ids)
    for node in _NODE_KINDS:
        prefix = packing.key_prefix(scope, node)
        if prefix is not None:
            keys = await _column(line, "facts/nodes_under", Filling(node), "key", {"prefix": prefix})
            await _each(line, claim, "facts/delete_nodes", Filling(node), "keys", keys)
    await _each(line, claim, "facts/delete_nodes", Filling(NodeKind.REPOSITORY), "keys", [scope.key])
    return gone


async def repositories(line: Line) -> list[Standing]:
    """Every repository, by key."""
    rows = await line.read(lambda tx: tx.rows("runs/repositories", Filling(), {}))
    return [_standing(row) for row in rows]


def _standing(row: Row) -> Standing:
    tenant, _, name = row["key"].rpartition("/")
    heads = dict(entry.split("=") for entry in row["heads"] or ())
    numbers = {family: int(number) for family, number in heads.items()}
    return Standing(Scope(tenant, name), row["head"], numbers, row["commit"] or "", row["running"])


async def counts(line: Line, scope: Scope, head: int) -> Counts:
    """Count a repository's nodes and hyperedges, kind by kind."""
    found = Counts({}, {}, {})
    for node in _NODE_KINDS:
        prefix = packing.key_prefix(scope, node)
        if prefix is not None:
            row = await _one(line, "status/count_nodes", Filling(node), {"prefix": prefix})
            found.nodes[node] = row["total"]
    for kind in _EDGE_KINDS:
        given = {"prefix": packing.all_runs(scope), "head": head}
        row = await _one(line, "status/count_edges", Filling(edge=kind), given)
        found.edges[kind], found.valid[kind] = row["total"], row["valid"] or 0
    return found


async def dangling(line: Line, scope: Scope) -> list[Dangling]:
    """Look for hyperedges without a role that they must have."""
    found = []
    for kind in _EDGE_KINDS:
        rows = await line.read(
            lambda tx, k=kind: tx.rows("status/roles", Filling(edge=k), {"prefix": packing.all_runs(scope)})  # type: ignore[misc]
        )
        for role in EDGES[kind].roles:
            lacking = sum(row["total"] for row in rows if role.name not in row["roles"])
            if role.required and lacking:
                found.append(Dangling(kind, role.name, lacking))
    return found


async def _one(line: Line, name: str, filling: Filling, params: Row) -> Row:
    rows = await line.read(lambda tx: tx.rows(name, filling, params))
    return rows[0]


async def _column(line: Line, name: str, filling: Filling, column: str, params: Row) -> list[str]:
    rows = await line.read(lambda tx: tx.rows(name, filling, params))
    return [row[column] for row in rows]


async def _each(line: Line, claim: Claim, name: str, filling: Filling, param: str, values: list[Any]) -> int:
    """Run a writing statement over values, in small transactions, each of which renews the claim."""
    for batch in chunks(values, SMALL):

        async def work(transaction: Transaction, batch: list[str] = batch) -> None:
            await claim.renew(transaction)
            await transaction.rows(name, filling, {param: batch})

        await line.write(work)
    return len(values)
