"""One walk over a file's syntax tree that keeps what frameworks may ask of it later.

Expressions are evaluated to the values they may be: a name, the result of a call, or what a
literal container holds. The walk is written for speed: it visits every expression of a file, so
dispatch is one dictionary look-up by node type.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TypeAlias

from graph.ingest.python import strings, traits
from graph.ingest.python.pytest_marks import fixture_mark, mark
from graph.ingest.python.records import Definition
from graph.ingest.python.traits import Bind, Call, Decoration, FrameworkRecord, Key, Return, Value
from graph.schema import Sort

Values: TypeAlias = tuple[Value, ...]
NOTHING: Values = ()

ADDERS = frozenset({"append", "add", "appendleft", "insert", "extend", "update", "setdefault", "__setitem__", "push"})
"""Methods that put their last argument into what they are called on."""
GIVERS = frozenset({"get", "pop", "popleft", "values", "items", "setdefault", "copy", "popitem", "__getitem__"})
"""Methods that hand out what they are called on holds."""
PASSERS = frozenset(
    {"list", "tuple", "set", "frozenset", "reversed", "sorted", "iter", "next", "enumerate", "zip", "filter"}
    | {"dict", "chain", "deque", "cast", "t.cast", "typing.cast", "itertools.chain", "copy.copy"}
)
"""Functions whose result is, or holds, what they are given."""


class Traversal:
    """State of one walk; `record` is its result."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self.record = FrameworkRecord()
        self.place = 0
        self.generator = False
        self.places = {
            (definition.mark, definition.qualname.rpartition(".")[2]): index
            for index, definition in enumerate(definitions)
            if definition.sort in _SCOPES
        }
        self.handlers: dict[type[ast.AST], Callable[..., Values]] = {
            node: getattr(self, name) for node, name in _EXPRESSIONS.items()
        }
        self.statements: dict[type[ast.AST], Callable[..., None]] = {
            node: getattr(self, name) for node, name in _STATEMENTS.items()
        }

    # Statements

    def body(self, statements: Sequence[ast.stmt]) -> None:
        """Walk statements of one scope."""
        handlers = self.statements
        for statement in statements:
            handler = handlers.get(type(statement))
            if handler is not None:
                handler(statement)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function: its decorators and defaults run outside, its body inside."""
        place = self.places.get((node.lineno, node.name), -1)
        self.decorators(node, place)
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.value(default)
        if place < 0:
            return
        outer, self.place, generator, self.generator = self.place, place, self.generator, False
        self.body(node.body)
        self.record.functions.append(_shape(place, node, self.generator))
        self.place, self.generator = outer, generator

    def klass(self, node: ast.ClassDef) -> None:
        """A class: bases and decorators run outside."""
        place = self.places.get((node.lineno, node.name), -1)
        self.decorators(node, place)
        for base in node.bases:
            self.value(base)
        for keyword in node.keywords:
            self.value(keyword.value)
        if place < 0:
            return
        outer, self.place = self.place, place
        self.body(node.body)
        self.place = outer

    def decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, place: int) -> None:
        """Keep the decorators of a definition, nearest first, and what pytest reads in them."""
        for order, expression in enumerate(reversed(node.decorator_list)):
            for value in self.value(expression):
                self.record.decorations.append(
                    Decoration(place, value, order, expression.lineno, expression.col_offset,
                               expression.end_lineno or 0, expression.end_col_offset or 0)
                )  # fmt: skip
            if place < 0:
                continue
            name = dotted(expression.func if type(expression) is ast.Call else expression)
            last = name.rpartition(".")[2]
            if last.endswith("fixture"):
                self.record.fixtures.append(fixture_mark(place, name, expression))
            elif last in ("usefixtures", "parametrize"):
                self.record.marks.append(mark(place, last, expression))

    def assign(self, node: ast.Assign) -> None:
        """`a = b = value`, tuples on either side."""
        value = node.value
        for target in node.targets:
            self.bind(target, value)
        if self.place == 0 or type(value) in (ast.List, ast.Tuple, ast.Constant):
            self.assigned(node.targets[0], value)

    def annotated(self, node: ast.AnnAssign) -> None:
        """`a: T = value`."""
        if node.value is not None:
            self.bind(node.target, node.value)
            if self.place == 0:
                self.assigned(node.target, node.value)

    def augmented(self, node: ast.AugAssign) -> None:
        """`a += value` keeps what was there and adds to it."""
        self.bind(node.target, node.value)

    def assigned(self, target: ast.expr, value: ast.expr) -> None:
        """Variables that a framework reads by their name."""
        name = dotted(target)
        if not name:
            return
        if name == "pytestmark":
            for item in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
                called = item.func if isinstance(item, ast.Call) else item
                last = dotted(called).rpartition(".")[2]
                if last in ("usefixtures", "parametrize"):
                    self.record.marks.append(mark(self.place, last, item))
        elif name.rpartition(".")[2] == "__test__":
            if isinstance(value, ast.Constant) and not value.value:
                scope = self.place
                self.record.untested.append(scope)
                if "." in name:
                    self.record.untested[-1] = self.named(name.rpartition(".")[0])
        elif name in strings.VARIABLES:
            for line, text in strings.literals(value):
                self.record.texts.append(traits.Text(self.place, line, name, text))

    def named(self, name: str) -> int:
        """Place of the module's definition of that name seen last; -1 where there is none."""
        found = -1
        for (_, known), place in self.places.items():
            if known == name:
                found = place
        return found

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        """Bind a target to the values of an expression, element by element where both are tuples."""
        if type(target) is ast.Tuple and type(value) is ast.Tuple and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self.bind(one, other)
            return
        self.take(target, self.value(value))

    def take(self, target: ast.expr, values: Values) -> None:
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
            binds, place = self.record.binds, self.place
            for value in values:
                if value != slots[0]:
                    binds.append(Bind(place, slots[0], value))

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        """`for x in xs`: x gets what xs holds."""
        self.take(node.target, self.value(node.iter))
        self.body(node.body)
        if node.orelse:
            self.body(node.orelse)

    def branch(self, node: ast.If | ast.While) -> None:
        """Both branches are walked: which one runs is not decided here."""
        self.value(node.test)
        self.body(node.body)
        if node.orelse:
            self.body(node.orelse)

    def trial(self, node: ast.Try) -> None:
        """`try` with all its parts."""
        self.body(node.body)
        for handler in node.handlers:
            if handler.type is not None:
                self.value(handler.type)
            self.body(handler.body)
        self.body(node.orelse)
        self.body(node.finalbody)

    def context(self, node: ast.With | ast.AsyncWith) -> None:
        """`with a as b`: b gets the result of a's `__enter__`, which the engine types."""
        for item in node.items:
            values = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.take(item.optional_vars, values)
        self.body(node.body)

    def match(self, node: ast.Match) -> None:
        """`match`: the bodies of all cases."""
        self.value(node.subject)
        for case in node.cases:
            if case.guard is not None:
                self.value(case.guard)
            self.body(case.body)

    def give(self, node: ast.Return) -> None:
        """`return value`."""
        if node.value is not None:
            for value in self.value(node.value):
                self.record.returns.append(Return(self.place, value))

    def expression(self, node: ast.Expr) -> None:
        """An expression for its effects."""
        if type(node.value) is not ast.Constant:
            self.value(node.value)

    def children(self, node: ast.stmt) -> None:
        """`raise`, `assert`, `del`: expressions whose value goes nowhere."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)

    def imports(self, node: ast.Import | ast.ImportFrom) -> None:
        """Names that importing brings to the module's top level."""
        if self.place != 0:
            return
        for alias in node.names:
            if alias.name == "*" and isinstance(node, ast.ImportFrom):
                self.record.imported.append("*" + "." * node.level + (node.module or ""))
            elif isinstance(node, ast.ImportFrom) or alias.asname:
                self.record.imported.append(alias.asname or alias.name)

    # Expressions

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
                self.record.binds.append(Bind(self.place, receiver, value))
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
        return self.value(node.left) + self.value(node.right)

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
        """A lambda's body is taken as run by the definition around it."""
        self.value(node.body)
        return NOTHING

    def joined(self, node: ast.JoinedStr) -> Values:
        """Calls inside an f-string."""
        for part in node.values:
            if type(part) is ast.FormattedValue:
                self.value(part.value)
        return NOTHING


