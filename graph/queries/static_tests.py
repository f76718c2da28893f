"""Which tests a change can alter, by the graph alone: no recording, and so wider than with one.

A cone says what surely depends on a change. Here nothing may be left out, so every edge is followed, of
every tier and as far as it goes, and what cones pass over is put in by rules:

- a call that could not be resolved may mean whatever bears its name;
- a member of a class may be run or read by whoever comes to hold the class or an instance: protocols
  (`__iter__`, `__call__`, `__getattr__`), attributes read by a computed name, and overrides of what a library
  calls have no visible caller, so a member that differs lets its class differ;
- what is defined inside a function is made by running it, so the function differs with it;
- `__getattr__` and `__dir__` of a module answer for names that it does not define: who asks for such differs.

That these rules suffice is measured: `python -m benchmarks.static_reach` sets them beside what recorded tests
really executed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.judgement import Judgement
from graph.overlay import VERSIONS, Version
from graph.queries.module_reads import ModuleReads, Texts
from graph.queries.proofs import Proofs, StepView
from graph.queries.tests import Choice, Reason, Tests
from graph.queries.words import DEPENDENT_WORDS
from graph.reach import DEPTH_LIMIT, Reached, cone
from graph.readback import read_edge
from graph.schema import EdgeKind, NodeKind, Sort, Tier

_ANSWERING = ("__getattr__", "__dir__")


@dataclass(frozen=True, slots=True)
class Link:
    """A step that no edge says: from a node to another, by a rule."""

    source: int
    why: str


@dataclass(slots=True)
class Closure:
    """All that a set of nodes can alter.

    Attributes
    ----------
    nodes : set of int
    links : dict of int to Link
        Nodes that a rule put in, and from where.
    cones : list of Reached
        One a round; the first one begins at the starts.
    counts : dict of str to int
        Nodes that each rule put in.
    """

    nodes: set[int] = field(default_factory=set)
    links: dict[int, Link] = field(default_factory=dict)
    cones: list[Reached] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


UNRESOLVED = "a call could not be resolved and names it"
MEMBER = "whoever holds the class can come to it"
INNER = "it is made by running the function around it"
MODULE = "it answers for names of the module that it asks for"


class Following:
    """The rules over one graph; made once, it answers many questions."""

    def __init__(self, graph: Incidence, texts: Texts) -> None:
        self.graph = graph
        self._modules = ModuleReads(graph, texts)
        self._open: dict[str, set[int]] = defaultdict(set)
        for edge in graph.edges_of(EdgeKind.UNRESOLVED).tolist():
            fact = read_edge(graph, edge)
            names = dict(fact.props).get("names", ())
            for name in names if isinstance(names, tuple) else ():
                self._open[str(name)].update(graph.in_role(edge, "symbol"))

    def closure(self, starts: list[int]) -> Closure:
        """Everything that these nodes can alter."""
        found = Closure()
        fresh = set(starts)
        while fresh:
            begun = sorted(fresh)
            reached = cone(self.graph, begun, tier=Tier.AMBIGUOUS, depth=DEPTH_LIMIT, hub_limit=0)
            found.cones.append(reached)
            gained = (fresh | set(reached.nodes.tolist())) - found.nodes
            found.nodes |= gained
            fresh = self._linked(gained, found)
        return found

    def _linked(self, gained: set[int], found: Closure) -> set[int]:
        fresh: set[int] = set()
        for node in sorted(gained):
            for other, why in self._links(node):
                if other not in found.nodes and other not in found.links:
                    found.links[other] = Link(node, why)
                    found.counts[why] += 1
                    fresh.add(other)
        return fresh

    def _links(self, node: int) -> list[tuple[int, str]]:
        graph = self.graph
        if graph.kind(node) is not NodeKind.SYMBOL:
            return []
        found = [(other, UNRESOLVED) for other in sorted(self._open.get(graph.name(node), ()))]
        outer, _, name = graph.qualname(node).rpartition(".")
        inside = outer.endswith(".<locals>")
        for around in self._bearers(graph.path(node), outer.removesuffix(".<locals>") or "<module>"):
            if inside:
                found.append((around, INNER))
            elif graph.sort_of(around) is Sort.CLASS:
                found.append((around, MEMBER))
            elif name in _ANSWERING and graph.sort_of(around) is Sort.MODULE:
                found += [(reader, MODULE) for reader in self._modules.readers(around)]
        return found

    def _bearers(self, path: str, qualname: str) -> list[int]:
        """Every definition of a qualified name in a file: conditions may choose between them."""
        found = []
        ordinal = 0
        while (
            node := self.graph.find(NodeKind.SYMBOL, self.graph.scope.symbol(path, qualname, ordinal))
        ) >= 0:
            found.append(node)
            ordinal += 1
        return found


_PROSE = (".md", ".rst", ".adoc")


def select(judged: Judgement, mirror: Mirror) -> Tests:
    """The tests that a judged change can alter, nearest first.

    A start whose file could not be read reaches everything that imports it. Files without a reader (data,
    configuration) reach every test, since nothing says who opens them; prose reaches none, which is noted.
    """
    begun = time.monotonic()
    graph = judged.graph
    closure = Following(graph, _texts(judged, mirror)).closure(judged.starts.tolist())
    telling = _Telling(graph, judged, closure)
    every = [node for node in graph.nodes_of(NodeKind.TEST).tolist() if graph.node_version[node] != _GONE]
    checks = [node for node in every if node in closure.nodes]
    choices = [Choice(telling.label(node), 0.0, (telling.reason(node),)) for node in checks]
    choices.sort(key=lambda each: (len(each.reasons[0].steps), each.node))
    unseen, prose = _without_reader(judged)
    widened = [f"{count} more symbols: {why}." for why, count in closure.counts.items()]
    notes = [f"{path} is prose: it is taken to alter no test." for path in prose]
    if unseen:
        shown = ", ".join(unseen[:3]) + (" …" if len(unseen) > 3 else "")
        widened.append(f"Nothing tells who reads {shown}: every test may.")
        reason = Reason((f"{unseen[0]} changed", "nothing tells who reads it"))
        chosen = {choice.node for choice in choices}
        rest = sorted({telling.label(node) for node in every} - chosen)
        choices += [Choice(label, 0.0, (reason,)) for label in rest]
    held = {choice.node for choice in choices}
    return Tests(
        scope=graph.scope,
        mode="safe",
        basis="static",
        choices=tuple(choices),
        skipped=tuple(sorted({telling.label(node) for node in every} - held)),
        widened=tuple(widened),
        notes=tuple(notes),
        states=(),
        seconds=time.monotonic() - begun,
    )


def _texts(judged: Judgement, mirror: Mirror) -> Texts:
    """Reads a path as it is on the new side, or where it is gone, as it was."""

    def text(path: str) -> bytes | None:
        for side in (judged.change.head, judged.change.base):
            entry = mirror.entry(side.tree, path)
            if entry is not None and entry.kind == "file":
                return mirror.blob(entry.blob)
        return None

    return text


_GONE = VERSIONS.index(Version.BASE)


def _without_reader(judged: Judgement) -> tuple[list[str], list[str]]:
    """Changed files that have no reader, and prose, by path."""
    paths = sorted({*judged.comparison.unsupported, *judged.change.unread})
    prose = [path for path in paths if path.lower().endswith(_PROSE)]
    return [path for path in paths if path not in prose and not path.endswith("CODEOWNERS")], prose


class _Telling:
    """Puts into words how a test was come to."""

    def __init__(self, graph: Incidence, judged: Judgement, closure: Closure) -> None:
        self.graph = graph
        self.closure = closure
        self.proofs = Proofs(graph)
        self.why = {start.key: start for start in judged.comparison.starts}
        self.round = {
            node: at for at, reached in reversed(list(enumerate(closure.cones))) for node in self._of(reached)
        }

    @staticmethod
    def _of(reached: Reached) -> list[int]:
        found: list[int] = np.concatenate((reached.starts, reached.nodes)).tolist()
        return found

    def label(self, node: int) -> str:
        """A test's id as its runner has it."""
        return self.proofs.node(node).label

    def reason(self, node: int) -> Reason:
        """The path from what changed to a node: edges, and links by rule where no edge leads on."""
        steps: list[str] = []
        at = node
        for _ in range(len(self.closure.cones)):
            proof = self.closure.cones[self.round[at]].proof(at) if at not in self._starts(at) else []
            steps[:0] = [self._step(step) for step in self.proofs.steps(proof)]
            at = proof[0].source if proof else at
            link = self.closure.links.get(at)
            if link is None:
                break
            steps.insert(0, f"{self.proofs.node(at).label}: {link.why}")
            at = link.source
        start = self.why.get(self.graph.keys[at])
        reasons = ", ".join(reason.value for reason in start.reasons) if start else "changed"
        return Reason((f"{self.proofs.node(at).label} ({reasons})", *steps))

    def _starts(self, node: int) -> set[int]:
        return set(self.closure.cones[self.round[node]].starts.tolist())

    @staticmethod
    def _step(step: StepView) -> str:
        line = f":{step.line}" if step.line > 0 else ""
        return f"{DEPENDENT_WORDS.get(step.kind, step.kind.value)} {step.dependent.label}{line}"
