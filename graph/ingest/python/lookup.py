"""What names stand for: local, enclosing, global and builtin scopes, imports and star imports followed."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from graph.ingest.python.module import (
    CLASSMETHOD,
    DEFINED,
    DELETER,
    IMPORTED,
    NARROWED,
    OPAQUE,
    OVERLOAD,
    PARAMETER,
    SETTER,
    STATIC,
    Binding,
    Import,
    ModuleRecord,
    Scope,
)
from graph.ingest.python.records import Target
from graph.ingest.python.roots import Roots
from graph.ingest.python.values import EXTERNAL, INSTANCE, MODULE, OBJECT, File, Value, Values, doubt, narrow
from graph.schema import Sort

BUILTINS = frozenset(dir(builtins))
ASKED = 0
"""Stands for the answer of a question that is open."""
_CIRCLES = 500
"""Circles that one question may run into before what was cut short is kept all the same: code in which
everything leads to everything must come to an end too."""


_OF_MODULES = frozenset(dir(builtins.__class__)).union(
    ("__name__", "__file__", "__path__", "__spec__", "__package__", "__loader__"),
    ("__builtins__", "__cached__", "__all__", "__annotations__"),
)
"""Names that every module has, or that are not looked for in its `__getattr__`."""


class Lookup(ABC):
    """Names of all files of a program.

    Flow-insensitive: a local name stands for whatever any of its bindings may give it.
    """

    def __init__(self, records: Mapping[str, ModuleRecord], roots: Roots) -> None:
        self.roots = roots
        self.files: dict[str, File] = {path: File(record) for path, record in records.items()}
        self.given: Mapping[Target, Mapping[str, tuple[Target, ...]]] = {}
        """By test or fixture: the fixtures that its parameters get, as soon as that is known."""
        self._members: dict[tuple[str, str], Values | int] = {}
        self._open = 0
        self._circles = 0

    # Answers are remembered, and none is another for the order of the questions: one in which a question led
    # back to itself depends on where its circle was entered, and is not kept, nor is any that rests on such a
    # one. Whatever is kept was found without a circle, and so is the same from everywhere. (To keep what only
    # asks into a circle would not do: what is cut short inside can hide that it is on the circle too.)

    def _begin(self) -> int:
        """Open a question; hand what this returns to `_end`."""
        if not self._open:
            self._circles = 0
        self._open += 1
        return self._circles

    def _cut(self) -> Values:
        """What a question that is open already gives where it is asked again: nothing more."""
        self._circles += 1
        return ()

    def _end(self, before: int) -> bool:
        """Close the innermost question: whether its answer was found without a circle, and may be kept."""
        self._open -= 1
        return self._circles == before or self._circles > _CIRCLES

    @abstractmethod
    def chain(self, path: str, scope: int, chain: str) -> Values:
        """Values of an expression read in a scope."""

    @abstractmethod
    def types_of(self, values: Values) -> Values:
        """Values with constants, attributes and properties replaced by what they hold."""

    @abstractmethod
    def provided(self, fixture: Target) -> Values:
        """What a fixture hands over."""

    def flags(self, target: Target) -> int:
        """Flags of a function (see module.py); 0 for anything else."""
        function = self.files[target.path].functions.get(target.place)
        return function.flags if function is not None else 0

    def name(self, path: str, place: int, name: str) -> Values:
        """What a name stands for in a scope: local, enclosing, global, builtin (the rule of LEGB)."""
        file = self.files[path]
        start = place
        while place >= 0:
            scope = file.scopes.get(place)
            if scope is None:
                place = file.record.definitions[place].parent
                continue
            if place == 0:
                break
            if name in scope.outside:
                place = 0 if scope.outside[name] else scope.parent
                continue
            bindings = scope.names.get(name)
            if bindings and (place == start or file.record.definitions[place].sort is not Sort.CLASS):
                return self._bound(path, scope, name, bindings)
            place = scope.parent
        found = self._global(path, name)
        if found or not (name in BUILTINS or (name.startswith("__") and name.endswith("__"))):
            return found
        return (Value(EXTERNAL, f"builtins.{name}"),)

    def _global(self, path: str, name: str) -> Values:
        """A name of a module's own namespace, star imports followed."""
        key = (path, name)
        known = self._members.get(key)
        if known is not None:
            return self._cut() if isinstance(known, int) else known
        before = self._begin()
        self._members[key] = ASKED
        file = self.files[path]
        scope = file.scopes[0]
        bindings = scope.names.get(name)
        if bindings:
            found = self._bound(path, scope, name, bindings)
        elif name in scope.symbols:
            found = (Value(OBJECT, path, scope.symbols[name]),)
        else:
            found = self._starred(path, name)
        if self._end(before):
            self._members[key] = found
        else:
            del self._members[key]
        return found

    def _starred(self, path: str, name: str) -> Values:
        for item in reversed(self.files[path].stars):
            stem = self.module(path, item.level, item.module)
            if stem is None or stem not in self.roots.files:
                continue
            other = self.roots.files[stem]
            if other == path or not self.exports(other, name):
                continue
            found = self._global(other, name)
            if found:
                return found
        return ()

    def exports(self, path: str, name: str) -> bool:
        """Whether `from module import *` brings a name."""
        uses = self.files[path].record.uses
        if uses.exported is None:
            return not name.startswith("_")
        return name in uses.exported or bool(uses.exported_from)

    def _bound(self, path: str, scope: Scope, name: str, bindings: Sequence[Binding]) -> Values:
        place = scope.place
        if place == 0 or self.files[path].record.definitions[place].sort is Sort.CLASS:
            return self._bound_symbol(path, scope, name, bindings)
        found: list[Value] = []
        narrowed: list[Value] = []
        for item in bindings:
            values = self._binding(path, scope, item, name)
            (narrowed if item.kind == NARROWED else found).extend(values)
        return narrow(found or narrowed)

    def _bound_symbol(self, path: str, scope: Scope, name: str, bindings: Sequence[Binding]) -> Values:
        """Names of a module or class: symbols of their own, except what is imported."""
        start = max((at for at, item in enumerate(bindings) if self._replaces(path, item)), default=0)
        found: list[Value] = []
        for item in bindings[start:]:
            if item.kind == DEFINED:
                found.append(Value(OBJECT, path, item.place))
            elif item.kind == IMPORTED:
                found.extend(self._imported(path, self.files[path].record.uses.imports[item.place]))
            elif name in scope.symbols:
                found.append(Value(OBJECT, path, scope.symbols[name]))
        return narrow(self._without_overloads(found))

    def _replaces(self, path: str, item: Binding) -> bool:
        """Whether a binding leaves nothing of those before it: not a setter, nor one that may not run."""
        if item.conditional:
            return False
        return item.kind != DEFINED or not self.flags(Target(path, item.place)) & (SETTER | DELETER)

    def _without_overloads(self, values: list[Value]) -> list[Value]:
        if len(values) < 2:
            return values
        unread = OVERLOAD | SETTER | DELETER
        kept = [item for item in values if item.kind != OBJECT or not self.flags(item.target) & unread]
        return kept or values

    def _binding(self, path: str, scope: Scope, item: Binding, name: str) -> Values:
        """Values that one binding gives a local variable."""
        if item.kind == DEFINED:
            return (Value(OBJECT, path, item.place),)
        if item.kind == IMPORTED:
            return self._imported(path, self.files[path].record.uses.imports[item.place])
        if item.kind == PARAMETER:
            return self._parameter(path, scope, item, name)
        if item.kind == OPAQUE:
            return ()
        return doubt(self.types_of(self.chain(path, item.place, item.chain)))

    def _parameter(self, path: str, scope: Scope, item: Binding, name: str) -> Values:
        if item.chain:
            found = self.chain(path, scope.parent, item.chain)
            if found:
                return tuple(value._replace(sure=False, virtual=True) for value in found)
        fixtures = self.given.get(Target(path, scope.place), {}).get(name)
        if fixtures:
            return narrow(value for fixture in fixtures for value in self.provided(fixture))
        definitions = self.files[path].record.definitions
        function = self.files[path].functions.get(scope.place)
        parent = definitions[scope.place].parent
        if function is None or parent < 0 or definitions[parent].sort is not Sort.CLASS:
            return ()
        if function.flags & STATIC and not definitions[scope.place].qualname.endswith(".__new__"):
            return ()
        if not function.parameters or function.parameters[0] != name:
            return ()
        as_class = function.flags & (CLASSMETHOD | STATIC) or name in ("cls", "mcs", "metacls")
        return (Value(OBJECT if as_class else INSTANCE, path, parent, sure=False, virtual=True),)

    # Imports

    def module(self, path: str, level: int, dotted: str) -> str | None:
        """The stem of an imported module; None where it lies outside the program."""
        if not level:
            return self.roots.find(dotted, path)
        stem = self.roots.stem(path)
        directory = (
            stem
            if stem in self.roots.packages and path.rpartition("/")[2].startswith("__init__.")
            else (stem.rpartition("/")[0])
        )
        for _ in range(level - 1):
            if not directory:
                return None
            directory = directory.rpartition("/")[0]
        rest = dotted.replace(".", "/")
        found = f"{directory}/{rest}" if directory and rest else directory or rest
        return found if found in self.roots.files or found in self.roots.directories else None

    def _imported(self, path: str, item: Import) -> Values:
        if not item.name:
            dotted = item.module if item.alias else item.module.partition(".")[0]
            stem = self.module(path, 0, dotted)
            if stem is None and not item.alias:
                whole = self.module(path, 0, item.module)
                stem = (
                    whole[: -len(item.module) + len(dotted)]
                    if whole is not None and whole.count("/")
                    else None
                )
            return (Value(MODULE, stem),) if stem is not None else (Value(EXTERNAL, dotted),)
        stem = self.module(path, item.level, item.module)
        if stem is None:
            return (Value(EXTERNAL, f"{item.module}.{item.name}"),) if not item.level else ()
        found = self.module_member(stem, item.name)
        if not found and stem not in self.roots.files and not item.level:
            return (Value(EXTERNAL, f"{item.module}.{item.name}"),)
        return found

    def answering(self, stem: str, name: str) -> Values:
        """`__getattr__` of a module, which is asked for a name that the module lacks (PEP 562)."""
        path = self.roots.files.get(stem)
        bindings = self.files[path].scopes[0].names.get("__getattr__") if path is not None else None
        if path is None or not bindings or name in _OF_MODULES or name == "*":
            return ()
        if self.module_member(stem, name):
            return ()
        found = self._bound(path, self.files[path].scopes[0], "__getattr__", bindings)
        return tuple(value for value in found if value.kind == OBJECT)

    def module_member(self, stem: str, name: str) -> Values:
        """An attribute of a module: a name of its own, else a submodule."""
        path = self.roots.files.get(stem)
        if path is not None:
            found = self._global(path, name)
            if found:
                return found
        inner = f"{stem}/{name}" if stem else name
        if inner in self.roots.files or inner in self.roots.directories:
            return (Value(MODULE, inner),)
        return ()
