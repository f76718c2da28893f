"""The store's schema: applied once, under a claim, never half, never an older one over a newer."""

from __future__ import annotations

import asyncio
import re

import pytest
from neo4j.exceptions import ConstraintError

from graph import descriptions, migrations
from graph.errors import SchemaError
from graph.migrations import Migration, constraints, generated, indexes
from graph.schema import EDGES, NODES, Class
from graph.store import Store

pytestmark = pytest.mark.anyio

AGAIN = re.compile(r"IF NOT EXISTS|\bMERGE\b|\bDELETE\b|^MATCH\b")


async def notes(store: Store) -> dict[int, dict]:
    return {row["number"]: row for row in await store.read("status/migrations")}


async def raw(store: Store, text: str, **params) -> list[dict]:
    """A statement that the product has no use for."""
    async with store._line._driver.session(database=store._line.address.database) as session:
        return await (await session.run(text, params)).data()


def test_constraints_follow_the_schema() -> None:
    live = {s.kind.value for s in (*NODES.values(), *EDGES.values()) if s.live}
    assert set(constraints()) == live
    for label, text in constraints().items():
        key = "key" if label in {s.kind.value for s in NODES.values()} else "id"
        assert text == f"CREATE CONSTRAINT IF NOT EXISTS FOR (x:{label}) REQUIRE x.{key} IS UNIQUE"


def test_what_moved_is_indexed() -> None:
    ended = {f"{spec.kind.value}.ended" for spec in EDGES.values() if spec.live and spec.cls is Class.STATE}
    assert {name for name in indexes() if name.endswith(".ended")} == ended
    assert {name for name in indexes() if name.endswith(".told")} == {
        f"{kind.value}.told" for kind in descriptions.kinds()
    }


def test_every_migration_may_be_run_again() -> None:
    for migration in migrations.migrations():
        assert migration.statements
        for statement in migration.statements:
            assert AGAIN.search(statement), f"{migration.name}: {statement}"


async def test_second_time_nothing_is_done(store) -> None:
    assert await store.migrate() is False
    noted = await notes(store)
    assert all(row["done"] for row in noted.values())
    assert set(noted) == {0, *(m.number for m in migrations.migrations())}
    assert set(noted[0]["kinds"]) >= set(generated())


async def test_server_holds_the_constraints(store, scope) -> None:
    held = {
        (row["labelsOrTypes"][0], *row["properties"])
        for row in await raw(
            store, "SHOW INDEXES YIELD labelsOrTypes, properties RETURN labelsOrTypes, properties"
        )
        if row["labelsOrTypes"] and row["properties"]
    }
    wanted = {(label, text.split("x.")[1].split()[0]) for label, text in constraints().items()}
    wanted |= {(name.partition(".")[0], *re.findall(r"x\.(\w+)", text)) for name, text in indexes().items()}
    assert wanted | {("Claim", "name"), ("Migration", "number")} <= held
    await raw(store, "CREATE (:Calls {id: $id})", id=f"{scope}@1/ab")
    with pytest.raises(ConstraintError):
        await raw(store, "CREATE (:Calls {id: $id})", id=f"{scope}@1/ab")
    await raw(store, "MATCH (c:Calls {id: $id}) DETACH DELETE c", id=f"{scope}@1/ab")


async def test_newer_store_is_refused(store) -> None:
    await raw(store, "CREATE (:Migration {number: 9999, name: 'from_the_future', digest: '', done: true})")
    try:
        with pytest.raises(SchemaError, match=r"newer Maestro.*9999.*from_the_future"):
            await store.migrate()
    finally:
        await raw(store, "MATCH (m:Migration {number: 9999}) DELETE m")
    assert await store.migrate() is False


async def test_edited_migration_is_refused(store) -> None:
    await raw(store, "MATCH (m:Migration {number: 1}) SET m.was = m.digest, m.digest = 'other'")
    try:
        with pytest.raises(SchemaError, match="was edited after"):
            await store.migrate()
    finally:
        await raw(store, "MATCH (m:Migration {number: 1}) SET m.digest = m.was, m.was = null")


async def test_half_applied_migration_is_finished(store, scope, monkeypatch) -> None:
    known = migrations.migrations()
    number, mark = len(known) + 1, f"mark-{scope.tenant}"
    good = Migration(
        number, "marks", (f"MERGE (c:Claim {{name: '{mark}'}})", "MERGE (c:Claim {name: 'x'}) DELETE c")
    )
    bad = Migration(number, "marks", (*good.statements[:1], "THIS IS NO STATEMENT"))
    try:
        monkeypatch.setattr(migrations, "migrations", lambda: (*known, bad))
        with pytest.raises(Exception, match=r"(?i)statement|syntax|server"):
            await store.migrate()
        assert not (await notes(store))[number]["done"]
        monkeypatch.setattr(migrations, "migrations", lambda: (*known, good))
        assert await store.migrate() is True
        assert (await notes(store))[number]["done"]
        assert await store.migrate() is False
        assert await raw(store, "MATCH (c:Claim {name: $mark}) RETURN count(c) AS n", mark=mark) == [{"n": 1}]
    finally:
        await raw(store, "MATCH (m:Migration {number: $number}) DELETE m", number=number)
        await raw(store, "MATCH (c:Claim {name: $mark}) DELETE c", mark=mark)


async def test_many_may_migrate_at_once(nothing_made, own_server) -> None:
    async def one() -> bool:
        async with Store.open(own_server.settings) as opened:
            return await opened.migrate()

    done = await asyncio.gather(*(one() for _ in range(4)))
    assert any(done)
    async with Store.open(own_server.settings) as opened:
        assert await opened.migrate() is False
        assert set((await notes(opened))[0]["kinds"]) == set(generated())


def test_files_must_be_numbered_without_gaps(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(migrations, "ROOT", tmp_path)
    folder = tmp_path / "migrations"
    folder.mkdir()
    migrations.migrations.cache_clear()
    try:
        with pytest.raises(SchemaError, match="not numbered"):
            migrations.migrations()
        (folder / "0002_late.cypher").write_text("MATCH (n:Claim) DELETE n;\n")
        with pytest.raises(SchemaError, match="not numbered"):
            migrations.migrations()
        (folder / "notes.cypher").write_text("")
        with pytest.raises(SchemaError, match="not named"):
            migrations.migrations()
    finally:
        migrations.migrations.cache_clear()
