"""Facts of the classes of a program: what they derive from, and which members stand in for others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graph.facts import Fact, Hyperedge, Member, Provenance
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target
from graph.schema import EdgeKind, NodeKind, Resolver, Sort, Tier

_OWN = frozenset(
    {"__slots__", "__doc__", "__module__", "__qualname__", "__dict__", "__annotations__", "__class__"}
)


def class_facts(program: Program, paths: Iterable[str]) -> Iterator[Fact]:
    """Inherits and Overrides edges of the classes of some files."""
    for path in paths:
        record = program.records[path]
        said_by = Provenance(path, program.digest(path), Resolver.SCOPES)
        members: dict[int, dict[str, list[Target]]] = {item.place: {} for item in record.uses.classes}
        for place, definition in enumerate(record.definitions):
            if definition.parent in members and definition.sort in (Sort.METHOD, Sort.ATTRIBUTE):
                name = definition.qualname.rpartition(".")[2]
                members[definition.parent].setdefault(name, []).append(Target(path, place))
        for place, named in members.items():
            klass = Target(path, place)
            bases = program.bases(klass)
            if bases:
                yield _inherits(program, klass, bases, said_by)
                yield from _overrides(program, klass, named, said_by)


def _inherits(program: Program, klass: Target, bases: tuple[Target, ...], said_by: Provenance) -> Hyperedge:
    members = (
        Member("derived", NodeKind.SYMBOL, program.key(klass)),
        *(Member("base", NodeKind.SYMBOL, program.key(base)) for base in bases),
    )
    return Hyperedge(EdgeKind.INHERITS, program.scope, members, said_by, Tier.EXACT)


def _overrides(
    program: Program, klass: Target, named: dict[str, list[Target]], said_by: Provenance
) -> Iterator[Hyperedge]:
    """Each member that a base defines too, with the nearest such base's; private names stand alone."""
    above = program.mro(klass)[1:]
    for name, targets in named.items():
        if name in _OWN or (name.startswith("__") and not name.endswith("__")):
            continue
        # What methods assign to a base's property is no member of its own.
        held = program.attribute(klass, name)
        own = [one for one in targets if one in held or program.definition(one).sort is not Sort.ATTRIBUTE]
        for base in above if own else ():
            found = [
                item.target
                for item in (
                    *program.evaluator.defined(base, name),
                    *program.evaluator.own_member(base, name),
                )
                if program.definition(item.target).sort in (Sort.METHOD, Sort.ATTRIBUTE)
            ]
            if found:
                for target in own:
                    for other in dict.fromkeys(found):
                        members = (
                            Member("override", NodeKind.SYMBOL, program.key(target)),
                            Member("base", NodeKind.SYMBOL, program.key(other)),
                        )
                        yield Hyperedge(EdgeKind.OVERRIDES, program.scope, members, said_by, Tier.EXACT)
                break
