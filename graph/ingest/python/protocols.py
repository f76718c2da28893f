"""Calls that the language makes by itself: decorators where they stand, descriptors, subclasses, aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from graph.facts import Fact, Hyperedge
from graph.ingest.python.callables import FUNCTIONS
from graph.ingest.python.flow import Flow
from graph.ingest.python.records import CallSite, Site, Target
from graph.ingest.python.traits import Call, written
from graph.schema import TIER_OF, EdgeKind, Form, Resolver, Sort, Tier

PROTOCOL = TIER_OF[Resolver.FRAMEWORK, "protocol of a base class"]
DECORATOR = TIER_OF[Resolver.FRAMEWORK, "wrapper of a decorator"]


def decorator_calls(flow: Flow) -> Iterator[CallSite]:
    """What a decorator's factory returned is run by the scope around, and what is decorated depends on it."""
    for decorated, decorators in flow.decorators.items():
        for decoration, found in decorators:
            if not isinstance(decoration.value, int):
                continue
            site = Site(decoration.line, decoration.column, decoration.end_line, decoration.end_column)
            targets = tuple(sorted(found))
            yield from _made(flow, decorated, site, targets, DECORATOR)
    yield from _descriptor_calls(flow)


def _descriptor_calls(flow: Flow) -> Iterator[CallSite]:
    """A method that a class of the program decorates is reached through that class's `__get__`."""
    for decorated, decorators in flow.decorators.items():
        around = Target(decorated.path, max(flow.parent(decorated), 0))
        for decoration, found in decorators if flow.sort(around) is Sort.CLASS else ():
            methods = {
                method
                for target in found
                for name, method in _protocol(flow, target).items()
                if name != "__set_name__"
            }
            if methods:
                site = Site(decoration.line, decoration.column, decoration.end_line, decoration.end_column)
                run = tuple(sorted(methods))
                yield CallSite(decorated, site, run, DECORATOR, Form.WRAPPER, Resolver.FRAMEWORK)


def _made(
    flow: Flow, made: Target, site: Site, targets: tuple[Target, ...], tier: Tier
) -> Iterator[CallSite]:
    """Calls that run when a definition is made: for it, and in the scope around it."""
    around = Target(made.path, max(flow.parent(made), 0))
    form = Form.IMPLICIT if flow.sort(around) in FUNCTIONS else Form.DECORATING
    targets = tuple(target for target in targets if target not in (made, around))
    if targets:
        yield CallSite(around, site, targets, tier, form, Resolver.FRAMEWORK)
        yield CallSite(made, site, targets, tier, Form.WRAPPER, Resolver.FRAMEWORK)


_MAKING = ("__new__", "__init__", "__prepare__")
"""What making a class runs of its metaclass."""


def class_calls(flow: Flow) -> Iterator[CallSite]:
    """A class statement runs `__init_subclass__` of the nearest base and what its metaclass defines."""
    program = flow.program
    for path, record in program.records.items():
        for klass in record.uses.classes:
            target = Target(path, klass.place)
            run = [
                Target(base.path, place)
                for base in program.mro(target)[1:]
                if (place := flow.names.children(base.path, base.place).get("__init_subclass__")) is not None
            ][:1]
            around = max(record.definitions[klass.place].parent, 0)
            for meta in program.resolve(path, around, klass.metaclass) if klass.metaclass else ():
                if flow.sort(meta) is Sort.CLASS:
                    members = flow.names.klass(meta)
                    run += [members[name] for name in _MAKING if name in members]
            line = record.definitions[klass.place].mark
            yield from _made(flow, target, Site(line, 0, line, 0), tuple(run), DECORATOR)


_GENERIC = ("singledispatch", "singledispatchmethod")


def generic_calls(flow: Flow) -> Iterator[CallSite]:
    """A generic function runs what is registered with it, `@show.register` (PEP 443)."""
    generic: set[Target] = set()
    registered: list[tuple[Target, str]] = []
    for path, record in flow.program.records.items():
        if record.frameworks is None:
            continue
        for item in record.frameworks.decorations:
            base, _, name = written(record.frameworks.calls, item.value).rpartition(".")
            if name in _GENERIC:
                generic.add(Target(path, item.place))
            elif name == "register" and item.place >= 0:
                registered.append((Target(path, item.place), base))
    for target, base in registered if generic else ():
        around = max(flow.parent(target), 0)
        for function in flow.program.resolve(target.path, around, base):
            if function in generic and function != target:
                line = flow.program.definition(function).mark
                site = Site(line, 0, line, 0)
                yield CallSite(function, site, (target,), DECORATOR, Form.HANDED, Resolver.FRAMEWORK)


def descriptors(flow: Flow) -> dict[Target, dict[str, Target]]:
    """Class attribute -> the methods of the descriptor that it holds, by name."""
    found: dict[Target, dict[str, Target]] = {}
    for path, file in flow.files.items():
        definitions = flow.program.records[path].definitions
        for (place, name), values in file.binds.items():
            if place <= 0 or definitions[place].sort is not Sort.CLASS:
                continue
            attribute = flow.names.children(path, place).get(name)
            if attribute is None:
                continue
            for value in values:
                if isinstance(value, int):
                    call = file.calls[value]
                    methods = _accessors(flow, path, place, call) or _methods(flow, path, call)
                    if methods:
                        found.setdefault(Target(path, attribute), {}).update(methods)
    return found


