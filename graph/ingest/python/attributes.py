"""Attributes of receivers that only the type engine knows: reads, writes, and what they run.

Reading or writing an attribute may run a class's `__getattr__`, `__getattribute__` and `__setattr__`
(Python's data model, "Customizing attribute access"); descriptors follow from the references.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from graph.ingest.python.answers import Answers
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.program import Program
from graph.ingest.python.receivers import Receivers
from graph.ingest.python.records import CallSite, OpenAttribute, Site, Target, Touch
from graph.schema import TIER_OF, Form, Resolver, Sort, Tier

TYPED = TIER_OF[Resolver.PYREFLY, "attribute of a typed receiver"]
STORED = (Sort.ATTRIBUTE, Sort.CONSTANT, Sort.CLASS)


class Finished(NamedTuple):
    """Attributes that got a receiver."""

    touches: list[Touch]
    calls: list[CallSite]


class Attributes:
    """Finishes what our own resolver left open."""

    def __init__(self, program: Program, dispatch: Dispatch, receivers: Receivers) -> None:
        self._program = program
        self._dispatch = dispatch
        self._receivers = receivers
        self._hooks = cache(self._find_hooks)

    def finish(self, open_: Iterable[OpenAttribute], said: Mapping[str, Answers]) -> Finished:
        """What open attributes are, by the engine's types of their receivers."""
        done = Finished([], [])
        for item in open_:
            if item.reader.path in said:
                for receiver in self._receivers.of(item.reader.path).get(item.receiver, ()):
                    self._attribute(item, receiver.klass, done)
        return done

    def _attribute(self, item: OpenAttribute, klass: Target, done: Finished) -> None:
        found = self._dispatch.attribute(klass, item.name)
        runs: list[Target] = []
        for target in found:
            if self._program.definition(target).sort in STORED:
                done.touches.append(Touch(item.reader, target, item.written, TYPED, item.receiver.end_line))
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


def overloads(path: str, record: ModuleRecord, dispatch: Dispatch) -> Iterator[CallSite]:
    """From the declared overloads of a file's functions to what implements them."""
    for target, declared in dispatch.declarations(path):
        line = record.definitions[target.place].mark
        for stub in declared:
            site = Site(line, 0, line, 0)
            yield CallSite(stub, site, (target,), Tier.EXACT, Form.WRAPPER, Resolver.SCOPES)
