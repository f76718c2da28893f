"""A run that broke off and is begun again goes on where it stood, and comes out as if it never had."""

from __future__ import annotations

import random

import pytest
from example_facts import call, symbols

from graph import packing
from graph.cypher import Filling
from graph.facts import Hyperedge
from graph.schema import EdgeKind

pytestmark = pytest.mark.anyio

COMMIT, TREE, CODE = "c" * 40, "t" * 40, ("code",)


@pytest.fixture
def facts(scope):
    nodes = symbols(scope, 30)
    return nodes, [call(nodes[i], nodes[(i * 7 + 1) % 30], nodes[(i * 3 + 2) % 30]) for i in range(30)]


async def begun(store, scope, commit=COMMIT, **more):
    return await store.begin(scope, commit=commit, tree=TREE, families=CODE, **more)


async def exported(store, scope, head):
    found = store.export(scope, "code", head)
    return {(fact, born) async for fact, born in found if isinstance(fact, Hyperedge)}


async def created_by(store, monkeypatch, work) -> int:
    """How many hyperedges a piece of work creates."""
    made = []
    real = type(store._line).write

    async def counting(line, inner):
        load = getattr(inner, "keywords", {}).get("load")
        made.append(len(load.edges) if load is not None else 0)
        return await real(line, inner)

    with monkeypatch.context() as patch:
        patch.setattr(type(store._line), "write", counting)
        await work
    return sum(made)


async def test_only_what_is_missing_is_written(store, scope, facts, monkeypatch) -> None:
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges[:20])
    again = await begun(store, scope)
    assert again.number == run.number
    assert await created_by(store, monkeypatch, store.write(again, nodes, edges)) == 10
    await store.flip(again)
    assert await exported(store, scope, 1) == {(edge, 1) for edge in edges}


async def test_what_is_not_wanted_any_more_is_gone(store, scope, facts) -> None:
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges[:20])
    again = await begun(store, scope)
    await store.write(again, nodes, edges[10:])
    await store.flip(again)
    assert await exported(store, scope, 1) == {(edge, 1) for edge in edges[10:]}
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 20


async def test_retirements_go_on_too(store, scope, facts) -> None:
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges)
    await store.flip(run)
    ids = [(EdgeKind.CALLS, f"{edge.digest()}@1") for edge in edges]
    run = await begun(store, scope)
    await store.retire(run, ids[:12])
    again = await begun(store, scope)
    await store.retire(again, ids[4:20])
    await store.flip(again)
    assert await exported(store, scope, 2) == {(edge, 1) for edge in edges[:4] + edges[20:]}


@pytest.mark.parametrize("other", [{"commit": "d" * 40}, {"resolver": "another"}])
async def test_another_run_begins_anew(store, scope, facts, monkeypatch, other) -> None:
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges[:20])
    again = await begun(store, scope, **other)
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 0
    assert await created_by(store, monkeypatch, store.write(again, nodes, edges[:20])) == 20
    await store.abandon(again)


async def test_a_run_of_an_earlier_maestro_is_not_gone_on_with(store, scope, facts) -> None:
    """What it ended is not where an index finds it."""
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges)
    await store.flip(run)
    run = await begun(store, scope)
    await store.retire(run, [(EdgeKind.CALLS, f"{edge.digest()}@1") for edge in edges[:12]])
    for text in (
        f"MATCH (r:Run {{key: '{scope.run(2)}'}}) SET r.valid = null",
        f"MATCH (h:Calls) WHERE h.scope = '{scope}' SET h.ended = null",
    ):
        await store._line.write(lambda tx, text=text: tx.define(text))
    again = await begun(store, scope)
    assert not again.remains.ended
    await store.retire(again, [(EdgeKind.CALLS, f"{edge.digest()}@1") for edge in edges[:4]])
    await store.flip(again)
    ended = await store.read(
        "facts/ended_ids", Filling(edge=EdgeKind.CALLS), prefix=packing.one_run(scope, 2), there=1
    )
    assert len(ended) == 4
    assert await exported(store, scope, 2) == {(edge, 1) for edge in edges[4:]}


async def test_a_run_that_goes_on_can_be_given_up(store, scope, facts) -> None:
    nodes, edges = facts
    run = await begun(store, scope)
    await store.write(run, nodes, edges[:20])
    again = await begun(store, scope)
    await store.write(again, nodes, edges[15:])
    await store.abandon(again)
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 0


async def test_however_often_it_breaks_off_the_outcome_is_that_of_one_run(store, scope, facts) -> None:
    nodes, edges = facts
    chance = random.Random(3)
    for _ in range(5):
        run = await begun(store, scope)
        await store.write(run, nodes, chance.sample(edges, 8))
        await store.write(run, [], [])
    run = await begun(store, scope)
    for start in range(0, 24, 6):
        await store.write(run, nodes, edges[start : start + 6])
    await store.flip(run)
    assert await exported(store, scope, 1) == {(edge, 1) for edge in edges[:24]}
