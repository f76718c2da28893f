"""Earlier heads from retired facts: equal to what was there then, refused where it was pruned."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from example_facts import contains, retired, step, symbols
from hypothesis import given
from hypothesis import strategies as st

from graph import past
from graph.errors import InputError, NotFoundError
from graph.facts import Batch, Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.indexing import current_arrays, rebuild_arrays
from graph.schema import EdgeKind
from graph.store import Store
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

RUNS = 6


@pytest.fixture(params=[0, 6_000], ids=["found", "walked"], autouse=True)
def looked(request, monkeypatch):
    """What moved is looked up by indexes, or among all hyperedges: as is cheaper."""
    monkeypatch.setattr(past, "_WALKED", request.param)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


class Told:
    """A repository with a few runs behind it, and what was valid after each."""

    def __init__(self, store: Store, counted: bool) -> None:
        self.store = store
        self.counted = counted
        """Whether its writer says how many hyperedges are valid from then on, as the indexer does."""
        self.valid: Counter = Counter()
        self.scope = Scope(f"t{uuid.uuid4().hex[:8]}", "past")
        self.facts: dict[int, set[str]] = {}
        self.heads: dict[int, object] = {}

    async def run(self) -> int:
        """One run more: as of the drill, with a Contains whose lines move each time."""
        number = len(self.facts) + 1
        run = await self.store.begin(
            self.scope,
            commit=f"{number:040x}",
            tree=f"{number:040x}",
            families=("code", "owners"),
            resolver="r",
        )
        nodes, edges = step(self.scope, 3, number, 20)
        file, holding = contains(self.scope, symbols(self.scope, 40), number)
        await self.store.write(run, [*nodes, file], [*edges, holding])
        ended = retired(self.scope, 3, number, 20)
        if number > 1:
            ended.append(contains(self.scope, symbols(self.scope, 40), number - 1)[1])
        await self.store.retire(run, [(edge.kind, f"{edge.digest()}@{number - 1}") for edge in ended])
        self.valid.update(edge.kind for edge in (*edges, holding))
        self.valid.subtract(edge.kind for edge in ended)
        self.heads[number] = await self.store.flip(run, dict(self.valid) if self.counted else None)
        valid = self.facts.get(number - 1, set()) | {edge.digest() for edge in (*edges, holding)}
        self.facts[number] = valid - {edge.digest() for edge in ended}
        return number


@pytest.fixture(params=[True, False], ids=["counted", "uncounted"])
async def told(store, request):
    made = Told(store, request.param)
    for _ in range(RUNS):
        await made.run()
    return made


def digests(arrays: Incidence) -> set[str]:
    return {fact.digest() for fact in arrays.facts() if isinstance(fact, Hyperedge)}


async def exported(store: Store, scope: Scope, head) -> Incidence:
    """The arrays of a head, from all that the store says was valid at it."""
    batch, births = Batch(), []
    async for fact, birth in store.export(scope, "code", head.number):
        batch.add([fact])
        births += [birth] if isinstance(fact, Hyperedge) else []
    return Incidence.build(
        batch, scope=scope, head=head.number, commit=head.commit, tree=head.tree, births=births
    )


async def test_every_head_is_told_as_it_was(store, workspace, told) -> None:
    current = await current_arrays(store, workspace, told.scope)
    for number in random.Random(1).sample(range(1, RUNS + 1), RUNS):
        head = await past.head_of(store, told.scope, f"{number:040x}")
        assert head.number == number
        arrays = await past.arrays_at(store, current, head, workspace.sides(told.scope))
        assert digests(arrays) == told.facts[number]
        assert (arrays.head, arrays.commit) == (number, f"{number:040x}")
        whole = await exported(store, told.scope, head)
        assert {fact for fact in arrays.facts() if isinstance(fact, Node)} == {
            fact for fact in whole.facts() if isinstance(fact, Node)
        }
        births = dict(zip(map(bytes, arrays.digests), arrays.edge_from.tolist(), strict=True))
        assert births == dict(zip(map(bytes, whole.digests), whole.edge_from.tolist(), strict=True))
        kept = await past.arrays_at(store, current, head, workspace.sides(told.scope))
        assert digests(kept) == told.facts[number]


async def test_a_head_is_found_by_its_time_even_where_the_clock_went_back(store, told) -> None:
    heads = await past.heads(store, told.scope)
    assert [head.number for head in heads] == list(range(1, RUNS + 1))
    key = told.scope.run(4)
    await store._line.write(lambda tx: tx.define(f"MATCH (r:Run {{key: '{key}'}}) SET r.at = 5"))
    again = await past.heads(store, told.scope)
    assert again[3].at == heads[2].at and again[4:] == heads[4:]
    heads = again
    when = datetime.fromtimestamp(heads[2].at / 1000, UTC)
    found = await past.head_at(store, told.scope, when)
    assert found == [head for head in heads if head.at <= heads[2].at][-1]
    assert await past.head_at(store, told.scope, datetime.now(UTC) + timedelta(days=1)) == heads[-1]
    with pytest.raises(NotFoundError, match="not indexed yet"):
        await past.head_at(store, told.scope, when - timedelta(days=1))
    with pytest.raises(NotFoundError, match="never indexed at ffff"):
        await past.head_of(store, told.scope, "f" * 40)


async def test_what_was_pruned_is_refused_and_the_rest_told(store, workspace, told) -> None:
    current = await current_arrays(store, workspace, told.scope)
    first = await past.head_of(store, told.scope, f"{1:040x}")
    would = await store.prune(told.scope, keep=2, dry_run=True)
    assert sum(would.edges.values()) > 0 and would.dry_run
    assert await past.horizon(store, told.scope) == 0, "a dry run says nothing and does nothing"
    assert digests(await past.arrays_at(store, current, first, workspace.sides(told.scope))) == told.facts[1]
    done = await store.prune(told.scope, keep=2)
    assert done.edges == would.edges
    assert await past.horizon(store, told.scope) == RUNS - 2
    for number in range(1, RUNS - 2):
        with pytest.raises(NotFoundError, match="pruned since"):
            await past.head_of(store, told.scope, f"{number:040x}")
        with pytest.raises(NotFoundError, match="pruned since"):
            head = told.heads[number]
            await past.arrays_at(store, current, head, workspace.sides(told.scope))
    for number in range(RUNS - 2, RUNS + 1):
        head = await past.head_of(store, told.scope, f"{number:040x}")
        assert (
            digests(await past.arrays_at(store, current, head, workspace.sides(told.scope)))
            == told.facts[number]
        )
    assert (await store.prune(told.scope, keep=2)).edges == {}


async def test_the_head_of_today_is_told_whatever_was_pruned(store, workspace, told) -> None:
    run = await store.begin(told.scope, commit="h", tree="h", families=("history",))
    await store.flip(run)
    await store.prune(told.scope, keep=0)
    assert not await past.pruned(store, told.scope, RUNS)
    assert digests(await rebuild_arrays(store, workspace, told.scope, "code")) == told.facts[RUNS]


async def test_a_stale_file_is_brought_up_by_the_runs_since(store, workspace, told, monkeypatch) -> None:
    stale = await current_arrays(store, workspace, told.scope)
    for _ in range(2):
        await told.run()
    with monkeypatch.context() as patched:
        patched.setattr("graph.indexing.rebuild_arrays", None)  # it must not come to that
        renewed = await current_arrays(store, workspace, told.scope)
    assert digests(renewed) == told.facts[RUNS + 2] and renewed.head == RUNS + 2
    assert digests(Incidence.open(workspace.arrays(told.scope, "code"))) == told.facts[RUNS + 2]
    assert digests(stale) == told.facts[RUNS], "a reader that holds the old file finishes on it"


async def test_who_comes_out_with_less_than_the_writer_said_builds_anew(store, workspace, told) -> None:
    stale = await current_arrays(store, workspace, told.scope)
    told.counted = True
    told.valid[EdgeKind.CALLS] += 1
    await told.run()
    head = await store.head(told.scope)
    assert head.valid == dict(told.valid)
    assert await past.caught_up(store, stale, head) is None
    assert digests(await current_arrays(store, workspace, told.scope)) == told.facts[RUNS + 1]


async def forget_notes(store: Store, scope: Scope) -> None:
    """Make what was written so far what an earlier Maestro would have written."""
    runs = f"MATCH (r:Run) WHERE r.key STARTS WITH '{scope}@' SET r.valid = null"
    await store._line.write(lambda tx: tx.define(runs))
    for kind in EdgeKind:
        ends = f"MATCH (h:{kind}) WHERE h.scope = '{scope}' SET h.ended = null"
        await store._line.write(lambda tx, text=ends: tx.define(text))


async def test_what_a_writer_did_not_note_is_found_all_the_same(store, workspace, told) -> None:
    """A store that an earlier Maestro wrote has no ends that an index holds."""
    await forget_notes(store, told.scope)
    stale = await current_arrays(store, workspace, told.scope)
    for _ in range(3):
        await told.run()
    caught = await past.caught_up(store, stale, await store.head(told.scope))
    assert digests(caught) == told.facts[RUNS + 3]
    for number in (1, RUNS - 1, RUNS, RUNS + 2):
        head = await past.head_of(store, told.scope, f"{number:040x}")
        arrays = await past.arrays_at(store, caught, head, workspace.sides(told.scope))
        assert digests(arrays) == told.facts[number]


@pytest.mark.parametrize("fault", ["commit", "resolver", "facts", "horizon", "number"])
async def test_a_file_that_the_store_does_not_vouch_for_is_built_anew(store, workspace, told, fault) -> None:
    stale = await current_arrays(store, workspace, told.scope)
    await told.run()
    if fault == "facts":  # of the right run by name, and yet not what that run left
        edges = [fact for fact in stale.facts() if isinstance(fact, Hyperedge)]
        births = stale.edge_from.tolist()
        marks = {"head": stale.head, "commit": stale.commit, "tree": stale.tree, "resolver": "r"}
        lost = Incidence.build(edges[1:], scope=told.scope, births=births[1:], **marks)
        assert await past.caught_up(store, lost, await store.head(told.scope)) is None
        return
    if fault == "horizon":
        await told.run()
        await store.prune(told.scope, keep=0)
    elif fault == "number":
        stale.head = 99
    else:
        setattr(stale, fault, "other")
    assert await past.caught_up(store, stale, await store.head(told.scope)) is None
    stale.save(workspace.arrays(told.scope, "code"))
    renewed = await current_arrays(store, workspace, told.scope)
    assert digests(renewed) == told.facts[len(told.facts)]


def test_dates_are_read_as_people_write_them() -> None:
    assert past.moment("2026-01-31T17:30+01:00") == datetime(2026, 1, 31, 16, 30, tzinfo=UTC)
    assert past.moment("2026-01-31") > past.moment("2026-01-31T23:59:58")
    assert past.moment("2026-01-31") < past.moment("2026-02-01T00:00")


@given(st.text(max_size=12))
def test_what_is_no_date_is_refused_in_words(text) -> None:
    try:
        past.moment(text)
    except InputError as error:
        assert error.hint
