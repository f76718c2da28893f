"""Names in strings, followed to what they name: imports, settings, patches, attributes, entry points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import basename
from typing import TYPE_CHECKING

from graph.facts import Fact, Hyperedge, Member, Provenance
from graph.ingest.python.configuration import EntryPoint
from graph.ingest.python.records import Target
from graph.ingest.python.strings import TAKERS
from graph.ingest.python.traits import Text
from graph.schema import TIER_OF, EdgeKind, Form, NodeKind, Resolver, Sort

if TYPE_CHECKING:
    from graph.ingest.python.flow import Flow

STRING = TIER_OF[Resolver.FRAMEWORK, "string reference"]


def text_facts(flow: Flow) -> Iterator[Fact]:
    """References and Patches from the strings that frameworks read as names."""
    for path, record in flow.program.records.items():
        if record.frameworks is None or not record.frameworks.texts:
            continue
        said_by = Provenance(path, flow.program.digest(path), Resolver.FRAMEWORK)
        read: dict[int, dict[Target, None]] = {}
        patched: dict[tuple[int, Target], set[int]] = {}
        for text in record.frameworks.texts:
            kind = TAKERS.get(text.taker.rpartition(".")[2], "import")
            for target in _targets(flow, path, text, kind):
                if kind == "patch":
                    patched.setdefault((text.place, target), set()).add(text.line)
                elif target != Target(path, text.place):
                    read.setdefault(text.place, {})[target] = None
        for place, targets in read.items():
            yield _references(flow, Target(path, place), targets, said_by)
        for (place, target), lines in patched.items():
            yield _patches(flow, Target(path, place), target, lines, said_by)


def _references(flow: Flow, reader: Target, targets: Iterable[Target], said_by: Provenance) -> Hyperedge:
    key = flow.program.key
    members = (
        Member("reader", NodeKind.SYMBOL, key(reader)),
        *(Member("target", NodeKind.SYMBOL, key(target)) for target in sorted(targets)),
    )
    return Hyperedge(EdgeKind.REFERENCES, flow.program.scope, members, said_by, STRING)


def _patches(
    flow: Flow, patcher: Target, target: Target, lines: Iterable[int], said_by: Provenance
) -> Hyperedge:
    key = flow.program.key
    first = flow.program.records[patcher.path].definitions[patcher.place].line
    members = (
        Member("patcher", NodeKind.SYMBOL, key(patcher)),
        Member("target", NodeKind.SYMBOL, key(target)),
    )
    relative = tuple(sorted(line - first for line in lines))
    return Hyperedge(
        EdgeKind.PATCHES, flow.program.scope, members, said_by, STRING, Form.NONE, (("lines", relative),)
    )


def _targets(flow: Flow, path: str, text: Text, kind: str) -> tuple[Target, ...]:
    if text.receiver:
        return _attribute(flow, path, text)
    if kind == "fixture" or text.taker.startswith("collect_ignore") or not _plausible(text.text):
        return ()
    dotted = text.text.replace(":", ".")
    if dotted.startswith("."):
        dotted = _absolute(flow, path, dotted)
    found = flow.program.lookup(dotted)
    if found or kind != "patch":
        return tuple(found) or tuple(Target(module, 0) for module in flow.program.paths_of(dotted))
    while "." in dotted:  # a name that the module has from outside: the module is what is patched
        dotted = dotted.rpartition(".")[0]
        found = flow.program.lookup(dotted)
        if found:
            return tuple(found)
    return ()


def _attribute(flow: Flow, path: str, text: Text) -> tuple[Target, ...]:
    """`setattr(receiver, "name")`, where the receiver is known by name."""
    if not text.text.isidentifier():
        return ()
    written = f"{text.receiver}.{text.text}"
    root = text.receiver.partition(".")[0]
    if flow.scope_of(path, text.place, root):
        owner = flow.owner(path, text.place, root)
        held = (
            flow.names.klass(owner).get(text.text) if owner is not None and "." not in text.receiver else None
        )
        return (held,) if held is not None else ()
    return tuple(flow.program.resolve(path, text.place, written))


def _plausible(text: str) -> bool:
    return bool(text) and all(part.isidentifier() for part in text.lstrip(".").replace(":", ".").split("."))


def _absolute(flow: Flow, path: str, dotted: str) -> str:
    level = len(dotted) - len(dotted.lstrip("."))
    base = flow.program.module_of(path).split(".")
    base = base if basename(path) == "__init__.py" else base[:-1]
    return ".".join([*base[: len(base) - level + 1], dotted.lstrip(".")])


def entry_facts(flow: Flow, entries: Iterable[EntryPoint]) -> Iterator[Fact]:
    """Entry points: an installer's script or a host of plugins runs what packaging files name."""
    scope, key = flow.program.scope, flow.program.key
    for entry in entries:
        dotted = entry.target.partition("[")[0].strip().replace(":", ".")
        targets = [t for t in flow.program.lookup(dotted) if flow.sort(t) is not Sort.ATTRIBUTE]
        targets = targets or [Target(path, 0) for path in flow.program.paths_of(dotted)]
        if targets:
            registry = Member("registry", NodeKind.FILE, scope.file(entry.path))
            members = (registry, *(Member("registered", NodeKind.SYMBOL, key(target)) for target in targets))
            said_by = Provenance(entry.path, flow.program.digest(entry.path), Resolver.FRAMEWORK)
            props = (("how", f"entry point {entry.group}: {entry.name}"),)
            yield Hyperedge(EdgeKind.REGISTERS, scope, members, said_by, STRING, Form.NONE, props)
