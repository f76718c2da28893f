"""What an expression may stand for: the shapes that names are followed in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graph.ingest.python.module import ClassRecord, Function, Import, ModuleRecord, Scope
from graph.ingest.python.records import Target

MODULE, OBJECT, INSTANCE, METHOD, SUPER, EXTERNAL, BUILTIN = range(7)
"""Kinds of `Value`."""

DEPTH = 24
"""Steps of inference that may rest on each other."""
WIDTH = 8
"""Values kept of an expression."""

"""Functions outside that hand back what they were handed: their results may be ours."""


class Value(NamedTuple):
    """One thing that an expression may stand for.

    `path` and `place` are the definition's (the class's for INSTANCE and SUPER); for MODULE `path` is a stem
    (see roots.py), for EXTERNAL a dotted name outside the program, for BUILTIN a type's name. `sure`: it
    can be nothing else. `receiver`: the class through which a METHOD was looked up. `elements`: what a
    container holds.
    """

    kind: int
    path: str
    place: int = -1
    sure: bool = True
    receiver: Target | None = None
    virtual: bool = False
    """Looked up through an instance: an override may stand there."""
    elements: tuple[Value, ...] = ()

    @property
    def target(self) -> Target:
        """The definition."""
        return Target(self.path, self.place)


Values = tuple[Value, ...]


class File:
    """A record with what look-ups need by place."""

    __slots__ = ("classes", "functions", "record", "scopes", "stars")

    def __init__(self, record: ModuleRecord) -> None:
        self.record = record
        self.scopes: dict[int, Scope] = {scope.place: scope for scope in record.uses.scopes}
        if 0 not in self.scopes:
            self.scopes[0] = Scope(0, -1, {}, {}, {})
        self.functions: dict[int, Function] = {item.place: item for item in record.uses.functions}
        self.classes: dict[int, ClassRecord] = {item.place: item for item in record.uses.classes}
        self.stars: list[Import] = [
            item for item in record.uses.imports if item.name == "*" and item.scope == 0
        ]


def narrow(values: Iterable[Value]) -> Values:
    """Each value once, at most WIDTH; several are none of them sure. What containers hold is put together."""
    held = tuple(values)
    if len(held) < 2:
        return held
    found: dict[tuple[int, str, int], Value] = {}
    for value in held:
        key = value[:3]
        known = found.get(key)
        if known is None or not known.elements:
            found[key] = value
        elif value.elements and value.elements != known.elements:
            found[key] = value._replace(elements=narrow((*known.elements, *value.elements)))
    if len(found) < 2:
        return tuple(found.values())
    return tuple(
        value._replace(sure=False) if value.sure else value for value in list(found.values())[:WIDTH]
    )


def doubt(values: Values) -> Values:
    """The same values, inferred instead of named."""
    return tuple(value._replace(sure=False) if value.sure else value for value in values)
