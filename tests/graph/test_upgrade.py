"""A store as an earlier Maestro left it, brought up to today's schema: nothing lost, and written on.

`stores/schema-N.json` is such a store, dumped record by record after N migrations; kept as it was.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph import migrations, past
from graph.facts import Hyperedge, Scope
from graph.indexing import current_arrays
from graph.store import Store
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

STORES = sorted((Path(__file__).parent / "stores").glob("schema-*.json"))
SCOPE = Scope("local", "kept")


def literal(props: dict[str, object]) -> str:
    """Properties as a map that both servers read."""
    return "{" + ", ".join(f"`{name}`: {json.dumps(value)}" for name, value in props.items()) + "}"


async def fill(store: Store, kept: dict[str, list]) -> None:
    """Make the store what it was."""
    for statement in (*kept["statements"], *kept["constraints"]):
        await store._line.write(lambda tx, text=statement: tx.define(text))

    async def load(transaction) -> None:
        for label, props in kept["nodes"]:
            await transaction.define(f"CREATE (:{label} {literal(props)})")
        for label, key, kind, inner, props in kept["relationships"]:
            ends = f"(a:{label} {literal({'key': key})}), (b:{kind} {literal({'id': inner})})"
            await transaction.define(f"MATCH {ends} CREATE (a)-[:IN {literal(props)}]->(b)")

    await store._line.write(load)


@pytest.mark.parametrize("place", STORES, ids=lambda place: place.stem)
async def test_an_earlier_store_is_brought_up_to_today(nothing_made, own_server, tmp_path, place) -> None:
    kept = json.loads(place.read_text("utf-8"))
    workspace = Workspace(tmp_path / "data")
    async with Store.open(own_server.settings) as store:
        await fill(store, kept)
        assert await store.migrate() == (
            set(kept["constraints"]) != set(migrations.generated().values())
            or len(migrations.migrations()) > 2
        )
        assert not await store.migrate(), "once is enough"
        head = await store.head(SCOPE)
        assert (head.number, head.commit, head.resolver) == (2, f"{2:040x}", "r")
        current = await current_arrays(store, workspace, SCOPE)
        for number, valid in kept["valid"].items():
            then = await past.head_of(store, SCOPE, f"{int(number):040x}")
            arrays = await past.arrays_at(store, current, then, workspace.sides(SCOPE))
            facts = [fact for fact in arrays.facts() if isinstance(fact, Hyperedge)]
            assert sorted(fact.digest() for fact in facts) == valid
        assert await store.dangling(SCOPE) == []
        run = await store.begin(SCOPE, commit="3" * 40, tree="3" * 40, families=("code", "owners"))
        await store.flip(run)
        assert (await store.head(SCOPE)).number == 3
        await store.prune(SCOPE, keep=1)
        assert await past.pruned(store, SCOPE, 1) and not await past.pruned(store, SCOPE, 2)
