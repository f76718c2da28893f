"""All that reading a tree came to, file by file, so that an edit need not come to all of it again.

    whole(...)            from the records alone
    step(last, ...)       from the last reading, where an edit leaves what other files see as it was

`step` gives what `whole` would give. Its rule: facts of a file rest on its own record, on what others
show (`shapes.visible`), on who is handed what (`shapes.handed`), on what the engine says of it, and
on what frameworks keep anywhere. What frameworks add is one whole; it is only left as it is where they
see nothing new in the edited file (`shapes.shift`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope
from graph.ingest.python import (
    answers,
    calls,
    configuration,
    fixtures,
    frameworks,
    realisation,
    scopes,
    shapes,
)
from graph.ingest.python.asking import Said
from graph.ingest.python.attributes import Attributes, overloads
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.displacement import displaced
from graph.ingest.python.engine import TICK, Errand
from graph.ingest.python.implicit import Operations
from graph.ingest.python.injection import Injection
from graph.ingest.python.memory import FEW
from graph.ingest.python.module import Fault, ModuleRecord
from graph.ingest.python.program import Program
from graph.ingest.python.receivers import Receivers
from graph.ingest.python.records import CallSite
from graph.progress import Progress, silent
from graph.schema import EdgeKind, NodeKind, Resolver

Asking = Callable[[Program, fixtures.FixtureTable, Said | None, Errand], Said]
"""Asks the engine (see `asking.Desk`); `Said()` where there is none to ask."""
Taking = Callable[[Iterable[Fact]], None]
"""Is given facts of the tree as soon as they are known, while the rest is still looked for. They come in any
order, a hyperedge perhaps before its nodes; all of them are facts of the finished reading too."""

PART = 5_000
"""Facts that are given at once, about: with a few files' alone the store would do little but commit."""


class Input(NamedTuple):
    """What is read."""

    scope: Scope
    ids: Mapping[str, str]
    """Blob ids by path."""
    records: Mapping[str, ModuleRecord]
    settings: Mapping[str, bytes]
    engine: bool


class Own(NamedTuple):
    """What one file comes to, before frameworks add to it."""

    sites: list[CallSite]
    facts: list[Hyperedge]


@dataclass(frozen=True, slots=True)
class Linkage:
    """A tree that was read."""

    given: Input
    table: fixtures.FixtureTable
    directory: answers.Directory
    dispatch: Dispatch
    said: Said
    nodes: Mapping[str, Node]
    own: Mapping[str, Own]
    extension: frameworks.Extension
    framework_edges: Mapping[str, list[Hyperedge]]
    """What frameworks add, by the file that says it."""
    moved: frozenset[str] | None = None
    """Files whose facts may be others than in the last reading; None where any may be."""

    def batch(self) -> Batch:
        """All facts."""
        batch = Batch(dict(self.nodes))
        for own in self.own.values():
            batch.edges += own.facts
        for edges in self.framework_edges.values():
            batch.edges += edges
        return batch

    def edges(self, path: str) -> Iterator[Hyperedge]:
        """Hyperedges that a file says."""
        own = self.own.get(path)
        if own is not None:
            yield from own.facts
        yield from self.framework_edges.get(path, ())


def whole(
    given: Input,
    ask: Asking,
    last: Said | None = None,
    progress: Progress = silent,
    said: Said | None = None,
    taking: Taking | None = None,
) -> Linkage:
    """Link everything.

    Parameters
    ----------
    last : Said, optional
        What the engine said of the tree read before.
    said : Said, optional
        What it said of this one, where it has been asked.
    """
    program = Program(given.scope, given.records, given.ids)
    table = fixtures.table(program, configuration.read(given.settings))
    program.evaluator.hand(table.parameters)
    progress("linking", 0, len(given.records))
    taking = taking or _unheard
    tests: list[Fact] = []

    def link() -> scopes.Linked:
        known = scopes.structure(program, given.records)
        tests.extend(realisation.test_facts(program, table))
        taking([*known, *tests])
        linked = scopes.link(program, None, progress, known)
        taking(linked.facts[len(known) :])
        return linked

    if said is None:
        linked, said = _linked(program, link, table, ask, last, progress)
    else:
        linked = link()
    directory = answers.Directory(given.records)
    dispatch = Dispatch(given.records, program)
    nodes = Batch()
    own = _own(
        given, program, table, linked, said, directory, dispatch, given.records, nodes, progress, taking
    )
    progress("following frameworks", 0, len(given.records))
    extension = _extended(program, table, own, progress, tests)
    edges = _framework_edges(program, extension, nodes)
    return Linkage(given, table, directory, dispatch, said, nodes.nodes, own, extension, edges)


