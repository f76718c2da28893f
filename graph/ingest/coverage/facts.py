"""From reports to runtime facts, of the grain that each report holds.

Lines become symbols where a live reader knows the language; elsewhere the file itself is what was executed. A
report of a whole run is one test called `<run>`: it says what was run, not by which test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graph.errors import RepositoryError
from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope, file_node
from graph.ingest.coverage.covered import Case, Places, Report
from graph.ingest.recordings import Blobs, Layout
from graph.ingest.registry import language_of
from graph.schema import EdgeKind, NodeKind, Resolver

RUN = "<run>"
"""Name of the test that stands for a whole run."""


class Placed(NamedTuple):
    """What a report amounts to. `unplaced` are paths and tests that it names and the repository lacks."""

    batch: Batch
    tests: int
    unplaced: tuple[str, ...]


class Known(NamedTuple):
    """What a repository knows of tests: keys by the names that runners and reports may use."""

    tests: Mapping[str, str]
    symbols: Mapping[str, str]
    """Key of the symbol that a test runs, by the test's key."""


def read(
    scope: Scope, report: Report, commit: str, files: Mapping[str, str], blobs: Blobs, known: Known
) -> Placed:
    """The runtime facts of a report.

    Parameters
    ----------
    commit : str
        The commit whose files were run.
    files : mapping of str to str
        Its files, and their blobs.
    """
    return _Reading(scope, report, commit, files, blobs, known).read()


class _Reading:
    def __init__(
        self, scope: Scope, report: Report, commit: str, files: Mapping[str, str], blobs: Blobs, known: Known
    ) -> None:
        self.scope, self.report, self.commit = scope, report, commit
        self.files, self.blobs, self.known = files, blobs, known
        self.places = Places(frozenset(files))
        self.layouts: dict[str, Layout | None] = {}
        self.unplaced: dict[str, None] = {}
        self.origin = Provenance("", "", Resolver(report.format.value))
        self.change = Node(NodeKind.CHANGE, scope.change(commit), (("commit", commit),))

    def read(self) -> Placed:
        batch = Batch()
        batch.add([self.change])
        tests = 0
        for name, lines in sorted(self.report.lines.items()):
            tests += 1
            batch.add(self.covered(name, lines))
        for case in self.report.cases:
            facts = list(self.ran(case))
            tests += bool(facts)
            batch.add(facts)
        return Placed(batch, tests, tuple(self.unplaced))

    def covered(self, name: str, lines: Mapping[str, frozenset[int]]) -> Iterator[Fact]:
        """What one test, or the whole run, executed."""
        executed: list[Node] = []
        for written, numbers in sorted(lines.items()):
            path = self.places.find(written)
            if not path:
                self.unplaced[written] = None
                continue
            executed += self.executed(path, numbers)
        if executed:
            yield from executed
            yield from self.edge(name, executed)

    def executed(self, path: str, numbers: Iterable[int]) -> list[Node]:
        """The symbols of a file that some line executed; the file where it has none."""
        layout = self.layout(path)
        if layout is not None:
            bits = 0
            for number in numbers:
                bits |= 1 << number
            found = list(layout.executed(bits))
            if found:
                return found
        return [file_node(self.scope, path, language_of(path) or None)]

    def layout(self, path: str) -> Layout | None:
        if path not in self.layouts:
            self.layouts[path] = None
            if language_of(path) == "python":
                try:
                    self.layouts[path] = Layout(self.scope, path, self.blobs(self.files[path]))
                except RepositoryError:
                    self.unplaced[path] = None
        return self.layouts[path]

    def ran(self, case: Case) -> Iterator[Fact]:
        """That a test was run: it executed its own function, or what file it says it is in."""
        name = self.name_of(case)
        key = self.known.tests.get(name, "")
        if key in self.known.symbols:
            symbol = Node(NodeKind.SYMBOL, self.known.symbols[key])
            yield from self.edge(name, [symbol])
            return
        path = self.places.find(case.path) if case.path else ""
        if not path:
            self.unplaced[f"{case.holder}::{case.name}".strip(":")] = None
            return
        file = file_node(self.scope, path, language_of(path) or None)
        yield file
        yield from self.edge(f"{path}::{case.name}", [file])

    def name_of(self, case: Case) -> str:
        """The name under which the repository knows a case, or how the report names it."""
        bare = case.name.partition("[")[0]
        for name in (f"{case.path}::{bare}", f"{case.holder}.{bare}", f"{case.holder}::{bare}"):
            if name in self.known.tests:
                return name
        return f"{case.holder}.{bare}".strip(".")

    def edge(self, name: str, executed: Iterable[Node]) -> Iterator[Fact]:
        key = self.known.tests.get(name, "")
        if not key:
            shown = name or RUN
            key = self.scope.test(self.report.format.value, shown)
            yield Node(
                NodeKind.TEST,
                key,
                (
                    ("framework", self.report.format.value),
                    ("name", shown),
                    ("parametrized", False),
                    ("path", ""),
                ),
            )
        symbols = sorted({(each.kind, each.key) for each in executed}, key=lambda each: (each[1], each[0]))
        yield Hyperedge(
            EdgeKind.EXECUTES,
            self.scope,
            (
                Member("test", NodeKind.TEST, key),
                *(Member("symbol", kind, symbol) for kind, symbol in symbols),
                Member("change", NodeKind.CHANGE, self.change.key),
            ),
            self.origin,
            props=(("commit", self.commit), ("phase", "run")),
        )
