"""Which functions can run on behalf of others, and which values outlive the test that made them. Both by names alone.

Lines tell which test executed a function, not on whose behalf, and a value that one test computed can be
kept: in a class attribute, in a global name, behind a cache. Then the next test reads it without executing what made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

from maestro_selection.effects import ALTERING_OUTER
from maestro_selection.program import Program, global_slot
from maestro_selection.records import span
from maestro_selection.tables import CLASS, FUNCTION, FileTable, Statement

CREATING = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "__attrs_post_init__"}
)
CACHE_WORDS = ("cache", "memo", "once", "singleton", "lazy")


@dataclass(frozen=True)
class Keeper:
    """Code that keeps a value beyond the test that it runs in.

    Parameters
    ----------
    slot : str
        Where the value is kept.
    path : str
    scope : int
        The function that keeps it.
    lines : int
        Lines of the statement that does.
    whole : bool
        Whether it keeps results of the function itself (a cache around it).
    """

    slot: str
    path: str
    scope: int
    lines: int
    whole: bool = False


class Reaching:
    """Who can run on whose behalf, in one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._reads: Optional[dict[str, set[str]]] = None
        self._reached: dict[frozenset[str], frozenset[str]] = {}
        self._of_function: dict[tuple[str, int], frozenset[str]] = {}
        self._keepers: Optional[list[Keeper]] = None
        self._kept_for: dict[tuple[str, int], list[Keeper]] = {}

    def from_statement(self, path: str, index: int) -> frozenset[str]:
        """Names of functions that an execution of a statement can come to."""
        statement = self.program.tables[path].statements[index]
        return self._closure(frozenset(_names(statement)))

    def from_function(self, path: str, scope: int) -> frozenset[str]:
        """Names of functions that a call of a function can come to, its own among them."""
        key = (path, scope)
        if key not in self._of_function:
            table = self.program.tables[path]
            start = {table.scopes[scope].name.rpartition(".")[2]}
            for statement in _inside(table, scope):
                start |= _names(statement)
            self._of_function[key] = self._closure(frozenset(start))
        return self._of_function[key]

    def includes(self, names: frozenset[str], path: str, scope: int) -> bool:
        """Whether a function is among those of these names."""
        table = self.program.tables[path]
        number = scope
        while number > 0:
            found = table.scopes[number]
            simple = found.name.rpartition(".")[2]
            if found.kind == FUNCTION:
                if simple in names:
                    return True
                around = table.scopes[found.parent]
                if simple in CREATING:
                    if around.kind == CLASS and around.name.rpartition(".")[2] in names:
                        return True
                elif simple.startswith("__") and simple.endswith("__"):
                    # An operator, a `with`, a loop: anything can come to it.
                    return True
            number = found.parent
        return False

    def _closure(self, start: frozenset[str]) -> frozenset[str]:
        if start not in self._reached:
            reads = self._name_reads()
            found, stack = set(start), list(start)
            while stack:
                for name in reads.get(stack.pop(), ()):
                    if name not in found:
                        found.add(name)
                        stack.append(name)
            self._reached[start] = frozenset(found)
        return self._reached[start]

    def _name_reads(self) -> dict[str, set[str]]:
        """What code behind each simple name reads: functions, classes when created, values when made."""
        if self._reads is None:
            self._reads = {}
            for table in self.program.tables.values():
                self._enter(table)
        return self._reads

    def _enter(self, table: FileTable) -> None:
        assert self._reads is not None
        for statement in table.statements:
            names = _names(statement)
            for target in _owners(table, statement):
                self._reads.setdefault(target, set()).update(names)
            scope = table.scopes[statement.scope]
            if scope.kind != FUNCTION:
                for name in statement.effects.binds:
                    self._reads.setdefault(name, set()).update(names)
            for chain in (*statement.effects.stores, *statement.effects.alters):
                self._reads.setdefault(chain.rstrip("()").rpartition(".")[2], set()).update(names)
            for _, _, taken, bound in statement.effects.imports:
                if taken:
                    self._reads.setdefault(bound.lstrip("="), set()).add(taken)

    # Kept values

    def keepers(self) -> list[Keeper]:
        """All code that can keep a value beyond a test."""
        if self._keepers is None:
            self._keepers = list(dict.fromkeys(self._find_keepers()))
        return self._keepers

    def keepers_for(self, path: str, scope: int) -> list[Keeper]:
        """The code that can keep what a function does or gives: on whose behalf it runs, or itself."""
        key = (path, scope)
        if key not in self._kept_for:
            self._kept_for[key] = [
                keeper
                for keeper in self.keepers()
                if (keeper.path, keeper.scope) == key
                or self.includes(self.from_function(keeper.path, keeper.scope), path, scope)
            ]
        return self._kept_for[key]

    def _find_keepers(self) -> Iterator[Keeper]:
        caching = self._caching_decorators()
        for path, table in self.program.tables.items():
            by_scope: dict[int, list[Statement]] = {}
            for statement in table.statements:
                by_scope.setdefault(statement.scope, []).append(statement)
            for number, scope in enumerate(table.scopes):
                if scope.kind != FUNCTION:
                    continue
                yield from self._kept_by_stores(path, number, by_scope.get(number, []))
                definition = table.statements[scope.statement]
                if any(_is_cache(chain, caching) for chain in definition.effects.reads):
                    inside = span(scope.first, scope.last) & ~span(definition.first, definition.last)
                    simple = scope.name.rpartition(".")[2]
                    slot = "." + simple if "." in scope.name else global_slot(path, simple)
                    yield Keeper(slot, path, number, inside, True)

    def _kept_by_stores(self, path: str, scope: int, statements: list[Statement]) -> Iterator[Keeper]:
        for statement in statements:
            effects = statement.effects
            lines = span(statement.first, statement.last)
            for name in effects.binds:
                yield Keeper(global_slot(path, name), path, scope, lines)
            creating = self.program.tables[path].scopes[scope].name.rpartition(".")[2] in CREATING
            on_class = "cls" in effects.locals or ".__class__" in effects.reads or "type" in effects.calls
            for chain in (*effects.stores, *effects.alters):
                chain = chain.rstrip("()")
                if not chain.startswith("."):
                    for slot in self.program.slots(path, chain):
                        if slot != global_slot(path, chain.split(".")[0]) or chain in effects.alters:
                            yield Keeper(slot, path, scope, lines)
                # An object that is just being made outlives nothing yet; a class does.
                elif (on_class and not creating) or (
                    (on_class or not creating)
                    and any(chain in other.effects.reads for other in statements if other is not statement)
                ):
                    yield Keeper(chain, path, scope, lines)

    def _caching_decorators(self) -> set[str]:
        """Functions of the repository that give back a function which alters what they hold."""
        found = set()
        for table in self.program.tables.values():
            for statement in table.statements:
                if ALTERING_OUTER in statement.effects.traits:
                    number = table.scopes[statement.scope].parent
                    while number > 0:
                        if table.scopes[number].kind == FUNCTION:
                            found.add(table.scopes[number].name.rpartition(".")[2])
                        number = table.scopes[number].parent
        return found


