"""Methods that the language runs by itself: `==`, `len()`, truth, conversions (see operations.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from graph.ingest.python.answers import Answers
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.operations import BY_PREFIX, COMPARISONS, LOOPS, OF_CLASSES, ORDERING, RUNS, SELF
from graph.ingest.python.program import Program
from graph.ingest.python.receivers import Receiver, Receivers
from graph.ingest.python.records import CallSite, OpenOperation, Target, Touch
from graph.ingest.python.values import INSTANCE, OBJECT
from graph.schema import TIER_OF, Form, Resolver, Sort, Tier

TYPED = TIER_OF[Resolver.PYREFLY, "attribute of a typed receiver"]
INFERRED = TIER_OF[Resolver.SCOPES, "member by annotation or constructor"]
MAYBE = TIER_OF[Resolver.PYREFLY, "override of a resolved target"]

_HELD = (Sort.METHOD, Sort.ATTRIBUTE)


class Operations:
    """Finds what operations run, by the classes of their operands.

    Attributes
    ----------
    touches : list of Touch
        Attributes that stand for such a method (`__len__ = Forwarded(len)`), as far as `calls` was taken.
    """

    def __init__(self, program: Program, dispatch: Dispatch, receivers: Receivers) -> None:
        self.touches: list[Touch] = []
        self._program = program
        self._dispatch = dispatch
        self._receivers = receivers
        self._run = cache(self._find)
        self._known: dict[tuple[str, int, str], tuple[Receiver, ...]] = {}

    def calls(self, open_: Iterable[OpenOperation], said: Mapping[str, Answers]) -> Iterator[CallSite]:
        """The calls, where the engine or our own resolver knows an operand's class.

        The engine follows the flow of control. Where it was asked and knows no class, one that we inferred
        without regard to that is a possibility like an override, no more.
        """
        for item in open_:
            path, tier, resolver = item.reader.path, TYPED, Resolver.PYREFLY
            known = self._receivers.of(path).get(item.operand, ())
            if not known:
                known = self._inferred(item)
                tier, resolver = MAYBE if path in said else INFERRED, Resolver.SCOPES
            elif item.kind in LOOPS and item.chain != SELF:
                continue
            for klass, itself in known:
                if itself:
                    yield from self._made(item, klass, tier, resolver)
                elif item.kind not in OF_CLASSES:
                    yield from self._done(item, klass, tier, resolver)

    def _inferred(self, item: OpenOperation) -> tuple[Receiver, ...]:
        """What our own resolver takes an operand for."""
        if item.chain[0] in "?%" and "<" not in item.chain:
            return ()
        key = item.reader.path, item.scope, item.chain
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._values(*key)
        return known

    def _values(self, path: str, scope: int, chain: str) -> tuple[Receiver, ...]:
        evaluator = self._program.evaluator
        found: dict[Receiver, None] = {}
        for value in evaluator.types_of(evaluator.chain(path, scope, chain)):
            if value.kind == INSTANCE:
                found[Receiver(value.target, False)] = None
            elif value.kind == OBJECT and self._program.definition(value.target).sort is Sort.CLASS:
                found[Receiver(value.target, True)] = None
        return tuple(found)

    def _done(self, item: OpenOperation, klass: Target, tier: Tier, resolver: Resolver) -> Iterator[CallSite]:
        """What is done to an instance of a class."""
        if item.kind.startswith(BY_PREFIX):
            yield from self._begun(item, klass, tier, resolver)
            return
        for target, certain in self._run(klass, item.kind):
            if target == item.reader:
                continue
            if self._program.definition(target).sort is not Sort.METHOD:
                self.touches.append(Touch(item.reader, target, False, tier, item.operand.end_line))
                continue
            virtual, others = self._dispatch.below(target, klass)
            site = CallSite(item.reader, item.operand, (target,), tier, Form.IMPLICIT, resolver)
            site = site._replace(virtual=virtual, name=self._dispatch.name(target))
            yield site if certain else site._replace(tier=MAYBE)
            for other in others:
                yield site._replace(targets=(other,), tier=MAYBE, virtual=False)

    def _made(self, item: OpenOperation, klass: Target, tier: Tier, resolver: Resolver) -> Iterator[CallSite]:
        """What is done to a class itself: its metaclass has the methods; to raise it makes an instance."""
        form = Form.IMPLICIT
        found: tuple[Target, ...] = ()
        if item.kind == "raise":
            form, found = Form.CONSTRUCTOR, tuple(self._program.constructors(klass))
        elif item.kind.startswith(BY_PREFIX):
            yield from self._begun(item, klass, tier, resolver)
        elif item.kind == "class item":
            found = tuple(self._methods(klass, "__class_getitem__"))
        if not found and item.kind in RUNS:
            metas = self._program.evaluator.metaclasses(klass)
            found = tuple(target for meta in metas for target, _ in self._run(meta, item.kind))
        methods = filter(self._is_method, dict.fromkeys(found))
        targets = tuple(target for target in methods if target != item.reader)
        if targets:
            yield CallSite(item.reader, item.operand, targets, tier, form, resolver)

    def _begun(
        self, item: OpenOperation, klass: Target, tier: Tier, resolver: Resolver
    ) -> Iterator[CallSite]:
        """Any method of which the name begins so may be what is read, and run."""
        prefix = item.kind.removeprefix(BY_PREFIX)
        for found, sure in zip(self._dispatch.beginning(klass, prefix), (tier, MAYBE), strict=True):
            targets = tuple(target for target in found if target != item.reader)
            if targets:
                site = CallSite(item.reader, item.operand, targets, sure, Form.HANDED, resolver)
                yield site._replace(name=f"{prefix}*")

    def _find(self, klass: Target, kind: str) -> tuple[tuple[Target, bool], ...]:
        """Methods of a class that an operation runs, and whether it is certain that it runs them.

        A base outside the repository may have the method that comes first.
        """
        found: dict[Target, bool] = {}
        foreign = bool(self._program.external_bases(klass))
        for group in RUNS[kind]:
            for at, name in enumerate(group):
                methods = self._methods(klass, name)
                if methods:
                    found.update((method, not (at and foreign)) for method in methods)
                    break
        if not found and kind in COMPARISONS:
            found = {method: True for name in ORDERING for method in self._methods(klass, name)}
        return tuple(found.items())

    def _methods(self, klass: Target, name: str) -> list[Target]:
        """A class's method of a name, or the attribute that stands for it."""
        found = self._dispatch.attribute(klass, name)
        return [target for target in found if self._program.definition(target).sort in _HELD]

    def _is_method(self, target: Target) -> bool:
        return self._program.definition(target).sort in (Sort.METHOD, Sort.CLASS)
