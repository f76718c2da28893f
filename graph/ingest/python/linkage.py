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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
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
from graph.ingest.python.injection import Injection
from graph.ingest.python.memory import FEW
from graph.ingest.python.module import Fault, ModuleRecord
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite, Site, Target
from graph.progress import Progress, silent
from graph.schema import EdgeKind, Form, NodeKind, Resolver

Asking = Callable[[Program, fixtures.FixtureTable, Said | None, Event], Said]
"""Asks the engine (see `asking.Desk`); `Said()` where there is none to ask. The event is set when nobody
waits for the answer any more."""
Taking = Callable[[Iterable[Fact]], None]
"""Is given facts of the tree as soon as they are known, while the rest is still looked for. They come in any
order, a hyperedge perhaps before its nodes; all of them are facts of the finished reading too."""

TICK = 0.1
"""Seconds between two looks at whether the engine has answered."""


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
    progress("linking", 0, len(given.records))
    tests: list[Fact] = []

    def meanwhile(linked: scopes.Linked) -> None:
        tests.extend(realisation.test_facts(program, table))
        if taking is not None:
            taking([*linked.facts, *tests])

    if said is None:
        linked, said = _linked(program, None, table, ask, last, progress, meanwhile)
    else:
        linked = scopes.link(program, None, progress)
        meanwhile(linked)
    directory = answers.Directory(given.records)
    dispatch = Dispatch(given.records, program)
    nodes = Batch()
    own = _own(given, program, table, linked, said, directory, dispatch, given.records, nodes, progress)
    if taking is not None:
        taking([*nodes.nodes.values(), *(fact for found in own.values() for fact in found.facts)])
    progress("following frameworks", 0, len(given.records))
    extension = _extended(program, table, own, progress, tests)
    edges = _framework_edges(program, extension, nodes)
    return Linkage(given, table, directory, dispatch, said, nodes.nodes, own, extension, edges)


def step(last: Linkage, given: Input, ask: Asking, progress: Progress = silent) -> Linkage | Said | None:
    """Link what an edit changed.

    Where others may see the edit, everything is to be linked again: then this gives what the engine said,
    if it was asked, or None.
    """
    changed = _changed(last.given, given)
    if changed is None:
        return None
    program = Program(given.scope, given.records, given.ids)
    progress("linking", 0, len(changed))
    linked, said = _linked(program, changed, last.table, ask, last.said, progress)
    if said.failure is not None:
        return None
    if said.moved is None or said.silent != last.said.silent:
        return said
    nodes = Batch()
    renewed = _own(
        given, program, last.table, linked, said, last.directory, last.dispatch, changed, nodes, progress
    )
    own = {**last.own, **renewed}
    shifted = _shifted(last, given, own, changed)
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
    paths: Iterable[str] | None,
    table: fixtures.FixtureTable,
    ask: Asking,
    last: Said | None,
    progress: Progress,
    meanwhile: Callable[[scopes.Linked], None] | None = None,
) -> tuple[scopes.Linked, Said]:
    """Our own resolver and the engine, side by side; `meanwhile` is done while the engine is waited for."""
    unwanted = Event()
    with ThreadPoolExecutor(1) as pool:
        asked: Future[Said] = pool.submit(ask, program, table, last, unwanted)
        try:
            linked = scopes.link(program, paths, progress)
            if meanwhile is not None:
                meanwhile(linked)
            progress("asking the type engine", 0, len(program.records))
            while not wait([asked], TICK).done:
                progress("asking the type engine", 0, len(program.records))
            return linked, asked.result()
        except BaseException:
            unwanted.set()  # leaving this block waits for the engine otherwise
            raise


def _own(
    given: Input,
    program: Program,
    table: fixtures.FixtureTable,
    linked: scopes.Linked,
    said: Said,
    directory: answers.Directory,
    dispatch: Dispatch,
    paths: Iterable[str],
    nodes: Batch,
    progress: Progress,
) -> dict[str, Own]:
    """What each of these files comes to; their nodes are put into `nodes`."""
    sites = _merged(program, paths, linked.calls, said, table, directory, dispatch, progress)
    finished = Attributes(program, dispatch, directory).finish(linked.open_attributes, said.answers)
    for call in finished.calls:
        sites[call.caller.path].append(call)
    for path in sites:
        sites[path] += overloads(path, given.records[path], dispatch)
    facts: dict[str, list[Hyperedge]] = {path: [] for path in sites}
    more = scopes.references(program, finished.touches, Resolver.PYREFLY)
    for fact in (*linked.facts, *more, *_diagnoses(given, said, facts)):
        if isinstance(fact, Node):
            nodes.add((fact,))
        else:
            facts[fact.provenance.source].append(fact)
    for at, (path, found) in enumerate(sites.items()):
        progress("linking calls", at, len(sites))
        facts[path] += calls.edges(given.scope, found, program.key, given.records, given.ids)
        facts[path] += calls.unresolved(given.scope, found, program.key, given.records, given.ids)
    return {path: Own(sites[path], facts[path]) for path in sites}


