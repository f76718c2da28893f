"""Decorators that pytest reads: `fixture`, `usefixtures`, `parametrize`, as written in one file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from graph.ingest.python.expressions import dotted
from graph.ingest.python.traits import FixtureMark, Mark


def fixture_mark(place: int, decorator: str, expression: ast.expr) -> FixtureMark:
    """What `@pytest.fixture(...)` or a plugin's own fixture decorator says."""
    name, scope, autouse, parametrized = "", "function", False, False
    if isinstance(expression, ast.Call):
        for keyword in expression.keywords:
            value = keyword.value
            constant = value.value if isinstance(value, ast.Constant) else None
            if keyword.arg == "name" and isinstance(constant, str):
                name = constant
            elif keyword.arg == "scope" and isinstance(constant, str):
                scope = constant
            elif keyword.arg == "autouse":
                autouse = bool(constant) if isinstance(value, ast.Constant) else True
            elif keyword.arg == "params":
                parametrized = True
    return FixtureMark(place, decorator, name, scope, autouse, parametrized)


def mark(place: int, kind: str, expression: ast.expr) -> Mark:
    """The names in `usefixtures(...)` or `parametrize(...)`."""
    if not isinstance(expression, ast.Call):
        return Mark(place, kind, ())
    if kind == "usefixtures":
        return Mark(place, kind, tuple(name for argument in expression.args for name in _texts(argument)))
    names: tuple[str, ...] = ()
    indirect: tuple[str, ...] = ()
    values = dict(enumerate(expression.args))
    keywords = {keyword.arg: keyword.value for keyword in expression.keywords}
    written = values.get(0) or keywords.get("argnames")
    if written is not None:
        names = tuple(part.strip() for text in _texts(written) for part in text.split(",") if part.strip())
    how = values.get(2) or keywords.get("indirect")
    if isinstance(how, ast.Constant):
        indirect = names if how.value else ()
    elif how is not None:
        indirect = _texts(how)
    return Mark(place, kind, names, indirect)


def injected(decorators: Sequence[ast.expr]) -> int:
    """How many leading arguments `mock.patch` decorators hand over: those that name no replacement."""
    count = 0
    for expression in decorators:
        if isinstance(expression, ast.Call):
            name = dotted(expression.func)
            place = 1 if name.endswith("patch") else 2 if name.endswith("patch.object") else -1
            if place > 0 and len(expression.args) <= place:
                count += all(keyword.arg != "new" for keyword in expression.keywords)
    return count


def _texts(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return tuple(text for element in node.elts for text in _texts(element))
    return ()


def varied(decorators: Iterable[ast.expr]) -> Iterator[tuple[str, ast.expr]]:
    """Parameters that `parametrize` marks set, each with one of the values that are written out for it."""
    for expression in decorators:
        if isinstance(expression, ast.Call) and dotted(expression.func).endswith("mark.parametrize"):
            said = mark(0, "parametrize", expression)
            rows = expression.args[1] if len(expression.args) > 1 else None
            for keyword in expression.keywords:
                rows = keyword.value if keyword.arg == "argvalues" else rows
            for row in rows.elts if isinstance(rows, (ast.List, ast.Tuple, ast.Set)) else ():
                for name, value in zip(said.names, _cells(row, len(said.names)), strict=False):
                    if name not in said.indirect:
                        yield name, value


def listed(decorators: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """What the `params` of a fixture list, where it is written out."""
    for expression in decorators:
        if isinstance(expression, ast.Call) and dotted(expression.func).rpartition(".")[2] == "fixture":
            for keyword in expression.keywords:
                if keyword.arg == "params" and isinstance(keyword.value, (ast.List, ast.Tuple, ast.Set)):
                    for row in keyword.value.elts:
                        yield from _cells(row, 1)


def _cells(row: ast.expr, count: int) -> Sequence[ast.expr]:
    """The values of one set of parameters."""
    if isinstance(row, ast.Call) and dotted(row.func).rpartition(".")[2] == "param":
        return row.args
    if count == 1:
        return [row]
    return row.elts if isinstance(row, (ast.List, ast.Tuple)) else []
