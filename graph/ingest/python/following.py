"""What the uses of one file come to: calls, reads and writes of symbols, and what stayed open."""

from __future__ import annotations

from collections import defaultdict

from graph.ingest.python.chains import last, steps
from graph.ingest.python.commonplace import COMMON, MUTATORS, dataclasses, defined_kinds, methods_by_name
from graph.ingest.python.imports import importing
from graph.ingest.python.module import (
    CALL,
    DECORATOR,
    DEFINE,
    DELETER,
    HANDED,
    MUTATE,
    PROPERTY,
    READ,
    SETTER,
    WRITE,
    Block,
    Use,
)
from graph.ingest.python.operations import BY_PREFIX
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite, OpenAttribute, OpenOperation, Site, Target, Touch
from graph.ingest.python.values import BUILTIN, EXTERNAL, INSTANCE, METHOD, MODULE, OBJECT, Value, Values
from graph.schema import TIER_OF, Form, Resolver, Sort, Tier

BOUND_ONCE = TIER_OF[Resolver.SCOPES, "name bound once"]
INFERRED = TIER_OF[Resolver.SCOPES, "member by annotation or constructor"]
ONLY_NAME = TIER_OF[Resolver.SCOPES, "only definition of that name"]
SHARED_NAME = TIER_OF[Resolver.SCOPES, "one of several definitions of that name"]

FEW = 5
"""Definitions that share a name, up to which a call on an unknown receiver is tied to all of them."""


