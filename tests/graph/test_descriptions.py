"""What described a node at an earlier head: told as it was, and never as a run had it that broke off."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import backup, descriptions, past, restoration
from graph.cypher import Filling
from graph.delta import carried, difference
from graph.facts import Batch, Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.indexing import current_arrays, rebuild_arrays
from graph.schema import EdgeKind, NodeKind, Resolver, Sort
from graph.store import Store
from graph.workspace import Workspace

SORTS = st.sampled_from([None, *(sort.value for sort in Sort)])


@given(st.lists(st.tuples(SORTS, st.booleans()), max_size=8), st.integers(0, 9))
def test_every_head_is_told_whatever_broke_off(runs: list[tuple[str | None, bool]], horizon: int) -> None:
    """The next run has the number of the one that broke off, as in the store."""
    scope = Scope("local", "x")
    stored: dict[str, Any] = {"key": "local/x:a.py::f", "name": "f", "sort": "function"}
    heads = {0: {key: stored[key] for key in ("name", "sort")}}
    number = 1
    for sort, ends in runs:
        if stored.get("sort") != sort:
            said = descriptions.noted(scope, NodeKind.SYMBOL, stored, number)
            assert said[descriptions.TOLD] == descriptions.told(scope, number, stored["key"])
            stored = stored | {"sort": sort} | said
            assert descriptions.noted(scope, NodeKind.SYMBOL, stored, number) == said, "a run notes it once"
        if ends:
            heads[number] = {key: stored[key] for key in ("name", "sort")}
            number += 1
        else:
            told(stored, heads)  # even before it is swept
            stored |= descriptions.undone(scope, NodeKind.SYMBOL, stored, number) or {}
        told(stored, heads)
        assert descriptions.undone(scope, NodeKind.SYMBOL, stored, number) is None
    stored |= descriptions.forgotten(scope, stored, horizon) or {}
    told(stored, {head: said for head, said in heads.items() if head >= horizon})


def told(stored: dict[str, Any], heads: dict[int, dict[str, Any]]) -> None:
    since = stored.get(descriptions.TOLD) or ""
    assert bool(since) == bool(stored.get(descriptions.WAS))
    for head in heads:
        # Who looks for what was described otherwise after a head finds it by `told`.
        assert (
            since >= descriptions.told(Scope("local", "x"), head + 1)
            or descriptions.at(stored, head) == stored
        )
    for head, said in heads.items():
        found = descriptions.at(stored, head)
        assert {key: found.get(key) for key in said} == said


def test_only_what_is_a_repositorys_own_is_versioned() -> None:
    scope = Scope("local", "x")
    own = {kind for kind in NodeKind if descriptions.versioned(scope, kind)}
    assert {NodeKind.SYMBOL, NodeKind.FILE, NodeKind.TEST, NodeKind.DIAGNOSIS} <= own
    assert not own & {NodeKind.OWNER, NodeKind.PACKAGE, NodeKind.RUN, NodeKind.REPOSITORY}


def facts(scope: Scope, sort: Sort, line: int) -> Batch:
    """A file with a symbol of one sort at a line."""
    symbol = symbol_node(scope, "a.py", "f", sort)
    file = file_node(scope, "a.py", "python")
    test = Node(NodeKind.TEST, scope.test("a.py", "f"), (("name", "f"), ("parametrized", line > 5)))
    origin = Provenance("a.py", "d", Resolver.SCOPES)
    members = (
        Member("file", NodeKind.FILE, file.key),
        Member("symbol", NodeKind.SYMBOL, symbol.key, line, line + 1, line, "ab"),
    )
    realised = (Member("test", NodeKind.TEST, test.key), Member("symbol", NodeKind.SYMBOL, symbol.key))
    batch = Batch()
    batch.add([symbol, file, test])
    batch.add([Hyperedge(EdgeKind.CONTAINS, scope, members, origin)])
    batch.add([Hyperedge(EdgeKind.REALISES, scope, realised, origin)])
    return batch


class Indexed:
    """A repository that is indexed as the indexer does it, with a run now and then that breaks off."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        self.store, self.workspace = store, workspace
        self.scope = Scope(f"t{uuid.uuid4().hex[:8]}", "told")
        workspace.prepare(self.scope)

    async def run(self, commit: str, sort: Sort, line: int, *, ends: bool = True) -> None:
        arrays = await current_arrays(self.store, self.workspace, self.scope)
        batch = facts(self.scope, sort, line)
        run = await self.store.begin(
            self.scope, commit=commit * 40, tree=commit * 40, families=("code", "owners"), resolver="r"
        )
        delta, births = difference(arrays, batch, run.number)
        await self.store.write(run, delta.nodes, delta.created)
        await self.store.retire(run, delta.retired)
        if not ends:  # killed here; its lease runs out, or is ours
            await run.claim.release(self.store._line)
            return
        marks: dict[str, Any] = {"commit": run.commit, "tree": run.tree, "resolver": "r"}
        built = carried(arrays, batch, delta, births, scope=self.scope, head=run.number, **marks)
        await self.store.flip(run)
        built.save(self.workspace.arrays(self.scope, "code"))

    async def as_of(self, commit: str) -> tuple[Sort | None, int, bool]:
        """What the symbol was, its line, and whether the test had parameters."""
        current = await current_arrays(self.store, self.workspace, self.scope)
        assert current is not None
        head = await past.head_of(self.store, self.scope, commit * 40)
        sides = self.workspace.sides(self.scope)
        return said(await past.arrays_at(self.store, current, head, sides))

    async def rebuilt(self) -> tuple[Sort | None, int, bool]:
        found = await rebuild_arrays(self.store, self.workspace, self.scope, "code")
        assert found is not None
        return said(found)


