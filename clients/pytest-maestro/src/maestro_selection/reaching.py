"""Which functions can run on behalf of others, by names alone: lines tell which test executed a function, not
on whose behalf.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

from maestro_selection.alterations import OUTSIDE, Alterations
from maestro_selection.program import Program, attribute, global_slot
from maestro_selection.tables import CLASS, FUNCTION, FileTable, Statement

CREATING = frozenset(
    {
        "__init__",
        "__new__",
        "__post_init__",
        "__init_subclass__",
        "__set_name__",
        "__attrs_post_init__",
        "__prepare__",
    }
)
BUILTIN_METHODS = frozenset(
    name
    for kind in (
        str,
        bytes,
        dict,
        list,
        set,
        tuple,
        int,
        float,
        re.Pattern,
        re.Match,
        io.StringIO,
        io.BytesIO,
    )
    for name in dir(kind)
    if not name.startswith("__")
)


class Reaching:
    """Who can run on whose behalf, in one program."""

    def __init__(self, program: Program, alterations: Alterations) -> None:
        self.program = program
        self.alterations = alterations
        self._edges: dict[str, set[str]] | None = None
        self._defined: set[str] = set()
        self._reached: dict[frozenset[str], frozenset[str]] = {}
        self._of_function: dict[tuple[str, int], frozenset[str]] = {}

    def from_statement(self, path: str, index: int) -> frozenset[str]:
        """Names of functions that an execution of a statement can come to."""
        statement = self.program.tables[path].statements[index]
        self._name_edges()
        return self._closure(frozenset(self.called_by(statement)))

    def from_statements(self, statements: Iterable[Statement], names: Iterable[str]) -> frozenset[str]:
        """Names of functions that executions of statements of any version, and calls by these names, can come
        to.
        """
        self._name_edges()
        start = set(names)
        for statement in statements:
            start |= self.called_by(statement)
        return self._closure(frozenset(start))

    def altered_by(self, statement: Statement) -> set[str]:
        """Global values that functions put something into which a statement of any version can come to.

        What is not of the repository is taken to be altered by functions that the statement calls itself, or
        by all that it comes to where it is there for its effects alone.
        """
        self._name_edges()
        direct = frozenset(self.called_by(statement))
        names = self._closure(direct)
        for_effect = statement.kind == "Expr"
        found: set[str] = set()
        for path, table in self.program.tables.items():
            outside = global_slot(path, OUTSIDE)
            for index, slots in self.alterations.altering(path, attributes=for_effect):
                scope = table.statements[index].scope
                if self.includes(names, path, scope):
                    known = self.includes(names if for_effect else direct, path, scope, unnamed=False)
                    found |= slots if known else slots - {outside}
        return found

    def from_function(self, path: str, scope: int) -> frozenset[str]:
        """Names of functions that a call of a function can come to, its own among them."""
        key = (path, scope)
        if key not in self._of_function:
            self._name_edges()
            table = self.program.tables[path]
            start = {table.scopes[scope].name.rpartition(".")[2]}
            for statement in _inside(table, scope):
                start |= self.called_by(statement)
            self._of_function[key] = self._closure(frozenset(start))
        return self._of_function[key]

    def includes(self, names: frozenset[str], path: str, scope: int, *, unnamed: bool = True) -> bool:
        """Whether a function is among those of these names; `unnamed`: or one that operators and the like
        come to, which are else taken to be those of classes of these names.
        """
        table = self.program.tables[path]
        number = scope
        while number > 0:
            found = table.scopes[number]
            simple = found.name.rpartition(".")[2]
            if found.kind == FUNCTION:
                around = table.scopes[found.parent]
                if simple in CREATING and around.kind == CLASS:
                    if around.name.rpartition(".")[2] in names:
                        return True
                elif simple in names or (
                    simple.startswith("__")
                    and simple.endswith("__")
                    # An operator, a `with`, a loop: anything can come to it.
                    and (unnamed or around.name.rpartition(".")[2] in names)
                ):
                    return True
            number = found.parent
        return False

    def _closure(self, start: frozenset[str]) -> frozenset[str]:
        if start not in self._reached:
            edges = self._name_edges()
            found, stack = set(start), list(start)
            while stack:
                for name in edges.get(stack.pop(), ()):
                    if name not in found:
                        found.add(name)
                        stack.append(name)
            self._reached[start] = frozenset(found)
        return self._reached[start]

    def defined(self) -> set[str]:
        """Simple names of all functions and classes."""
        self._name_edges()
        return self._defined

    def _name_edges(self) -> dict[str, set[str]]:
        """The functions that code behind each simple name can call."""
        if self._edges is None:
            self._edges = {}
            for table in self.program.tables.values():
                for scope in table.scopes[1:]:
                    self._defined.add(scope.name.rpartition(".")[2])
            carried: dict[str, set[str]] = {}
            for table in self.program.tables.values():
                for statement in table.statements:
                    self._enter(table, statement, carried)
            # What is called without being defined holds a function: whatever was put there.
            for name, names in carried.items():
                if name not in self._defined:
                    self._edges.setdefault(name, set()).update(names)
        return self._edges

    def _enter(self, table: FileTable, statement: Statement, carried: dict[str, set[str]]) -> None:
        assert self._edges is not None
        names = self.called_by(statement)
        for target in _owners(table, statement):
            self._edges.setdefault(target, set()).update(names)
        effects = statement.effects
        if statement.kind == "ClassDef":
            # Creating a class, or an instance, comes to its bases, its metaclass and its decorators.
            self._edges.setdefault(statement.name, set()).update(names)
        elif table.scopes[statement.scope].kind != FUNCTION:
            for name in effects.binds:
                carried.setdefault(name, set()).update(names)
        for chain in (*effects.stores, *effects.alters):
            carried.setdefault(attribute(chain), set()).update(names)
        for _, _, taken, bound in effects.imports:
            if taken and bound.lstrip("=") != taken:
                self._edges.setdefault(bound.lstrip("="), set()).add(taken)
                self._defined.add(bound.lstrip("="))

    def called_by(self, statement: Statement) -> set[str]:
        """Simple names of what a statement calls, or reads that is a function or class: it could be called
        later.
        """
        found = {attribute(chain) for chain in statement.effects.calls if not _is_builtin_method(chain)}
        for name in _names(statement):
            if name in self._defined or name.isupper() or name.startswith("_"):
                found.add(name)
        return found - CREATING


def _is_builtin_method(chain: str) -> bool:
    """Whether this is most likely a method of a built-in value: of something unknown, with such a method's
    name.
    """
    if chain.startswith("."):
        return chain[1:] in BUILTIN_METHODS
    return "()." in chain and attribute(chain) in BUILTIN_METHODS


def _names(statement: Statement) -> set[str]:
    """The simple names that a statement reads."""
    found = {attribute(chain) for chain in statement.effects.reads if not _is_builtin_method(chain)}
    found.update(taken for _, _, taken, _ in statement.effects.imports if taken)
    return found


def _owners(table: FileTable, statement: Statement) -> Iterable[str]:
    """The simple names by which code comes to run that a statement belongs to."""
    number = statement.scope
    while number > 0:
        scope = table.scopes[number]
        simple = scope.name.rpartition(".")[2]
        if scope.kind == FUNCTION:
            if simple in CREATING and table.scopes[scope.parent].kind == CLASS:
                # Every class has its own, and is come to by its name or by that of a class made from it.
                yield table.scopes[scope.parent].name.rpartition(".")[2]
            else:
                yield simple
        number = scope.parent


def _inside(table: FileTable, scope: int) -> Iterator[Statement]:
    """Statements of a function and of all that is defined in it."""
    first, last = table.scopes[scope].first, table.scopes[scope].last
    for statement in table.statements:
        if first <= statement.first and statement.end <= last and statement is not _definition(table, scope):
            yield statement


def _definition(table: FileTable, scope: int) -> Statement:
    return table.statements[table.scopes[scope].statement]
