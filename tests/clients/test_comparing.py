"""Two versions of a file: nothing that matters goes unsaid, and nothing is said of what does not matter."""

from __future__ import annotations

import ast
import copy
import json
import types
from pathlib import Path

import maestro_selection
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maestro_selection import changes, tables
from maestro_selection.records import numbers, span

SOURCES = sorted(
    path for path in Path(maestro_selection.__file__).parent.glob("*.py") if path.stat().st_size < 16_000
)


class Bare(ast.NodeTransformer):
    """Takes out what changes nothing at run time: annotations of arguments and of variables."""

    def generic_visit(self, node):
        super().generic_visit(node)
        for name, block in ast.iter_fields(node):
            if isinstance(block, list) and len(block) > 1 and isinstance(block[0], ast.stmt):
                # A second `pass` does nothing, and the compiler gives it an instruction that does nothing.
                kept = [one for one in block if not isinstance(one, ast.Pass)]
                setattr(node, name, kept or block[:1])
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)


def meaning(code: types.CodeType) -> object:
    """A code object without lines, as plain values."""
    constants = tuple(
        meaning(c) if isinstance(c, types.CodeType) else (type(c).__name__, repr(c)) for c in code.co_consts
    )
    table = getattr(code, "co_exceptiontable", b"")
    return (code.co_name, code.co_code, constants, code.co_names, code.co_varnames, code.co_flags, table)


def compiled(source: str) -> object:
    """What a source means to the compiler: docstrings and annotations left out."""
    tree = ast.fix_missing_locations(Bare().visit(ast.parse(source)))
    return meaning(compile(tree, "x", "exec", dont_inherit=True, optimize=2))


class Edit(ast.NodeTransformer):
    """Alters the n-th place that can be altered, in one of a few ways."""

    def __init__(self, place: int, way: int) -> None:
        self.left, self.way, self.done = place, way, False

    def _due(self) -> bool:
        self.left -= 1
        return self.left == -1

    def generic_visit(self, node):
        for _, block in ast.iter_fields(node):
            holds = isinstance(block, list) and block and all(isinstance(one, ast.stmt) for one in block)
            if holds and self._due():
                self.done = True
                self._alter(block)
                return node
        return super().generic_visit(node)

    def _alter(self, block) -> None:
        at = self.way % len(block)
        kind = self.way // 7 % 5
        if kind == 0 and len(block) > 1:
            del block[at]
        elif kind == 1:
            block.insert(at, ast.parse("made_up = 1").body[0])
        elif kind == 2:
            block.append(copy.deepcopy(block[at]))
        elif kind == 3:
            block[at] = ast.If(test=ast.Constant(value=0), body=[block[at]], orelse=[])
        else:
            block.reverse()

    def visit_Constant(self, node):
        if self._due():
            self.done = True
            return ast.copy_location(ast.Constant(value="altered"), node)
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if not self.done and self._due():
            self.done = True
            return ast.copy_location(ast.UnaryOp(op=ast.Not(), operand=node), node)
        return node


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOURCES), st.integers(0, 400), st.integers(0, 200))
def test_an_edit_that_compiles_otherwise_is_never_nothing(path, place, way):
    old = path.read_text()
    edited = ast.unparse(ast.fix_missing_locations(Edit(place, way).visit(ast.parse(old))))
    # From one layout to the same: where lines break, the compiler puts instructions that do nothing.
    laid_out = ast.unparse(ast.parse(old))
    try:
        differs = compiled(laid_out) != compiled(edited)
    except (SyntaxError, ValueError):
        return
    if differs:
        assert changes.compare(path.name, old, edited)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_formatting_and_comments_are_nothing(path):
    old = path.read_text()
    assert not changes.compare(path.name, old, ast.unparse(ast.parse(old)) + "\n# a comment\n")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_table_survives_json(path):
    table = tables.read(path.name, path.read_text())
    assert tables.FileTable.from_json(json.loads(json.dumps(table.to_json()))) == table


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_table(text):
    table = tables.read("x.py", text)
    assert tables.FileTable.from_json(json.loads(json.dumps(table.to_json()))) == table


def test_a_table_of_another_version_is_refused():
    data = {**tables.read("x.py", "").to_json(), "version": 10_000}
    with pytest.raises(ValueError, match="10000"):
        tables.FileTable.from_json(data)


FUNCTION = """
def f(x):
    a = x
    try:
        b = g(a)
    except KeyError:
        b = 1
    except ValueError:
        b = 2
    if b:
        c = 3
    else:
        c = 4
    while c:
        c -= 1
    return c
"""


def lines_of(old: str, new: str) -> set[int]:
    """Lines of the old version whose executors are altered."""
    found = 0
    for changed in changes.compare("x.py", FUNCTION, FUNCTION.replace(old, new)):
        assert changed.kind == changes.CODE
        found |= changed.lines
    return set(numbers(found))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("    a = x\n", "    a = x + 1\n", {3, 4, 5}),
        ("    a = x\n", "    a = x\n    h()\n", {4, 5}),
        ("        c = 3\n", "        c = 3\n        d = 4\n", {11}),
        ("        c = 4\n", "        c = 5\n", {13}),
        ("    if b:\n", "    if not b:\n", {10}),
        ("    except KeyError:\n", "    except IndexError:\n", {6}),
        ("    except KeyError:\n", "    except OSError:\n        b = 0\n    except KeyError:\n", {6}),
        ("        b = 2\n", "        b = 2\n    except OSError:\n        b = 0\n", {8}),
        ("        b = 2\n", "        b = 2\n    finally:\n        h()\n", {4, 5}),
        ("        c -= 1\n", "        c -= 1\n    else:\n        h()\n", {14}),
        ("    return c\n", "    return -c\n", {16}),
        ("    return c\n", "", {16}),
        ("        b = g(a)\n", "        b = g(a)\n        h()\n", {5}),
    ],
)
def test_lines_tell_who_is_altered(old, new, lines):
    assert lines_of(old, new) == lines


def test_a_name_that_becomes_local_changes_its_uses():
    old = "def f():\n    print(x)\n    g()\n"
    change = changes.compare("x.py", old, "def f():\n    print(x)\n    g()\n    x = 1\n")
    altered = 0
    for changed in change:
        altered |= changed.lines
    assert altered & span(2, 2)


def test_a_generator_is_another_definition():
    change = changes.compare("x.py", "def f():\n    g()\n", "def f():\n    g()\n    yield 1\n")
    assert any(one.kind == changes.IMPORT and one.how == changes.CHANGED for one in change)


def test_a_moved_statement_counts_for_those_who_come_to_either_place():
    old = "def f():\n    a()\n    b()\n    c()\n"
    change = changes.compare("x.py", old, "def f():\n    c()\n    a()\n    b()\n")
    altered = 0
    for changed in change:
        altered |= changed.lines
    assert set(numbers(altered)) >= {2, 4}


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ('def f():\n    """A."""\n', 'def f():\n    """B."""\n', {changes.DOC}),
        ("def f(x: int): pass\n", "def f(x: str): pass\n", {changes.HINTS}),
        ("def f():\n    x: int = 1\n", "def f():\n    x: str = 1\n", set()),
        ("x = 1\n", "x = (1)  # one\n", set()),
        ("def f(x=1): pass\n", "def f(x=2): pass\n", {changes.IMPORT}),
        ("x = 1\n", "x = (\n", {changes.FILE}),
    ],
)
def test_kinds_of_changes(old, new, kinds):
    assert {changed.kind for changed in changes.compare("x.py", old, new)} == kinds
