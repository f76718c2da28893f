"""Second pass over a file's tree: what its code does with which names, as chains (see module.py)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from graph.ingest.python.chains import UNKNOWN, dotted, extend, instance_of, join
from graph.ingest.python.exports import exports_of
from graph.ingest.python.module import (
    CALL,
    DECORATOR,
    DEFINE,
    DEFINED,
    HANDED,
    NARROWED,
    OPAQUE,
    PARAMETER,
    RAISED,
    READ,
    REQUEST,
    VALUE,
    Binding,
    ClassRecord,
    Function,
    Use,
    Uses,
)
from graph.ingest.python.occurrences import QUIET
from graph.ingest.python.operations import Operation, tested
from graph.ingest.python.outline import (
    FUNCTIONS,
    LOOPS,
    TRIES,
    WITHS,
    FunctionNode,
    blocks_of,
    is_script_guard,
    is_typing_guard,
    only_binds,
)
from graph.ingest.python.pytest_marks import listed, varied
from graph.ingest.python.signatures import flags_of, parameters_of
from graph.ingest.python.stores import Stores
from graph.schema import Sort


class Visitor(Stores):
    """Walks one tree and fills a `Uses`."""

    def run(self, tree: ast.Module) -> Uses:
        """Walk the module and hand back what was found."""
        self.uses.exported, self.uses.exported_from = exports_of(tree)
        self._body(tree.body)
        self.uses.scopes = list(self.scopes.values())
        for block in self.blocks.values():
            block.uses = [use for use in block.uses if self._matters(use, block.scope)]
            if block.uses or block.implied:
                self.uses.blocks.append(block)
        return self.uses

    def _body(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        handler = _STATEMENTS.get(statement.__class__)
        if self.outline.drafts[self.scope.place].sort in (Sort.FUNCTION, Sort.METHOD):
            if handler is not None:
                handler(self, statement)
            else:
                self._inside(statement)
            return
        before = self.owners
        bound = self._names_owners(statement)
        if bound:
            compound = isinstance(statement, (*LOOPS, *WITHS))
            self._own((*bound, self.scope.place) if compound else bound)
        if handler is not None:
            handler(self, statement)
        else:
            self._inside(statement)
        self._own(before)

    def _if(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.If)
        if is_typing_guard(statement):
            before, self.quiet = self.quiet, True
            self._body(statement.body)
            self.quiet = before
            self._body(statement.orelse)
            return
        if self.scope.place == 0 and is_script_guard(statement):
            before, self.script = self.script, True
            owners = self.owners
            self._own(owners)
            self._body(statement.body)
            self.script = before
            self._own(owners)
            return
        self._header(statement, lambda: self._test(statement.test))
        self.conditional += 1
        self._body(statement.body)
        self._body(statement.orelse)
        self.conditional -= 1

    def _header(self, statement: ast.stmt, walk: Callable[[], object]) -> None:
        """The test of an `if` that only decides between bindings is read by what it binds."""
        place = self.scope.place
        if self.outline.drafts[place].sort in (Sort.FUNCTION, Sort.METHOD) or not only_binds(statement):
            walk()
            return
        before = self.owners
        bound = [
            symbol
            for inner in _leaves(statement)
            for symbol in (*self._names_owners(inner), *filter(None, [self.outline.places.get(inner)]))
        ]
        self._own(tuple(dict.fromkeys(bound)) or (place,))
        walk()
        self._own(before)

    def _test(self, test: ast.expr) -> None:
        """A condition, and what `isinstance` in it says of a name."""
        self.value(test, READ)
        self._imply(tested(test))
        parts = test.values if isinstance(test, ast.BoolOp) else [test]
        for part in parts:
            if (
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Name)
                and part.func.id == "isinstance"
                and len(part.args) == 2
                and isinstance(part.args[0], ast.Name)
                and part.args[0].id in self.scope.names
            ):
                kinds = part.args[1].elts if isinstance(part.args[1], ast.Tuple) else [part.args[1]]
                chain = join(instance_of(kind) for kind in kinds)
                if chain:
                    self._bind(part.args[0].id, NARROWED, chain, self.scope.place)

    def _loop(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.For, ast.AsyncFor))
        chain = extend(self.value(statement.iter, READ), "[]")
        kind = "async for" if isinstance(statement, ast.AsyncFor) else "for"
        self._imply((Operation(kind, statement.iter),))
        self._target(statement.target, chain)
        self.conditional += 1
        self._inner(statement.body)
        self._inner(statement.orelse)
        self.conditional -= 1

    def _inner(self, body: Sequence[ast.stmt]) -> None:
        """The block of a compound statement whose own owners were set for its header."""
        before = self.owners
        if self.outline.drafts[self.scope.place].sort not in (Sort.FUNCTION, Sort.METHOD):
            self._own((self.scope.place,))
        self._body(body)
        self._own(before)

    def _while(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.While)
        self._test(statement.test)
        self.conditional += 1
        self._body(statement.body)
        self._body(statement.orelse)
        self.conditional -= 1

    def _with(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.With, ast.AsyncWith))
        for item in statement.items:
            chain = self.value(item.context_expr, READ)
            raised = self._raised(item.context_expr)
            if item.optional_vars is not None:
                enter = "__aenter__" if isinstance(statement, ast.AsyncWith) else "__enter__"
                self._target(item.optional_vars, raised or extend(chain, f".{enter}()"))
            for name in _ENTER[isinstance(statement, ast.AsyncWith)]:
                self._emit(CALL, extend(chain, name), item.context_expr)
        self._inner(statement.body)

    def _raised(self, node: ast.expr) -> str:
        """What `pytest.raises(E)` and `self.assertRaises(E)` hand to the block; empty for anything else."""
        if not isinstance(node, ast.Call) or not node.args:
            return ""
        name = dotted(node.func)
        if self._dotted(name) != "pytest.raises" and name not in _ASSERTING:
            return ""
        first = node.args[0]
        kinds = map(instance_of, first.elts if isinstance(first, ast.Tuple) else [first])
        chain = join(f"%{RAISED}<{kind}>" for kind in kinds if kind and "<" not in kind and "|" not in kind)
        if chain and (name.endswith("Regex") or any(word.arg == "match" for word in node.keywords)):
            self._imply((Operation("str", node),), extend(chain, ".value"))  # what it says is looked at
        return chain

    def _try(self, statement: ast.stmt) -> None:
        self.conditional += 1
        self._body(statement.body)  # type: ignore[attr-defined]
        for handler in statement.handlers:  # type: ignore[attr-defined]
            if handler.type is not None:
                self._header(statement, lambda kind=handler.type: self.value(kind, READ))  # type: ignore[misc]
            if handler.name:
                caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
                self._bind(handler.name, VALUE, join(instance_of(kind) for kind in caught) or UNKNOWN)
            self._body(handler.body)
        self._body(statement.orelse)  # type: ignore[attr-defined]
        self.conditional -= 1
        self._body(statement.finalbody)  # type: ignore[attr-defined]

    def _match(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Match)
        self.value(statement.subject, READ)
        if any(
            isinstance(node, ast.MatchValue) for case in statement.cases for node in ast.walk(case.pattern)
        ):
            self._imply((Operation("==", statement.subject),))
        self.conditional += 1
        for case in statement.cases:
            for node in ast.walk(case.pattern):
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if isinstance(name, str):
                    self._bind(name, OPAQUE)
            self._inside(case.pattern)
            if case.guard is not None:
                self._test(case.guard)
            self._body(case.body)
        self.conditional -= 1

    def _assert(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Assert)
        self._test(statement.test)
        if statement.msg is not None:
            self.value(statement.msg, READ)

    def _raise(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Raise)
        self._inside(statement)
        if statement.exc is not None:
            self._imply((Operation("raise", statement.exc),))

    def _expression(self, statement: ast.stmt) -> None:
        self.value(statement.value, READ)  # type: ignore[attr-defined]

    def _return(self, statement: ast.stmt) -> None:
        if statement.value is not None:  # type: ignore[attr-defined]
            self.results.append(self.value(statement.value, HANDED))  # type: ignore[attr-defined]

    # Definitions

    def _function(self, statement: ast.stmt) -> None:
        assert isinstance(statement, FUNCTIONS)
        place = self.outline.places[statement]
        outer, owners = self.scope, self.owners
        self._define(statement.name, place, statement)
        self._own((place,))
        self._decorators(statement.decorator_list)
        self._defaults(statement.args)
        saved = self.shadows, self.results, self.generator, self.conditional
        self.shadows, self.results, self.generator, self.conditional = {}, [], False, 0
        self.scope = self._scope(place, outer.place)
        self._own((place,))
        self._parameters(statement)
        of_class = self.outline.drafts[outer.place].sort is Sort.CLASS
        self._varied([*statement.decorator_list, *(self.marks if of_class else ())])
        self._body(statement.body)
        flags = flags_of(statement, self.generator)
        results = [item for item in dict.fromkeys(self.results) if item != UNKNOWN][:6]
        returns = instance_of(statement.returns)
        self.uses.functions.append(Function(place, flags, parameters_of(statement.args), returns, results))
        self.shadows, self.results, self.generator, self.conditional = saved
        self.scope = outer
        self._own(owners)

    def _parameters(self, node: FunctionNode) -> None:
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        defaults = [*missing, *arguments.defaults, *arguments.kw_defaults]
        for item, default in zip((*positional, *arguments.kwonlyargs), defaults, strict=True):
            said = instance_of(item.annotation)
            self._bind(item.arg, PARAMETER, said, self.scope.place)
            chain = dotted(default) if default is not None and not said else ""
            if chain:
                found = Binding(VALUE, chain, self.scope.parent, False)
                self.scope.names[item.arg].append(found)
        for rest, kind in ((arguments.vararg, "%tuple"), (arguments.kwarg, "%dict")):
            if rest is not None:
                self._bind(rest.arg, PARAMETER, kind, self.scope.place)

    def _varied(self, decorators: Sequence[ast.expr]) -> None:
        """A test's parameter holds what `parametrize` gives it."""
        for name, value in varied(decorators):
            self._given(name, self._standing_for(value))
        for value in listed(decorators):
            chain = self._standing_for(value)
            if "<" not in chain and "|" not in chain and not chain.startswith(UNKNOWN):
                self._given("request", f"%{REQUEST}<{chain}>")

    def _given(self, name: str, chain: str) -> None:
        found = self.scope.names.get(name)
        if found and len(found) < 8 and not chain.startswith(UNKNOWN):
            found.append(Binding(VALUE, chain, self.scope.parent, False))

    def _define(self, name: str, place: int, node: ast.stmt) -> None:
        self._bind(name, DEFINED, "", place)
        if self.outline.drafts[self.scope.place].sort in (Sort.FUNCTION, Sort.METHOD):
            line = node.lineno
            use = Use(DEFINE, f"#{place}", line, node.col_offset, line, node.col_offset + 1)
            for block in self.sink:
                block.uses.append(use)

    def _decorators(self, decorators: Sequence[ast.expr]) -> None:
        for item in decorators:
            if isinstance(item, ast.Call):
                chain = self.value(item.func, QUIET)
                self._emit(DECORATOR, chain, item)
                self._emit(CALL, chain, item)
                for argument in item.args:
                    self.value(argument, HANDED)
                for keyword in item.keywords:
                    self.value(keyword.value, HANDED)
            else:
                self._emit(DECORATOR, self.value(item, QUIET), item)

    def _class(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.ClassDef)
        place = self.outline.places[statement]
        outer, owners = self.scope, self.owners
        self._define(statement.name, place, statement)
        self._own((place,))
        self._decorators(statement.decorator_list)
        bases = [self._base(item) for item in statement.bases]
        metaclass = ""
        for keyword in statement.keywords:
            chain = self.value(keyword.value, READ)
            metaclass = chain if keyword.arg == "metaclass" else metaclass
        self.uses.classes.append(ClassRecord(place, bases, metaclass))
        saved = self.shadows, self.conditional, self.marks
        self.shadows, self.conditional = {}, 0
        self.marks = [*statement.decorator_list, *self.marks]
        self.scope = self._scope(place, outer.place)
        self._own((place,))
        self._body(statement.body)
        self.shadows, self.conditional, self.marks = saved
        self.scope = outer
        self._own(owners)

    def _base(self, node: ast.expr) -> str:
        """A base class; the arguments of a generic one are read, not inherited from."""
        if isinstance(node, ast.Subscript):
            self.value(node.slice, READ)
            return self.value(node.value, QUIET)
        return self.value(node, QUIET)


