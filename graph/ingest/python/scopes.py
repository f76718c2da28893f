"""Our own resolver: every fact of a program's code that follows from its scopes, imports and classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graph.facts import Fact, Hyperedge, Member, Provenance, file_node
from graph.ingest.python.borrowing import settled_digests
from graph.ingest.python.following import Follower
from graph.ingest.python.imports import import_facts
from graph.ingest.python.inheritance import class_facts
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite, OpenAttribute, OpenOperation, Target, Touch
from graph.memory import uncollected
from graph.progress import Progress, silent
from graph.schema import EdgeKind, NodeKind, Resolver, Tier

LANGUAGE = "python"


@dataclass(frozen=True, slots=True)
class Linked:
    """What our resolver says of a program.

    `facts` are those of `structure`, and References and Decorates edges; `calls` every call expression,
    followed or not; `open_attributes` the attributes whose receivers have no type here, `open_operations`
    what may run methods of the classes of its operands.
    """

    facts: list[Fact]
    calls: list[CallSite]
    open_attributes: list[OpenAttribute]
    open_operations: list[OpenOperation]


def link(
    program: Program,
    paths: Iterable[str] | None = None,
    progress: Progress = silent,
    known: Sequence[Fact] | None = None,
) -> Linked:
    """Follow the names of all files, or of some; a pure function of the records.

    What is said of one file is the same whichever others are asked for beside it.

    Parameters
    ----------
    known : sequence of Fact, optional
        What `structure` says of these files, where it was asked before.
    """
    paths = list(program.records if paths is None else paths)
    with uncollected():
        return _link(program, paths, progress, structure(program, paths) if known is None else known)


def structure(program: Program, paths: Iterable[str]) -> list[Fact]:
    """What files say without a name being followed.

    File and Symbol nodes, and Contains, Imports, Inherits and Overrides edges.
    """
    paths = list(paths)
    with uncollected():
        facts: list[Fact] = []
        for path in paths:
            facts.extend(_contents(program, path))
        facts.extend(import_facts(program, paths))
        facts.extend(class_facts(program, paths))
        return facts


def _link(program: Program, paths: Sequence[str], progress: Progress, known: Sequence[Fact]) -> Linked:
    follower = Follower(program)
    for at, path in enumerate(paths):
        progress("linking", at, len(paths))
        follower.imports(path)
        for block in program.records[path].uses.blocks:
            follower.follow(path, block)
    facts = list(known)
    facts.extend(references(program, follower.touches))
    facts.extend(_decorations(program, follower))
    return Linked(facts, follower.calls, follower.open, follower.operations)


def _contents(program: Program, path: str) -> Iterator[Fact]:
    """A file's node, its symbols' nodes, and the edge that holds them together."""
    file = file_node(program.scope, path, LANGUAGE)
    yield file
    members = [Member("file", NodeKind.FILE, file.key)]
    digests = settled_digests(program, path)
    for place, item in enumerate(program.records[path].definitions):
        node = program.node(Target(path, place))
        yield node
        digest = digests[place]
        members.append(Member("symbol", NodeKind.SYMBOL, node.key, item.line, item.end, item.mark, digest))
    said_by = Provenance(path, program.digest(path), Resolver.SYNTAX)
    yield Hyperedge(EdgeKind.CONTAINS, program.scope, tuple(members), said_by, Tier.EXACT)


def references(
    program: Program, touches: list[Touch], resolver: Resolver = Resolver.SCOPES
) -> Iterator[Hyperedge]:
    """References edges: one an owner, mode and tier, with all that it reads or writes so.

    A symbol that is reached in several ways counts at its surest tier only.
    """
    best: dict[tuple[Target, bool, Target], tuple[int, Tier]] = {}
    lines: dict[tuple[Target, bool, Target], set[int]] = defaultdict(set)
    for touch in touches:
        if touch.owner == touch.target:
            continue
        key = (touch.owner, touch.written, touch.target)
        rank = touch.tier.rank
        if key not in best or rank < best[key][0]:
            best[key] = (rank, touch.tier)
        lines[key].add(touch.line)
    groups: dict[tuple[Target, bool, Tier], list[Target]] = defaultdict(list)
    for (owner, written, target), (_, tier) in best.items():
        groups[owner, written, tier].append(target)
    for (owner, written, tier), targets in groups.items():
        first = program.definition(owner).line
        offsets = {line - first for target in targets for line in lines[owner, written, target]}
        members = (
            Member("writer" if written else "reader", NodeKind.SYMBOL, program.key(owner)),
            *(Member("target", NodeKind.SYMBOL, key) for key in sorted(map(program.key, targets))),
        )
        props = (("lines", tuple(sorted(offsets))), ("mode", "write" if written else "read"))
        said_by = Provenance(owner.path, program.digest(owner.path), resolver)
        yield Hyperedge(EdgeKind.REFERENCES, program.scope, members, said_by, tier, props=props)


def _decorations(program: Program, follower: Follower) -> Iterator[Hyperedge]:
    for decorated, found in follower.decorators.items():
        tier = max((tier for _, tier in found), key=lambda item: item.rank)
        members = (
            Member("decorated", NodeKind.SYMBOL, program.key(decorated)),
            *(
                Member("decorator", NodeKind.SYMBOL, program.key(item))
                for item in dict.fromkeys(t for t, _ in found)
            ),
        )
        said_by = Provenance(decorated.path, program.digest(decorated.path), Resolver.SCOPES)
        yield Hyperedge(EdgeKind.DECORATES, program.scope, members, said_by, tier)
