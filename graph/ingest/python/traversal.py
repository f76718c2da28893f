"""One walk over a file's syntax tree that keeps what frameworks may ask of it later."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from graph.ingest.python import strings, traits
from graph.ingest.python.expressions import Expressions, dotted
from graph.ingest.python.pytest_marks import fixture_mark, injected, mark
from graph.ingest.python.records import Definition
from graph.ingest.python.traits import Decoration, Return
from graph.schema import Sort


class Traversal(Expressions):
    """State of one walk; `record` is its result."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        super().__init__()
        self.places = {
            (definition.mark, definition.qualname.rpartition(".")[2]): index
            for index, definition in enumerate(definitions)
            if definition.sort in _SCOPES
        }
        self.typing = 0
        self.marks: dict[str, ast.expr] = {}
        """Marks that the module's top level keeps under a name."""
        self.statements: dict[type[ast.AST], Callable[..., None]] = {
            node: getattr(self, name) for node, name in _STATEMENTS.items()
        }

    def reset(self) -> None:
        """Stand at the module's top level again, after a statement that nests too deep."""
        self.place, self.typing, self.generator = 0, 0, False

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
            if place >= 0:
                name = dotted(expression.func if type(expression) is ast.Call else expression)
                if name.rpartition(".")[2] in _FIXTURES:
                    self.record.fixtures.append(fixture_mark(place, name, expression))
                else:
                    self.marked(place, name, expression)

    def marked(self, place: int, name: str, expression: ast.expr) -> None:
        """Keep a mark of pytest's, also where it was given a name before."""
        last = name.rpartition(".")[2]
        if last in _MARKS:
            self.record.marks.append(mark(place, last, expression))
        elif name in self.marks:
            kept = self.marks[name]
            called = kept.func if isinstance(kept, ast.Call) else kept
            self.record.marks.append(mark(place, dotted(called).rpartition(".")[2], kept))

    def assign(self, node: ast.Assign) -> None:
        """`a = b = value`, tuples on either side."""
        value = node.value
        for target in node.targets:
            self.bind(target, value)
        if self.place == 0 or type(value) in _LITERALS:
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
                self.marked(self.place, dotted(item.func if isinstance(item, ast.Call) else item), item)
        elif isinstance(value, ast.Call):
            if self.place == 0 and dotted(value.func).rpartition(".")[2] in _MARKS:
                self.marks[name] = value
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

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        """`for x in xs`: x gets what xs holds."""
        self.take(node.target, self.value(node.iter))
        self.body(node.body)
        if node.orelse:
            self.body(node.orelse)

    def branch(self, node: ast.If | ast.While) -> None:
        """Both branches are walked: which one runs is not decided here."""
        self.value(node.test)
        if dotted(node.test).endswith("TYPE_CHECKING"):  # imports for types alone: not there at run time
            self.typing += 1
            self.body(node.body)
            self.typing -= 1
        else:
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
        if type(node) is ast.Delete and self.place == 0:
            self.record.deleted.extend(name for target in node.targets if (name := dotted(target)))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)

    def imports(self, node: ast.Import | ast.ImportFrom) -> None:
        """Names that importing brings to the module's top level."""
        if self.place != 0 or self.typing:
            return
        for alias in node.names:
            if alias.name == "*" and isinstance(node, ast.ImportFrom):
                self.record.imported.append("*" + "." * node.level + (node.module or ""))
            elif isinstance(node, ast.ImportFrom) or alias.asname:
                self.record.imported.append(alias.asname or alias.name)


_FIXTURES = frozenset(["fixture", "yield_fixture", "async_fixture", "asyncio_fixture", "trio_fixture"])
_MARKS = frozenset({"usefixtures", "parametrize"})
_LITERALS = frozenset({ast.List, ast.Tuple, ast.Constant})
_SCOPES = frozenset({Sort.FUNCTION, Sort.METHOD, Sort.CLASS})

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


def _shape(place: int, node: ast.FunctionDef | ast.AsyncFunctionDef, generator: bool) -> traits.Function:
    arguments = node.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    count = len(arguments.defaults)
    optional = positional[len(positional) - count :] if count else []
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            optional.append(argument.arg)
    flags = traits.GENERATOR if generator else 0
    if isinstance(node, ast.AsyncFunctionDef):
        flags |= traits.COROUTINE
    return traits.Function(
        place,
        tuple(positional),
        arguments.vararg.arg if arguments.vararg else "",
        tuple(argument.arg for argument in arguments.kwonlyargs),
        arguments.kwarg.arg if arguments.kwarg else "",
        tuple(optional),
        flags,
        len(arguments.posonlyargs),
        injected(node.decorator_list) if node.decorator_list else 0,
    )
