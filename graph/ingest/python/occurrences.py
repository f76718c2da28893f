"""Expressions of a file as chains, and the uses of names in them (see module.py)."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from graph.ingest.python.chains import UNKNOWN, extend, instance_of, join
from graph.ingest.python.module import (
    CALL,
    HANDED,
    READ,
    WRITE,
)
from graph.ingest.python.operations import (
    CALLED,
    UNARY,
    Operation,
    called,
    compared,
    computed,
    fetched,
    shown,
    subscripted,
    tested,
)
from graph.ingest.python.outline import Outline, flat
from graph.ingest.python.signatures import parameters_of
from graph.ingest.python.telling import Telling

QUIET = -1
"""Instead of a kind of use: the expression is the receiver of a longer one."""

_TESTS = frozenset(
    {"isinstance", "issubclass", "cast", "hasattr", "len", "bool", "callable", "super", "id", "type"}
)
"""Calls that look at a class or function without running it."""
_CONTAINERS = {
    ast.List: "%list",
    ast.Tuple: "%tuple",
    ast.Set: "%set",
    ast.Dict: "%dict",
    ast.ListComp: "%list",
    ast.SetComp: "%set",
    ast.DictComp: "%dict",
    ast.GeneratorExp: "%generator",
    ast.JoinedStr: "%str",
    ast.Compare: "%bool",
}


def _unpacks(node: ast.Call) -> bool:
    for argument in node.args:
        if argument.__class__ is ast.Starred:
            return True
    return any(keyword.arg is None for keyword in node.keywords) if node.keywords else False


class Occurrences(Telling, ABC):
    """The walk through expressions."""

    def __init__(self, outline: Outline, lines: Sequence[str], ascii_only: bool) -> None:
        super().__init__(outline, lines, ascii_only)
        self.called = set(CALLED)
        """Last names of functions that do something to their arguments, by what the file calls them."""
        self._visit: dict[type, Callable[[ast.expr, int], str]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.Subscript: self._subscript,
            ast.Constant: self._constant,
            ast.Await: self._await,
            ast.BoolOp: self._alternatives,
            ast.IfExp: self._choice,
            ast.NamedExpr: self._walrus,
            ast.Lambda: self._lambda,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.Starred: self._starred,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.List: self._elements,
            ast.Tuple: self._elements,
            ast.Set: self._elements,
            ast.Dict: self._elements,
            ast.Compare: self._compare,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.JoinedStr: self._joined,
        }

    # Expressions: each returns its chain, and tells of the uses inside

    def value(self, node: ast.expr, kind: int) -> str:
        """Walk an expression whose value is used in one way (`kind`)."""
        visit = self._visit.get(node.__class__)
        if visit is not None:
            return visit(node, kind)
        self._inside(node)
        return _CONTAINERS.get(node.__class__, UNKNOWN)

    def _inside(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.expr):
                self.value(value, READ)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.expr):
                        self.value(item, READ)
                    elif isinstance(item, ast.AST):
                        self._inside(item)
            elif isinstance(value, ast.AST) and not isinstance(value, (ast.expr_context, ast.operator)):
                self._inside(value)

    def _name(self, node: ast.expr, kind: int) -> str:
        name: str = node.id  # type: ignore[attr-defined]
        chain = self.shadows.get(name, name) if self.shadows else name
        if kind != QUIET and chain == name:
            self._emit(kind, chain, node)
        return chain

    def _attribute(self, node: ast.expr, kind: int) -> str:
        inner: ast.expr = node.value  # type: ignore[attr-defined]
        chain = extend(self.value(inner, QUIET), "." + node.attr)  # type: ignore[attr-defined]
        if kind != QUIET:
            self._emit(kind, chain, node)
        return chain

    def _call(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Call)
        function = node.func
        chain = self.value(function, QUIET)
        if chain == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            return self._getattr(node)
        if chain == "getattr" and len(node.args) > 1:
            self._imply(fetched(node))
        elif chain in ("setattr", "delattr") and len(node.args) > 1:
            self._setattr(node)
        self._emit(CALL, chain, node)
        if chain.rpartition(".")[2] in self.called or _unpacks(node):
            self._imply(called(node, self._dotted(chain) if "(" not in chain else ""))
        passed = READ if chain in _TESTS else HANDED
        for argument in node.args:
            self.value(argument, passed)
        for keyword in node.keywords:
            self.value(keyword.value, passed)
        if chain in ("cast", "typing.cast") and len(node.args) == 2:
            return instance_of(node.args[0]) or UNKNOWN
        return extend(chain, "()")

    def _getattr(self, node: ast.Call) -> str:
        base = self.value(node.args[0], READ)
        for argument in node.args[2:]:
            self.value(argument, HANDED)
        name = node.args[1].value  # type: ignore[attr-defined]
        if not (isinstance(name, str) and name.isidentifier()):
            return UNKNOWN
        chain = extend(base, "." + name)
        self._emit(READ, chain, node)
        return chain

    def _setattr(self, node: ast.Call) -> None:
        """`setattr(x, "name", value)` writes as `x.name = value` does."""
        name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
        if isinstance(name, str) and name.isidentifier():
            self._emit(WRITE, extend(self._standing_for(node.args[0]), "." + name), node)

    def _subscript(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Subscript)
        chain = self.value(node.value, READ)
        self.value(node.slice, READ)
        self._imply(subscripted(node))
        return extend(chain, "[]")

    def _constant(self, node: ast.expr, kind: int) -> str:
        value = node.value  # type: ignore[attr-defined]
        return UNKNOWN if value is None or value is Ellipsis else "%" + value.__class__.__name__

    def _compare(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Compare)
        self._inside(node)
        self._imply(compared(node))
        return _CONTAINERS[ast.Compare]

    def _binary(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.BinOp)
        self._inside(node)
        self._imply(computed(node))
        return UNKNOWN

    def _unary(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.UnaryOp)
        self._inside(node)
        if isinstance(node.op, ast.Not):
            self._imply(tested(node.operand))
        else:
            self._imply((Operation(UNARY[type(node.op)], node.operand),))
        return UNKNOWN

    def _joined(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.JoinedStr)
        self._inside(node)
        self._imply(shown(node))
        return _CONTAINERS[ast.JoinedStr]

    def _await(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Await)
        self._imply((Operation("await", node.value),))
        return self.value(node.value, kind)

    def _alternatives(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.BoolOp)
        inner = READ if kind == QUIET else kind
        for item in node.values[:-1]:
            self._imply(tested(item))
        return join([self.value(item, inner) for item in node.values]) or UNKNOWN

    def _choice(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.IfExp)
        inner = READ if kind == QUIET else kind
        self.value(node.test, READ)
        self._imply(tested(node.test))
        return join([self.value(node.body, inner), self.value(node.orelse, inner)]) or UNKNOWN

    def _walrus(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.NamedExpr)
        chain = self.value(node.value, HANDED)
        self._target(node.target, chain)
        return chain

    def _elements(self, node: ast.expr, kind: int) -> str:
        items = [*node.keys, *node.values] if isinstance(node, ast.Dict) else node.elts  # type: ignore[attr-defined]
        for item in items:
            if item is not None:
                self.value(item, READ if kind == READ else HANDED)
            if isinstance(item, ast.Starred):
                self._imply((Operation("iter", item.value),))
        if isinstance(node, (ast.Dict, ast.Set)):
            keys = node.keys if isinstance(node, ast.Dict) else node.elts
            self._imply(Operation("key", item) for item in keys if item is not None)
        return _CONTAINERS[node.__class__]

    def _starred(self, node: ast.expr, kind: int) -> str:
        self.value(node.value, READ if kind == QUIET else kind)  # type: ignore[attr-defined]
        return UNKNOWN

    def _yield(self, node: ast.expr, kind: int) -> str:
        self.generator = True
        inner = node.value  # type: ignore[attr-defined]
        if inner is not None:
            chain = self.value(inner, HANDED)
            if isinstance(node, ast.Yield):
                self.results.append(chain)
            else:
                self._imply((Operation("iter", inner),))
        return UNKNOWN

    def _lambda(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Lambda)
        self._defaults(node.args)
        before = self.shadows
        names = [item.lstrip("*") for item in parameters_of(node.args)]
        self.shadows = {**before, **{name: UNKNOWN for name in names}}
        self.value(node.body, HANDED)
        self.shadows = before
        return "%function"

    def _comprehension(self, node: ast.expr, kind: int) -> str:
        before = self.shadows
        self.shadows = dict(before)
        for generator in node.generators:  # type: ignore[attr-defined]
            chain = extend(self.value(generator.iter, READ), "[]")
            self._imply((Operation("async for" if generator.is_async else "for", generator.iter),))
            for item in flat(generator.target):
                if isinstance(item, ast.Name):
                    self.shadows[item.id] = chain if item is generator.target else UNKNOWN
            for test in generator.ifs:
                self.value(test, READ)
                self._imply(tested(test))
        if isinstance(node, ast.DictComp):
            self.value(node.key, HANDED)
            self._imply((Operation("key", node.key),))
            self.value(node.value, HANDED)
        else:
            self.value(node.elt, HANDED)  # type: ignore[attr-defined]
        self.shadows = before
        return _CONTAINERS[node.__class__]

    def _defaults(self, arguments: ast.arguments) -> None:
        for item in (*arguments.defaults, *arguments.kw_defaults):
            if item is not None:
                self.value(item, HANDED)

    @abstractmethod
    def _target(self, node: ast.expr, chain: str) -> None:
        """Bind or store: `chain` is what the assigned value is."""
