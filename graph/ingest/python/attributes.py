"""Attributes of receivers that only the type engine knows: reads, writes, and what they run.

Reading or writing an attribute may run code: a descriptor's `__get__` and `__set__`, a class's
`__getattr__`, `__setattr__` and `__delattr__` (Python's data model, "Customizing attribute access").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from graph.ingest.python.answers import Answers, Directory
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.following import OpenAttribute, Touch
from graph.ingest.python.module import VALUE, ModuleRecord
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite, Site, Target
from graph.schema import TIER_OF, Form, Resolver, Sort, Tier

TYPED = TIER_OF[Resolver.PYREFLY, "attribute of a typed receiver"]
STORED = (Sort.ATTRIBUTE, Sort.CONSTANT, Sort.CLASS)


class Finished(NamedTuple):
    """Attributes that got a receiver."""

    touches: list[Touch]
    calls: list[CallSite]


class Attributes:
    """Finishes what our own resolver left open."""

    def __init__(self, program: Program, dispatch: Dispatch, directory: Directory) -> None:
        self._program = program
        self._dispatch = dispatch
        self._directory = directory
        self._hooks = cache(self._find_hooks)
        self._descriptor = cache(self._find_descriptor)

    def finish(self, open_: Iterable[OpenAttribute], said: Mapping[str, Answers]) -> Finished:
        """What open attributes are, by the engine's types of their receivers."""
        done = Finished([], [])
        types: dict[str, dict[Site, list[Target]]] = {}
        for item in open_:
            path = item.reader.path
            if path not in said:
                continue
            if path not in types:
                types[path] = self._types(said[path])
            for klass in types[path].get(item.receiver, ()):
                self._attribute(item, klass, done)
        return done

    def _types(self, answers: Answers) -> dict[Site, list[Target]]:
        names = [self._directory.target(*name) for name in answers.names]
        return {
            Site(*site): [klass for index in classes if (klass := names[index]) is not None]
            for site, classes in answers.types
        }

    def _attribute(self, item: OpenAttribute, klass: Target, done: Finished) -> None:
        found = self._dispatch.attribute(klass, item.name)
        runs: list[Target] = []
        for target in found:
            if self._program.definition(target).sort in STORED:
                done.touches.append(Touch(item.reader, target, item.written, TYPED, item.receiver.end_line))
                runs += self._descriptor(target, "__set__" if item.written else "__get__")
        if not item.name.startswith("__"):
            if item.written:
                runs += self._hooks(klass, "__setattr__")
            elif not found:
                runs += self._hooks(klass, "__getattr__")
            runs += self._hooks(klass, "__getattribute__") if not item.written else ()
        targets = tuple(target for target in dict.fromkeys(runs) if target != item.reader)
        if targets:
            site = CallSite(item.reader, item.receiver, targets, Tier.TYPED, Form.IMPLICIT, Resolver.PYREFLY)
            done.calls.append(site._replace(name=item.name))

    def _find_hooks(self, klass: Target, name: str) -> tuple[Target, ...]:
        return self._dispatch.attribute(klass, name)

    def _find_descriptor(self, attribute: Target, method: str) -> tuple[Target, ...]:
        """The method of the descriptor that a class attribute is bound to, where it is one."""
        record = self._program.records[attribute.path]
        place = record.definitions[attribute.place].parent
        name = self._dispatch.name(attribute)
        found: list[Target] = []
        for scope in record.uses.scopes:
            if scope.place != place:
                continue
            for binding in scope.names.get(name, ()):
                if binding.kind == VALUE and binding.chain.endswith("()"):
                    callee = binding.chain.removesuffix("()")
                    for klass in self._program.resolve(attribute.path, binding.place, callee):
                        if self._program.definition(klass).sort is Sort.CLASS:
                            found += self._dispatch.attribute(klass, method)
        return tuple(found)


def class_statements(program: Program, dispatch: Dispatch) -> Iterator[CallSite]:
    """What defining a class runs: `__init_subclass__` of its bases, `__set_name__` is left out."""
    for path, record in program.records.items():
        for place, definition in enumerate(record.definitions):
            if definition.sort is not Sort.CLASS:
                continue
            klass = Target(path, place)
            for base in program.mro(klass)[1:]:
                found = dispatch.own(base, "__init_subclass__")
                if found:
                    line, column = definition.mark, definition.name_column
                    site = Site(line, column, line, column)
                    around = Target(path, max(definition.parent, 0))
                    inside = program.definition(around).sort in (Sort.FUNCTION, Sort.METHOD)
                    form = Form.IMPLICIT if inside else Form.DECORATING
                    yield CallSite(around, site, found, Tier.EXACT, form, Resolver.SCOPES)
                    yield CallSite(klass, site, found, Tier.EXACT, Form.IMPLICIT, Resolver.SCOPES)
                    break


def overloads(records: Mapping[str, ModuleRecord], dispatch: Dispatch) -> Iterator[CallSite]:
    """From the declared overloads of a function to what implements them."""
    for path in records:
        for target, declared in dispatch.declarations(path):
            line = records[path].definitions[target.place].mark
            for stub in declared:
                site = Site(line, 0, line, 0)
                yield CallSite(stub, site, (target,), Tier.EXACT, Form.WRAPPER, Resolver.SCOPES)