def _is_cache(chain: str, caching: set[str]) -> bool:
    name = chain.rpartition(".")[2]
    return name in caching or any(word in name.lower() for word in CACHE_WORDS)


def _names(statement: Statement) -> set[str]:
    """The simple names that a statement reads."""
    found = {chain.rpartition(".")[2] for chain in statement.effects.reads}
    found.update(taken for _, _, taken, _ in statement.effects.imports if taken)
    return found


def _owners(table: FileTable, statement: Statement) -> Iterable[str]:
    """The simple names by which code comes to run that a statement belongs to."""
    number = statement.scope
    while number > 0:
        scope = table.scopes[number]
        simple = scope.name.rpartition(".")[2]
        if scope.kind == FUNCTION:
            yield simple
            if simple in CREATING and table.scopes[scope.parent].kind == CLASS:
                yield table.scopes[scope.parent].name.rpartition(".")[2]
        number = scope.parent


def _inside(table: FileTable, scope: int) -> Iterator[Statement]:
    """Statements of a function and of all that is defined in it."""
    first, last = table.scopes[scope].first, table.scopes[scope].last
    for statement in table.statements:
        if first <= statement.first and statement.end <= last and statement is not _definition(table, scope):
            yield statement


def _definition(table: FileTable, scope: int) -> Statement:
    return table.statements[table.scopes[scope].statement]