class Follower:
    """Resolves uses block by block.

    Attributes
    ----------
    calls : list of CallSite
    touches : list of Touch
    decorators : dict from a definition to what decorates it, with tiers, in order
    open : list of OpenAttribute
    operations : list of OpenOperation
        Those that some class of the program defines a method for.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.evaluator = program.evaluator
        self.calls: list[CallSite] = []
        self.touches: list[Touch] = []
        self.decorators: dict[Target, list[tuple[Target, Tier]]] = defaultdict(list)
        self.open: list[OpenAttribute] = []
        self.operations: list[OpenOperation] = []
        self._defined = defined_kinds(program)
        self._dataclasses = dataclasses(program)
        self._lacking: dict[tuple[Target, str], bool] = {}
        self._hooking: dict[tuple[Target, str], Values] = {}
        self._methods = methods_by_name(program)
        self._path = ""
        self._scope = 0
        self._owner = Target("", 0)
        self._weak: Tier | None = None

    def follow(self, path: str, block: Block) -> None:
        """Take in the uses of one owner."""
        self._path = path
        self._scope = block.scope
        self._owner = Target(path, block.owner)
        # What a script block uses, no importer runs: possible, but not followed by default.
        self._weak = Tier.NAME if block.script else None
        for use in block.uses:
            if use.kind == DEFINE:
                self._call(use, (Target(path, int(use.chain[1:])),), Tier.EXACT, Form.HANDED)
                continue
            parts = use.chain.split("|") if "|" in use.chain else (use.chain,)
            found: list[Value] = []
            for part in parts:
                found.extend(self._walk(use, part))
            self._finish(use, tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found))
        for item in () if block.script else block.implied:
            if item.kind in self._defined or item.kind.startswith(BY_PREFIX):
                operand = Site(item.line, item.column, item.end_line, item.end_column)
                self.operations.append(
                    OpenOperation(self._owner, block.scope, item.kind, item.chain, operand)
                )

    # Receivers

    def _walk(self, use: Use, chain: str) -> Values:
        """Values of a chain, after telling of the attributes and constants on the way."""
        if "." not in chain:
            return self.evaluator.chain(self._path, self._scope, chain)
        parts = steps(chain)
        base = 1
        for at in range(len(parts) - 1, 0, -1):
            if parts[at][0] != ".":
                base = at + 1
                break
        values = self.evaluator.chain(self._path, self._scope, "".join(parts[:base]))
        for at in range(base, len(parts)):
            ahead = self.evaluator.chain(self._path, self._scope, "".join(parts[: at + 1]))
            if at > base or base == 1:
                self._touch(use, values, len(parts) - at, bool(ahead))
            self._answered(use, values, parts[at][1:])
            if use.kind == WRITE and at + 1 == len(parts):
                self._intercepted(use, values)
            if not ahead and (at + 1 < len(parts) or use.kind in (READ, HANDED, WRITE)):
                written = use.kind == WRITE and at + 1 == len(parts)
                receiver = self._span(use, parts[0], len(parts) - at)
                if receiver is not None:
                    self.open.append(OpenAttribute(self._owner, receiver, parts[at][1:], written))
            values = ahead
        return values

    def _answered(self, use: Use, values: Values, name: str) -> None:
        """A module or an instance that lacks what it is asked for may answer by its `__getattr__`."""
        for value in values:
            if value.kind == MODULE:
                for item in self.evaluator.answering(value.path, name):
                    self._call(use, (item.target,), INFERRED, Form.IMPLICIT)
            elif value.kind != INSTANCE or use.kind == WRITE or name.startswith("__"):
                continue
            elif self._hooks(value, "__getattr__") and self._lacks(value, name):
                self._hooked(use, value, "__getattr__")

    def _intercepted(self, use: Use, values: Values) -> None:
        """Assigning an attribute runs the `__setattr__` of the instance's class."""
        for value in values:
            if value.kind == INSTANCE:
                self._hooked(use, value, "__setattr__")

    def _hooked(self, use: Use, value: Value, name: str) -> None:
        for item in self._hooks(value, name):
            if item.target != self._owner:
                self._call(use, (item.target,), INFERRED, Form.IMPLICIT, item.virtual)

    def _hooks(self, value: Value, name: str) -> Values:
        """The method of that name, of the class of an instance."""
        key = value.target, name
        found = self._hooking.get(key)
        if found is None:
            held = self.evaluator.member(value, name)
            found = self._hooking[key] = tuple(item for item in held if item.kind == METHOD)
        return found

    def _lacks(self, value: Value, name: str) -> bool:
        key = value.target, name
        found = self._lacking.get(key)
        if found is None:
            found = self._lacking[key] = self.evaluator.lacks(value, name)
        return found

    def imports(self, path: str) -> None:
        """Take in imports of names that a module answers for itself."""
        for item in self.program.records[path].uses.imports:
            stem = self.evaluator.module(path, item.level, item.module) if item.name else None
            if stem is None or item.typing_only:
                continue
            importer, _ = importing(self.program, Target(path, item.scope))
            for value in self.evaluator.answering(stem, item.name):
                site = Site(item.line, 0, item.line, 0)
                self.calls.append(
                    CallSite(
                        Target(path, importer),
                        site,
                        (value.target,),
                        INFERRED,
                        Form.IMPLICIT,
                        Resolver.SCOPES,
                        name="__getattr__",
                    )
                )

    def _span(self, use: Use, root: str, dropped: int) -> Site | None:
        """Where the receiver stands that is left when the last `dropped` attributes are taken off."""
        if len(use.ends) >= 2 * dropped:
            return Site(use.line, use.column, use.ends[2 * dropped - 2], use.ends[2 * dropped - 1])
        if use.kind == CALL:
            return Site(use.line, use.column, use.line, use.column + len(root))
        names = use.chain.partition("|")[0].split(".")[-dropped:]
        taken = sum(len(name) + 1 for name in names)
        return Site(use.line, use.column, use.end_line, use.end_column - taken)

    def _touch(self, use: Use, values: Values, dropped: int, known: bool) -> None:
        """A value on the way to an attribute is read; a property on the way is called."""
        for value in values:
            if value.kind not in (OBJECT, METHOD):
                continue
            if self.evaluator.flags(value.target) & PROPERTY:
                site = self._span(use, steps(use.chain.partition("|")[0])[0], dropped)
                self._property(use, value, PROPERTY, site)
                continue
            sort = self._sort(value)
            if sort in (Sort.CONSTANT, Sort.ATTRIBUTE) or (
                sort is Sort.CLASS and not known and not value.virtual
            ):
                self._read(use, value)

    def _sort(self, value: Value) -> Sort:
        return self.program.records[value.path].definitions[value.place].sort

    # Ends of chains

    def _finish(self, use: Use, values: Values) -> None:
        if use.kind == CALL:
            self._called(use, values)
        elif use.kind == DECORATOR:
            self._decorated(values)
        elif use.kind in (WRITE, MUTATE):
            self._written(use, values)
        else:
            self._handed(use, values)

    def _tier(self, sure: bool) -> Tier:
        return self._weak or (BOUND_ONCE if sure else INFERRED)

    def _read(self, use: Use, value: Value) -> None:
        self.touches.append(Touch(self._owner, value.target, False, self._tier(value.sure), use.line))

    def _site(self, use: Use) -> Site:
        return Site(use.line, use.column, use.end_line, use.end_column)

    def _call(
        self,
        use: Use,
        targets: tuple[Target, ...],
        tier: Tier,
        form: Form,
        virtual: bool = False,
        site: Site | None = None,
    ) -> None:
        self.calls.append(
            CallSite(
                self._owner,
                site or self._site(use),
                targets,
                self._weak or tier,
                form,
                Resolver.SCOPES,
                virtual=virtual,
                name=last(use.chain),
            )
        )

    def _property(self, use: Use, value: Value, wanted: int, site: Site | None = None) -> None:
        """The getter, setter or deleter behind an attribute."""
        name = self.program.definition(value.target).qualname.rpartition(".")[2]
        owner = Target(value.path, self.program.definition(value.target).parent)
        targets = tuple(
            item.target
            for item in self.evaluator.defined(owner, name)
            if self.evaluator.flags(item.target) & wanted
        ) or (value.target,)
        self.calls.append(
            CallSite(
                self._owner,
                site or self._site(use),
                targets,
                self._tier(value.sure),
                Form.PROPERTY,
                Resolver.SCOPES,
                virtual=value.virtual,
                name=name,
            )
        )

    def _called(self, use: Use, values: Values) -> None:
        """One CallSite a form for what a call may run."""
        groups: dict[tuple[Form, bool, bool], dict[Target, None]] = {}
        external = False
        for value in values:
            external = external or value.kind in (EXTERNAL, BUILTIN)
            if value.kind in (OBJECT, METHOD):
                sort = self._sort(value)
                if sort in (Sort.CONSTANT, Sort.ATTRIBUTE):
                    self._read(use, value)
                elif self.evaluator.flags(value.target) & PROPERTY and value.kind == METHOD:
                    self._property(use, value, PROPERTY)
            for item in self.evaluator.types(value):
                external = external or item.kind in (EXTERNAL, BUILTIN)
                self._collect(item, groups, use.chain)
        self._mutation(use)
        if not groups:
            self._unfollowed(use, external)
        for (form, sure, virtual), targets in groups.items():
            single = sure and (len(targets) == 1 or form is Form.CONSTRUCTOR)
            self._call(use, tuple(targets), BOUND_ONCE if single else INFERRED, form, virtual)

    def _collect(
        self, item: Value, groups: dict[tuple[Form, bool, bool], dict[Target, None]], chain: str
    ) -> None:
        if item.kind == INSTANCE:
            for method in self.evaluator.member(item, "__call__"):
                if method.kind == METHOD:
                    groups.setdefault((Form.IMPLICIT, False, True), {})[method.target] = None
        elif item.kind in (OBJECT, METHOD):
            sort = self._sort(item)
            if sort is Sort.CLASS:
                group = groups.setdefault((Form.CONSTRUCTOR, item.sure, False), {})
                group.update(dict.fromkeys(self.program.constructors(item.target)))
            elif sort in (Sort.FUNCTION, Sort.METHOD):
                form = self._form(item, chain)
                groups.setdefault((form, item.sure, item.virtual), {})[item.target] = None

    def _form(self, item: Value, chain: str) -> Form:
        """How a function is called: by its name, by a protocol, or through a variable that holds it."""
        if chain.endswith(_IMPLICIT):
            return Form.IMPLICIT
        name = self.program.definition(item.target).qualname.rpartition(".")[2]
        written = last(chain)
        # An import may rename it and it is still called by its name; a variable may hold anything.
        return Form.PLAIN if item.sure or name == written else Form.HANDED

    def _mutation(self, use: Use) -> None:
        """`X.append(...)` changes X."""
        receiver, _, name = use.chain.rpartition(".")
        if name in MUTATORS and receiver and "|" not in receiver:
            for value in self.evaluator.chain(self._path, self._scope, receiver):
                self._write(use, value)

    def _write(self, use: Use, value: Value) -> None:
        if value.kind == OBJECT and self._sort(value) in (Sort.CONSTANT, Sort.ATTRIBUTE):
            self.touches.append(Touch(self._owner, value.target, True, self._tier(value.sure), use.line))

    def _unfollowed(self, use: Use, external: bool) -> None:
        name = last(use.chain)
        tier, reason = Tier.AMBIGUOUS, ""
        targets: tuple[Target, ...] = ()
        if external:
            pass
        elif "." not in use.chain.rpartition("|")[2]:
            reason = "a value whose code is not known"
        elif use.chain.endswith(_IMPLICIT):
            return
        elif name in COMMON:
            reason = "a receiver of unknown type"
        else:
            found = self._methods.get(name, ())
            if not found:
                reason = "no definition of that name in the repository"
            elif len(found) <= FEW:
                targets = found
                tier = ONLY_NAME if len(found) == 1 else SHARED_NAME
            else:
                reason = f"{len(found)} definitions share the name"
        self.calls.append(
            CallSite(
                self._owner,
                self._site(use),
                targets,
                tier,
                Form.PLAIN,
                Resolver.SCOPES,
                virtual=False,
                external=external,
                reason=reason,
                name=name,
            )
        )

    def _decorated(self, values: Values) -> None:
        for value in self.evaluator.types_of(values):
            if value.kind in (OBJECT, METHOD) and value.target != self._owner:
                self.decorators[self._owner].append((value.target, self._tier(value.sure)))
        for value in values:
            if value.kind == OBJECT and self._sort(value) in (Sort.CONSTANT, Sort.ATTRIBUTE):
                self.decorators[self._owner].append((value.target, self._tier(value.sure)))

    def _written(self, use: Use, values: Values) -> None:
        for value in values:
            if value.kind == METHOD and self.evaluator.flags(value.target) & (PROPERTY | SETTER | DELETER):
                self._property(use, value, SETTER)
            else:
                self._write(use, value)
        if use.kind == WRITE:
            self._written_below(use, values)

    def _written_below(self, use: Use, values: Values) -> None:
        """A method that sets an attribute also sets what its class's bases read under that name."""
        for value in values:
            if value.kind != OBJECT or self._sort(value) is not Sort.ATTRIBUTE:
                continue
            definition = self.program.definition(value.target)
            name = definition.qualname.rpartition(".")[2]
            for base in self.evaluator.mro(Target(value.path, definition.parent))[1:]:
                for item in self.evaluator.own_member(base, name):
                    self._write(use, item._replace(sure=False))

    def _field_call(self, use: Use, targets: tuple[Target, ...], tier: Tier) -> None:
        """Making a dataclass's instance runs what its fields are handed: `default_factory`, `converter`."""
        klass = Target(self._path, max(self.program.definition(self._owner).parent, 0))
        if klass in self._dataclasses and self.program.definition(self._owner).sort is Sort.ATTRIBUTE:
            owner, self._owner = self._owner, klass
            self._call(use, targets, tier, Form.HANDED)
            self._owner = owner

    def _handed(self, use: Use, values: Values) -> None:
        for value in values:
            if value.kind not in (OBJECT, METHOD):
                continue
            flags = self.evaluator.flags(value.target)
            if value.kind == METHOD and flags & PROPERTY:
                self._property(use, value, PROPERTY)
                continue
            sort = self._sort(value)
            tier = BOUND_ONCE if value.sure else INFERRED
            if use.kind == HANDED and sort in (Sort.FUNCTION, Sort.METHOD):
                self._call(use, (value.target,), tier, Form.HANDED, value.virtual)
                self._field_call(use, (value.target,), tier)
            elif sort is Sort.CLASS and use.kind == HANDED and not value.virtual:
                made = tuple(self.program.constructors(value.target))
                self._call(use, made, tier, Form.HANDED)
                self._field_call(use, made, tier)
            elif value.target != self._owner:
                self._read(use, value)


_IMPLICIT = ("__enter__", "__exit__", "__aenter__", "__aexit__")