_ACCESSORS = {0: "__get__", 1: "__set__", 2: "__delete__", "fget": "__get__", "fset": "__set__"}


def _accessors(flow: Flow, path: str, place: int, call: Call) -> dict[str, Target]:
    """What `x = property(getter, setter)` runs."""
    if call.callee != "property":
        return {}
    return {
        _ACCESSORS[key]: target
        for key, value in call.arguments
        if key in _ACCESSORS and isinstance(value, str)
        for target in flow.program.resolve(path, place, value)
        if flow.sort(target) in FUNCTIONS
    }


def _methods(flow: Flow, path: str, call: Call) -> dict[str, Target]:
    methods: dict[str, Target] = {}
    for target in flow.targets(path, call):
        methods.update(_protocol(flow, target))
    return methods


def _protocol(flow: Flow, target: Target) -> dict[str, Target]:
    """The methods by which instances of a class, that is called or whose `__init__` is, are descriptors."""
    klass = target if flow.sort(target) is Sort.CLASS else Target(target.path, flow.parent(target))
    if klass.place <= 0 or flow.sort(klass) is not Sort.CLASS:
        return {}
    if target != klass and flow.name(target) not in ("__init__", "__new__"):
        return {}
    members = flow.names.klass(klass)
    return {name: members[name] for name in _PROTOCOL if name in members}


_PROTOCOL = ("__get__", "__set__", "__delete__", "__set_name__")


def descriptor_calls(flow: Flow, references: Iterable[Fact]) -> Iterator[CallSite]:
    """An attribute that holds a descriptor runs its methods for whoever reads or writes it."""
    held = descriptors(flow)
    if not held:
        return
    program = flow.program
    keys: dict[str, Target] = {}
    for attribute, methods in held.items():
        keys[program.key(attribute)] = attribute
        line = program.definition(attribute).mark
        yield CallSite(
            attribute, Site(line, 0, line, 0), tuple(sorted(methods.values())), PROTOCOL, Form.IMPLICIT,
            Resolver.FRAMEWORK,
        )  # fmt: skip
    users: dict[tuple[str, str], set[Target]] = defaultdict(set)
    tiers: dict[tuple[str, str], Tier] = {}
    for fact in references:
        if isinstance(fact, Hyperedge) and fact.kind is EdgeKind.REFERENCES and fact.tier is not None:
            attributes = [keys[member.key] for member in fact.members if member.key in keys]
            for member in fact.members if attributes else ():
                if member.role in ("reader", "writer"):
                    name = "__get__" if member.role == "reader" else "__set__"
                    found = {held[at][name] for at in attributes if name in held[at]}
                    users[member.key, name] |= found
                    weakest = max(fact.tier, tiers.get((member.key, name), fact.tier), key=_rank)
                    tiers[member.key, name] = weakest
    if users:
        yield from _uses(flow, users, tiers)


def _uses(
    flow: Flow, users: dict[tuple[str, str], set[Target]], tiers: dict[tuple[str, str], Tier]
) -> Iterator[CallSite]:
    program = flow.program
    wanted = {key for key, _ in users}
    places: dict[str, Target] = {}
    for path, record in program.records.items():
        prefix = program.scope.symbol(path, "")
        if any(key.startswith(prefix) for key in wanted):
            for place in range(len(record.definitions)):
                target = Target(path, place)
                places[program.key(target)] = target
    for (key, name), targets in users.items():
        user = places.get(key)
        if user is not None and targets:
            line = program.definition(user).mark
            yield CallSite(
                user, Site(line, 0, line, 0), tuple(sorted(targets)), tiers[key, name], Form.IMPLICIT,
                Resolver.FRAMEWORK, name=name,
            )  # fmt: skip


def _rank(tier: Tier) -> int:
    return tier.rank


def alias_calls(flow: Flow, sites: Iterable[CallSite]) -> Iterator[CallSite]:
    """`tag = to_json` in a class body overrides a base's method `tag` by another one of its own."""
    aliases: dict[Target, list[Target]] = defaultdict(list)
    for path, file in flow.files.items():
        definitions = flow.program.records[path].definitions
        for (place, name), values in file.binds.items():
            if place > 0 and definitions[place].sort is Sort.CLASS:
                _alias(flow, Target(path, place), name, values, aliases)
    if not aliases:
        return
    for site in sites:
        found = [alias for target in site.targets for alias in aliases.get(target, ())]
        targets = tuple(target for target in dict.fromkeys(found) if target not in site.targets)
        if targets and site.virtual:
            yield CallSite(
                site.caller, site.site, targets, PROTOCOL, Form.IMPLICIT, Resolver.FRAMEWORK, name=site.name
            )


def _alias(
    flow: Flow, klass: Target, name: str, values: Iterable[str | int], aliases: dict[Target, list[Target]]
) -> None:
    for value in values:
        if isinstance(value, str) and value != name:
            for target in flow.values(klass.path, klass.place, value):
                if flow.sort(target) in FUNCTIONS:
                    for base in flow.program.mro(klass)[1:]:
                        place = flow.names.children(base.path, base.place).get(name)
                        if place is not None:
                            aliases[Target(base.path, place)].append(target)
