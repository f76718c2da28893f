"""What expressions may stand for: chains followed through scopes, imports, classes and simple types.

Flow-insensitive: a name stands for whatever any of its bindings may give it. Attribute look-up goes
through the C3 linearisation (Barrett et al., A Monotonic Superclass Linearization for Dylan, OOPSLA 1996),
with depth-first order where bases contradict each other.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graph.ingest.python.chains import steps
from graph.ingest.python.module import (
    CLASSMETHOD, DEFINED, DELETER, GENERATOR, IMPORTED, NARROWED, OPAQUE, OVERLOAD, PARAMETER, PROPERTY, SETTER,
    STATIC, VALUE, Binding, ClassRecord, Function, Import, ModuleRecord, Scope,
)
from graph.ingest.python.records import Target
from graph.ingest.python.roots import Roots
from graph.schema import Sort

MODULE, OBJECT, INSTANCE, METHOD, SUPER, EXTERNAL, BUILTIN = range(7)
"""Kinds of `Value`."""

DEPTH = 24
"""Steps of inference that may rest on each other."""
WIDTH = 8
"""Values kept of an expression."""

_BUILTINS = frozenset(dir(builtins))
_TYPES = frozenset(name for name in _BUILTINS if isinstance(getattr(builtins, name), type))
_OPAQUE_CALLS = ("builtins.", "copy.", "typing.", "functools.", "itertools.", "contextlib.", "operator.", "weakref.")
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
    elements: tuple[Value, ...] = ()  # type: ignore[misc]

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
        self.stars: list[Import] = [item for item in record.uses.imports if item.name == "*" and item.scope == 0]


class Evaluator:
    """Follows chains over all files of a program; every answer is remembered."""

    def __init__(self, records: Mapping[str, ModuleRecord], roots: Roots) -> None:
        self.roots = roots
        self.files: dict[str, File] = {path: File(record) for path, record in records.items()}
        self._chains: dict[tuple[str, int, str], Values | None] = {}
        self._members: dict[tuple[str, str], Values | None] = {}
        self._types: dict[Target, Values | None] = {}
        self._mro: dict[Target, tuple[Target, ...] | None] = {}
        self._outside: dict[Target, tuple[str, ...]] = {}
        self._bases: dict[Target, tuple[Target, ...]] = {}
        self._depth = 0

    # Chains

    def chain(self, path: str, scope: int, chain: str) -> Values:
        """Values of an expression read in a scope; empty where nothing is known."""
        if "|" in chain:
            return narrow(value for part in chain.split("|") for value in self.chain(path, scope, part))
        key = (path, scope, chain)
        known = self._chains.get(key, ())
        if known is None or (known == () and key in self._chains):
            return ()
        if known:
            return known
        if self._depth > DEPTH:
            return ()
        self._chains[key] = None
        self._depth += 1
        try:
            found = self._follow(path, scope, chain)
        finally:
            self._depth -= 1
        self._chains[key] = found
        return found

    def _follow(self, path: str, scope: int, chain: str) -> Values:
        if chain.startswith("super()"):
            values = self._super(path, scope)
            rest = steps(chain)[2:]
        elif "<" in chain:
            inner = chain[chain.index("<") + 1 : chain.index(">")]
            values = (Value(BUILTIN, "list", sure=False, elements=self.chain(path, scope, inner)),)
            rest = steps(chain[chain.index(">") + 1 :])
            rest = tuple(step for step in rest if step)
        else:
            parts = steps(chain)
            if len(parts) > 1:
                head = chain[: len(chain) - len(parts[-1])]
                values = self.chain(path, scope, head)
                rest = parts[-1:]
            else:
                return self._root(path, scope, chain)
        for step in rest:
            values = narrow(item for value in values for item in self._step(value, step))
            if not values:
                return ()
        return values

    def stem(self, stem: str) -> Values:
        """The module (or namespace package) at a stem."""
        return (Value(MODULE, stem),)

    def _step(self, value: Value, step: str) -> Values:
        if step == "()":
            return self.result(value)
        if step == "[]":
            return self._item(value)
        if step == "@":
            return self._instance(value)
        if step in (".__enter__", ".__aenter__") and value.kind in (BUILTIN, INSTANCE):
            return self._entered(value, step[1:])
        return self.member(value, step[1:])

    def _entered(self, value: Value, name: str) -> Values:
        """`__enter__` of a value; a generator's stands for the elements (see `contextlib.contextmanager`)."""
        if value.kind == BUILTIN and value.path == "generator":
            return (value._replace(path="entered"),)
        return self.member(value, name)

    def _root(self, path: str, scope: int, name: str) -> Values:
        first = name[0]
        if first == "?":
            return ()
        if first == "%":
            return (Value(BUILTIN, name[1:], sure=False),)
        if first == "#":
            return (Value(OBJECT, path, int(name[1:])),)
        return self.name(path, scope, name)

    def _super(self, path: str, scope: int) -> Values:
        definitions = self.files[path].record.definitions
        place = scope
        while place > 0:
            parent = definitions[place].parent
            if parent > 0 and definitions[parent].sort is Sort.CLASS and definitions[place].sort is Sort.METHOD:
                return (Value(SUPER, path, parent, sure=False),)
            place = parent
        return ()

    # Names

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
        if found or not (name in _BUILTINS or (name.startswith("__") and name.endswith("__"))):
            return found
        return (Value(EXTERNAL, f"builtins.{name}"),)

    def _global(self, path: str, name: str) -> Values:
        """A name of a module's own namespace, star imports followed."""
        key = (path, name)
        known = self._members.get(key, ())
        if known is None:
            return ()
        if known or key in self._members:
            return known
        self._members[key] = None
        file = self.files[path]
        scope = file.scopes[0]
        bindings = scope.names.get(name)
        if bindings:
            found = self._bound(path, scope, name, bindings)
        elif name in scope.symbols:
            found = (Value(OBJECT, path, scope.symbols[name]),)
        else:
            found = self._starred(path, name)
        self._members[key] = found
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
        directory = stem if stem in self.roots.packages and path.rpartition("/")[2].startswith("__init__.") else (
            stem.rpartition("/")[0]
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
                stem = whole[: -len(item.module) + len(dotted)] if whole is not None and whole.count("/") else None
            return (Value(MODULE, stem),) if stem is not None else (Value(EXTERNAL, dotted),)
        stem = self.module(path, item.level, item.module)
        if stem is None:
            return (Value(EXTERNAL, f"{item.module}.{item.name}"),) if not item.level else ()
        found = self._module_member(stem, item.name)
        if not found and stem not in self.roots.files and not item.level:
            return (Value(EXTERNAL, f"{item.module}.{item.name}"),)
        return found

    def _module_member(self, stem: str, name: str) -> Values:
        path = self.roots.files.get(stem)
        if path is not None:
            found = self._global(path, name)
            if found:
                return found
        inner = f"{stem}/{name}" if stem else name
        if inner in self.roots.files or inner in self.roots.directories:
            return (Value(MODULE, inner),)
        return ()

    # Members, results, types

    def member(self, value: Value, name: str) -> Values:
        """Values of an attribute of a value."""
        kind = value.kind
        if kind == MODULE:
            return self._module_member(value.path, name)
        if kind == EXTERNAL:
            return (Value(EXTERNAL, f"{value.path}.{name}", sure=value.sure),)
        if kind == INSTANCE:
            return self._class_member(value, name, True)
        if kind == SUPER:
            return self._super_member(value, name)
        if kind == BUILTIN:
            return (Value(EXTERNAL, f"builtins.{value.path}.{name}", sure=False),)
        definition = self.files[value.path].record.definitions[value.place]
        if definition.sort is Sort.CLASS:
            return self._class_member(value, name, value.virtual)
        return narrow(
            item._replace(sure=False) for inner in self.types(value) if inner[:3] != value[:3]
            for item in self.member(inner, name)
        )

    def _class_member(self, value: Value, name: str, instance: bool) -> Values:
        klass = value.target
        for base in self.mro(klass):
            found = self.own_member(base, name)
            if found:
                return self._through(found, klass, value, instance)
        if any(not item.startswith("builtins.object") for item in self.outside(klass)):
            return (Value(EXTERNAL, f"{self.outside(klass)[0]}.{name}", sure=False),)
        if name in _OBJECT:
            return (Value(EXTERNAL, f"builtins.object.{name}", sure=False),)
        return ()

    def own_member(self, klass: Target, name: str) -> Values:
        """An attribute that a class itself defines, or its methods set."""
        file = self.files[klass.path]
        scope = file.scopes.get(klass.place)
        if scope is None:
            return ()
        bindings = scope.names.get(name)
        if bindings:
            found = self._bound(klass.path, scope, name, bindings)
            if found:
                return found
        if name in scope.symbols:
            return (Value(OBJECT, klass.path, scope.symbols[name]),)
        return ()

    def defined(self, klass: Target, name: str) -> Values:
        """Every function of that name written in a class: getters, setters, overloads, alternatives."""
        scope = self.files[klass.path].scopes.get(klass.place)
        bindings = scope.names.get(name, ()) if scope is not None else ()
        return tuple(Value(OBJECT, klass.path, item.place) for item in bindings if item.kind == DEFINED)

    def _through(self, found: Values, klass: Target, value: Value, instance: bool) -> Values:
        """Functions found in a class as the methods that an attribute look-up makes of them."""
        result = []
        sure = value.kind == OBJECT and value.sure and len(found) == 1
        for item in found:
            if item.kind == OBJECT and item.place in self.files[item.path].functions:
                flags = self.flags(item.target)
                virtual = instance and not item.path == "" and value.kind != SUPER
                bound = METHOD if instance or flags & CLASSMETHOD else OBJECT
                result.append(item._replace(kind=bound, sure=sure, receiver=klass, virtual=virtual))
            else:
                result.append(item._replace(sure=sure))
        return tuple(result)

    def _super_member(self, value: Value, name: str) -> Values:
        klass = value.target
        for base in self.mro(klass)[1:]:
            found = self.own_member(base, name)
            if found:
                return self._through(found, klass, value, True)
        outside = self.outside(klass)
        return (Value(EXTERNAL, f"{outside[0] if outside else 'builtins.object'}.{name}", sure=False),)

    def flags(self, target: Target) -> int:
        """Flags of a function (see module.py); 0 for anything else."""
        function = self.files[target.path].functions.get(target.place)
        return function.flags if function is not None else 0

    def types_of(self, values: Values) -> Values:
        """Values with constants and attributes replaced by what they hold, properties by what they give."""
        return narrow(item for value in values for item in self.types(value))

    def types(self, value: Value) -> Values:
        """What a constant, an attribute or a property holds; any other value is itself."""
        if value.kind == METHOD and self.flags(value.target) & PROPERTY:
            return self._returned(value)
        if value.kind != OBJECT:
            return (value,)
        definition = self.files[value.path].record.definitions[value.place]
        if definition.sort not in (Sort.CONSTANT, Sort.ATTRIBUTE):
            return (value,)
        target = value.target
        known = self._types.get(target, ())
        if known is None:
            return ()
        if known or target in self._types:
            return known
        self._types[target] = None
        scope = self.files[value.path].scopes.get(definition.parent)
        name = definition.qualname.rpartition(".")[2]
        found: list[Value] = []
        for item in scope.names.get(name, ()) if scope is not None else ():
            if item.kind == VALUE:
                place = item.place
                if place == definition.parent > 0 and steps(item.chain)[0] == name:
                    place = max(0, scope.parent) if scope is not None else 0  # `X = X` in a class takes an outer X
                values = self.chain(value.path, place, item.chain)
                found.extend(self.types_of(tuple(v for v in values if v[:3] != value[:3])))
        result = self._types[target] = doubt(narrow(found))
        return result

    def _instance(self, value: Value) -> Values:
        if value.kind == EXTERNAL:
            if value.path.startswith(("typing.", "typing_extensions.")):
                return ()
            name = value.path.removeprefix("builtins.")
            return (Value(BUILTIN, name, sure=False),) if name in _TYPES else (value._replace(sure=False),)
        if value.kind != OBJECT:
            return ()
        sort = self.files[value.path].record.definitions[value.place].sort
        if sort is Sort.CLASS:
            return (Value(INSTANCE, value.path, value.place, sure=False, virtual=True),)
        if sort in (Sort.CONSTANT, Sort.ATTRIBUTE):
            return narrow(item for inner in self.types(value) for item in self._instance(inner))
        return ()

    def _item(self, value: Value) -> Values:
        if value.kind == BUILTIN:
            return value.elements
        if value.kind == INSTANCE:
            for name in ("__getitem__", "__iter__"):
                found = self.member(value, name)
                if found and found[0].kind == METHOD:
                    result = narrow(item for method in found for item in self.result(method))
                    return result if name == "__getitem__" else narrow(
                        item for inner in result for item in inner.elements
                    )
            return ()
        if value.kind == OBJECT:
            definition = self.files[value.path].record.definitions[value.place]
            if definition.sort is Sort.CLASS:
                return (value,)
            return narrow(item for inner in self.types(value) if inner[:3] != value[:3] for item in self._item(inner))
        return ()

    def result(self, value: Value) -> Values:
        """What calling a value gives."""
        if value.kind == EXTERNAL:
            return self._external_result(value)
        if value.kind == INSTANCE:
            return narrow(i for m in self.member(value, "__call__") if m.kind == METHOD for i in self.result(m))
        if value.kind == METHOD and self.flags(value.target) & PROPERTY:
            return narrow(item for inner in self._returned(value) for item in self.result(inner))
        if value.kind == BUILTIN and value.path == "entered":
            return value.elements
        if value.kind not in (OBJECT, METHOD):
            return ()
        definition = self.files[value.path].record.definitions[value.place]
        if definition.sort is Sort.CLASS:
            return (Value(INSTANCE, value.path, value.place, sure=False, virtual=value.virtual),)
        if definition.sort in (Sort.CONSTANT, Sort.ATTRIBUTE):
            return narrow(item for inner in self.types(value) if inner[:3] != value[:3] for item in self.result(inner))
        return self._returned(value)

    @staticmethod
    def _external_result(value: Value) -> Values:
        name = value.path.removeprefix("builtins.")
        if value.path.startswith("builtins.") and name in _TYPES:
            return (Value(BUILTIN, name, sure=False),)
        if value.path.startswith(_OPAQUE_CALLS):
            return ()
        return (Value(EXTERNAL, value.path + "()", sure=False),)

    def _returned(self, value: Value) -> Values:
        """Values that a function returns, by its annotation or its return statements."""
        function = self.files[value.path].functions.get(value.place)
        if function is None:
            return ()
        receiver = value.receiver
        if receiver is not None and function.returns in ("Self@", "typing.Self@", "t.Self@"):
            return (Value(INSTANCE, *receiver, sure=False, virtual=True),)
        parent = self.files[value.path].record.definitions[value.place].parent
        if function.returns:
            found = self.chain(value.path, parent, function.returns)
            if found:
                return doubt(found)
        own = function.parameters[0] if function.parameters else ""
        values: list[Value] = []
        for chain in function.results:
            if receiver is not None and chain == own:
                values.append(Value(INSTANCE, *receiver, sure=False, virtual=True))
            else:
                values.extend(self.types_of(self.chain(value.path, value.place, chain)))
        if function.flags & GENERATOR:
            return (Value(BUILTIN, "generator", sure=False, elements=doubt(narrow(values))),)
        return doubt(narrow(values))

    # Classes

    def bases(self, klass: Target) -> tuple[Target, ...]:
        """Direct bases inside the program, in order."""
        if klass not in self._bases:
            self._read_bases(klass)
        return self._bases[klass]

    def _read_bases(self, klass: Target) -> None:
        file = self.files[klass.path]
        record = file.classes.get(klass.place)
        inside: list[Target] = []
        outside: list[str] = []
        parent = file.record.definitions[klass.place].parent
        for chain in record.bases if record is not None else ():
            values = self.types_of(self.chain(klass.path, parent, chain))
            found = False
            for value in values:
                if value.kind == OBJECT and value.place in self.files[value.path].classes:
                    if value.target != klass and value.target not in inside:
                        inside.append(value.target)
                    found = True
                elif value.kind == EXTERNAL:
                    outside.append(value.path)
                    found = True
            if not found:
                outside.append(chain)
        self._bases[klass] = tuple(inside)
        self._outside[klass] = tuple(outside)

    def mro(self, klass: Target) -> tuple[Target, ...]:
        """A class and its bases inside the program, in the order of attribute look-up."""
        known = self._mro.get(klass, ())
        if known:
            return known
        if known is None:
            return (klass,)
        self._mro[klass] = None
        bases = self.bases(klass)
        lines = [list(self.mro(base)) for base in bases]
        merged = merge([*lines, list(bases)])
        if merged is None:
            merged = list(dict.fromkeys(item for line in lines for item in line))
        found = (klass, *(item for item in merged if item != klass))
        self._mro[klass] = found
        return found

    def outside(self, klass: Target) -> tuple[str, ...]:
        """Dotted names of the bases outside the program, of a class and of its bases."""
        return tuple(
            name for base in self.mro(klass) for name in (self.bases(base), self._outside[base])[1]
            if name not in _PLAIN_BASES
        )


_PLAIN_BASES = frozenset(
    ("builtins.object", "object", "typing.Generic", "typing.Protocol", "abc.ABC", "typing_extensions.Protocol")
)
_OBJECT = frozenset(dir(object)) | frozenset(("__name__", "__qualname__", "__module__", "__dict__", "__bases__", "mro"))


def narrow(values: Iterable[Value]) -> Values:
    """Each value once, at most WIDTH; several are none of them sure."""
    found: dict[tuple[int, str, int], Value] = {}
    for value in values:
        key = value[:3]
        if key not in found or value.elements:
            found[key] = value
    if len(found) < 2:
        return tuple(found.values())
    return tuple(value._replace(sure=False) if value.sure else value for value in list(found.values())[:WIDTH])


def doubt(values: Values) -> Values:
    """The same values, inferred instead of named."""
    return tuple(value._replace(sure=False) if value.sure else value for value in values)


def merge(lines: list[list[Target]]) -> list[Target] | None:
    """C3: bases before theirs, in the order given; None where the orders contradict each other."""
    found: list[Target] = []
    lines = [line for line in lines if line]
    while lines:
        for line in lines:
            head = line[0]
            if not any(head in other[1:] for other in lines):
                break
        else:
            return None
        found.append(head)
        lines = [rest for rest in ([item for item in line if item != head] for line in lines) if rest]
    return found