_SCOPES = frozenset({Sort.FUNCTION, Sort.METHOD, Sort.CLASS})

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

_STATEMENTS: dict[type[ast.AST], str] = {
    ast.FunctionDef: "function",
    ast.AsyncFunctionDef: "function",
    ast.ClassDef: "klass",
    ast.Assign: "assign",
    ast.AnnAssign: "annotated",
    ast.AugAssign: "augmented",
    ast.For: "loop",
    ast.AsyncFor: "loop",
    ast.If: "branch",
    ast.While: "branch",
    ast.Try: "trial",
    ast.With: "context",
    ast.AsyncWith: "context",
    ast.Match: "match",
    ast.Return: "give",
    ast.Expr: "expression",
    ast.Raise: "children",
    ast.Assert: "children",
    ast.Delete: "children",
    ast.Import: "imports",
    ast.ImportFrom: "imports",
}
_STATEMENTS[ast.TryStar] = "trial"


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


def _shape(place: int, node: ast.FunctionDef | ast.AsyncFunctionDef, generator: bool) -> traits.Function:
    arguments = node.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    count = len(arguments.defaults)
    optional = positional[len(positional) - count :] if count else []
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            optional.append(argument.arg)
    return traits.Function(
        place,
        tuple(positional),
        arguments.vararg.arg if arguments.vararg else "",
        tuple(argument.arg for argument in arguments.kwonlyargs),
        arguments.kwarg.arg if arguments.kwarg else "",
        tuple(optional),
        generator,
        isinstance(node, ast.AsyncFunctionDef),
    )
