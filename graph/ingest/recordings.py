"""From a recording of a test run to runtime facts: which symbols each test executed, which files it opened.

A recording tells lines; what stands on them is read from the very blobs that were run, so that an old
recording is placed as exactly as a new one. Runs of one test under several parameters are one test here.
A line that only binds a function (its decorators, its header) executes what holds it, not the function.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from maestro_selection.recording import Recording, Test, Trace, span

from graph.errors import RepositoryError
from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.ingest.python import syntax
from graph.ingest.python.records import Definition
from graph.ingest.registry import language_of
from graph.schema import EdgeKind, NodeKind, Resolver, Sort

Blobs = Callable[[str], bytes]
_ORIGIN = Provenance("", "", Resolver.RECORDING)
_FUNCTIONS = (Sort.FUNCTION, Sort.METHOD)
_MODULE = "<module>"


class Observed(NamedTuple):
    """What recordings amount to. `unplaced` are executed files whose text no commit here has."""

    batch: Batch
    tests: int
    unplaced: tuple[str, ...]


def identifier(node: str) -> tuple[str, str]:
    """Path and id below it of a test's node id, without parameters: the key of its Test."""
    path, _, below = node.partition("::")
    return path, below.partition("[")[0]


def read(scope: Scope, recording: Recording, blobs: Blobs) -> Observed:
    """The runtime facts of a recording and of all that was merged with it.

    Parameters
    ----------
    blobs : callable
        Content of a blob by its id; raises RepositoryError where it is not there.
    """
    return _Reading(scope, blobs).read(recording)


class Layout:
    """The symbols of one version of a file, with the lines that run when each of them does."""

    def __init__(self, scope: Scope, path: str, data: bytes) -> None:
        record = syntax.parse(path, data)
        bodies = _bodies(data)
        self.nodes = [
            symbol_node(scope, path, each.qualname, each.sort, each.ordinal) for each in record.definitions
        ]
        self.masks = _masks(record.definitions, bodies)

    def executed(self, lines: int) -> Iterator[Node]:
        """The symbols of which some line is in a bitmap."""
        for node, mask in zip(self.nodes, self.masks, strict=True):
            if mask & lines:
                yield node


def _bodies(data: bytes) -> dict[int, int]:
    """First line of the body of each function, by the line of its `def`."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # the record has a Diagnosis and no function then
    return {
        node.lineno: node.body[0].lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _masks(definitions: Iterable[Definition], bodies: Mapping[int, int]) -> list[int]:
    """For each definition the lines that are its own: inner definitions take theirs away."""
    drafts = list(definitions)
    masks = [0] * len(drafts)
    for at in sorted(range(len(drafts)), key=lambda at: (drafts[at].line, -drafts[at].end, at)):
        each = drafts[at]
        first = bodies.get(each.mark, each.mark) if each.sort in _FUNCTIONS else each.line
        lines = span(first, max(first, each.end))
        parent = each.parent
        while parent >= 0:
            masks[parent] &= ~lines if first > each.mark or each.sort not in _FUNCTIONS else -1
            parent = drafts[parent].parent
        masks[at] = lines
    return masks


class _Reading:
    def __init__(self, scope: Scope, blobs: Blobs) -> None:
        self.scope = scope
        self.blobs = blobs
        self.layouts: dict[tuple[str, str], Layout | None] = {}
        self.placed: dict[tuple[str, str, int], tuple[Node, ...]] = {}
        self.unplaced: set[str] = set()
        self.batch = Batch()

    def read(self, recording: Recording) -> Observed:
        seen: set[str] = set()
        tests: set[tuple[str, str]] = set()
        for state in recording.states():
            runs: dict[tuple[str, str], list[Test]] = {}
            for node, test in state.tests.items():
                if node not in seen:
                    runs.setdefault(identifier(node), []).append(test)
            seen.update(state.tests)
            tests.update(runs)
            for (path, name), each in runs.items():
                self.batch.add(self.test(state, path, name, each))
            self.batch.add(self.imports(state))
        return Observed(self.batch, len(tests), tuple(sorted(self.unplaced)))

    def test(self, state: Recording, path: str, name: str, runs: list[Test]) -> Iterator[Fact]:
        """What one test executed, phase by phase, and opened."""
        key = self.scope.test(path, name)
        parametrized = any(run.parameters for run in runs)
        yield Node(
            NodeKind.TEST,
            key,
            (("framework", "pytest"), ("name", name), ("parametrized", parametrized), ("path", path)),
        )
        phases: dict[str, set[Node]] = {}
        opened: set[str] = set()
        for run in runs:
            for step in run.steps:
                phases.setdefault(step.phase, set()).update(self.symbols(state, step.trace))
                opened.update(step.trace.opened)
        test = Member("test", NodeKind.TEST, key)
        for phase, symbols in sorted(phases.items()):
            if symbols:
                yield from symbols
                members = [Member("symbol", NodeKind.SYMBOL, each.key) for each in symbols]
                yield from self.edge(EdgeKind.EXECUTES, state, test, members, phase)
        reader = Member("reader", NodeKind.TEST, key)
        yield from self.opened(state, reader, opened)

    def imports(self, state: Recording) -> Iterator[Fact]:
        """What importing each module opened."""
        for path, trace in state.imports.items():
            if trace.opened and state.files.keys() & trace.opened:
                module = symbol_node(self.scope, path, _MODULE, Sort.MODULE)
                yield module
                reader = Member("reader", NodeKind.SYMBOL, module.key)
                yield from self.opened(state, reader, trace.opened)

    def opened(self, state: Recording, reader: Member, opened: Iterable[str]) -> Iterator[Fact]:
        """Files that were opened, as far as they are the repository's; those it lacks have no node."""
        paths = sorted(state.files.keys() & set(opened))
        if paths:
            yield from (file_node(self.scope, path, language_of(path)) for path in paths)
            members = [Member("file", NodeKind.FILE, self.scope.file(path)) for path in paths]
            yield from self.edge(EdgeKind.READS_FILE, state, reader, members, "")

    def edge(
        self, kind: EdgeKind, state: Recording, first: Member, others: Iterable[Member], phase: str
    ) -> Iterator[Fact]:
        commit = state.commit or "none"
        change = Node(NodeKind.CHANGE, self.scope.change(commit), (("commit", state.commit),))
        yield change
        props = (("commit", state.commit), ("phase", phase)) if phase else (("commit", state.commit),)
        members = (
            first,
            *sorted(set(others), key=lambda member: member.key),
            Member("change", change.kind, change.key),
        )
        yield Hyperedge(kind, self.scope, members, _ORIGIN, props=props)

    def symbols(self, state: Recording, trace: Trace) -> Iterator[Node]:
        """The symbols that a trace executed."""
        for path, lines in trace.lines.items():
            where = (path, state.files.get(path, ""), lines)
            found = self.placed.get(where)
            if found is None:
                layout = self.layout(path, where[1])
                found = self.placed[where] = tuple(layout.executed(lines)) if layout else ()
            yield from found

    def layout(self, path: str, blob: str) -> Layout | None:
        """The symbols of a file as it was run; None where that text is not to be had."""
        if (path, blob) not in self.layouts:
            try:
                made = Layout(self.scope, path, self.blobs(blob)) if blob else None
            except RepositoryError:
                made = None
            if made is None:
                self.unplaced.add(path)
            self.layouts[path, blob] = made
        return self.layouts[path, blob]
