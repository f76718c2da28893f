"""Hubs: a node that stands in very many hyperedges, and a hyperedge with very many members.

What is compared is the processor time of the server and of ours, at one size and at ten times that: other
programs on the machine make seconds longer, not these. 1.0 is linear.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from benchmarks.indexing import used_by_servers, used_here
from graph.facts import Hyperedge, Member, Node, Provenance, Scope, symbol_node
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier
from graph.store import Run, Store

COMMIT = TREE = "0" * 40
SAID = Provenance("log.py", "", Resolver.SCOPES)


def node_hub(scope: Scope, size: int) -> tuple[list[Node], list[Hyperedge]]:
    """A function that so many others call: a hyperedge each."""
    hub = symbol_node(scope, "log.py", "log", Sort.FUNCTION)
    callers = [symbol_node(scope, "log.py", f"caller{i}", Sort.FUNCTION) for i in range(size)]
    return [hub, *callers], [_call(scope, caller, hub) for caller in callers]


def edge_hub(scope: Scope, size: int) -> tuple[list[Node], list[Hyperedge]]:
    """A call that may run so many functions: one hyperedge."""
    caller = symbol_node(scope, "log.py", "run", Sort.FUNCTION)
    callees = [symbol_node(scope, "log.py", f"plugin{i}", Sort.FUNCTION) for i in range(size)]
    return [caller, *callees], [_call(scope, caller, *callees)]


def _call(scope: Scope, caller: Node, *callees: Node) -> Hyperedge:
    members = (
        Member("caller", NodeKind.SYMBOL, caller.key),
        *(Member("callee", NodeKind.SYMBOL, callee.key) for callee in callees),
    )
    props = (("lines", (1,)), ("virtual", False))
    return Hyperedge(EdgeKind.CALLS, scope, members, SAID, Tier.EXACT, Form.PLAIN, props)


async def work_of(store: Store, data: Path, size: int) -> dict[str, float]:
    """Processor seconds of loading, retiring and deleting hubs of a size."""
    spent = {"load": 0.0, "retire": 0.0, "delete": 0.0}

    async def counted(name: str, work: Callable[[], Awaitable[object]]) -> None:
        before = used_here() + used_by_servers(data)
        await work()
        spent[name] += used_here() + used_by_servers(data) - before

    for shape in (node_hub, edge_hub):
        scope = Scope("hubs", f"{shape.__name__}-{size}")
        nodes, edges = shape(scope, size)
        run = await _begun(store, scope)
        await store.write(run, nodes, [])
        await counted("load", partial(store.write, run, [], edges))
        await store.flip(run)
        run = await _begun(store, scope)
        ended = [(edge.kind, f"{edge.digest()}@1") for edge in edges]
        await counted("retire", partial(store.retire, run, ended))
        await store.flip(run)
        await counted("delete", partial(store.prune, scope, keep=0))
    return spent


async def _begun(store: Store, scope: Scope) -> Run:
    return await store.begin(scope, commit=COMMIT, tree=TREE, families=("code",))


async def hub_figures(store: Store, data: Path, size: int) -> dict[str, float]:
    """How the work on hubs grows from a tenth of a size to that size, beside ten times as much."""
    await work_of(store, data, max(1, size // 100))  # the server compiles what it runs often
    small, large = await work_of(store, data, max(1, size // 10)), await work_of(store, data, size)
    growth = {name: large[name] / (10 * small[name]) for name in small}
    shown = ", ".join(f"{name} {small[name]:.1f} and {large[name]:.1f} s" for name in small)
    print(f"hubs of {size // 10:,} and {size:,}: {shown} of processor time")
    return {"hub_growth": max(growth.values()), **{f"hub_{name}_growth": growth[name] for name in growth}}
