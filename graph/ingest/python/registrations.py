"""Which callables are kept where: by decorators, by calls that register, in tables.

The registry is the object or class attribute that keeps the callable where that has a name, else
the function that registers it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graph.facts import Fact, Hyperedge, Member, Provenance
from graph.ingest.python.callables import FUNCTIONS
from graph.ingest.python.flow import Flow
from graph.ingest.python.records import Target
from graph.ingest.python.traits import Function, Value, written
from graph.schema import TIER_OF, EdgeKind, Form, NodeKind, Resolver, Sort, Tier

DECORATOR = TIER_OF[Resolver.FRAMEWORK, "registration by decorator"]
DEPTH = 4
"""Functions that a callable is followed through until it is kept."""

REGISTRARS = frozenset(
    # flask, quart, fastapi, starlette, aiohttp, bottle, falcon
    [
     "route", "get", "post", "put", "patch", "delete", "head", "options", "websocket", "api_route",
     "endpoint", "before_request", "after_request", "teardown_request", "teardown_appcontext",
     "errorhandler", "app_errorhandler", "exception_handler", "middleware", "on_event",
     "context_processor", "template_filter", "template_test", "template_global", "url_value_preprocessor",
     "url_defaults", "add_url_rule", "add_route", "add_api_route", "add_event_handler", "add_middleware",
     "add_exception_handler",
     # celery, dramatiq, rq, huey
     "task", "shared_task", "actor", "job", "periodic_task", "on_after_configure", "register_task",
     # click, typer, cmd-like
     "command", "group", "callback", "result_callback", "add_command", "add_typer",
     # pluggy, django, blinker, zope, general
     "hookimpl", "receiver", "connect", "connect_via", "subscribe", "subscriber", "listens_for", "listens",
     "listener", "add_listener", "add_handler", "on", "event", "handler", "register", "register_function",
     "singledispatch", "add_done_callback", "addCleanup", "add_finalizer", "addfinalizer", "add_callback",
     "simple_tag", "inclusion_tag", "filter", "tag", "implements", "provides", "provider",
     "register_lookup"
    ]
)  # fmt: skip
"""Last names of functions of known frameworks that keep what they are given."""


class Kept(NamedTuple):
    """A registration: where what is kept, said in which file, and how."""

    registry: Target
    registered: Target
    path: str
    how: str
    tier: Tier


def registers(flow: Flow) -> Iterator[Fact]:
    """Registers edges, one for each registry, file, manner and tier."""
    groups: dict[tuple[Target, str, str, Tier], dict[Target, None]] = defaultdict(dict)
    for kept in _all(flow):
        if kept.registry != kept.registered:
            groups[kept.registry, kept.path, kept.how, kept.tier][kept.registered] = None
    program = flow.program
    for (registry, path, how, tier), registered in groups.items():
        members = (
            Member("registry", NodeKind.SYMBOL, program.key(registry)),
            *(Member("registered", NodeKind.SYMBOL, program.key(target)) for target in sorted(registered)),
        )
        said_by = Provenance(path, flow.program.digest(path), Resolver.FRAMEWORK)
        yield Hyperedge(EdgeKind.REGISTERS, program.scope, members, said_by, tier, Form.NONE, (("how", how),))


def _all(flow: Flow) -> Iterator[Kept]:
    keeper = _Keeper(flow)
    for path in flow.files:
        yield from keeper.decorated(path)
        yield from keeper.called(path)
        yield from keeper.tabled(path)


class _Keeper:
    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._known: dict[tuple[Target, str], frozenset[Target]] = {}
        self._callable_names = {
            definition.qualname.rpartition(".")[2]
            for record in flow.program.records.values()
            for definition in record.definitions
            if definition.sort in FUNCTIONS or definition.sort is Sort.CLASS
        }

    def decorated(self, path: str) -> Iterator[Kept]:
        """`@app.route("/")`, `@registry.register`."""
        flow = self.flow
        record = flow.program.records[path].frameworks
        for decoration in record.decorations if record is not None else ():
            if decoration.place < 0:
                continue
            target = Target(path, decoration.place)
            own = {d.order: found for d, found in flow.decorators.get(target, ())}.get(decoration.order)
            around = max(flow.parent(target), 0)
            text = self._text(path, decoration.value)
            registries: Iterable[Target] = ()
            if own:
                registries = self._keep_first(own)
                if registries:
                    receiver = self._receiver(path, around, text)
                    registries = (receiver,) if receiver is not None else registries
            if not registries and text.rpartition(".")[2] in REGISTRARS:
                receiver = self._receiver(path, around, text)
                registries = (
                    (receiver,) if receiver is not None else self._registrar(path, decoration.value, own)
                )
            yield from self._kept(registries, target, path, "decorator")

    def _kept(self, registries: Iterable[Target], target: Target, path: str, how: str) -> Iterator[Kept]:
        """A function inside another lives as long as its call: it is kept for possible only, outside."""
        local = "<locals>" in self.flow.program.records[target.path].definitions[target.place].qualname
        for registry in registries:
            yield Kept(registry, target, path, how, Tier.AMBIGUOUS if local else DECORATOR)

    def _registrar(self, path: str, value: Value, own: frozenset[Target] | None) -> Iterable[Target]:
        if own:
            return sorted(own)
        while isinstance(value, int):
            call = self.flow.files[path].calls[value]
            targets = self.flow.targets(path, call)
            if targets:
                return targets
            value = call.callee
        return ()

    def _keep_first(self, decorators: frozenset[Target]) -> tuple[Target, ...]:
        found: dict[Target, None] = {}
        for decorator in sorted(decorators):
            file = self.flow.files.get(decorator.path)
            shape = file.functions.get(decorator.place) if file is not None else None
            if shape is not None:
                for name in _first(shape, self.flow.is_bound(decorator)):
                    found.update(dict.fromkeys(sorted(self.keeps(decorator, name))))
        return tuple(found)

    def _text(self, path: str, value: Value) -> str:
        return written(self.flow.files[path].calls, value)

    def _receiver(self, path: str, place: int, text: str) -> Target | None:
        """The object before the last dot, where it is a symbol of the program."""
        receiver, _, _ = text.rpartition(".")
        if not receiver or receiver.startswith(("?", "super()")):
            return None
        root = receiver.partition(".")[0]
        if self.flow.scope_of(path, place, root):
            return None
        for target in self.flow.program.resolve(path, place, receiver):
            if self.flow.sort(target) in (Sort.CONSTANT, Sort.ATTRIBUTE):
                return target
        return None

    def called(self, path: str) -> Iterator[Kept]:
        """`app.add_url_rule("/", view_func=f)`, `atexit.register(f)`, `signal.connect(f)`."""
        flow = self.flow
        for call in flow.files[path].calls:
            if not call.arguments:
                continue
            targets: tuple[Target, ...] | None = None
            text = self._text(path, call.callee)
            known = text.rpartition(".")[2] in REGISTRARS
            for key, value in call.arguments:
                function = self._function(path, call.place, value)
                if function is None:
                    continue
                if targets is None:
                    targets = flow.targets(path, call)
                registries: Iterable[Target] = ()
                for target in targets:
                    file = flow.files.get(target.path)
                    shape = file.functions.get(target.place) if file is not None else None
                    if shape is not None:
                        bound = flow.is_bound(target)
                        for name in _parameters(shape, key, bound):
                            registries = (*registries, *sorted(self.keeps(target, name)))
                if registries or known:
                    receiver = self._receiver(path, call.place, text)
                    if receiver is not None:
                        registries = (receiver,)
                    elif known and not registries:
                        registries = targets
                yield from self._kept(dict.fromkeys(registries), function, path, "call")

    def tabled(self, path: str) -> Iterator[Kept]:
        """`TABLE = {"a": f}`, `hooks.append(f)`, `loader[name] = f`."""
        record = self.flow.program.records[path].frameworks
        for bind in record.binds if record is not None else ():
            if bind.slot[0] not in "+*":
                continue
            function = self._function(path, bind.place, bind.value)
            if function is not None:
                registry = self._symbol(path, bind.place, bind.slot[1:])
                yield from self._kept((registry,) if registry is not None else (), function, path, "table")

    def _function(self, path: str, place: int, value: Value) -> Target | None:
        """The function that a name stands for, where it surely is one of the program's."""
        if not isinstance(value, str) or value.rpartition(".")[2] not in self._callable_names:
            return None
        root, _, rest = value.partition(".")
        scope = self.flow.scope_of(path, place, root)
        values, _ = self.flow.read(path, place, value)
        if not values and not rest:
            child = self.flow.names.children(path, scope).get(root)
            if child is not None:
                values = frozenset((Target(path, child),))
            elif scope == 0:
                values = frozenset(self.flow.program.resolve(path, place, value))
        functions = [target for target in values if self.flow.sort(target) in FUNCTIONS]
        return functions[0] if len(functions) == 1 else None

    def _symbol(self, path: str, place: int, slot: str) -> Target | None:
        """The constant or attribute that a slot is; None for a local variable."""
        root, _, rest = slot.partition(".")
        scope = self.flow.scope_of(path, place, root)
        if not rest:
            around = scope
            child = self.flow.names.children(path, around).get(root)
            if child is not None and self.flow.sort(Target(path, child)) in (Sort.CONSTANT, Sort.ATTRIBUTE):
                return Target(path, child)
            if scope:
                return None
        elif scope:
            owner = self.flow.owner(path, place, root)
            if owner is None or "." in rest:
                return None
            held = self.flow.names.klass(owner).get(rest)
            return held if held is not None and self.flow.sort(held) is Sort.ATTRIBUTE else None
        for target in self.flow.program.resolve(path, place, slot):
            if self.flow.sort(target) in (Sort.CONSTANT, Sort.ATTRIBUTE):
                return target
        return None

    def keeps(self, function: Target, name: str, depth: int = 0) -> frozenset[Target]:
        """The attributes and constants in which a function keeps what it gets for a parameter."""
        known = self._known.get((function, name))
        if known is not None:
            return known
        self._known[function, name] = frozenset()
        flow = self.flow
        file = flow.files.get(function.path)
        found: set[Target] = set()
        if file is not None and depth < DEPTH:
            places = flow.within(function)
            record = flow.program.records[function.path].frameworks
            for bind in record.binds if record is not None else ():
                if bind.value == name and bind.place in places:
                    symbol = self._symbol(function.path, bind.place, bind.slot.lstrip("+*"))
                    if symbol is not None:
                        found.add(symbol)
            for call in flow.calls_of(function.path, places):
                for key, value in call.arguments:
                    if value == name:
                        for target in flow.reached(function.path, call):
                            inner = flow.files.get(target.path)
                            shape = inner.functions.get(target.place) if inner is not None else None
                            if shape is not None:
                                for parameter in _parameters(shape, key, flow.is_bound(target)):
                                    found |= self.keeps(target, parameter, depth + 1)
        self._known[function, name] = frozenset(found)
        return frozenset(found)


def _first(shape: Function, bound: bool) -> tuple[str, ...]:
    return shape.positional[1 if bound else 0 :][:1] or ((shape.vararg,) if shape.vararg else ())


def _parameters(shape: Function, key: int | str, bound: bool) -> tuple[str, ...]:
    """The parameter that an argument goes to."""
    positional = shape.positional[1:] if bound else shape.positional
    if isinstance(key, int):
        if key < len(positional):
            return (positional[key],)
        return (shape.vararg,) if shape.vararg else ()
    return (key,) if key in shape.positional or key in shape.keywords else ()
