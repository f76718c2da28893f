"""Small hypergraphs for tests of the store: made from a seed, alike in every process."""

from __future__ import annotations

import random

from graph.facts import Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SAID = Provenance("pkg/core.py", "ab" * 20, Resolver.SCOPES)


def symbols(scope: Scope, count: int) -> list[Node]:
    """Functions f0, f1, … of one file."""
    return [symbol_node(scope, "pkg/core.py", f"f{i}", Sort.FUNCTION) for i in range(count)]


def call(caller: Node, *callees: Node, lines: tuple[int, ...] = (1,), tier: Tier = Tier.EXACT) -> Hyperedge:
    """The caller calls the callees."""
    members = (
        Member("caller", NodeKind.SYMBOL, caller.key),
        *(Member("callee", NodeKind.SYMBOL, callee.key) for callee in callees),
    )
    scope = Scope(*caller.key.partition(":")[0].split("/"))
    props = (("lines", lines), ("virtual", False))
    return Hyperedge(EdgeKind.CALLS, scope, members, SAID, tier, Form.PLAIN, props)


def contains(scope: Scope, nodes: list[Node], first: int = 1) -> tuple[Node, Hyperedge]:
    """The file of these symbols, with lines and digests."""
    file = file_node(scope, "pkg/core.py", "python")
    members = [Member("file", NodeKind.FILE, file.key)]
    for place, node in enumerate(nodes):
        line = first + 3 * place
        members.append(Member("symbol", NodeKind.SYMBOL, node.key, line, line + 2, line, f"{place:032x}"))
    return file, Hyperedge(EdgeKind.CONTAINS, scope, tuple(members), SAID, Tier.EXACT)


def step(scope: Scope, seed: int, run: int, edges: int = 60) -> tuple[list[Node], list[Hyperedge]]:
    """What one run of a drill writes: random calls, no two alike over all runs."""
    chance = random.Random(f"{seed} {run}")
    nodes = symbols(scope, 40)
    made = []
    for place in range(edges):
        callees = chance.sample(nodes, chance.randint(1, 6))
        made.append(call(chance.choice(nodes), *callees, lines=(run, place)))
    return nodes, made


def retired(scope: Scope, seed: int, run: int, edges: int = 60) -> list[Hyperedge]:
    """What that run retires: a third of what the run before it wrote."""
    return step(scope, seed, run - 1, edges)[1][: edges // 3] if run > 1 else []


def valid(scope: Scope, seed: int, head: int, edges: int = 60) -> set[str]:
    """Digests of all that is valid at a head."""
    found: set[str] = set()
    for run in range(1, head + 1):
        found |= {edge.digest() for edge in step(scope, seed, run, edges)[1]}
        found -= {edge.digest() for edge in retired(scope, seed, run, edges)}
    return found