def said(arrays: Incidence) -> tuple[Sort | None, int, bool]:
    at = arrays.find(NodeKind.SYMBOL, arrays.scope.symbol("a.py", "f"))
    (test,) = (fact for fact in arrays.facts() if isinstance(fact, Node) and fact.kind is NodeKind.TEST)
    return arrays.sort_of(at), int(arrays.line[at]), bool(dict(test.props)["parametrized"])


@pytest.fixture
def store(lone_store):
    """One that can be saved and restored with nobody else's repositories."""
    return lone_store


@pytest.fixture
def indexed(store, tmp_path):
    return Indexed(store, Workspace(tmp_path / "data"))


@pytest.mark.anyio
async def test_an_earlier_head_is_described_as_it_was(indexed, store, tmp_path) -> None:
    first, second, third = (Sort.FUNCTION, 3, False), (Sort.CLASS, 3, False), (Sort.CONSTANT, 9, True)
    for commit, (sort, line, _) in zip("abc", (first, second, third), strict=True):
        await indexed.run(commit, sort, line)
    assert [await indexed.as_of(commit) for commit in "abc"] == [first, second, third]
    assert await indexed.rebuilt() == third
    other = Workspace(tmp_path / "restored")
    await backup.save(store, indexed.workspace, tmp_path / "backup")
    await store.forget(indexed.scope)
    await restoration.restore(store, other, tmp_path / "backup")
    indexed.workspace = other
    assert [await indexed.as_of(commit) for commit in "abc"] == [first, second, third]
    await store.prune(indexed.scope, keep=1)
    assert [await indexed.as_of(commit) for commit in "bc"] == [second, third]
    rows = await store.read("facts/known_nodes", Filling(NodeKind.SYMBOL), keys=[symbol(indexed.scope)])
    assert len(rows[0]["props"][descriptions.WAS]) == 1, "what nobody can ask about is not kept"


@pytest.mark.anyio
async def test_what_a_run_said_that_broke_off_is_never_seen(indexed, store) -> None:
    await indexed.run("a", Sort.FUNCTION, 3)
    await indexed.run("b", Sort.CLASS, 9, ends=False)
    assert await indexed.rebuilt() == (Sort.FUNCTION, 3, False), "not before it is swept"
    # The next run finds nothing to describe: its arrays say of the symbol what the tree says.
    await indexed.run("c", Sort.FUNCTION, 4)
    assert await indexed.rebuilt() == (Sort.FUNCTION, 4, False), "and not after"
    assert await indexed.as_of("a") == (Sort.FUNCTION, 3, False)
    await indexed.run("d", Sort.CLASS, 9, ends=False)
    await indexed.run("d", Sort.CLASS, 9)  # goes on with it
    assert await indexed.rebuilt() == (Sort.CLASS, 9, True)
    assert await indexed.as_of("c") == (Sort.FUNCTION, 4, False)


@pytest.mark.anyio
async def test_a_file_that_is_brought_up_is_described_anew(indexed, store) -> None:
    """Of a test nothing moves but that it has parameters: no hyperedge names it anew."""
    await indexed.run("a", Sort.FUNCTION, 3)
    stale = await current_arrays(store, indexed.workspace, indexed.scope)
    await indexed.run("b", Sort.CLASS, 9)
    head = await store.head(indexed.scope)
    assert said(stale) == (Sort.FUNCTION, 3, False)
    caught = await past.caught_up(store, stale, head)
    assert caught is not None and said(caught) == (Sort.CLASS, 9, True)


def symbol(scope: Scope) -> str:
    return scope.symbol("a.py", "f")
