"""Which functions a callable value may be: asked for backwards, from where it is called.

A small points-to analysis over callables alone (in the manner of Andersen, 1994, but demand-driven):
local variables, fields by name and class, parameters, results. It does not tell calls of a function
apart, except for what a function returns of its own parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graph.ingest.python.callables import FUNCTIONS, STORED, Callables, arguments, has_parameter
from graph.ingest.python.records import CallSite, Target
from graph.ingest.python.tests import Names
from graph.ingest.python.traits import Call, Decoration, Function, Value
from graph.schema import Sort

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

MANY = 8
"""A function that returns more functions than this looks them up: it is no decorator with a wrapper."""

LIMIT = 2_000
"""Places that one question may visit; what lies beyond is not found."""


class Place(NamedTuple):
    """Where a value may stand. `kind`: local, field, result (of a function) or call (its result).

    `at` is the scope of a local, the class of a field (-1: of any), the function or the call.
    """

    kind: str
    path: str
    at: int
    name: str = ""


class Summary(NamedTuple):
    """What a function gives back: which of its parameters, which functions, and what stands in places."""

    parameters: frozenset[str]
    values: frozenset[Target]
    places: tuple[Place, ...]


Found: TypeAlias = tuple[frozenset[Target], tuple[Place, ...]]
_NOTHING: Found = (frozenset(), ())
_EMPTY = Summary(frozenset(), frozenset(), ())


class Flow(Callables):
    """Answers what a callable value of a program may be.

    Parameters
    ----------
    program : Program
    sites : iterable of CallSite
        Calls that were resolved by types or names; where none speaks of a call, it is unknown.
    """

    def __init__(self, program: Program, names: Names, sites: Iterable[CallSite]) -> None:
        super().__init__(program, names, sites)
        self._sources: dict[Place, Found] = {}
        self._summaries: dict[Target, Summary] = {}
        self._answers: dict[Place, frozenset[Target]] = {}
        self._results: dict[Target, frozenset[Target]] = {}
        self._stores: dict[str, list[tuple[str, int, str, Value]]] = defaultdict(list)
        self.tables: set[tuple[str, int, str]] = set()
        """Names of module level that hold containers: path, 0, name."""
        self._adds: dict[tuple[str, int, str], list[tuple[int, Value]]] = defaultdict(list)
        self.callers: dict[Target, list[tuple[str, Call]]] = defaultdict(list)
        self.decorated: dict[Target, list[Target]] = defaultdict(list)
        """Functions that decorate -> what they decorate."""
        self.decorators: dict[Target, list[tuple[Decoration, frozenset[Target]]]] = defaultdict(list)
        """Definition -> its decorators that are the program's own, nearest first."""
        self._outside = _OUTSIDE - self._ours()
        self._index()

    def _index(self) -> None:
        for path, file in self.files.items():
            for call in file.calls:
                for target in self.targets(path, call):
                    self.callers[self.entry(target)].append((path, call))
            record = self.program.records[path].frameworks
            for bind in record.binds if record is not None else ():
                name = bind.slot.lstrip("+*")
                sort = self.sort(Target(path, bind.place))
                if "." in name or sort is Sort.CLASS:
                    self._stores[name.rpartition(".")[2]].append((path, bind.place, name, bind.value))
                elif bind.slot[0] in "+*" and not bind.place:
                    self.tables.add((path, 0, name))
                elif bind.slot[0] == "+":
                    owner = self.scope_of(path, bind.place, name)
                    if owner != bind.place:
                        self._adds[path, owner, name].append((bind.place, bind.value))
        self._forget()
        for path in self.files:
            record = self.program.records[path].frameworks
            for decoration in record.decorations if record is not None else ():
                if decoration.place >= 0:
                    self._decoration(path, decoration)
        for path, file in self.files.items():
            for call in file.calls:
                if isinstance(call.callee, int) and call.arguments and not self.targets(path, call):
                    for target in self._callees(path, call):
                        self.callers[self.entry(target)].append((path, call))
        self._forget()

    def _ours(self) -> set[str]:
        """Decorators that this program has of its own, by names that others have from outside."""
        last = {name.rpartition(".")[2] for name in _OUTSIDE}
        ours = {
            definition.qualname
            for record in self.program.records.values()
            for definition in record.definitions
            if definition.qualname in last
        }
        return {name for name in _OUTSIDE if name.rpartition(".")[2] in ours}

    def _forget(self) -> None:
        """Drop what was answered before all callers were known."""
        for answered in (self._sources, self._summaries, self._answers, self._results):
            answered.clear()

    def _decoration(self, path: str, decoration: Decoration) -> None:
        if decoration.value in self._outside:
            return
        decorated = Target(path, decoration.place)
        found: frozenset[Target]
        if isinstance(decoration.value, str):
            span = (decoration.line, decoration.column, decoration.end_line, decoration.end_column)
            direct = self.resolved.get((path, *span))
            around = self.program.records[path].definitions[decoration.place].parent
            if direct is None and "." in decoration.value:
                named = self.program.resolve(path, max(around, 0), decoration.value)
                direct = tuple(target for target in named if self.sort(target) not in STORED)
            found = frozenset(direct) if direct else self.values(path, max(around, 0), decoration.value)
        else:
            factories = self.targets(path, self.files[path].calls[decoration.value])
            if not factories:
                return
            found = self.ask(Place("call", path, decoration.value))
            if len(found) > 1:  # what it made itself, where it also hands out what others made
                own = {target for target in found if any(self._made_in(target, f) for f in factories)}
                found = frozenset(own) or found
            if len(found) > MANY:
                return
        found = frozenset(self.entry(target) for target in found) - {decorated}
        if found:
            self.decorators[decorated].append((decoration, found))
            for target in found:
                self.decorated[target].append(decorated)

    def _made_in(self, target: Target, function: Target) -> bool:
        return target.path == function.path and target.place in self.within(function) and target != function

    def values(self, path: str, place: int, value: Value) -> frozenset[Target]:
        """Functions and classes that a value, read within a definition, may be."""
        values, places = self.read(path, place, value)
        return values.union(*(self.ask(inner) for inner in places)) if places else values

    def ask(self, start: Place) -> frozenset[Target]:
        """Functions and classes that may stand in a place."""
        known = self._answers.get(start)
        if known is None:
            known = self._answers[start] = self._ask(start)
        return known

    def _ask(self, start: Place) -> frozenset[Target]:
        seen, waiting = {start}, [start]
        found: set[Target] = set()
        while waiting and len(seen) < LIMIT:
            values, places = self.sources(waiting.pop())
            found |= values
            for other in places:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return frozenset(found)

    def read(self, path: str, place: int, value: Value) -> Found:
        """Where a value comes from, one step."""
        if isinstance(value, int):
            return frozenset(), (Place("call", path, value),)
        root, _, rest = value.partition(".")
        if not rest:
            return frozenset(), (Place("local", path, self.scope_of(path, place, root), root),)
        last = rest.rpartition(".")[2]
        if root == "?":
            return frozenset(), (Place("field", "", -1, last),)
        scope = self.scope_of(path, place, root)
        if scope or root == "super()":
            klass = self._super(path, place) if root == "super()" else self.owner(path, place, root)
            if klass is not None and "." not in rest:
                return self._member(klass, rest)
            return frozenset(), (Place("field", "", -1, last),)
        return self._named(path, place, value)

    def _super(self, path: str, place: int) -> Target | None:
        while place > 0:
            if self.sort(Target(path, place)) is Sort.CLASS:
                bases = self.program.mro(Target(path, place))[1:]
                return bases[0] if bases else None
            place = self.parent(Target(path, place))
        return None

    def _member(self, klass: Target, name: str) -> Found:
        target = self.names.klass(klass).get(name)
        if target is not None and self.sort(target) not in STORED:
            return frozenset((target,)), ()
        return frozenset(), (Place("field", klass.path, klass.place, name),)

    def _named(self, path: str, place: int, text: str) -> Found:
        """A name of the module's top level or of another module's."""
        values: set[Target] = set()
        places: list[Place] = []
        for target in self.program.resolve(path, place, text):
            definition = self.program.records[target.path].definitions[target.place]
            name = definition.qualname.rpartition(".")[2]
            if definition.sort in FUNCTIONS or definition.sort is Sort.CLASS:
                values.add(target)
            elif definition.sort is Sort.CONSTANT:
                if target.path != path or "." in text:
                    places.append(Place("local", target.path, 0, name))
            elif definition.sort is Sort.ATTRIBUTE:
                places.append(Place("field", target.path, definition.parent, name))
        return frozenset(values), tuple(places)

    def sources(self, place: Place) -> Found:
        """Values that get into a place at once, and the places that others come from."""
        known = self._sources.get(place)
        if known is None:
            self._sources[place] = _NOTHING  # a place that leads back to itself adds nothing
            known = self._sources[place] = getattr(self, "_" + place.kind)(place)
        return known

    def _local(self, place: Place) -> Found:
        gathered = [self._bound(place)]
        function = self.files[place.path].functions.get(place.at)
        if function is not None and has_parameter(function, place.name):
            gathered.append(self._argument(Target(place.path, place.at), function, place.name))
        return _joined(gathered)

    def _bound(self, place: Place) -> Found:
        """What a scope itself binds to a name."""
        file = self.files[place.path]
        gathered = [
            self.read(place.path, place.at, value) for value in file.binds.get((place.at, place.name), ())
        ]
        for inner, value in self._adds.get((place.path, place.at, place.name), ()):
            gathered.append(self.read(place.path, inner, value))
        children = [Target(place.path, at) for at in self.names.every(place.path, place.at, place.name)]
        held = frozenset(target for target in children if self.sort(target) not in STORED)
        if held:
            gathered.append((held, ()))
        elif place.at == 0:
            gathered.append(self._named(place.path, 0, place.name))
        return _joined(gathered)

    def _argument(self, function: Target, shape: Function, name: str) -> Found:
        """What a function's callers, and what it decorates, hand over for a parameter."""
        bound = self.is_bound(function)
        gathered: list[Found] = []
        for overridden in (function, *self.overridden(function)):
            for path, call in self.callers.get(overridden, ()):
                for value in arguments(shape, name, call, bound):
                    gathered.append(self.read(path, call.place, value))
        first = shape.positional[1 if bound else 0 :][:1]
        decorated = self.decorated.get(function)
        if decorated and name in (*first, shape.vararg):
            gathered.append((frozenset(decorated), ()))
        return _joined(gathered)

    def _field(self, place: Place) -> Found:
        """What is stored under an attribute's name in related classes; in any, if they are all related."""
        stores = self._stores.get(place.name, ())
        if not stores:
            return _NOTHING
        owned = [(self._store_owner(store), store) for store in stores]
        if place.at < 0:
            owners = {owner for owner, _ in owned if owner is not None}
            first = min(owners, default=None)
            if first is None or not all(self._related(first, owner) for owner in owners):
                return _NOTHING
        wanted = Target(place.path, place.at)
        gathered = []
        for owner, (path, at, _, value) in owned:
            if place.at < 0 or owner is None or self._related(wanted, owner):
                gathered.append(self.read(path, at, value))
        return _joined(gathered)

    def _store_owner(self, store: tuple[str, int, str, Value]) -> Target | None:
        path, place, name, _ = store
        root, _, rest = name.partition(".")
        if not rest:
            return Target(path, place)
        return self.owner(path, place, root) if "." not in rest else None

    def _related(self, one: Target, other: Target) -> bool:
        return one == other or other in self.program.mro(one) or one in self.program.mro(other)

    def _result(self, place: Place) -> Found:
        file = self.files[place.path]
        return _joined([self.read(place.path, place.at, value) for value in file.returns.get(place.at, ())])

    def _call(self, place: Place) -> Found:
        """What a call gives back: what its function returns, its own parameters replaced by what is given."""
        call = self.files[place.path].calls[place.at]
        targets = self.targets(place.path, call) or tuple(self._callees(place.path, call))
        if not targets:
            first = [value for key, value in call.arguments if key in (0, "func")]
            if isinstance(call.callee, int):  # decorator(arguments)(function) of something outside
                first += [value for key, value in call.arguments if key == "*"]
            return _joined([self.read(place.path, call.place, value) for value in first])
        gathered: list[Found] = []
        for target in targets:
            if self.sort(target) is Sort.CLASS or self.name(target) in ("__init__", "__new__"):
                klass = (
                    target if self.sort(target) is Sort.CLASS else Target(target.path, self.parent(target))
                )
                run = self.names.klass(klass).get("__call__")
                if run is not None:
                    gathered.append((frozenset((run,)), ()))
            else:
                for other in (target, *self.overrides(target)):
                    gathered.append(self._returned(place.path, call, other))
        return _joined(gathered)

    def _callees(self, path: str, call: Call) -> Iterator[Target]:
        """What a call of a call's result, or of a closure's name, runs."""
        if isinstance(call.callee, int):
            inner = self.files[path].calls[call.callee]
            if self.targets(path, inner):
                yield from self.ask(Place("call", path, call.callee))

    def _returned(self, path: str, call: Call, target: Target) -> Found:
        summary = self.summary(target)
        file = self.files.get(target.path)
        shape = file.functions.get(target.place) if file is not None else None
        gathered: list[Found] = [(summary.values, summary.places)]
        if shape is not None:
            bound = self.is_bound(target)
            for name in sorted(summary.parameters):
                for value in arguments(shape, name, call, bound):
                    gathered.append(self.read(path, call.place, value))
        return _joined(gathered)

    def summary(self, target: Target) -> Summary:
        """What a function returns: of its parameters, and of what it makes or finds."""
        known = self._summaries.get(target)
        if known is not None:
            return known
        self._summaries[target] = _EMPTY  # a function that returns its own result adds nothing
        file = self.files.get(target.path)
        if file is None:
            return _EMPTY
        shape = file.functions.get(target.place)
        start = Place("result", target.path, target.place)
        seen, waiting = {start}, [start]
        parameters: set[str] = set()
        values: set[Target] = set()
        open_: list[Place] = []
        while waiting:
            place = waiting.pop()
            if place.kind == "local" and shape is not None and has_parameter(shape, place.name):
                parameters.add(place.name)
                found = self._bound(place)
            else:
                found = self._call(place) if place.kind == "call" else self.sources(place)
            values |= found[0]
            for other in found[1]:
                if other not in seen:
                    seen.add(other)
                    (waiting if self._inside(other, target) else open_).append(other)
        known = Summary(frozenset(parameters), frozenset(values), tuple(open_))
        self._summaries[target] = known
        return known

    def _inside(self, place: Place, function: Target) -> bool:
        if place.path != function.path:
            return False
        if place.kind == "call":
            return self.files[place.path].calls[place.at].place == function.place
        return place.kind == "local" and place.at == function.place

    def results(self, function: Target) -> frozenset[Target]:
        """Functions and classes that a function makes and returns, whatever it is given."""
        known = self._results.get(function)
        if known is None:
            summary = self.summary(function)
            places = [place for place in summary.places if place.kind != "field"]
            known = self._results[function] = summary.values.union(*(self.ask(place) for place in places))
        return known


def _joined(gathered: list[Found]) -> Found:
    if len(gathered) == 1:
        return gathered[0]
    values = frozenset().union(*(values for values, _ in gathered)) if gathered else frozenset()
    return values, tuple(dict.fromkeys(place for _, places in gathered for place in places))


_OUTSIDE = frozenset(
    [
     "property", "staticmethod", "classmethod", "contextmanager", "contextlib.contextmanager",
     "cached_property", "functools.wraps", "wraps", "abstractmethod", "abc.abstractmethod", "overload",
     "t.overload", "typing.overload", "pytest.fixture", "dataclass", "dataclasses.dataclass",
     "functools.lru_cache", "lru_cache", "functools.cache"
    ]
)  # fmt: skip
"""Decorators from outside that most repositories use: nothing to look up."""