def _unheard(facts: Iterable[Fact]) -> None:
    """Nobody wants facts before all are known."""


def step(last: Linkage, given: Input, ask: Asking, progress: Progress = silent) -> Linkage | Said | None:
    """Link what an edit changed.

    Where others may see the edit, everything is to be linked again: then this gives what the engine said,
    if it was asked, or None.
    """
    changed = _changed(last.given, given)
    if changed is None:
        return None
    program = Program(given.scope, given.records, given.ids)
    program.evaluator.hand(last.table.parameters)
    progress("linking", 0, len(changed))
    link = partial(scopes.link, program, changed, progress)
    linked, said = _linked(program, link, last.table, ask, last.said, progress)
    if said.failure is not None:
        return None
    if said.moved is None or said.silent != last.said.silent:
        return said
    nodes = Batch()
    renewed = _own(
        given, program, last.table, linked, said, last.directory, last.dispatch, changed, nodes, progress
    )
    own = {**last.own, **renewed}
    shifted = displaced(last, given, own, changed)
    moved = frozenset(changed)
    if shifted is None:
        progress("following frameworks", 0, len(given.records))
        extension = _extended(program, last.table, own, progress)
        edges = _framework_edges(program, extension, nodes)
        moved |= _differing(last.framework_edges, edges)
    else:
        extension, edges = shifted
    if any(last.nodes.get(key) != node for key, node in nodes.nodes.items()):
        return said
    return Linkage(
        given, last.table, last.directory, last.dispatch, said, last.nodes, own, extension, edges, moved
    )


def _changed(old: Input, new: Input) -> list[str] | None:
    """Paths of edited files, where nobody but they themselves can see the edits."""
    if (old.scope, old.engine, old.settings) != (new.scope, new.engine, new.settings):
        return None
    if list(old.ids) != list(new.ids):
        return None
    changed = [path for path, blob in new.ids.items() if old.ids[path] != blob]
    if len(changed) > FEW:
        return None
    for path in changed:
        was, now = old.records[path], new.records[path]
        if was.diagnosis is not None or now.diagnosis is not None:
            return None
        if shapes.visible(was) != shapes.visible(now) or shapes.handed(was) != shapes.handed(now):
            return None
    return changed


def _linked(
    program: Program,
    link: Callable[[], scopes.Linked],
    table: fixtures.FixtureTable,
    ask: Asking,
    last: Said | None,
    progress: Progress,
) -> tuple[scopes.Linked, Said]:
    """Our own resolver and the engine, side by side.

    Ours begins when the engine is under way: what comes before that is many small writes, each of which
    would wait for the interpreter until our resolver lets go of it.
    """
    errand = Errand()

    def go() -> Said:
        try:
            return ask(program, table, last, errand)
        finally:
            errand.under_way.set()  # it may not have been needed

    with ThreadPoolExecutor(1) as pool:
        asked: Future[Said] = pool.submit(go)
        try:
            while not errand.under_way.wait(TICK):
                progress("asking the type engine", 0, len(program.records))
            linked = link()
            progress("asking the type engine", 0, len(program.records))
            while not wait([asked], TICK).done:
                progress("asking the type engine", 0, len(program.records))
            return linked, asked.result()
        except BaseException:
            errand.unwanted.set()  # leaving this block waits for the engine otherwise
            raise


def _own(
    given: Input,
    program: Program,
    table: fixtures.FixtureTable,
    linked: scopes.Linked,
    said: Said,
    directory: answers.Directory,
    dispatch: Dispatch,
    paths: Collection[str],
    nodes: Batch,
    progress: Progress,
    taking: Taking = _unheard,
) -> dict[str, Own]:
    """What each of these files comes to; their nodes are put into `nodes`. What our own resolver said of them
    alone is not taken again."""
    receivers = Receivers(directory, said.answers)
    finished = Attributes(program, dispatch, receivers).finish(linked.open_attributes, said.answers)
    operations = Operations(program, dispatch, receivers)
    implied = list(operations.calls(linked.open_operations, said.answers))
    rest: dict[str, list[CallSite]] = defaultdict(list)
    for call in (*finished.calls, *implied):
        rest[call.caller.path].append(call)
    more = [
        *scopes.references(program, [*finished.touches, *operations.touches], Resolver.PYREFLY),
        *_diagnoses(given, said, paths),
    ]
    facts: dict[str, list[Hyperedge]] = {path: [] for path in paths}
    for fact in (*linked.facts, *more):
        if isinstance(fact, Node):
            nodes.add((fact,))
        else:
            facts[fact.provenance.source].append(fact)
    own: dict[str, Own] = {}
    for path, both in _merged(program, paths, linked.calls, said, table, directory, dispatch):
        progress("merging what both say", len(own), len(paths))
        sites = [*both, *rest[path], *overloads(path, given.records[path], dispatch)]
        found = [
            *calls.edges(given.scope, sites, program.key, given.records, given.ids),
            *calls.unresolved(given.scope, sites, program.key, given.records, given.ids),
        ]
        own[path] = Own(sites, [*facts[path], *found])
        more += found
        if len(more) >= PART:
            taking(more)
            more = []
    if more:
        taking(more)
    return own


