"""What expressions may stand for: chains followed through attributes, calls, classes and simple types.

Flow-insensitive, and no further than what is written: constructors, annotations, defaults, return statements.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from graph.ingest.python.chains import steps
from graph.ingest.python.lookup import ASKED, BUILTINS
from graph.ingest.python.members import Members
from graph.ingest.python.module import (
    GENERATOR,
    HOLDING,
    PROPERTY,
    VALUE,
    ModuleRecord,
)
from graph.ingest.python.records import Target
from graph.ingest.python.roots import Roots
from graph.ingest.python.values import (
    BUILTIN,
    DEPTH,
    EXTERNAL,
    INSTANCE,
    METHOD,
    MODULE,
    OBJECT,
    SUPER,
    Value,
    Values,
    doubt,
    narrow,
)
from graph.schema import Sort

_TYPES = frozenset(name for name in BUILTINS if isinstance(getattr(builtins, name), type))
_OPAQUE_CALLS = (
    "builtins.",
    "copy.",
    "typing.",
    "functools.",
    "itertools.",
    "contextlib.",
    "operator.",
    "weakref.",
)
"""Functions outside that hand back what they were handed: their results may be ours."""
_OBJECT = frozenset(dir(object)) | {"__name__", "__qualname__", "__module__", "__dict__", "__bases__", "mro"}


class Evaluator(Members):
    """Follows chains over all files of a program; every answer is remembered."""

    def __init__(self, records: Mapping[str, ModuleRecord], roots: Roots) -> None:
        super().__init__(records, roots)
        self._chains: dict[tuple[str, int, str], Values | int] = {}
        self._types: dict[Target, Values | int] = {}
        self._returning: set[Target] = set()
        self._depth = 0

    # Chains

    def chain(self, path: str, scope: int, chain: str) -> Values:
        """Values of an expression read in a scope; empty where nothing is known."""
        if "|" in chain:
            return narrow(value for part in chain.split("|") for value in self.chain(path, scope, part))
        key = (path, scope, chain)
        known = self._chains.get(key)
        if known is not None:
            return self._cut() if isinstance(known, int) else known
        if self._depth > DEPTH:
            return self._cut()
        before = self._begin()
        self._chains[key] = ASKED
        self._depth += 1
        try:
            found = self._follow(path, scope, chain)
        finally:
            self._depth -= 1
            whole = self._end(before)
            del self._chains[key]
        if whole:
            self._chains[key] = found
        return found

    def _follow(self, path: str, scope: int, chain: str) -> Values:
        if chain.startswith("super()"):
            values = self._super(path, scope)
            rest = steps(chain)[2:]
        elif "<" in chain:
            inner = chain[chain.index("<") + 1 : chain.index(">")]
            kind = chain[1 : chain.index("<")]
            values = (Value(BUILTIN, kind, sure=False, elements=self.chain(path, scope, inner)),)
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
            if (
                parent > 0
                and definitions[parent].sort is Sort.CLASS
                and definitions[place].sort is Sort.METHOD
            ):
                return (Value(SUPER, path, parent, sure=False),)
            place = parent
        return ()

    # Members, results, types

    def member(self, value: Value, name: str) -> Values:
        """Values of an attribute of a value."""
        kind = value.kind
        if kind == MODULE:
            return self.module_member(value.path, name)
        if kind == EXTERNAL:
            return (Value(EXTERNAL, f"{value.path}.{name}", sure=value.sure),)
        if kind == INSTANCE:
            return self._class_member(value, name, True)
        if kind == SUPER:
            return self._super_member(value, name)
        if kind == BUILTIN and value.path in HOLDING:
            return value.elements if name in HOLDING[value.path] else ()
        if kind == BUILTIN:
            return (Value(EXTERNAL, f"builtins.{value.path}.{name}", sure=False),)
        definition = self.files[value.path].record.definitions[value.place]
        if definition.sort is Sort.CLASS:
            return self._class_member(value, name, value.virtual)
        return narrow(
            item._replace(sure=False)
            for inner in self.types(value)
            if inner[:3] != value[:3]
            for item in self.member(inner, name)
        )

    def _class_member(self, value: Value, name: str, instance: bool) -> Values:
        klass = value.target
        found = self.class_attribute(klass, name)
        if found:
            return self.as_methods(found, klass, value, instance)
        if any(not item.startswith("builtins.object") for item in self.outside(klass)):
            return (Value(EXTERNAL, f"{self.outside(klass)[0]}.{name}", sure=False),)
        if name in _OBJECT:
            return (Value(EXTERNAL, f"builtins.object.{name}", sure=False),)
        return self._answered(value) if instance and not name.startswith("__") else ()

    def _answered(self, value: Value) -> Values:
        """What the `__getattr__` of an instance's class gives for an attribute that it lacks."""
        found = self.class_attribute(value.target, "__getattr__")
        return doubt(
            narrow(
                item
                for method in self.as_methods(found, value.target, value, True)
                if method.kind == METHOD
                for item in self._returned(method)
                if item.kind == INSTANCE
            )
        )

    def _super_member(self, value: Value, name: str) -> Values:
        klass = value.target
        for base in self.mro(klass)[1:]:
            found = self.own_member(base, name)
            if found:
                return self.as_methods(found, klass, value, True)
        outside = self.outside(klass)
        return (Value(EXTERNAL, f"{outside[0] if outside else 'builtins.object'}.{name}", sure=False),)

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
        known = self._types.get(target)
        if known is not None:
            return self._cut() if isinstance(known, int) else known
        before = self._begin()
        self._types[target] = ASKED
        scope = self.files[value.path].scopes.get(definition.parent)
        name = definition.qualname.rpartition(".")[2]
        found: list[Value] = []
        for item in scope.names.get(name, ()) if scope is not None else ():
            if item.kind == VALUE:
                place = item.place
                if place == definition.parent > 0 and steps(item.chain)[0] == name:
                    place = (
                        max(0, scope.parent) if scope is not None else 0
                    )  # `X = X` in a class takes an outer X
                values = self.chain(value.path, place, item.chain)
                found.extend(self.types_of(tuple(v for v in values if v[:3] != value[:3])))
        result = doubt(narrow(found))
        if self._end(before):
            self._types[target] = result
        else:
            del self._types[target]
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
                    return (
                        result
                        if name == "__getitem__"
                        else narrow(item for inner in result for item in inner.elements)
                    )
            return ()
        if value.kind == OBJECT:
            definition = self.files[value.path].record.definitions[value.place]
            if definition.sort is Sort.CLASS:
                return (value,)
            return narrow(
                item for inner in self.types(value) if inner[:3] != value[:3] for item in self._item(inner)
            )
        return ()

    def result(self, value: Value) -> Values:
        """What calling a value gives."""
        if value.kind == EXTERNAL:
            return self._external_result(value)
        if value.kind == INSTANCE:
            return narrow(
                i for m in self.member(value, "__call__") if m.kind == METHOD for i in self.result(m)
            )
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
            return narrow(
                item for inner in self.types(value) if inner[:3] != value[:3] for item in self.result(inner)
            )
        return self._returned(value)

    @staticmethod
    def _external_result(value: Value) -> Values:
        name = value.path.removeprefix("builtins.")
        if value.path.startswith("builtins.") and name in _TYPES:
            return (Value(BUILTIN, name, sure=False),)
        if value.path.startswith(_OPAQUE_CALLS):
            return ()
        return (Value(EXTERNAL, value.path + "()", sure=False),)

    def provided(self, fixture: Target) -> Values:
        """What a fixture hands over: what it returns, or yields."""
        found = self._returned(Value(OBJECT, fixture.path, fixture.place))
        return narrow(
            item
            for value in found
            for item in (value.elements if value.kind == BUILTIN and value.path == "generator" else (value,))
        )

    def hand(self, given: Mapping[Target, Mapping[str, tuple[Target, ...]]]) -> None:
        """Say what tests are handed; what was asked before that is asked anew."""
        self.given = given
        self._chains.clear()
        self._types.clear()
        self._members.clear()

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
        if value.target in self._returning:  # functions that return one another say nothing of what they are
            return self._cut()
        values: list[Value] = []
        self._returning.add(value.target)
        try:
            for chain in function.results:
                if receiver is not None and chain == own:
                    values.append(Value(INSTANCE, *receiver, sure=False, virtual=True))
                else:
                    values.extend(self.types_of(self.chain(value.path, value.place, chain)))
        finally:
            self._returning.remove(value.target)
        if function.flags & GENERATOR:
            return (Value(BUILTIN, "generator", sure=False, elements=doubt(narrow(values))),)
        return doubt(narrow(values))
