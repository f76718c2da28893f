"""Statements that bind names or set attributes and items, as uses and bindings (see module.py)."""

from __future__ import annotations

import ast

from graph.ingest.python.chains import UNKNOWN, extend, instance_of
from graph.ingest.python.module import (
    HANDED,
    IMPORTED,
    MUTATE,
    OPAQUE,
    READ,
    VALUE,
    WRITE,
    Binding,
    Import,
)
from graph.ingest.python.occurrences import QUIET, Occurrences
from graph.ingest.python.operations import CALLED, Operation, augmented, is_self
from graph.ingest.python.outline import (
    bound_names,
    first_parameter,
    flat,
)
from graph.schema import Sort


class Stores(Occurrences):
    """The walk through what is assigned, deleted and imported."""

    def _target(self, node: ast.expr, chain: str) -> None:
        """Bind or store: `chain` is what the assigned value is."""
        if isinstance(node, ast.Name):
            if node.id in self.scope.outside:
                self._emit(WRITE, node.id, node)
            self._bind(node.id, VALUE if chain != UNKNOWN else OPAQUE, chain)
        elif isinstance(node, ast.Attribute):
            base = self.value(node.value, QUIET)
            self._emit(WRITE, extend(base, "." + node.attr), node)
            self._field(base, node.attr, chain)
        elif isinstance(node, ast.Subscript):
            self._item(node)
            if is_self(node.value):
                self._imply((Operation("set item", node.value),))
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._target(item, UNKNOWN)
        elif isinstance(node, ast.Starred):
            self._target(node.value, "%list")

    def _item(self, node: ast.Subscript) -> None:
        """An item is set or deleted: what holds it changes."""
        base = self.value(node.value, QUIET)
        self._emit(MUTATE, base, node.value)
        self.value(node.slice, READ)
        self._imply((Operation("key", node.slice),))

    def _field(self, base: str, name: str, chain: str) -> None:
        """`self.x = value`: the class has an attribute of that type."""
        place: int = self.scope.place
        while place > 0:
            draft = self.outline.drafts[place]
            if (
                draft.sort is Sort.METHOD
                and draft.node is not None
                and not isinstance(draft.node, ast.ClassDef)
            ):
                if base == first_parameter(draft.node) and draft.parent in self.scopes:
                    found = self.scopes[draft.parent].names.setdefault(name, [])
                    if len(found) < 8:
                        found.append(
                            Binding(VALUE if chain != UNKNOWN else OPAQUE, chain, self.scope.place, True)
                        )
                return
            place = draft.parent

    def _names_owners(self, statement: ast.stmt) -> tuple[int, ...]:
        """Symbols that a statement of a module or class binds: what it reads is read for them."""
        names = {item.id: None for item in bound_names(statement)}
        symbols = self.scope.symbols
        return tuple(symbols[name] for name in names if name in symbols) if names else ()

    def _assign(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Assign)
        chain = self.value(statement.value, HANDED)
        for target in statement.targets:
            if isinstance(target, (ast.Tuple, ast.List)) and isinstance(
                statement.value, (ast.Tuple, ast.List)
            ):
                self._pairs(target, statement.value)
            else:
                if isinstance(target, (ast.Tuple, ast.List)):
                    self._imply((Operation("iter", statement.value),))
                self._target(target, chain)

    def _pairs(self, target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> None:
        same = len(target.elts) == len(value.elts) and not any(isinstance(i, ast.Starred) for i in value.elts)
        before, self.quiet = self.quiet, True
        chains = [self.value(item, QUIET) for item in value.elts] if same else [UNKNOWN] * len(target.elts)
        self.quiet = before
        for item, chain in zip(target.elts, chains, strict=True):
            self._target(item, chain)

    def _augmented(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.AugAssign)
        self.value(statement.value, HANDED)
        if isinstance(statement.target, (ast.Name, ast.Attribute)):
            self.value(statement.target, READ)
        self._imply(augmented(statement))
        self._target(statement.target, UNKNOWN)

    def _annotated(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.AnnAssign)
        chain = self.value(statement.value, HANDED) if statement.value is not None else ""
        said = instance_of(statement.annotation)
        if self.outline.drafts[self.scope.place].sort is Sort.CLASS:
            self.value(statement.annotation, READ)
        if isinstance(statement.target, ast.Name) or statement.value is not None or said:
            self._target(statement.target, said or chain or UNKNOWN)

    def _delete(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Delete)
        for target in statement.targets:
            for item in flat(target):
                if isinstance(item, ast.Attribute):
                    self._emit(WRITE, extend(self.value(item.value, QUIET), "." + item.attr), item)
                elif isinstance(item, ast.Subscript):
                    self._item(item)
                    self._imply((Operation("del", item.value),))
                elif not isinstance(item, ast.Name):
                    self._target(item, UNKNOWN)
                elif item.id in self.scope.outside:
                    self._emit(WRITE, item.id, item)

    def _outside(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.Global, ast.Nonlocal))
        for name in statement.names:
            self.scope.outside[name] = isinstance(statement, ast.Global)

    def _import(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.Import, ast.ImportFrom))
        level, module = 0, ""
        if isinstance(statement, ast.ImportFrom):
            level, module = statement.level, statement.module or ""
        span = (statement.col_offset, statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
        for item in statement.names:
            named = isinstance(statement, ast.ImportFrom)
            self.uses.imports.append(
                Import(
                    self.scope.place,
                    statement.lineno,
                    level,
                    module if named else item.name,
                    item.name if named else "",
                    item.asname or "",
                    self.quiet,
                    self.conditional > 0,
                    *span,
                )
            )
            if item.name == "*":
                continue
            name = item.asname or (item.name if named else item.name.partition(".")[0])
            self._bind(name, IMPORTED, "", len(self.uses.imports) - 1)
            if item.asname and item.name in CALLED:
                self.called.add(item.asname)
