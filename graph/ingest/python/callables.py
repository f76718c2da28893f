"""Functions, classes and calls of a program by what is asked of them, before any value is followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graph.ingest.python.records import CallSite, Target
from graph.ingest.python.tests import Names
from graph.ingest.python.traits import Call, FrameworkRecord, Function, Value
from graph.schema import DEFAULT_TIER, Sort

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

FUNCTIONS = frozenset({Sort.FUNCTION, Sort.METHOD})
STORED = frozenset({Sort.CONSTANT, Sort.ATTRIBUTE, Sort.MODULE})
"""Sorts of what holds a value rather than being one."""


class File:
    """One file's record, by what is asked for."""

    def __init__(self, record: FrameworkRecord) -> None:
        self.calls = record.calls
        self.calls_in: dict[int, list[Call]] = defaultdict(list)
        for call in record.calls:
            self.calls_in[call.place].append(call)
        self.functions = {function.place: function for function in record.functions}
        self.binds: dict[tuple[int, str], list[Value]] = defaultdict(list)
        self.local: dict[int, set[str]] = defaultdict(set)
        for bind in record.binds:
            name = bind.slot.lstrip("+*")
            self.binds[bind.place, name].append(bind.value)
            if "." not in name and bind.slot[0] != "+":
                self.local[bind.place].add(name)
        self.returns: dict[int, list[Value]] = defaultdict(list)
        for given in record.returns:
            self.returns[given.place].append(given.value)


class Callables:
    """The definitions of a program that can be called, and what its calls run.

    Parameters
    ----------
    program : Program
    names : Names
    sites : iterable of CallSite
        Calls that were resolved by types or names; where none speaks of a call, it is unknown.
    """

    def __init__(self, program: Program, names: Names, sites: Iterable[CallSite]) -> None:
        self.program = program
        self.names = names
        self.files = {
            path: File(record.frameworks)
            for path, record in program.records.items()
            if record.frameworks is not None
        }
        self.resolved: dict[tuple[str, int, int, int, int], tuple[Target, ...]] = {}
        for site in sites:
            if site.targets and site.tier.rank <= DEFAULT_TIER.rank:
                key = (site.caller.path, *site.site)
                known = self.resolved.get(key)
                self.resolved[key] = site.targets if known is None else (*known, *site.targets)
        self._within: dict[Target, frozenset[int]] = {}
        self._subclasses: dict[Target, list[Target]] | None = None

    def sort(self, target: Target) -> Sort:
        """What a target is."""
        return self.program.records[target.path].definitions[target.place].sort

    def targets(self, path: str, call: Call) -> tuple[Target, ...]:
        """What a call runs, as the resolvers said."""
        return self.resolved.get((path, call.line, call.column, call.end_line, call.end_column), ())

    def entry(self, target: Target) -> Target:
        """What runs when a target is called: a class's `__init__`, else itself."""
        if self.sort(target) is Sort.CLASS:
            return self.names.klass(target).get("__init__", target)
        return target

    def parent(self, target: Target) -> int:
        """Place of the definition around."""
        return self.program.records[target.path].definitions[target.place].parent

    def scope_of(self, path: str, place: int, name: str) -> int:
        """The scope that a bare name belongs to, as seen from a definition; 0 for the module."""
        file, definitions, start = self.files[path], self.program.records[path].definitions, place
        while place > 0:
            function = file.functions.get(place)
            if function is not None:
                if name in file.local.get(place, ()) or has_parameter(function, name):
                    return place
                if self.names.every(path, place, name):
                    return place
            elif place == start and name in file.local.get(place, ()):
                return place
            place = definitions[place].parent
        return 0

    def owner(self, path: str, place: int, name: str) -> Target | None:
        """The class that `self` (or `cls`) stands for where `name` is a method's first parameter."""
        scope = self.scope_of(path, place, name)
        function = self.files[path].functions.get(scope)
        if function is None or not function.positional or function.positional[0] != name:
            return None
        around = self.parent(Target(path, scope))
        if around > 0 and self.sort(Target(path, around)) is Sort.CLASS:
            return Target(path, around)
        return None

    def within(self, function: Target) -> frozenset[int]:
        """Places of a function and of the functions inside it."""
        known = self._within.get(function)
        if known is None:
            definitions = self.program.records[function.path].definitions
            places = {function.place}
            for place in range(function.place + 1, len(definitions)):
                if definitions[place].parent in places:
                    places.add(place)
            known = self._within[function] = frozenset(places)
        return known

    def calls_of(self, path: str, places: frozenset[int]) -> Iterator[Call]:
        """Calls written in some definitions of a file."""
        for place in places:
            yield from self.files[path].calls_in.get(place, ())

    def reached(self, path: str, call: Call) -> Iterator[Target]:
        """What a call may run, overrides in derived classes too."""
        for target in self.targets(path, call):
            yield self.entry(target)
            yield from self.overrides(target)

    def overrides(self, method: Target) -> Iterator[Target]:
        """Methods of derived classes that stand in for a method."""
        around = self.parent(method)
        if around <= 0 or self.sort(Target(method.path, around)) is not Sort.CLASS:
            return
        name = self.name(method)
        for derived in self._derived().get(Target(method.path, around), ()):
            place = self.names.children(derived.path, derived.place).get(name)
            if place is not None and self.sort(Target(derived.path, place)) in FUNCTIONS:
                yield Target(derived.path, place)

    def _derived(self) -> dict[Target, list[Target]]:
        if self._subclasses is None:
            self._subclasses = defaultdict(list)
            for path in self.files:
                for place, definition in enumerate(self.program.records[path].definitions):
                    if definition.sort is Sort.CLASS:
                        for base in self.program.mro(Target(path, place))[1:]:
                            self._subclasses[base].append(Target(path, place))
        return self._subclasses

    def overridden(self, method: Target) -> Iterator[Target]:
        """Methods of base classes that a method stands in for: it is called where they are."""
        if self.is_bound(method):
            name = self.name(method)
            for base in self.program.mro(Target(method.path, self.parent(method)))[1:]:
                place = self.names.children(base.path, base.place).get(name)
                if place is not None:
                    yield Target(base.path, place)

    def is_bound(self, function: Target) -> bool:
        """Whether a call does not write the first parameter: a method's `self`."""
        around = self.parent(function)
        return around > 0 and self.sort(Target(function.path, around)) is Sort.CLASS

    def name(self, target: Target) -> str:
        """A target's own name."""
        return self.program.records[target.path].definitions[target.place].qualname.rpartition(".")[2]


def arguments(shape: Function, name: str, call: Call, bound: bool) -> Iterator[Value]:
    """The values that a call hands over for a parameter; `bound` where `self` is not written."""
    positional = shape.positional[1:] if bound else shape.positional
    at = positional.index(name) if name in positional else -1
    for key, value in call.arguments:
        if isinstance(key, int):
            if key == at or (name == shape.vararg and key >= len(positional)):
                yield value
        elif key == name or (key == "*" and (at >= 0 or name == shape.vararg)):
            yield value


def has_parameter(function: Function, name: str) -> bool:
    """Whether a function has a parameter of that name."""
    return (
        name in function.positional or name in function.keywords or name in (function.vararg, function.kwarg)
    )
