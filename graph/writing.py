"""Writing nodes and hyperedges in batches, each of which is one transaction and held to its counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from graph import descriptions, packing, upkeep
from graph.bolt import DuplicateError, Line, Row, Transaction
from graph.claims import Claim
from graph.cypher import Filling
from graph.errors import NotFoundError, StoreError
from graph.facts import Hyperedge, Node, Scope
from graph.progress import Progress
from graph.schema import NodeKind

_Ready: TypeAlias = tuple[packing.Load, packing.Part, list[packing.Part]]
"""A transaction's hyperedges, the part that creates them, and the parts that join members of other labels."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run writes: the line, the claim that every transaction renews, the repository, the run."""

    line: Line
    claim: Claim
    scope: Scope
    run: int
    first: bool = False
    """Whether none of the repository's nodes can be expected to be there."""


async def write_nodes(place: Place, nodes: list[Node], progress: Progress) -> None:
    """Create nodes that are not there, and say anew what describes those that are, where it differs."""
    by_kind: dict[NodeKind, dict[str, Node]] = {}
    for node in nodes:
        by_kind.setdefault(node.kind, {})[node.key] = node
    done = 0
    for kind, found in by_kind.items():
        for batch in upkeep.chunks(list(found.values()), packing.ROWS):
            progress("writing nodes", done, len(nodes))
            await _write_batch(place, kind, batch)
            done += len(batch)
    if nodes:
        progress("writing nodes", len(nodes), len(nodes))


async def _write_batch(place: Place, kind: NodeKind, batch: list[Node]) -> None:
    if place.first and packing.key_prefix(place.scope, kind) is not None:
        # To look for what cannot be there takes a quarter of the time. Where it is there all the same (this
        # very run wrote it, or one did that was forgotten), the constraint refuses the batch as a whole.
        with suppress(DuplicateError):
            await place.line.write(partial(_nodes, place=place, kind=kind, batch=batch, look=False))
            return
    await place.line.write_new(partial(_nodes, place=place, kind=kind, batch=batch))


async def _nodes(
    transaction: Transaction, place: Place, kind: NodeKind, batch: list[Node], look: bool = True
) -> None:
    filling = Filling(kind)
    await place.claim.renew(transaction)
    rows = [packing.node_row(node) for node in batch]
    keys = {"keys": [row[0] for row in rows]}
    stored = await transaction.rows("facts/known_nodes", filling, keys) if look else []
    known = {row["key"]: row["props"] for row in stored}
    fresh = [row for row in rows if row[0] not in known]
    if fresh:
        await transaction.rows("facts/create_nodes", filling, {"rows": fresh})
    moved = [
        [row[0], said | _kept(place, kind, known[row[0]])]
        for row, node in zip(rows, batch, strict=True)
        if row[0] in known and (said := packing.changed(node, known[row[0]]))
    ]
    if moved:
        await transaction.rows("facts/update_nodes", filling, {"rows": moved})


def _kept(place: Place, kind: NodeKind, stored: Row) -> Row:
    """What described a node until now, for who asks about an earlier head."""
    if not place.run or not descriptions.versioned(place.scope, kind):
        return {}
    return descriptions.noted(place.scope, kind, stored, place.run)


async def write_edges(place: Place, edges: list[Hyperedge], progress: Progress) -> None:
    """Create hyperedges, each with all its members in the same transaction.

    The next transaction's rows are made in a thread while the server works on this one's, and no more
    than those: however large the load, two transactions' rows are held at once.
    """
    for edge in edges:
        packing.check_edge(edge, place.scope)
    done, loads = 0, _prepared(place, edges)
    ahead = asyncio.create_task(asyncio.to_thread(next, loads, None))
    try:
        while (ready := await ahead) is not None:
            ahead = asyncio.create_task(asyncio.to_thread(next, loads, None))
            progress("writing facts", done, len(edges))
            load, first, rest = ready
            await place.line.write(partial(_edges, place=place, load=load, first=first, rest=rest))
            done += len(load.edges)
    finally:
        await asyncio.gather(ahead, return_exceptions=True)
    if edges:
        progress("writing facts", len(edges), len(edges))


def _prepared(place: Place, edges: list[Hyperedge]) -> Iterator[_Ready]:
    for load in packing.loads(edges):
        first, rest = load.rows(place.scope, place.run)
        yield load, first, rest


async def _edges(
    transaction: Transaction,
    place: Place,
    load: packing.Load,
    first: packing.Part,
    rest: list[packing.Part],
) -> None:
    await place.claim.renew(transaction)
    fixed: Row = {"scope": str(place.scope), "run": place.run}
    for part, statement in [(first, "facts/create_edges"), *((part, "facts/join_members") for part in rest)]:
        filling = Filling(part.label, load.kind, load.shape)
        params: Row = {"keys": part.keys, "rows": part.rows}
        await _join(transaction, statement, filling, part, params | fixed if part is first else params)


async def _join(
    transaction: Transaction, statement: str, filling: Filling, part: packing.Part, params: Row
) -> None:
    """Create memberships and hold the server to their number: a missing node must never be a silent hole."""
    rows, made = await transaction.rows_and_joined(statement, filling, params)
    joined = rows[0]["joined"] if rows else 0
    if joined == part.joined == made:
        return
    known = await transaction.rows("facts/known_nodes", Filling(part.label), {"keys": part.keys})
    missing = sorted(set(part.keys) - {row["key"] for row in known})
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise NotFoundError(
            f"A {filling.edge} names {len(missing)} {part.label} nodes that are not stored: {shown}.",
            "A reader yielded a hyperedge without its nodes; nothing of this run is visible.",
        )
    raise StoreError(
        f"The server created {made} of {part.joined} memberships of {filling.edge}.", "Run `maestro doctor`."
    )
