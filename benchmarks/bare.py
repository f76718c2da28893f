"""What a server does by itself: the official driver, rows that lie ready, and nothing of ours between.

The statements are the store's own, which are the fastest that were found on both servers; what is left out is
all that Maestro does beside: making the rows, claims, look-ups of what is known, counts that are
compared, reading rows as facts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from neo4j import Driver, GraphDatabase, ManagedTransaction

from graph import packing
from graph.cypher import Filling, load
from graph.facts import Hyperedge, Node, Scope
from graph.packing import Load, Part
from graph.schema import EDGES, NodeKind
from graph.store import Store

Statement = tuple[str, dict[str, Any]]


def driver_of(store: Store) -> Driver:
    """A plain driver to the server that a store is connected to."""
    address = store._line.address
    return GraphDatabase.driver(
        address.uri, auth=(address.user, address.password), notifications_min_severity="OFF"
    )


def node_statements(nodes: Sequence[Node], size: int = packing.ROWS) -> list[list[Statement]]:
    """Transactions that create nodes."""
    by_kind: dict[NodeKind, list[Node]] = {}
    for node in nodes:
        by_kind.setdefault(node.kind, []).append(node)
    return [
        [
            (
                load("facts/create_nodes").text(Filling(kind)),
                {"rows": [packing.node_row(node) for node in found[start : start + size]]},
            )
        ]
        for kind, found in by_kind.items()
        for start in range(0, len(found), size)
    ]


def edge_statements(edges: Sequence[Hyperedge], scope: Scope, run: int = 1) -> list[list[Statement]]:
    """Transactions that create hyperedges with their members, of nodes that are there."""
    return [_edge_transaction(found, scope, run) for found in packing.loads(edges)]


def _edge_transaction(found: Load, scope: Scope, run: int) -> list[Statement]:
    first, rest = found.rows(scope, run)

    def statement(name: str, part: Part, **more: Any) -> Statement:
        text = load(name).text(Filling(part.label, found.kind, found.shape))
        return text, {"keys": part.keys, "rows": part.rows, **more}

    made = [statement("facts/create_edges", first, scope=str(scope), run=run)]
    return made + [statement("facts/join_members", part) for part in rest]


def spent(driver: Driver, transactions: Sequence[Sequence[Statement]], database: str | None) -> float:
    """Seconds that the server takes for transactions, one after another over one connection."""
    with driver.session(database=database) as session:
        begun = time.perf_counter()
        for statements in transactions:
            session.execute_write(_run, statements)
        return time.perf_counter() - begun


def _run(transaction: ManagedTransaction, statements: Sequence[Statement]) -> None:
    for text, params in statements:
        transaction.run(text, params).consume()


def exported(driver: Driver, scope: Scope, family: str, head: int, database: str | None) -> tuple[float, int]:
    """Seconds of a bare export of a family's hyperedges and of the nodes they name, and rows that came."""
    rows = 0
    begun = time.perf_counter()
    named: dict[str, set[str]] = {}
    with driver.session(database=database, default_access_mode="READ", fetch_size=1000) as session:
        for spec in EDGES.values():
            if spec.family != family or not spec.live:
                continue
            text = load("facts/export_edges").text(Filling(edge=spec.kind))
            for record in session.run(text, {"prefix": packing.all_runs(scope), "head": head}):
                rows += len(record[2])
                for member in record[2]:
                    named.setdefault(member[1], set()).add(member[2])
        for label, keys in named.items():
            text = load("facts/known_nodes").text(Filling(NodeKind(label)))
            ordered = sorted(keys)
            for start in range(0, len(ordered), packing.ROWS):
                for _ in session.run(text, {"keys": ordered[start : start + packing.ROWS]}):
                    pass
    return time.perf_counter() - begun, rows