def _merged(
    program: Program,
    paths: Iterable[str],
    own: Sequence[CallSite],
    said: Said,
    table: fixtures.FixtureTable,
    directory: answers.Directory,
    dispatch: Dispatch,
) -> Iterator[tuple[str, Iterator[CallSite]]]:
    """Call sites of both resolvers made one, file by file."""
    by_path: dict[str, list[CallSite]] = defaultdict(list)
    for site in own:
        by_path[site.caller.path].append(site)
    handed: dict[str, dict[int, frozenset[str]]] = defaultdict(dict)
    for target, names in table.parameters.items():
        handed[target.path][target.place] = frozenset(names)
    for path in paths:
        record = program.records[path]
        found = said.answers.get(path)
        injection = Injection(record, handed[path]) if path in handed else None
        merger = calls.Merger(path, record, directory, dispatch, *((injection.holds,) if injection else ()))
        yield path, merger.merge(found or answers.Answers([], []), by_path[path])


def _extended(
    program: Program,
    table: fixtures.FixtureTable,
    own: Mapping[str, Own],
    progress: Progress,
    tests: Sequence[Fact] | None = None,
) -> frameworks.Extension:
    sites = [site for found in own.values() for site in found.sites]
    facts = [fact for found in own.values() for fact in found.facts]
    return frameworks.link(program, table, sites, facts, progress, tests)


def _framework_edges(
    program: Program, extension: frameworks.Extension, nodes: Batch
) -> dict[str, list[Hyperedge]]:
    """What frameworks add as hyperedges, by the file that says them; nodes are put into `nodes`."""
    found: dict[str, list[Hyperedge]] = defaultdict(list)
    added = calls.edges(program.scope, extension.calls, program.key, program.records, program.blobs)
    for fact in (*extension.facts, *added):
        if isinstance(fact, Node):
            nodes.add((fact,))
        else:
            found[fact.provenance.source].append(fact)
    return dict(found)


def _differing(old: Mapping[str, list[Hyperedge]], new: Mapping[str, list[Hyperedge]]) -> frozenset[str]:
    """Files of which frameworks say something else."""
    paths = old.keys() | new.keys()
    return frozenset(
        path
        for path in paths
        if Counter(map(_said, old.get(path, ()))) != Counter(map(_said, new.get(path, ())))
    )


def _said(edge: Hyperedge) -> Hyperedge:
    """A hyperedge without what its file held besides."""
    return edge._replace(provenance=edge.provenance._replace(source_digest=""))


def _diagnoses(given: Input, said: Said, paths: Iterable[str]) -> Iterator[Fact]:
    """Why files were not, or not wholly, read."""
    for path in paths:
        fault = given.records[path].diagnosis
        if fault is not None:
            yield from _diagnosis(given, path, fault)
        reason = said.silent.get(path)
        if reason is not None:
            message = f"Not read by the type engine: {reason}."
            fault = Fault("engine.silent", message, "Its calls come from our own reader alone.", 0)
            yield from _diagnosis(given, path, fault)
        if said.failure is not None:
            fault = Fault(said.failure.code, said.failure.message, said.failure.hint, 0)
            yield from _diagnosis(given, path, fault)


def _diagnosis(given: Input, path: str, fault: Fault) -> Iterator[Fact]:
    scope = given.scope
    key = scope.diagnosis(path, fault.code)
    said = (("code", fault.code), ("hint", fault.hint), ("line", fault.line), ("message", fault.message))
    yield Node(NodeKind.DIAGNOSIS, key, said)
    members = (Member("file", NodeKind.FILE, scope.file(path)), Member("diagnosis", NodeKind.DIAGNOSIS, key))
    yield Hyperedge(EdgeKind.DIAGNOSED, scope, members, Provenance(path, given.ids[path], Resolver.SYNTAX))
