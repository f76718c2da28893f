"""A tree's Python files to facts: records by content, our own resolver, the type engine, frameworks.

`read` is a pure function of its sources, and of what is installed (see `version`); everything kept
in the cache can be thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from graph.errors import EngineError
from graph.facts import Batch, Scope
from graph.ingest.python import engine, parsing, syntax
from graph.ingest.python.asking import Desk, Said
from graph.ingest.python.engine import Errand
from graph.ingest.python.fixtures import FixtureTable
from graph.ingest.python.linkage import Asking, Input, Linkage, Taking, step, whole
from graph.ingest.python.memory import Memory
from graph.ingest.python.program import Program
from graph.ingest.python.resident import MOST, Kept, Resident
from graph.ingest.python.shelf import Shelf
from graph.memory import uncollected
from graph.progress import Progress, silent

LANGUAGE = "python"
VERSION = 8
"""Raised whenever the same tree would make other facts."""

Blobs = Callable[[str], bytes]


class Source(Protocol):
    """A file to read (see graph.ingest.walk)."""

    @property
    def path(self) -> str:
        """Path in the repository."""

    @property
    def blob(self) -> str:
        """Id of its content."""

    @property
    def language(self) -> str:
        """Which reader it is for."""


def version(with_engine: bool = True) -> str:
    """What besides the tree decides the facts: versions of the readers, and of the engine."""
    found = "none"
    if with_engine:
        try:
            found = engine.Engine.find().version
        except EngineError:
            found = "missing"
    return f"python {VERSION} {syntax.SYNTAX_VERSION} {found}"


def read(
    scope: Scope,
    sources: Sequence[Source],
    blobs: Blobs,
    cache: Path,
    *,
    settings: Mapping[str, bytes] = MappingProxyType({}),
    engine: bool = True,
    progress: Progress = silent,
    resident: Resident | None = None,
    taking: Taking | None = None,
) -> Batch:
    """Everything the Python files of a tree say.

    Parameters
    ----------
    sources : sequence of Source
        The tree's files; those of other languages are passed over.
    blobs : callable
        The bytes of a blob by its id.
    cache : Path
        Folder for what is kept between runs.
    settings : mapping
        Path to bytes of the files that configure tests and entry points (`configuration.wanted`).
    engine : bool
        Whether the type engine is asked; where it fails our own reader answers alone, and a
        Diagnosis of every file says so.
    resident : Resident, optional
        What a Maestro that stays up keeps of its last reading; the facts are the same with and without.
    taking : callable, optional
        Is given facts as soon as they are known (see `linkage.Taking`).

    Raises
    ------
    DiskError
        When the cache cannot be written.
    """
    ids = {source.path: source.blob for source in sources if source.language == LANGUAGE}
    kept = resident.of(scope, cache) if resident is not None else Kept(Desk(cache / "engine"))
    with uncollected():
        linkage = _read(scope, ids, settings, blobs, cache, engine, progress, kept, taking)
        kept.linkage = linkage if len(ids) <= MOST else None
        return linkage.batch()


def _read(
    scope: Scope,
    ids: Mapping[str, str],
    settings: Mapping[str, bytes],
    blobs: Blobs,
    cache: Path,
    with_engine: bool,
    progress: Progress,
    kept: Kept,
    taking: Taking | None,
) -> Linkage:
    last = kept.linkage
    known = {}
    if last is not None:
        known = {blob: last.given.records[path] for path, blob in last.given.ids.items()}
    shelf = Shelf(cache / "python.sqlite", f"{VERSION}.{syntax.SYNTAX_VERSION}")
    try:
        records = parsing.parse_all(ids, blobs, shelf, progress, known)
        given = Input(scope, dict(ids), records, settings, with_engine)
        ask = _asking(kept.desk, ids, blobs, Memory(shelf)) if with_engine else _unasked
        said: Said | None = None
        if last is not None:
            linked = step(last, given, ask, progress)
            if isinstance(linked, Linkage):
                return linked
            said = linked
        return whole(given, ask, last.said if last is not None else None, progress, said, taking)
    finally:
        shelf.close()


def _asking(desk: Desk, ids: Mapping[str, str], blobs: Blobs, memory: Memory) -> Asking:
    def ask(program: Program, table: FixtureTable, last: Said | None, errand: Errand) -> Said:
        return desk.ask(program, ids, table.parameters, blobs, memory, last, errand)

    return ask


def _unasked(program: Program, table: FixtureTable, last: Said | None, errand: Errand) -> Said:
    """Without an engine nothing that it says moves."""
    return Said(moved=frozenset())
