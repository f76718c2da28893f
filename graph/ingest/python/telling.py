"""What is known at a place of the walk through a file, and how uses are told there (see module.py)."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Sequence

from graph.ingest.python.chains import UNKNOWN, extend
from graph.ingest.python.module import (
    CALL,
    DEFINED,
    HANDED,
    IMPORTED,
    READ,
    VALUE,
    Binding,
    Block,
    Implied,
    Scope,
    Use,
    Uses,
)
from graph.ingest.python.operations import Operation
from graph.ingest.python.outline import Outline
from graph.schema import Sort

_BUILTINS = frozenset(dir(builtins))
_OPERANDS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
"""Expressions that may be instances of classes that somebody wrote."""


class Telling:
    """What is known at a place of the walk.

    `scope` is the namespace that names are looked up in, `owners` the symbols that depend on what is used,
    `shadows` the names of comprehensions and lambdas around, `results` what the function returned so far.
    """

    def __init__(self, outline: Outline, lines: Sequence[str], ascii_only: bool) -> None:
        self.outline = outline
        self.lines = lines
        self.ascii_only = ascii_only
        self.uses = Uses([], [], [], [], [], None, [])
        self.scopes: dict[int, Scope] = {}
        self.blocks: dict[tuple[int, int, bool], Block] = {}
        self.scope = self._scope(0, -1)
        self.owners: tuple[int, ...] = (0,)
        self.sink: list[Block] = []
        self.shadows: dict[str, str] = {}
        self.results: list[str] = []
        self.generator = False
        self.quiet = False
        self.script = False
        self.conditional = 0
        self.marks: list[ast.expr] = []
        """Decorators of the classes around."""
        self._own((0,))

    # Scopes and owners

    def _scope(self, place: int, parent: int) -> Scope:
        scope = Scope(place, parent, {}, self.outline.symbols.get(place, {}), {})
        self.scopes[place] = scope
        return scope

    def _own(self, owners: tuple[int, ...]) -> None:
        """Whose uses follow, until the next call."""
        self.owners = owners
        self.sink = []
        for owner in owners:
            key = (owner, self.scope.place, self.script)
            block = self.blocks.get(key)
            if block is None:
                block = self.blocks[key] = Block(*key, [], [])
            self.sink.append(block)

    def _bind(self, name: str, kind: int, chain: str = "", place: int = -1) -> None:
        names = self.scope.names
        if name in self.scope.outside:
            if not self.scope.outside[name]:
                return
            names = self.scopes[0].names
        found = names.setdefault(name, [])
        if len(found) < 8:
            found.append(
                Binding(kind, chain, place if kind != VALUE else self.scope.place, self.conditional > 0)
            )

    def _matters(self, use: Use, scope: int) -> bool:
        """Whether a use can concern a symbol: not a builtin, nor a local variable that holds just a value."""
        chain = use.chain
        if use.kind not in (READ, HANDED) or "." in chain or "|" in chain or "(" in chain or "[" in chain:
            return chain != UNKNOWN or use.kind == CALL
        if chain[0] in "?%":
            return False
        place = scope
        while place >= 0:
            record = self.scopes[place]
            if place == scope or self.outline.drafts[place].sort is not Sort.CLASS:
                bindings = record.names.get(chain)
                if bindings is not None and place:
                    local = self.outline.drafts[place].sort is not Sort.CLASS
                    return not local or any(item.kind in (DEFINED, IMPORTED, VALUE) for item in bindings)
                if bindings is not None or chain in record.symbols:
                    return True
            place = record.parent
        return chain not in _BUILTINS

    def _emit(self, kind: int, chain: str, node: ast.expr) -> None:
        if self.quiet:
            return
        ends: tuple[int, ...] = ()
        if isinstance(node, ast.Attribute):
            ends = self._ends(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            function = node.func
            ends = self._ends(function, True) if isinstance(function.value, ast.Attribute) else ()
        use = Use(kind, chain, *self._span(node), ends)
        for block in self.sink:
            block.uses.append(use)

    def _imply(self, operations: Iterable[Operation], chain: str = "") -> None:
        """What the language runs by itself of classes whose instances are operated on.

        `chain`: what the operand stands for, where that is not what is written.
        """
        if self.quiet:
            return
        for kind, node in operations:
            if not isinstance(node, _OPERANDS):
                continue
            found = Implied(kind, chain or self._standing_for(node), *self._span(node))
            for block in self.sink:
                block.implied.append(found)

    def _standing_for(self, node: ast.expr) -> str:
        """The chain of an operand, without telling of the uses in it."""
        if isinstance(node, ast.Name):
            return self.shadows.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return extend(self._standing_for(node.value), "." + node.attr)
        if isinstance(node, ast.Call):
            return extend(self._standing_for(node.func), "()")
        if isinstance(node, ast.Subscript):
            return extend(self._standing_for(node.value), "[]")
        return UNKNOWN

    def _dotted(self, chain: str) -> str:
        """The dotted name of what is imported or Python brings; empty where a name is bound otherwise."""
        first, dot, rest = chain.partition(".")
        bindings = self.scope.names.get(first) or self.scopes[0].names.get(first)
        if not bindings:
            return chain if not dot else ""
        if bindings[-1].kind != IMPORTED:
            return ""
        found = self.uses.imports[bindings[-1].place]
        return f"{found.module}{'.' if found.name else ''}{found.name}{dot}{rest}"

    def _span(self, node: ast.expr) -> tuple[int, int, int, int]:
        """First and last line, each with its column in characters."""
        line, column = node.lineno, node.col_offset
        end_line, end_column = node.end_lineno or line, node.end_col_offset or column
        if not self.ascii_only:
            column = self._characters(line, column)
            end_column = self._characters(end_line, end_column)
        return line, column, end_line, end_column

    def _ends(self, node: ast.Attribute, always: bool = False) -> tuple[int, ...]:
        """Ends of the receivers where they do not follow from the end of the whole."""
        found: list[int] = []
        plain = not always
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            value = inner.value
            line, column = value.end_lineno or 0, value.end_col_offset or 0
            if line != inner.end_lineno or column + len(inner.attr.encode()) + 1 != inner.end_col_offset:
                plain = False
            found += (line, column if self.ascii_only else self._characters(line, column))
            inner = value
        return () if plain else tuple(found)

    def _characters(self, line: int, column: int) -> int:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if text.isascii():
            return column
        return len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))
