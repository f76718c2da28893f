"""What a difference inside a function can be contained in: the attributes and global values that it ends
up in.
"""

from __future__ import annotations

import ast
import builtins

from maestro_selection.alterations import Alterations
from maestro_selection.changes import Layout
from maestro_selection.classes import is_foreign
from maestro_selection.effects import ALTERING_LOCAL, ALTERING_OUTER, CALLING, MILD
from maestro_selection.meaning import digest
from maestro_selection.program import Program, attribute
from maestro_selection.reaching import BUILTIN_METHODS, Reaching
from maestro_selection.tables import BODY, CLASS, FUNCTION, FileTable, Statement

NOTHING_RETURNED = frozenset(
    digest([node], {}) for node in (ast.Return(value=None), ast.Return(value=ast.Constant(value=None)))
)
CUSTOM_ACCESS = ("__setattr__", "__getattribute__", "__getattr__", "__delattr__")
RAISING = ("Error", "Exception", "Warning")


class Containment:
    """Tells where differences stay, by the tables of one program."""

    def __init__(self, program: Program, alterations: Alterations, reaching: Reaching) -> None:
        self.program = program
        self.alterations = alterations
        self.reaching = reaching
        self._quiet: dict[str, bool] = {}
        self._family: dict[tuple[str, int], bool] = {}
        self._functions: dict[tuple[str, int], frozenset[str] | None] = {}

    def of_mild(self, path: str, table: FileTable, index: int, plain_class: bool) -> frozenset[str] | None:
        """The attributes that a statement sets, when it does that alone, can't fail, and only who names
        them sees it.
        """
        statement = table.statements[index]
        if MILD not in statement.effects.traits or not plain_class:
            return None
        for chain in statement.effects.stores:
            if not chain.startswith("self.") or self._is_managed(attribute(chain)):
                return None
        return frozenset("." + attribute(chain) for chain in statement.effects.stores)

    def of_stores(self, table: FileTable, index: int) -> frozenset[str] | None:
        """The attributes that a statement sets, when it does that alone, though it may fail."""
        statement = table.statements[index]
        effects = statement.effects
        if (
            statement.kind not in {"Assign", "AnnAssign"}
            or effects.alters
            or effects.binds
            or not effects.stores
        ):
            return None
        if any(name.startswith("=") for name in effects.locals) or not self._calls_quietly(statement):
            return None
        if not all(chain.startswith("self.") for chain in effects.stores):
            return None
        if any(self._is_managed(attribute(chain)) for chain in effects.stores):
            return None
        return frozenset("." + attribute(chain) for chain in effects.stores)

    def of_locals(self, table: FileTable, layout: Layout, index: int) -> frozenset[str] | None:
        """The attributes in which a statement that binds local variables ends up; None when it goes further.

        A condition that only decides whether to raise is no way on: when a module's import raises, every
        run shows it.
        """
        waiting, done = [index], set()
        found: set[str] = set()
        scope = table.statements[index].scope
        while waiting:
            current = waiting.pop()
            if current in done:
                continue
            done.add(current)
            stored = self.of_stores(table, current)
            if stored is not None:
                found |= stored
                continue
            names = self._bound_only(table.statements[current])
            if names is None:
                return None
            for other, statement in enumerate(table.statements):
                if not names & set(statement.effects.locals) or other in done:
                    continue
                if statement.scope != scope:
                    return None
                if self._only_raises(table, layout, other):
                    done.update(layout.below(other))
                else:
                    waiting.append(other)
        return frozenset(found)

    def _bound_only(self, statement: Statement) -> set[str] | None:
        """The local names that a statement binds, when that is all it does."""
        effects = statement.effects
        if statement.kind not in {"Assign", "AnnAssign"} or effects.stores or effects.alters or effects.binds:
            return None
        if set(effects.traits) & {ALTERING_LOCAL, ALTERING_OUTER} or not self._calls_quietly(statement):
            return None
        return {name[1:] for name in effects.locals if name.startswith("=")}

    def _only_raises(self, table: FileTable, layout: Layout, index: int) -> bool:
        statement = table.statements[index]
        inside = layout.inside(index)
        if statement.kind == "Raise":
            return True
        if statement.kind != "If" or set(inside) != {BODY} or not self._calls_quietly(statement):
            return False
        return table.statements[inside[BODY][-1]].kind == "Raise"

    def of_function(self, path: str, scope: int) -> frozenset[str] | None:
        """The global values that a function alters, when nothing else comes out of it; None when more can."""
        key = (path, scope)
        if key not in self._functions:
            self._functions[key] = None
            self._functions[key] = self._of_function(path, scope)
        return self._functions[key]

    def _of_function(self, path: str, scope: int) -> frozenset[str] | None:
        table = self.program.tables[path]
        if table.scopes[scope].traits:
            return None
        found: set[str] = set()
        for statement in table.statements:
            if statement.scope != scope:
                continue
            effects = statement.effects
            if statement.kind in {"FunctionDef", "AsyncFunctionDef", "ClassDef", "Raise"}:
                return None
            if statement.kind == "Return" and statement.digest not in NOTHING_RETURNED:
                return None
            if set(effects.traits) & {ALTERING_LOCAL, ALTERING_OUTER} or not self._calls_quietly(statement):
                return None
            for chain in (*effects.stores, *effects.alters):
                slots = set() if chain.startswith((".", "self.")) else self.alterations.put_into(path, chain)
                if not slots:
                    return None
                found |= slots
            found.update(f"{path}::{name}" for name in effects.binds)
        return frozenset(found)

    def _calls_quietly(self, statement: Statement) -> bool:
        return all(self.is_quiet(attribute(chain)) for chain in statement.effects.calls)

    def is_quiet(self, name: str) -> bool:
        """Whether a call by this name alters nothing: built-in, or functions of the repository that do
        not.
        """
        if name not in self._quiet:
            self._quiet[name] = False
            self._quiet[name] = self._find_quiet(name)
        return self._quiet[name]

    def _find_quiet(self, name: str) -> bool:
        if name not in self.reaching.defined():
            return name in PURE_BUILTINS or name in BUILTIN_METHODS or name.endswith(RAISING)
        for path, scope in self.program.named(name):
            table = self.program.tables[path]
            if table.scopes[scope].kind == CLASS:
                if not name.endswith(RAISING):
                    return False
                continue
            for statement in table.statements:
                if statement.scope != scope:
                    continue
                effects = statement.effects
                alters = effects.stores or effects.alters or effects.binds
                if alters or set(effects.traits) & {ALTERING_LOCAL, ALTERING_OUTER}:
                    return False
                if statement.kind in {"FunctionDef", "AsyncFunctionDef", "ClassDef"}:
                    return False
                if not self._calls_quietly(statement):
                    return False
        return True

    def _is_managed(self, name: str) -> bool:
        """Whether setting an attribute of this name can run code: a property, or a descriptor in a class."""
        if self.program.functions(name) or (name.startswith("__") and name.endswith("__")):
            return True
        for path, index in self.program.class_values(name):
            if CALLING in self.program.tables[path].statements[index].effects.traits:
                return True
        return False

    def is_plain(self, path: str, scope: int, special: bool) -> bool:
        """Whether attributes of a class's instances are seen by those alone who name them."""
        key = (path, scope)
        if key not in self._family:
            table = self.program.tables[path]
            name = attribute(table.scopes[scope].name)
            self._family[key] = not special and all(
                self._has_plain_access(file, number)
                and not is_foreign(self.program, self.program.tables[file].scopes[number].bases)
                for file, number in self.program.family(name)
            )
        return self._family[key]

    def _has_plain_access(self, path: str, scope: int) -> bool:
        table = self.program.tables[path]
        inside = {table.statements[index].name for index in self.program.layout(path).body(scope)}
        return not inside & set(CUSTOM_ACCESS[:2])

    def class_around(self, table: FileTable, scope: int) -> int:
        """The class that a function is a method of, 0 when it is none."""
        while scope > 0:
            around = table.scopes[scope].parent
            if table.scopes[scope].kind == FUNCTION and around > 0 and table.scopes[around].kind == CLASS:
                return around
            scope = around
        return 0


PURE_BUILTINS = frozenset(dir(builtins)) - {
    "exec",
    "eval",
    "setattr",
    "delattr",
    "print",
    "input",
    "open",
    "__import__",
}
