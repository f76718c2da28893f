"""Runs, heads and facts, on a real server."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from example_facts import SAID, call, contains, symbols
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.bolt import Address, refuse_old
from graph.claims import Claim
from graph.errors import (
    InputError,
    NotFoundError,
    SchemaError,
    StoreBusyError,
    StoreError,
    StoreUnavailableError,
)
from graph.facts import Hyperedge, Member, Node, Scope, file_node
from graph.schema import EdgeKind, NodeKind, Resolver, Tier
from graph.store import Store, StoreSettings

pytestmark = pytest.mark.anyio

COMMIT, TREE = "c" * 40, "d" * 40
CODE = ("code",)


async def index(store: Store, scope: Scope, nodes, edges, ended=(), families=CODE):
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=families, resolver="r1")
    await store.write(run, nodes, edges)
    await store.retire(run, ended)
    return await store.flip(run)


async def facts(store: Store, scope: Scope, head: int, family: str = "code") -> dict:
    return {fact: born async for fact, born in store.export(scope, family, head)}


async def test_what_was_written_comes_back_as_it_was(store, scope) -> None:
    nodes = symbols(scope, 5)
    file, holds = contains(scope, nodes)
    edges = [
        holds,
        call(nodes[0], nodes[1], nodes[2]),
        call(nodes[3], nodes[2], nodes[1]),
        call(nodes[4], nodes[4]),
    ]
    assert await store.head(scope) is None
    head = await index(store, scope, [file, *nodes], edges)
    assert (head.number, head.commit, head.tree, head.resolver) == (1, COMMIT, TREE, "r1") and head.at > 0
    assert await store.head(scope) == head
    found = await facts(store, scope, 1)
    assert found == dict.fromkeys([file, *nodes], 0) | dict.fromkeys(edges, 1)
    assert {edge.digest() for edge in found if isinstance(edge, Hyperedge)} == {
        edge.digest() for edge in edges
    }


async def test_no_fact_is_written_out_for_the_log_of_the_driver(store, scope, caplog) -> None:
    nodes = symbols(scope, 3)
    with caplog.at_level(logging.DEBUG, "neo4j"):
        await index(store, scope, nodes, [call(nodes[0], nodes[1], nodes[2])])
    assert "RUN" in caplog.text and " values]" in caplog.text
    assert not any(node.key in caplog.text for node in nodes)


async def test_order_of_members_is_kept_where_it_says_something(store, scope) -> None:
    nodes = symbols(scope, 4)
    bases = tuple(Member("base", NodeKind.SYMBOL, nodes[i].key) for i in (3, 1, 2))
    derived = Hyperedge(
        EdgeKind.INHERITS, scope, (Member("derived", NodeKind.SYMBOL, nodes[0].key), *bases), SAID, Tier.EXACT
    )
    await index(store, scope, nodes, [derived])
    assert [f for f in await facts(store, scope, 1) if isinstance(f, Hyperedge)] == [derived]


async def test_node_that_stands_twice_in_one_hyperedge(store, scope) -> None:
    nodes = symbols(scope, 2)
    self_call = call(nodes[0], nodes[0], nodes[1])
    await index(store, scope, nodes, [self_call])
    assert self_call in await facts(store, scope, 1)


async def test_odd_text_survives(store, scope) -> None:
    odd = "päd\ud800\U0001f600\u2028'\\\"{}$x"
    node = file_node(scope, "a/ü\u202e.py", "python")
    symbol = Node(
        NodeKind.SYMBOL, scope.symbol("a", odd), (("name", odd), ("path", ""), ("sort", "function"))
    )
    members = (Member("file", NodeKind.FILE, node.key), Member("symbol", NodeKind.SYMBOL, symbol.key))
    edge = Hyperedge(EdgeKind.CONTAINS, scope, members, SAID)
    lost = Hyperedge(
        EdgeKind.UNRESOLVED,
        scope,
        (Member("symbol", NodeKind.SYMBOL, symbol.key),),
        SAID._replace(source="", source_digest=""),
        props=(("count", 2), ("lines", ()), ("names", (odd, ""))),
    )
    await index(store, scope, [node, symbol], [edge, lost])
    assert set(await facts(store, scope, 1)) == {node, symbol, edge, lost}


async def test_run_is_invisible_until_its_head_is_flipped(store, scope) -> None:
    nodes = symbols(scope, 3)
    first, second = call(nodes[0], nodes[1]), call(nodes[1], nodes[2])
    await index(store, scope, nodes, [first])
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(run, [], [second])
    await store.retire(run, [(first.kind, f"{first.digest()}@1")])
    assert (await store.head(scope)).number == 1
    assert first in await facts(store, scope, 1) and second not in await facts(store, scope, 1)
    await store.flip(run)
    assert (await store.head(scope)).number == 2
    now, then = await facts(store, scope, 2), await facts(store, scope, 1)
    assert now[second] == 2 and first not in now
    assert first in then and second not in then


async def test_abandoned_run_leaves_nothing(store, scope) -> None:
    nodes = symbols(scope, 3)
    first = call(nodes[0], nodes[1])
    await index(store, scope, nodes, [first])
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(run, [], [call(nodes[1], nodes[2])])
    await store.retire(run, [(first.kind, f"{first.digest()}@1")])
    await store.abandon(run)
    assert await facts(store, scope, 2) == await facts(store, scope, 1)
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 1
    assert (await index(store, scope, [], [])).number == 2


async def test_broken_run_is_swept_by_the_next(store, scope) -> None:
    nodes = symbols(scope, 3)
    first, lost = call(nodes[0], nodes[1]), call(nodes[1], nodes[2])
    await index(store, scope, nodes, [first])
    broken = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(broken, [], [lost])
    await store.retire(broken, [(first.kind, f"{first.digest()}@1")])
    again = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    assert again.number == broken.number == 2
    with pytest.raises(StoreBusyError, match="taken over"):
        await store.write(broken, [], [lost])
    with pytest.raises(StoreBusyError):
        await store.flip(broken)
    await store.flip(again)
    found = await facts(store, scope, 2)
    assert first in found and lost not in found
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 1


async def test_families_have_heads_of_their_own(store, scope) -> None:
    nodes = symbols(scope, 2)
    await index(store, scope, nodes, [call(nodes[0], nodes[1])], families=("code", "owners"))
    await index(store, scope, [], [], families=("history",))
    assert [(await store.head(scope, family)).number for family in ("code", "owners", "history")] == [1, 1, 2]
    assert await store.head(scope, "runtime") is None
    with pytest.raises(StoreError, match="No families"):
        await store.begin(scope, commit=COMMIT, tree=TREE, families=("cooking",))


async def test_hyperedge_whose_node_is_missing_is_an_error_and_leaves_nothing(store, scope) -> None:
    nodes = symbols(scope, 3)
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    with pytest.raises(NotFoundError, match=r"names 1 Symbol nodes that are not stored: .*f2"):
        await store.write(run, nodes[:2], [call(nodes[0], nodes[1]), call(nodes[0], nodes[2])])
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 0
    _, holds = contains(scope, nodes)
    with pytest.raises(NotFoundError, match="File nodes"):
        await store.write(run, nodes, [holds])
    assert (await store.counts(scope)).edges[EdgeKind.CONTAINS] == 0


async def test_facts_that_do_not_fit_the_schema_are_refused_before_anything_is_written(store, scope) -> None:
    nodes = symbols(scope, 2)
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    good, bad = call(nodes[0], nodes[1]), call(nodes[0], nodes[1], lines=(2,))
    with pytest.raises(InputError, match="cannot tie"):
        await store.write(
            run, nodes, [good, bad._replace(members=bad.members[:1] * 2 + (Member("x", NodeKind.FILE, "y"),))]
        )
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 0


async def test_retiring_what_is_not_valid_is_an_error(store, scope) -> None:
    nodes = symbols(scope, 2)
    edge = call(nodes[0], nodes[1])
    ended = [(edge.kind, f"{edge.digest()}@1")]
    await index(store, scope, nodes, [edge])
    await index(store, scope, [], [], ended)
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    for wrong in (ended, [(edge.kind, "ab@1")], [(EdgeKind.IMPORTS, f"{edge.digest()}@1")]):
        with pytest.raises(NotFoundError, match="Of 1"):
            await store.retire(run, wrong)


async def test_fact_that_ends_and_comes_back_is_a_new_hyperedge(store, scope) -> None:
    nodes = symbols(scope, 2)
    edge = call(nodes[0], nodes[1])
    await index(store, scope, nodes, [edge])
    await index(store, scope, [], [], [(edge.kind, f"{edge.digest()}@1")])
    await index(store, scope, [], [edge])
    assert [len(await facts(store, scope, head)) for head in (1, 2, 3)] == [3, 0, 3]
    assert (await facts(store, scope, 3))[edge] == 3


async def test_node_said_anew_is_described_anew(store, scope) -> None:
    node, other = symbols(scope, 2)
    await index(store, scope, [node, other], [call(node, other)])
    changed = node._replace(props=tuple((k, "class" if k == "sort" else v) for k, v in node.props))
    await index(store, scope, [changed, other], [])
    found = [f for f in await facts(store, scope, 2) if isinstance(f, Node)]
    assert changed in found and node not in found


async def test_nodes_of_a_first_run_that_are_there_already_are_said_anew(store, scope) -> None:
    node, other, third = symbols(scope, 3)
    changed = node._replace(props=tuple((k, "class" if k == "sort" else v) for k, v in node.props))
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(run, [node, other], [call(node, other)])
    await store.write(run, [changed, third], [call(node, third)])
    await store.flip(run)
    found = {f for f in await facts(store, scope, 1) if isinstance(f, Node)}
    assert found == {changed, other, third}


async def test_repositories_keep_apart(store, scope) -> None:
    near = Scope(scope.tenant, scope.repository + "er")
    for each in (scope, near):
        nodes = symbols(each, 2)
        await index(store, each, nodes, [call(nodes[0], nodes[1])])
    assert all(str(near) not in repr(fact) for fact in await facts(store, scope, 1))
    assert await store.forget(scope) == 1
    assert await store.head(scope) is None and not await facts(store, scope, 1)
    assert len(await facts(store, near, 1)) == 3
    listed = {standing.scope: standing for standing in await store.repositories()}
    assert scope not in listed
    assert (listed[near].head, listed[near].heads, listed[near].running) == (1, {"code": 1}, None)


async def test_people_outlive_a_repository(store, scope) -> None:
    owner = Node(NodeKind.OWNER, f"{scope.tenant}/@ada", (("handle", "@ada"),))
    file = file_node(scope, "a.py", "python")
    members = (Member("owner", NodeKind.OWNER, owner.key), Member("file", NodeKind.FILE, file.key))
    owns = Hyperedge(EdgeKind.OWNS, scope, members, SAID._replace(resolver=Resolver.CODEOWNERS))
    await index(store, scope, [owner, file], [owns], families=("owners",))
    await store.forget(scope)
    again = Scope(scope.tenant, "other")
    other = file_node(again, "b.py", "python")
    moved = owns._replace(scope=again, members=(members[0], Member("file", NodeKind.FILE, other.key)))
    await index(store, again, [other], [moved], families=("owners",))
    assert owner in await facts(store, again, 1, "owners")


async def test_only_one_writes_a_repository(store, store_settings, scope) -> None:
    async with Store.open(store_settings) as rival:
        run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
        for attempt in (
            rival.begin(scope, commit=COMMIT, tree=TREE, families=CODE),
            rival.sweep(scope),
            rival.prune(scope, keep=1),
            rival.forget(scope),
        ):
            with pytest.raises(StoreBusyError, match=rf"writing {scope}: process \d+ on "):
                await attempt
        await rival.begin(Scope(scope.tenant, "another"), commit=COMMIT, tree=TREE, families=CODE)
        await store.flip(run)
        assert (await index(rival, scope, [], [])).number == 2


async def test_of_many_who_begin_at_once_one_does(store, store_settings, scope) -> None:
    tried = 0
    all_tried = asyncio.Event()

    async def attempt() -> int:
        nonlocal tried
        async with Store.open(store_settings) as one:
            try:
                run = await one.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
            except StoreBusyError:
                run = None
            tried += 1
            if tried == 8:
                all_tried.set()
            if run is None:
                return 0
            await all_tried.wait()
            await one.flip(run)
            return run.number

    assert sorted(await asyncio.gather(*(attempt() for _ in range(8)))) == [0] * 7 + [1]


async def test_a_claim_that_a_closed_store_could_not_release_is_free_at_once(store_settings, scope) -> None:
    """As on a full disk: what gives it back cannot be written."""
    async with Store.open(store_settings) as first:
        run = await first.begin(scope, commit="c", tree="t", families=("code",))
        async with Store.open(store_settings) as second:
            with pytest.raises(StoreBusyError):
                await second.begin(scope, commit="c", tree="t", families=("code",))
    async with Store.open(store_settings) as third:
        again = await third.begin(scope, commit="c", tree="t", families=("code",))
        assert again.claim.owner != run.claim.owner
        await third.abandon(again)


async def test_claim_that_ran_out_is_taken_over_and_its_holder_stopped(
    store, store_settings, scope, monkeypatch
) -> None:
    monkeypatch.setattr("graph.claims.SECONDS", 0)
    nodes = symbols(scope, 2)
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await asyncio.sleep(0.05)
    async with Store.open(store_settings) as rival:
        other = await rival.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
        assert isinstance(other.claim, Claim) and other.claim.owner != run.claim.owner
        with pytest.raises(StoreBusyError, match="taken over"):
            await store.write(run, nodes, [])
        await rival.flip(other)


async def test_prune_takes_what_was_retired_before_the_horizon(store, scope) -> None:
    nodes = symbols(scope, 6)
    edges = [call(nodes[i], nodes[i + 1]) for i in range(5)]
    await index(store, scope, nodes, edges)
    for run, place in ((2, 0), (3, 1), (4, 2)):
        await index(store, scope, [], [], [(EdgeKind.CALLS, f"{edges[place].digest()}@1")])
        assert (await store.head(scope)).number == run
    before = await facts(store, scope, 4)
    dry = await store.prune(scope, keep=1, dry_run=True)
    assert dry.horizon == 3 and dry.dry_run and dry.edges == {EdgeKind.CALLS: 2}
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 5
    done = await store.prune(scope, keep=1)
    assert done.edges == {EdgeKind.CALLS: 2} and done.nodes == {NodeKind.SYMBOL: 2}
    assert (await store.counts(scope)).edges[EdgeKind.CALLS] == 3
    assert await facts(store, scope, 4) == before
    assert edges[2] in await facts(store, scope, 3)
    nothing = await store.prune(scope, keep=1)
    assert not nothing.edges and not nothing.nodes
    with pytest.raises(NotFoundError, match="not in the store"):
        await store.prune(Scope(scope.tenant, "nowhere"), keep=1)


async def test_counts_and_holes(store, scope) -> None:
    nodes = symbols(scope, 3)
    edges = [call(nodes[0], nodes[1]), call(nodes[1], nodes[2])]
    await index(store, scope, nodes, edges)
    await index(store, scope, [], [], [(EdgeKind.CALLS, f"{edges[0].digest()}@1")])
    counted = await store.counts(scope)
    assert counted.nodes[NodeKind.SYMBOL] == 3 and counted.nodes[NodeKind.RUN] == 2
    assert (counted.edges[EdgeKind.CALLS], counted.valid[EdgeKind.CALLS]) == (2, 1)
    assert await store.dangling(scope) == []
    damage = "MATCH (n:Symbol {key: $key})-[i:IN {role: 'callee'}]->() DELETE i"
    async with store._line._driver.session(database=store._line.address.database) as session:
        await (await session.run(damage, key=nodes[2].key)).consume()
    (hole,) = await store.dangling(scope)
    assert (hole.kind, hole.role, hole.count) == (EdgeKind.CALLS, "callee", 1)


async def test_large_runs_are_written_in_batches(store, scope, monkeypatch) -> None:
    monkeypatch.setattr("graph.packing.ROWS", 7)
    monkeypatch.setattr("graph.packing.MEMBERS", 23)
    nodes = symbols(scope, 50)
    file, holds = contains(scope, nodes)
    edges = [call(nodes[i], *nodes[i + 1 : i + 4]) for i in range(46)]
    told = []
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(run, [file, *nodes], [holds, *edges], lambda *said: told.append(said))
    await store.flip(run)
    assert set(await facts(store, scope, 1)) == {file, *nodes, holds, *edges}
    assert told[0] == ("writing nodes", 0, 51) and told[-1] == ("writing facts", 47, 47) and len(told) > 12


async def test_an_export_that_nobody_reads_to_its_end_leaves_the_store_in_order(store, scope) -> None:
    nodes = symbols(scope, 40)
    edges = [call(nodes[i], nodes[i + 1], lines=(k,)) for i in range(39) for k in range(60)]
    await index(store, scope, nodes, edges)
    pages = store.pages(scope, "code", 1)
    assert len(await anext(pages)) > 0
    await pages.aclose()
    assert len(await facts(store, scope, 1)) == len(nodes) + len(edges)


async def test_hyperedges_too_large_for_one_message_are_written_whole(store, scope, monkeypatch) -> None:
    monkeypatch.setattr("graph.packing.TEXT", 400)
    nodes = symbols(scope, 60)
    file, holds = contains(scope, nodes)
    edges = [call(nodes[0], *nodes[1:60]), call(nodes[1], *nodes[2:50]), call(nodes[2], nodes[3])]
    run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
    await store.write(run, [file, *nodes], [holds, *edges])
    await store.flip(run)
    assert set(await facts(store, scope, 1)) == {file, *nodes, holds, *edges}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.integers(0, 19), max_size=8), st.sets(st.integers(0, 19), max_size=8), st.booleans()
        ),
        min_size=1,
        max_size=5,
    ),
    number=st.integers(0, 10**9),
)
async def test_history_of_runs_is_what_a_plain_model_says(store, steps, number) -> None:
    """Each step wants some facts to begin and some to end; some steps break off before the flip."""
    scope = Scope(f"h{number}-{id(steps)}", "model")
    nodes = symbols(scope, 20)
    edges = [call(nodes[i], nodes[(i * 7 + 1) % 20], nodes[(i * 3 + 2) % 20]) for i in range(20)]
    born: dict[int, int] = {}
    heads: list[dict[int, int]] = []
    for begin, end, flips in steps:
        run = await store.begin(scope, commit=COMMIT, tree=TREE, families=CODE)
        fresh, over = begin - born.keys(), end & born.keys()
        await store.write(run, nodes, [edges[i] for i in fresh])
        await store.retire(run, [(EdgeKind.CALLS, f"{edges[i].digest()}@{born[i]}") for i in over])
        if flips:
            await store.flip(run)
            born = {i: at for i, at in born.items() if i not in over} | dict.fromkeys(fresh, run.number)
            heads.append(dict(born))
    await store.sweep(scope)
    for head, expected in enumerate(heads, 1):
        found = {f: at for f, at in (await facts(store, scope, head)).items() if isinstance(f, Hyperedge)}
        assert found == {edges[i]: at for i, at in expected.items()}
    await store.forget(scope)


async def test_statement_runs_by_its_name(store, scope) -> None:
    await index(store, scope, symbols(scope, 1), [])
    (row,) = await store.read("runs/repository", key=scope.key)
    assert row == {"head": 1, "heads": ["code=1"], "running": None}
    with pytest.raises(SchemaError, match="takes key, but was given kee"):
        await store.read("runs/repository", kee=scope.key)


@pytest.mark.apart
async def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"No server answers at bolt://127.0.0.1:9"):
        async with Store.open(
            StoreSettings(tmp_path, uri="bolt://127.0.0.1:9", password="x", retry_seconds=0.1)
        ):
            pass


@pytest.mark.apart
async def test_host_that_has_no_address(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="No server answers"):
        async with Store.open(
            StoreSettings(tmp_path, uri="bolt://nowhere.invalid:7687", password="x", retry_seconds=0.1)
        ):
            pass


@pytest.mark.parametrize("uri", ["http://localhost", "bolt://", "localhost:7687", ""])
async def test_address_that_is_none(tmp_path: Path, uri) -> None:
    with pytest.raises(InputError, match="not a Bolt address"):
        async with Store.open(StoreSettings(tmp_path, uri=uri)):
            pass


async def test_wrong_password(server, store) -> None:
    address = store._line.address
    wrong = StoreSettings(server.settings.data_dir, uri=address.uri, user=address.user, password="not it")
    with pytest.raises(StoreUnavailableError, match="refused the log-in"):
        async with Store.open(wrong):
            pass


async def test_database_that_is_not_there(server, store) -> None:
    address = store._line.address
    wrong = replace(
        server.settings,
        uri=address.uri,
        user=address.user,
        password=address.password,
        database="nowhere",
        retry_seconds=0.1,
    )
    with pytest.raises((StoreUnavailableError, StoreError)):
        async with Store.open(wrong):
            pass


@pytest.mark.parametrize("agent", ["Neo4j/5.25.1", "Neo4j/4.4.40", "Neo4j/3.5"])
def test_neo4j_that_is_too_old(agent) -> None:
    with pytest.raises(StoreUnavailableError, match=r"needs Neo4j 5\.26 or later"):
        refuse_old(agent, Address("bolt://x", "neo4j", "secret", None))


@pytest.mark.parametrize(
    "agent", ["Neo4j/5.26.0", "Neo4j/2026.08.1", "Neo4j/5.26.0 compatible (ArcadeDB 26.10.2)", "odd"]
)
def test_server_that_is_new_enough(agent) -> None:
    refuse_old(agent, Address("bolt://x", "neo4j", "secret", None))


def test_password_is_in_no_representation(tmp_path) -> None:
    settings = StoreSettings(tmp_path, uri="bolt://x", password="hush-hush")
    assert "hush-hush" not in repr(settings) + repr(Address("bolt://x", "neo4j", "hush-hush", None))
