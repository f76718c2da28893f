"""Hubs cost what their relationships cost: work is counted at three sizes, and must not grow faster.

Work is processor time of the server and of this process, which other programs do not change. At the smallest
size the server still compiles, so that the two larger ones are compared. 1,000, 10,000 and 100,000 take
minutes: `MAESTRO_TEST_HUB=100000` asks for them, and `benchmarks.scale` prints them.
"""

from __future__ import annotations

import os
import resource

import psutil
import pytest
import servers_under_test as servers

from graph.facts import Hyperedge, Member, Provenance, Scope, symbol_node
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier
from graph.store import Store

pytestmark = pytest.mark.anyio

LARGEST = int(os.environ.get("MAESTRO_TEST_HUB", "10000"))
SIZES = (LARGEST // 100, LARGEST // 10, LARGEST)
MOST = 2.0
"""How much faster than linear growth may look: quadratic growth is tenfold."""
LEAST = 0.2
"""Seconds of work below which the clock is too coarse to compare."""
SAID = Provenance("log.py", "", Resolver.SCOPES)


def call(scope: Scope, caller: str, callees: list[str]) -> Hyperedge:
    members = (
        Member("caller", NodeKind.SYMBOL, scope.symbol("log.py", caller)),
        *(Member("callee", NodeKind.SYMBOL, scope.symbol("log.py", callee)) for callee in callees),
    )
    props = (("lines", (1,)), ("virtual", False))
    return Hyperedge(EdgeKind.CALLS, scope, members, SAID, Tier.EXACT, Form.PLAIN, props)


def of_node(scope: Scope, size: int) -> list[Hyperedge]:
    """One function that everybody calls."""
    return [call(scope, f"f{i}", ["hub"]) for i in range(size)]


def of_edge(scope: Scope, size: int) -> list[Hyperedge]:
    """One call that may run anybody."""
    return [call(scope, "hub", [f"f{i}" for i in range(size)])]


class Work:
    """Processor seconds of the server and of this process."""

    def __init__(self, server: servers.Embedded | servers.Neo4j) -> None:
        if isinstance(server, servers.Embedded):
            found = servers.lease.load(server.settings.data_dir)
            assert found is not None
            pid = found.server.pid
        else:
            assert server._process is not None
            pid = server._process.pid
        self._server = psutil.Process(pid)

    def spent(self) -> float:
        times, own = self._server.cpu_times(), resource.getrusage(resource.RUSAGE_SELF)
        return times.user + times.system + own.ru_utime + own.ru_stime


async def measured(store: Store, work: Work, scope: Scope, edges: list[Hyperedge]) -> dict[str, float]:
    """What loading, retiring and deleting takes, nodes aside."""
    spent, marks = {}, []

    async def run(after: list[tuple[EdgeKind, str]] | None) -> None:
        begun = await store.begin(scope, commit="c" * 40, tree="t" * 40, families=("code",))
        if after is None:
            keys = {member.key.rpartition("::")[2] for edge in edges for member in edge.members}
            nodes = [symbol_node(scope, "log.py", name, Sort.FUNCTION) for name in sorted(keys)]
            await store.write(begun, nodes, [])
        marks.append(work.spent())
        await (store.write(begun, [], edges) if after is None else store.retire(begun, after))
        marks.append(work.spent())
        await store.flip(begun)

    await run(None)
    await run([(edge.kind, f"{edge.digest()}@1") for edge in edges])
    spent["load"], spent["retire"] = marks[1] - marks[0], marks[3] - marks[2]
    before = work.spent()
    pruned = await store.prune(scope, keep=0)
    spent["delete"] = work.spent() - before
    assert sum(pruned.edges.values()) == len(edges)
    return spent


@pytest.mark.parametrize("shape", [of_node, of_edge])
async def test_hubs_are_loaded_retired_and_deleted_in_linear_time(server, store, scope, shape) -> None:
    if isinstance(server, servers.Given):
        pytest.skip("the work of a server that is not ours cannot be counted")
    work, found = Work(server), []
    for size in SIZES:
        own = Scope(scope.tenant, f"hub{size}")
        found.append(await measured(store, work, own, shape(own, size)))
    ratio = SIZES[2] / SIZES[1]
    for step in found[0]:
        small, large = max(found[1][step], LEAST), found[2][step]
        assert large <= MOST * ratio * small, f"{step}: {[one[step] for one in found]} s at {SIZES}"
