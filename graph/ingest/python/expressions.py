"""What an expression may be: the values among its parts, kept while a file's tree is walked.

Expressions are evaluated to a name, to the result of a call, or to what a literal container
holds. Every expression of a file is visited, so dispatch is one look-up by node type.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TypeAlias

from graph.ingest.python import strings
from graph.ingest.python.traits import Bind, Call, FrameworkRecord, Key, Return, Value

Values: TypeAlias = tuple[Value, ...]
NOTHING: Values = ()

ADDERS = frozenset(
    ["append", "add", "appendleft", "insert", "extend", "update", "setdefault", "__setitem__", "push"]
)
"""Methods that put their last argument into what they are called on."""
GIVERS = frozenset(
    ["get", "pop", "popleft", "values", "items", "setdefault", "copy", "popitem", "__getitem__"]
)
"""Methods that hand out what they are called on holds."""
PASSERS = frozenset(
    [
        "list",
        "tuple",
        "set",
        "frozenset",
        "reversed",
        "sorted",
        "iter",
        "next",
        "enumerate",
        "zip",
        "filter",
        "dict",
        "chain",
        "deque",
        "cast",
        "t.cast",
        "typing.cast",
        "itertools.chain",
        "copy.copy",
        "defaultdict",
        "collections.defaultdict",
        "OrderedDict",
        "MappingProxyType",
    ]
)
"""Functions whose result is, or holds, what they are given."""


class Expressions:
    """The part of the walk that sees expressions; `place` is the definition they stand in."""

    def __init__(self) -> None:
        self.record = FrameworkRecord()
        self.place = 0
        self.generator = False
        self.handlers: dict[type[ast.AST], Callable[..., Values]] = {
            node: getattr(self, name) for node, name in _EXPRESSIONS.items()
        }

    def value(self, node: ast.expr) -> Values:
        """What an expression may be."""
        handler = self.handlers.get(type(node))
        return NOTHING if handler is None else handler(node)

    def name(self, node: ast.Name) -> Values:
        """A name is its own value."""
        return (node.id,)

    def attribute(self, node: ast.Attribute) -> Values:
        """`a.b.c` as written; `?.c` where it starts at no name."""
        attr = node.attr
        inner = node.value
        if type(inner) is ast.Name:
            return (f"{inner.id}.{attr}",)
        values = self.value(inner)
        if len(values) == 1:
            first = values[0]
            if type(first) is str:
                return (f"{first}.{attr}",)
            callee = self.record.calls[first].callee  # type: ignore[index]
            if callee == "super":
                return (f"super().{attr}",)
        return ("?." + attr,)

    def subscript(self, node: ast.Subscript) -> Values:
        """`a[k]` is what a holds, which is not told from a."""
        if type(node.slice) is not ast.Constant and type(node.slice) is not ast.Name:
            self.value(node.slice)
        return self.value(node.value)

    def call(self, node: ast.Call) -> Values:
        """Keep a call with the values among its arguments; its result is its index."""
        function = node.func
        callee = self.value(function)
        arguments: list[tuple[Key, Value]] = []
        for at, argument in enumerate(node.args):
            if type(argument) is ast.Constant:
                continue
            key: Key = at
            if type(argument) is ast.Starred:
                key, argument = "*", argument.value  # noqa: PLW2901
            for value in self.value(argument):
                arguments.append((key, value))
        for keyword in node.keywords:
            if type(keyword.value) is not ast.Constant:
                for value in self.value(keyword.value):
                    arguments.append((keyword.arg or "**", value))
        if not callee:
            return NOTHING
        first = callee[0]
        if type(first) is str:
            shortcut = self.builtin(first, node, arguments)
            if shortcut is not None:
                return shortcut
        result = []
        for one in callee:
            self.record.calls.append(
                Call(self.place, one, node.lineno, node.col_offset, node.end_lineno or 0,
                     node.end_col_offset or 0, tuple(arguments))
            )  # fmt: skip
            result.append(len(self.record.calls) - 1)
        return tuple(result)

    def builtin(self, callee: str, node: ast.Call, arguments: list[tuple[Key, Value]]) -> Values | None:
        """Calls that only move values about, and calls that take names as strings."""
        receiver, _, last = callee.rpartition(".")
        if last in strings.TAKERS and (node.args or node.keywords):
            self.record.texts.extend(strings.taken(self.place, callee, node, arguments))
        if callee in PASSERS:
            return tuple(value for _, value in arguments)
        if not receiver or receiver == "?":
            return None
        adds = last in ADDERS
        if adds:
            for _, value in arguments[-1:] if last in ("insert", "setdefault", "__setitem__") else arguments:
                self.record.binds.append(Bind(self.place, "+" + receiver, value))
        if last in GIVERS:
            if not adds and len(node.args) == 2 and type(node.args[1]) is not ast.Constant:
                return (receiver, *(value for key, value in arguments if key == 1))
            return (receiver,)
        return None

    def many(self, node: ast.List | ast.Tuple | ast.Set) -> Values:
        """What a literal container holds."""
        found: list[Value] = []
        for element in node.elts:
            if type(element) is not ast.Constant:
                found.extend(self.value(element))
        return tuple(found)

    def mapping(self, node: ast.Dict) -> Values:
        """What a literal dictionary holds as values."""
        found: list[Value] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and type(key) is not ast.Constant:
                self.value(key)
            if type(value) is not ast.Constant:
                found.extend(self.value(value))
        return tuple(found)

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Values:
        """A comprehension holds its elements' values."""
        self.generators(node.generators)
        return self.value(node.elt)

    def dict_comprehension(self, node: ast.DictComp) -> Values:
        """As above, for dictionaries."""
        self.generators(node.generators)
        self.value(node.key)
        return self.value(node.value)

    def generators(self, generators: Sequence[ast.comprehension]) -> None:
        """The loops of a comprehension."""
        for generator in generators:
            self.take(generator.target, self.value(generator.iter))
            for condition in generator.ifs:
                self.value(condition)

    def either(self, node: ast.IfExp) -> Values:
        """`a if c else b` is one of both."""
        self.value(node.test)
        return self.value(node.body) + self.value(node.orelse)

    def alternatives(self, node: ast.BoolOp) -> Values:
        """`a or b` is one of them."""
        found: list[Value] = []
        for operand in node.values:
            found.extend(self.value(operand))
        return tuple(found)

    def binary(self, node: ast.BinOp) -> Values:
        """`a + b` of two containers holds what both hold."""
        found = self.value(node.right)
        left = node.left
        while type(left) is ast.BinOp:  # a long sum nests as deep as it has terms
            found += self.value(left.right)
            left = left.left
        return self.value(left) + found

    def comparison(self, node: ast.Compare) -> Values:
        """A comparison is no callable."""
        self.value(node.left)
        for operand in node.comparators:
            self.value(operand)
        return NOTHING

    def unary(self, node: ast.UnaryOp) -> Values:
        """`not a` is no callable."""
        self.value(node.operand)
        return NOTHING

    def walrus(self, node: ast.NamedExpr) -> Values:
        """`(a := value)` binds and is its value."""
        values = self.value(node.value)
        self.take(node.target, values)
        return values

    def inner(self, node: ast.Await | ast.Starred) -> Values:
        """What is awaited or unpacked."""
        return self.value(node.value)

    def hand_out(self, node: ast.Yield | ast.YieldFrom) -> Values:
        """`yield value`: the function is a generator and gives the value away."""
        self.generator = True
        if node.value is not None:
            for value in self.value(node.value):
                self.record.returns.append(Return(self.place, value))
        return NOTHING

    def anonymous(self, node: ast.Lambda) -> Values:
        """A lambda's body is taken as run by the definition around it; called, it is what it calls."""
        self.value(node.body)
        if type(node.body) is ast.Call:
            name = dotted(node.body.func)
            return (name,) if name else NOTHING
        return NOTHING

    def joined(self, node: ast.JoinedStr) -> Values:
        """Calls inside an f-string."""
        for part in node.values:
            if type(part) is ast.FormattedValue:
                self.value(part.value)
        return NOTHING

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        """Bind a target to the values of an expression, element by element where both are tuples."""
        if type(target) is ast.Tuple and type(value) is ast.Tuple and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self.bind(one, other)
            return
        self.take(target, self.value(value), "*" if type(value) in _CONTAINERS else "")

    def take(self, target: ast.expr, values: Values, sign: str = "") -> None:
        """Put values into what a target names; a tuple's names each may get any of them."""
        kind = type(target)
        if kind is ast.Tuple or kind is ast.List:
            for element in target.elts:  # type: ignore[attr-defined]
                self.take(element, values)
            return
        if kind is ast.Starred:
            self.take(target.value, values)  # type: ignore[attr-defined]
            return
        slots = self.value(target)
        if values and slots and type(slots[0]) is str:
            slot = ("+" if kind is ast.Subscript else sign) + slots[0]
            for value in values:
                if value != slots[0]:
                    self.record.binds.append(Bind(self.place, slot, value))


_CONTAINERS = frozenset(
    {ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp}
)

_EXPRESSIONS: dict[type[ast.AST], str] = {
    ast.Name: "name",
    ast.Attribute: "attribute",
    ast.Subscript: "subscript",
    ast.Call: "call",
    ast.List: "many",
    ast.Tuple: "many",
    ast.Set: "many",
    ast.Dict: "mapping",
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.GeneratorExp: "comprehension",
    ast.DictComp: "dict_comprehension",
    ast.IfExp: "either",
    ast.BoolOp: "alternatives",
    ast.BinOp: "binary",
    ast.Compare: "comparison",
    ast.UnaryOp: "unary",
    ast.NamedExpr: "walrus",
    ast.Await: "inner",
    ast.Starred: "inner",
    ast.Yield: "hand_out",
    ast.YieldFrom: "hand_out",
    ast.Lambda: "anonymous",
    ast.JoinedStr: "joined",
}


def dotted(node: ast.expr) -> str:
    """`a.b.c` as written, subscripts left out; empty where it is not made of names."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Name):
            parts.append(node.id)
            return ".".join(reversed(parts))
        else:
            return ""