_ASSERTING = ("self.assertRaises", "self.assertRaisesRegex")
_ENTER = ((".__enter__", ".__exit__"), (".__aenter__", ".__aexit__"))


def _leaves(statement: ast.stmt) -> Iterator[ast.stmt]:
    for block in blocks_of(statement):
        for inner in block:
            yield inner
            yield from _leaves(inner)


_STATEMENTS: dict[type, Callable[[Visitor, ast.stmt], None]] = {
    ast.Assign: Visitor._assign,
    ast.AugAssign: Visitor._augmented,
    ast.AnnAssign: Visitor._annotated,
    ast.If: Visitor._if,
    ast.For: Visitor._loop,
    ast.AsyncFor: Visitor._loop,
    ast.While: Visitor._while,
    ast.With: Visitor._with,
    ast.AsyncWith: Visitor._with,
    ast.Match: Visitor._match,
    ast.Assert: Visitor._assert,
    ast.Raise: Visitor._raise,
    ast.Expr: Visitor._expression,
    ast.Return: Visitor._return,
    ast.Delete: Visitor._delete,
    ast.Global: Visitor._outside,
    ast.Nonlocal: Visitor._outside,
    ast.Import: Visitor._import,
    ast.ImportFrom: Visitor._import,
    ast.FunctionDef: Visitor._function,
    ast.AsyncFunctionDef: Visitor._function,
    ast.ClassDef: Visitor._class,
    **dict.fromkeys(TRIES, Visitor._try),
}


__all__ = ["PARAMETER", "QUIET", "Visitor"]
