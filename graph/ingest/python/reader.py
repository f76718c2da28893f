"""A tree's Python files to facts: records by content, our own resolver, the type engine, frameworks.

`read` is a pure function of its sources, and of what is installed (see `version`); everything kept
in the cache can be thrown away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from filelock import FileLock

from graph.errors import EngineError
from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope
from graph.ingest.python import (
    answers,
    calls,
    configuration,
    engine,
    fixtures,
    frameworks,
    parsing,
    scopes,
    staging,
    syntax,
    view,
)
from graph.ingest.python.attributes import Attributes, overloads
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.garbage import uncollected
from graph.ingest.python.injection import Injection
from graph.ingest.python.memory import Memory, interface
from graph.ingest.python.module import Fault, ModuleRecord
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite
from graph.ingest.python.rewriting import transcode
from graph.ingest.python.shelf import Shelf
from graph.ingest.python.surroundings import dependents
from graph.progress import Progress, silent
from graph.schema import EdgeKind, NodeKind, Resolver

LANGUAGE = "python"
VERSION = 4
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


class _Said(NamedTuple):
    """The engine's answers by file, and why files have none."""

    answers: Mapping[str, answers.Answers]
    silent: Mapping[str, str]
    failure: EngineError | None


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

    Raises
    ------
    DiskError
        When the cache cannot be written.
    """
    ids = {source.path: source.blob for source in sources if source.language == LANGUAGE}
    with uncollected():
        return _read(scope, ids, settings, blobs, cache, engine, progress)


def _read(
    scope: Scope,
    ids: Mapping[str, str],
    settings: Mapping[str, bytes],
    blobs: Blobs,
    cache: Path,
    with_engine: bool,
    progress: Progress,
) -> Batch:
    shelf = Shelf(cache / "python.sqlite", f"{VERSION}.{syntax.SYNTAX_VERSION}")
    try:
        records = parsing.parse_all(ids, blobs, shelf, progress)
        memory = Memory(shelf) if with_engine else None
        return _resolve(scope, ids, records, settings, blobs, cache / "engine", memory, progress)
    finally:
        shelf.close()


def _resolve(
    scope: Scope,
    ids: Mapping[str, str],
    records: Mapping[str, ModuleRecord],
    settings: Mapping[str, bytes],
    blobs: Blobs,
    folder: Path,
    memory: Memory | None,
    progress: Progress,
) -> Batch:
    program = Program(scope, records, ids)
    table = fixtures.table(program, configuration.read(settings))
    with ThreadPoolExecutor(1) as pool:
        asked: Future[_Said] | None = None
        if memory is not None:
            asked = pool.submit(_ask, program, ids, table.parameters, blobs, folder, memory)
        progress("linking", 0, len(records))
        linked = scopes.link(program)
        progress("asking the type engine", 0, len(records))
        said = asked.result() if asked is not None else _Said({}, {}, None)
    directory = answers.Directory(records)
    dispatch = Dispatch(records, program)
    sites = list(_merge(program, linked.calls, said, table.parameters, directory, dispatch))
    finished = Attributes(program, dispatch, directory).finish(linked.open_attributes, said.answers)
    sites += finished.calls
    sites += overloads(records, dispatch)
    progress("following frameworks", 0, len(records))
    found = list(scopes.references(program, finished.touches, Resolver.PYREFLY))
    framework = frameworks.link(program, table, sites, [*linked.facts, *found])
    sites += framework.calls
    batch = Batch()
    batch.add(linked.facts)
    batch.add(framework.facts)
    batch.add(found)
    batch.add(calls.edges(scope, sites, program.key, records, ids))
    batch.add(calls.unresolved(scope, sites, program.key, records, ids))
    batch.add(_diagnoses(scope, ids, records, said))
    return batch


def _ask(
    program: Program,
    ids: Mapping[str, str],
    parameters: staging.Parameters,
    blobs: Blobs,
    folder: Path,
    memory: Memory,
) -> _Said:
    """Let the engine read the tree; an engine that fails is a reason, never an error."""
    records = program.records
    readable = {path: ids[path] for path, record in records.items() if record.diagnosis is None}
    staged = staging.stage(program, readable, parameters)
    refused = view.refused(staged.files)
    shown = {path: file.digest() for path, file in staged.files.items() if path not in refused}
    try:
        found = engine.Engine.find()
        context = repr((found.version, program.roots, staged.values))
        known = memory.recall(context, shown)
        said, changed = known if known is not None else ({}, shown)
        if changed:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "lock"):
                asking = _Asking(program, ids, blobs, found, view.View(folder), staged, parameters)
                said = asking.all(said, changed, shown)
            memory.remember(context, shown, said)
    except EngineError as error:
        return _Said({}, {}, error)
    unsaid = dict.fromkeys(sorted(shown.keys() - said.keys()), "the engine left it out")
    return _Said(said, refused | unsaid, None)


class _Asking:
    """A view that is written, and what the engine says of it."""

    def __init__(
        self,
        program: Program,
        ids: Mapping[str, str],
        blobs: Blobs,
        found: engine.Engine,
        copy: view.View,
        staged: staging.Stage,
        parameters: staging.Parameters,
    ) -> None:
        self._program = program
        self._parameters = parameters
        self._engine = found
        self._view = copy
        self._lines = _lines(ids, blobs)
        copy.write(staged.files, blobs, staged.values)

    def all(
        self, said: dict[str, answers.Answers], changed: Mapping[str, str], shown: Mapping[str, str]
    ) -> dict[str, answers.Answers]:
        """Answers of every file: of the changed ones alone where nothing else can have moved.

        Where it can, only files with a changed one in their import closure are answered anew: the
        engine does not settle every circle of inferred types alike each time it runs, and nobody's
        code may seem to have moved by that.
        """
        if said.keys() >= changed.keys():
            alone = self._read(changed)
            if alone.keys() == changed.keys() and all(
                alone[path].interface == said[path].interface for path in changed
            ):
                return {**said, **alone}
        fresh = self._read(shown)
        moved = dependents(self._program, self._parameters, changed) if said else set(shown)
        return {path: fresh[path] if path in moved or path not in said else said[path] for path in fresh}

    def _read(self, paths: Iterable[str]) -> dict[str, answers.Answers]:
        held = set(self._view.paths())
        files = [path for path in paths if path in held]
        search = [*self._program.roots, str(self._view.support)]
        records = self._program.records
        places = answers.Places(records, self._lines)
        wanted = set(files)
        with self._engine.report(self._view.root, files, search) as report:
            said = {}
            for path, found in answers.collect(report, wanted, records, places, self._view.insertions):
                handing = {target.place for at in report.handing(path) if (target := places.target(at))}
                found.interface = interface(records[path], report.interface(path), handing)
                said[path] = found
            return said


def _lines(ids: Mapping[str, str], blobs: Blobs) -> Callable[[str], list[bytes] | None]:
    """Lines of a file as the engine saw them; None where bytes and characters are the same."""
    known: dict[str, list[bytes] | None] = {}

    def lines(path: str) -> list[bytes] | None:
        if path not in known:
            data = blobs(ids[path])
            known[path] = None if data.isascii() else (transcode(data) or b"").split(b"\n")
        return known[path]

    return lines


def _merge(
    program: Program,
    own: Sequence[CallSite],
    said: _Said,
    parameters: staging.Parameters,
    directory: answers.Directory,
    dispatch: Dispatch,
) -> Iterator[CallSite]:
    by_path: dict[str, list[CallSite]] = defaultdict(list)
    for site in own:
        by_path[site.caller.path].append(site)
    handed: dict[str, dict[int, frozenset[str]]] = defaultdict(dict)
    for target, names in parameters.items():
        handed[target.path][target.place] = frozenset(names)
    for path, record in program.records.items():
        found = said.answers.get(path)
        injection = Injection(record, handed[path]) if path in handed else None
        merger = calls.Merger(path, record, directory, dispatch, *((injection.holds,) if injection else ()))
        yield from merger.merge(found or answers.Answers([], []), by_path[path])


def _diagnoses(
    scope: Scope, ids: Mapping[str, str], records: Mapping[str, ModuleRecord], said: _Said
) -> Iterator[Fact]:
    """Why files were not, or not wholly, read."""
    for path, record in records.items():
        fault = record.diagnosis
        if fault is not None:
            yield from _diagnosis(scope, path, ids, fault)
    for path, reason in said.silent.items():
        message = f"Not read by the type engine: {reason}."
        fault = Fault("engine.silent", message, "Its calls come from our own reader alone.", 0)
        yield from _diagnosis(scope, path, ids, fault)
    if said.failure is not None:
        fault = Fault(said.failure.code, said.failure.message, said.failure.hint, 0)
        for path in ids:
            yield from _diagnosis(scope, path, ids, fault)


def _diagnosis(scope: Scope, path: str, ids: Mapping[str, str], fault: Fault) -> Iterator[Fact]:
    key = scope.diagnosis(path, fault.code)
    said = (("code", fault.code), ("hint", fault.hint), ("line", fault.line), ("message", fault.message))
    yield Node(NodeKind.DIAGNOSIS, key, said)
    members = (Member("file", NodeKind.FILE, scope.file(path)), Member("diagnosis", NodeKind.DIAGNOSIS, key))
    yield Hyperedge(EdgeKind.DIAGNOSED, scope, members, Provenance(path, ids[path], Resolver.SYNTAX))
