"""Which method runs where a call is dispatched at run time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Protocol

from graph.ingest.python.module import OVERLOAD, ModuleRecord
from graph.ingest.python.records import Target
from graph.schema import Sort

FEW = 12
"""Overrides below a receiver that are named one by one; more are left to the dispatch."""


class Classes(Protocol):
    """What is needed of a program."""

    def mro(self, klass: Target) -> tuple[Target, ...]:
        """A class and its bases, in the order in which attributes are looked up."""

    def attribute(self, klass: Target, name: str) -> tuple[Target, ...]:
        """What a class's attribute may be."""

    def making(self, klass: Target) -> tuple[Target, ...]:
        """What calling a class runs besides `__new__` and `__init__`."""


class Dispatch:
    """Classes below a class, and the members they define anew."""

    def __init__(self, records: Mapping[str, ModuleRecord], classes: Classes) -> None:
        self._records = records
        self._classes = classes
        self._below: dict[Target, list[Target]] = defaultdict(list)
        self._members: dict[Target, dict[str, list[Target]]] = defaultdict(lambda: defaultdict(list))
        for path, record in records.items():
            definitions = record.definitions
            for place, definition in enumerate(definitions):
                if definition.parent >= 0 and definitions[definition.parent].sort is Sort.CLASS:
                    name = definition.qualname.rpartition(".")[2]
                    self._members[Target(path, definition.parent)][name].append(Target(path, place))
                if definition.sort is Sort.CLASS:
                    klass = Target(path, place)
                    for ancestor in classes.mro(klass):
                        if ancestor != klass:
                            self._below[ancestor].append(klass)
        self.below = cache(self._find_below)
        self.making = classes.making
        self._declared: dict[Target, tuple[Target, ...]] = {}
        for path, record in records.items():
            self._declare(path, record)

    def name(self, target: Target) -> str:
        """Last part of a definition's qualified name."""
        return self._records[target.path].definitions[target.place].qualname.rpartition(".")[2]

    def owner(self, target: Target) -> Target | None:
        """The class that a method or attribute is defined in."""
        definitions = self._records[target.path].definitions
        parent = definitions[target.place].parent
        if parent >= 0 and definitions[parent].sort is Sort.CLASS:
            return Target(target.path, parent)
        return None

    def function_around(self, target: Target) -> Target | None:
        """The innermost function that a function is defined in; None for methods and at module level."""
        definitions = self._records[target.path].definitions
        parent = definitions[target.place].parent
        if parent >= 0 and definitions[parent].sort in (Sort.FUNCTION, Sort.METHOD):
            return Target(target.path, parent)
        return None

    def attribute(self, klass: Target, name: str) -> tuple[Target, ...]:
        """What a class's attribute is, its bases' included."""
        return self._classes.attribute(klass, name)

    def own(self, klass: Target, name: str) -> tuple[Target, ...]:
        """What a class itself defines under a name, its bases not included."""
        return tuple(self._members[klass][name]) if name in self._members.get(klass, ()) else ()

    def beginning(self, klass: Target, prefix: str) -> tuple[list[Target], list[Target]]:
        """Methods whose names begin so: those that a class has, and those of the classes below it."""
        had: dict[str, Target] = {}
        for base in self._classes.mro(klass):
            for name, found in self._members.get(base, {}).items():
                if name.startswith(prefix):
                    had.setdefault(name, found[-1])
        below = [
            member
            for lower in self._below.get(klass, ())
            for name, found in self._members.get(lower, {}).items()
            if name.startswith(prefix)
            for member in found
        ]
        return list(filter(self._is_method, had.values())), list(filter(self._is_method, below))

    def _is_method(self, target: Target) -> bool:
        return self._records[target.path].definitions[target.place].sort is Sort.METHOD

    def declared(self, target: Target) -> tuple[Target, ...]:
        """The `@overload` declarations that stand before a function, in their order."""
        return self._declared.get(target, ())

    def declarations(self, path: str) -> list[tuple[Target, tuple[Target, ...]]]:
        """Every function of a file that has such declarations, with them."""
        return [(target, stubs) for target, stubs in self._declared.items() if target.path == path]

    def _stands(self, klass: Target, member: Target, name: str) -> bool:
        """Whether a class has this member: what methods assign to a base's property is none."""
        sort = self._records[member.path].definitions[member.place].sort
        return sort is not Sort.ATTRIBUTE or member in self._classes.attribute(klass, name)

    def _declare(self, path: str, record: ModuleRecord) -> None:
        stubs: dict[str, list[Target]] = defaultdict(list)
        places = {function.place for function in record.uses.functions if function.flags & OVERLOAD}
        for place in sorted(places):
            stubs[record.definitions[place].qualname].append(Target(path, place))
        for place, definition in enumerate(record.definitions) if stubs else ():
            if definition.qualname in stubs and place not in places:
                found = tuple(stub for stub in stubs[definition.qualname] if stub.place < place)
                if found:
                    self._declared[Target(path, place)] = found

    def _find_below(self, target: Target, receiver: Target | None) -> tuple[bool, tuple[Target, ...]]:
        """Whether any override of the target may run, or which ones, for a receiver of that class.

        A receiver of a class below the method's own narrows it: its siblings' overrides are out.
        """
        owner = self.owner(target)
        if owner is None:
            return False, ()
        name = self.name(target)
        klass = receiver or owner
        found = tuple(
            member
            for below in self._below.get(klass, ())
            for member in self._members[below].get(name, ())
            if self._stands(below, member, name)
        )
        if klass == owner or len(found) > FEW:
            return bool(found), ()
        return False, found