def _merged(
    program: Program,
    paths: Iterable[str],
    own: Sequence[CallSite],
    said: Said,
    table: fixtures.FixtureTable,
    directory: answers.Directory,
    dispatch: Dispatch,
    progress: Progress,
) -> dict[str, list[CallSite]]:
    """Call sites of both resolvers made one, by file."""
    by_path: dict[str, list[CallSite]] = defaultdict(list)
    for site in own:
        by_path[site.caller.path].append(site)
    handed: dict[str, dict[int, frozenset[str]]] = defaultdict(dict)
    for target, names in table.parameters.items():
        handed[target.path][target.place] = frozenset(names)
    merged: dict[str, list[CallSite]] = {}
    for path in paths:
        progress("merging what both say", len(merged), len(program.records))
        record = program.records[path]
        found = said.answers.get(path)
        injection = Injection(record, handed[path]) if path in handed else None
        merger = calls.Merger(path, record, directory, dispatch, *((injection.holds,) if injection else ()))
        merged[path] = list(merger.merge(found or answers.Answers([], []), by_path[path]))
    return merged


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


def _shifted(
    last: Linkage, given: Input, own: Mapping[str, Own], changed: Sequence[str]
) -> tuple[frameworks.Extension, dict[str, list[Hyperedge]]] | None:
    """What frameworks added, moved to where it stands now; None where they may add something else."""
    moves: dict[str, shapes.Shift] = {}
    for path in changed:
        was, now = _running(last.own[path]), _running(own[path])
        ran, runs = {site for site, _ in was}, {site for site, _ in now}
        shift = shapes.shift(last.given.records[path], given.records[path], ran, runs)
        if shift is None or _references(last.own[path]) != _references(own[path]):
            return None
        if not _aligned(was, now, shift):
            return None
        moves[path] = shift
    added: list[CallSite] = []
    for call in last.extension.calls:
        shift = moves.get(call.caller.path)
        if shift is not None:
            moved = _moved(call, shift)
            if moved is None:
                return None
            added.append(moved)
        else:
            added.append(call)
    edges = dict(last.framework_edges)
    for path in moves:
        stays = [edge for edge in edges.get(path, ()) if edge.kind is not EdgeKind.CALLS]
        edges[path] = [_read_from(edge, given.ids[path]) for edge in stays]
    of_edited = [call for call in added if call.caller.path in moves]
    for edge in calls.edges(given.scope, of_edited, _Keys(given).key, given.records, given.ids):
        edges[edge.provenance.source].append(edge)
    return frameworks.Extension(last.extension.facts, added), edges


class _Keys:
    """Keys of definitions."""

    def __init__(self, given: Input) -> None:
        self._given = given

    def key(self, target: Target) -> str:
        definition = self._given.records[target.path].definitions[target.place]
        return self._given.scope.symbol(target.path, definition.qualname, definition.ordinal)


def _read_from(edge: Hyperedge, blob: str) -> Hyperedge:
    """A hyperedge as read from the file's present content."""
    return edge._replace(provenance=edge.provenance._replace(source_digest=blob))


def _moved(call: CallSite, shift: shapes.Shift) -> CallSite | None:
    """A call that frameworks added, where it stands now; None where that is not known."""
    if call.form is Form.WRAPPER and call.caller.place in shift.edited and call.site in shift.doubtful:
        return None  # where a wrapper runs what it wraps is found by looking through its calls
    site = shift.places.get(call.site)
    if site is None and call.site == _FIRST:
        site = call.site  # a hook that another file defines
    return call._replace(site=site) if site is not None else None


_FIRST = Site(1, 0, 1, 0)


def _aligned(was: list[tuple[Site, str]], now: list[tuple[Site, str]], shift: shapes.Shift) -> bool:
    """Whether calls run what they did, wherever that stands now.

    Places of calls that only the engine tells of are added to the shift.
    """
    if [rest for _, rest in was] != [rest for _, rest in now]:
        return False
    back = {there: here for here, there in shift.places.items()}
    for (here, _), (there, _) in zip(was, now, strict=True):
        if shift.places.setdefault(here, there) != there or back.setdefault(there, here) != here:
            return False
    return True


def _running(own: Own) -> list[tuple[Site, str]]:
    """Calls that run something of the program, by where they stand."""
    return sorted((site.site, repr(site._replace(site=_FIRST))) for site in own.sites if site.targets)


def _references(own: Own) -> Counter[tuple[object, object]]:
    return Counter((edge.members, edge.tier) for edge in own.facts if edge.kind is EdgeKind.REFERENCES)


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
