"""The store's schema: numbered files applied once, and constraints that follow from `graph.schema`.

Each file of `cypher/migrations/NNNN_name.cypher` is a list of statements, each of which may be run again
without harm: a migration that broke off half-way is simply run again. An applied file is never edited.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from functools import cache

from graph import claims, descriptions
from graph.bolt import Line, Row
from graph.cypher import ROOT, Filling
from graph.errors import SchemaError, StoreBusyError
from graph.schema import EDGES, NODES, Class

GENERATED = 0
"""Number under which the constraints that follow from the schema are noted."""

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.cypher")
_WAITS = 60
"""Seconds to wait for another Maestro that migrates."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What the file said, comments aside."""
        return hashlib.blake2b("\n".join(self.statements).encode(), digest_size=8).hexdigest()


@cache
def migrations() -> tuple[Migration, ...]:
    """All files, in order; SchemaError where numbers are missing or double."""
    found = []
    for path in sorted((ROOT / "migrations").glob("*.cypher")):
        named = _NAME.fullmatch(path.name)
        if not named:
            raise SchemaError(f"cypher/migrations/{path.name} is not named NNNN_name.cypher.")
        found.append(Migration(int(named[1]), named[2], _statements(path.read_text("utf-8"))))
    if [m.number for m in found] != list(range(1, len(found) + 1)) or not found:
        raise SchemaError("The migrations in cypher/migrations are not numbered 1, 2, 3 …")
    return tuple(found)


def _statements(text: str) -> tuple[str, ...]:
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
    return tuple(part.strip() for part in bare.split(";\n") if part.strip(" \n;"))


def constraints() -> dict[str, str]:
    """By label: the statement that makes the key of each live node, the id of each live hyperedge, unique."""
    nodes = {spec.kind.value: "key" for spec in NODES.values() if spec.live}
    edges = {spec.kind.value: "id" for spec in EDGES.values() if spec.live}
    return {
        label: f"CREATE CONSTRAINT IF NOT EXISTS FOR (x:{label}) REQUIRE x.{name} IS UNIQUE"
        for label, name in (nodes | edges).items()
    }


def indexes() -> dict[str, str]:
    """By name: the statement for what finds the few things that moved among all, in either direction of time.

    Hyperedges by what ended them (of most nothing did, and they stand in no index then), and nodes by the
    last run that described them otherwise.
    """
    ended = {
        f"{spec.kind.value}.ended": f"CREATE INDEX IF NOT EXISTS FOR (x:{spec.kind.value}) ON (x.ended)"
        for spec in EDGES.values()
        if spec.live and spec.cls is Class.STATE
    }
    told = {
        f"{kind.value}.told": f"CREATE INDEX IF NOT EXISTS FOR (x:{kind.value}) ON (x.told)"
        for kind in descriptions.kinds()
    }
    return ended | told


def generated() -> dict[str, str]:
    """Everything that follows from the schema, by name."""
    return constraints() | indexes()


async def migrate(line: Line, owner: claims.Owner) -> bool:
    """Bring the store to this schema; True where anything was to be done.

    Raises
    ------
    SchemaError
        The store is of a newer Maestro, or an applied migration's file was edited.
    """
    noted = await _noted(line)
    if not _pending(noted) and not _missing(noted):
        return False
    # The claims' own constraint comes first; to create it twice at once does no harm.
    await _apply(line, migrations()[0])
    claim = await _patiently(line, owner)
    try:
        noted = await _noted(line)
        for migration in _pending(noted):
            await _note(line, migration.number, migration.name, migration.digest, False, [])
            await _apply(line, migration)
            await _note(line, migration.number, migration.name, migration.digest, True, [])
        await _constrain(line, noted)
    finally:
        await claim.release(line)
    return True


async def _patiently(line: Line, owner: claims.Owner) -> claims.Claim:
    for left in reversed(range(_WAITS * 2)):
        try:
            return await claims.take(line, claims.MIGRATION, owner)
        except StoreBusyError:
            if not left:
                raise
            await asyncio.sleep(0.5)
    raise AssertionError("unreachable")


async def _noted(line: Line) -> dict[int, Row]:
    rows = await line.read(lambda tx: tx.rows("status/migrations", Filling(), {}))
    noted = {row["number"]: row for row in rows}
    newest = max(noted, default=0)
    if newest > migrations()[-1].number:
        raise SchemaError(
            f"The store is of a newer Maestro: it has migration {newest} ({noted[newest]['name']}).",
            "Upgrade this Maestro, or point it at another store.",
        )
    for migration in migrations():
        row = noted.get(migration.number)
        if row and row["done"] and row["digest"] != migration.digest:
            raise SchemaError(
                f"Migration {migration.number} ({migration.name}) was edited after it had been applied.",
                "Take its file back to what it was, and say what is new in one with the next number.",
            )
    return noted


def _pending(noted: dict[int, Row]) -> list[Migration]:
    """Those not begun, and those begun and never done."""
    return [m for m in migrations() if not noted.get(m.number, {}).get("done")]


def _missing(noted: dict[int, Row]) -> list[str]:
    """Names of what was not made yet."""
    made = set(noted.get(GENERATED, {}).get("kinds") or ())
    return [name for name in generated() if name not in made]


async def _apply(line: Line, migration: Migration) -> None:
    for statement in migration.statements:
        await _define(line, statement)


async def _constrain(line: Line, noted: dict[int, Row]) -> None:
    wanted, missing = generated(), _missing(noted)
    for name in missing:
        await _define(line, wanted[name])
    if missing:
        made = sorted({*(noted.get(GENERATED, {}).get("kinds") or ()), *missing})
        await _note(line, GENERATED, "schema", "", True, made)


async def _define(line: Line, statement: str) -> None:
    await line.write(lambda tx: tx.define(statement))


async def _note(line: Line, number: int, name: str, digest: str, done: bool, kinds: list[str]) -> None:
    params = {"number": number, "name": name, "digest": digest, "done": done, "kinds": kinds}
    await line.write(lambda tx: tx.rows("status/note_migration", Filling(), params))
