"""Attributes of classes: what a name means in one, through bases, properties and what methods assign."""

from __future__ import annotations

from collections.abc import Sequence

from graph.ingest.python.classes import Classes
from graph.ingest.python.module import (
    CLASSMETHOD,
    DEFINED,
    LENIENT,
    OPAQUE,
    PROPERTY,
    VALUE,
    Binding,
)
from graph.ingest.python.records import Target
from graph.ingest.python.values import METHOD, OBJECT, SUPER, Value, Values, narrow


class Members(Classes):
    """What classes hold under a name."""

    def lacks(self, value: Value, name: str) -> bool:
        """Whether a class of the program, with its bases, has no attribute of that name."""
        return not self.outside(value.target) and not self.class_attribute(value.target, name)

    def class_attribute(self, klass: Target, name: str) -> Values:
        """An attribute of a class or of its instances, looked up through its bases."""
        bases = self.mro(klass)
        for at, base in enumerate(bases):
            found = self.own_member(base, name)
            if found:
                getters = () if self._in_body(base, name) else self._getters(bases[at + 1 :], name)
                lenient = any(self.flags(item.target) & LENIENT for item in getters)
                return narrow((*getters, *found)) if lenient else getters or found
        return ()

    def _in_body(self, klass: Target, name: str) -> bool:
        """Whether a class's body binds a name, and not only its methods on their instance."""
        scope = self.files[klass.path].scopes.get(klass.place)
        bindings = scope.names.get(name, ()) if scope is not None else ()
        return any(item.kind not in (VALUE, OPAQUE) or item.place == klass.place for item in bindings)

    def _getters(self, bases: Sequence[Target], name: str) -> Values:
        """The property that these classes give under a name, where it is that which they give.

        It comes before what stands in an instance, and what a method assigns goes through its setter (the
        language's data model, "Invoking Descriptors").
        """
        for base in bases:
            if self._in_body(base, name):
                found = self.own_member(base, name)
                return tuple(v for v in found if v.kind == OBJECT and self.flags(v.target) & PROPERTY)
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
                return self._without_assigned(klass, found, bindings) if len(found) > 1 else found
        if name in scope.symbols:
            return (Value(OBJECT, klass.path, scope.symbols[name]),)
        return ()

    def _without_assigned(self, klass: Target, found: Values, bindings: Sequence[Binding]) -> Values:
        """Members without the attribute that methods assign where the class has a property of that name."""
        getters = tuple(
            v for v in found if v.kind == OBJECT and self.flags(v.target) & (PROPERTY | LENIENT) == PROPERTY
        )
        in_body = any(item.kind in (VALUE, OPAQUE) and item.place == klass.place for item in bindings)
        return getters if getters and not in_body else found

    def defined(self, klass: Target, name: str) -> Values:
        """Every function of that name written in a class: getters, setters, overloads, alternatives."""
        scope = self.files[klass.path].scopes.get(klass.place)
        bindings = scope.names.get(name, ()) if scope is not None else ()
        return tuple(Value(OBJECT, klass.path, item.place) for item in bindings if item.kind == DEFINED)

    def as_methods(self, found: Values, klass: Target, value: Value, instance: bool) -> Values:
        """Functions found in a class as the methods that an attribute look-up makes of them."""
        result = []
        sure = value.kind == OBJECT and value.sure and len(found) == 1
        for item in found:
            if item.kind == OBJECT and item.place in self.files[item.path].functions:
                flags = self.flags(item.target)
                virtual = instance and value.kind != SUPER
                bound = METHOD if instance or flags & CLASSMETHOD else OBJECT
                result.append(item._replace(kind=bound, sure=sure, receiver=klass, virtual=virtual))
            else:
                result.append(item._replace(sure=sure))
        return tuple(result)
