"""Which functions can run on behalf of others, and which values outlive the test that made them. Both by
names alone.

Lines tell which test executed a function, not on whose behalf, and a value that one test computed can be
kept: in a class attribute, in a global name, behind a cache. Then the next test reads it without executing
what made it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from maestro_selection.alterations import OUTSIDE, Alterations
from maestro_selection.effects import ABSENT, ALTERING_OUTER
from maestro_selection.program import Program, attribute, global_slot
from maestro_selection.records import span
from maestro_selection.tables import BODY, CLASS, FUNCTION, FileTable, Statement

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
    makers : frozenset of str
        Names of the functions that can run to make the value.
    """

    slot: str
    path: str
    scope: int
    lines: int
    whole: bool = False
    makers: frozenset[str] = frozenset()


class Reaching:
    """Who can run on whose behalf, in one program."""

    def __init__(self, program: Program, alterations: Alterations) -> None:
        self.program = program
        self.alterations = alterations
        self._edges: dict[str, set[str]] | None = None
        self._defined: set[str] = set()
        self._reached: dict[frozenset[str], frozenset[str]] = {}
        self._of_function: dict[tuple[str, int], frozenset[str]] = {}
        self._keepers: list[Keeper] | None = None
        self._kept_for: dict[tuple[str, int], list[Keeper]] = {}

    def from_statement(self, path: str, index: int) -> frozenset[str]:
        """Names of functions that an execution of a statement can come to."""
        statement = self.program.tables[path].statements[index]
        self._name_edges()
        return self._closure(frozenset(self.called_by(statement)))

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
                if ((keeper.path, keeper.scope) == key) or self.includes(keeper.makers, path, scope)
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
                if "<locals>" not in scope.name and any(
                    _is_cache(chain, caching) for chain in definition.effects.reads
                ):
                    inside = span(scope.first, scope.last) & ~span(definition.first, definition.last)
                    simple = scope.name.rpartition(".")[2]
                    slot = "." + simple if "." in scope.name else global_slot(path, simple)
                    yield Keeper(slot, path, number, inside, True, self.from_function(path, number))

    def _kept_by_stores(self, path: str, scope: int, statements: list[Statement]) -> Iterator[Keeper]:
        for statement in statements:
            slots = set(self._slots_kept(path, scope, statement, statements))
            if not slots:
                continue
            lines = span(statement.first, statement.last)
            makers = self._makers(path, scope, statement, statements)
            for slot in sorted(slots):
                yield Keeper(slot, path, scope, lines, False, makers)

    def _slots_kept(
        self, path: str, scope: int, statement: Statement, statements: list[Statement]
    ) -> Iterator[str]:
        effects = statement.effects
        for name in effects.binds:
            yield global_slot(path, name)
        creating = self.program.tables[path].scopes[scope].name.rpartition(".")[2] in CREATING
        on_class = "cls" in effects.locals or ".__class__" in effects.reads or "type" in effects.calls
        for chain in (*effects.stores, *effects.alters):
            if not chain.startswith((".", "self.")):
                yield from self.alterations.put_into(path, chain)
                continue
            slot = "." + attribute(chain)
            looked_at = self._looks_before(path, statement, slot)
            # An object that is just being made outlives nothing yet; a class does.
            if (on_class and not creating) or ((on_class or not creating) and looked_at):
                yield slot

    def _looks_before(self, path: str, statement: Statement, slot: str) -> bool:
        """Whether a statement runs only after its function has looked whether the value is there already."""
        table = self.program.tables[path]
        layout = self.program.layout(path)
        around, inner = statement.parent, table.statements.index(statement)
        while True:
            block = table.statements[inner].block
            for sibling in layout.blocks[statement.scope, around][block]:
                if sibling == inner:
                    break
                asks = _reads(table.statements[sibling], slot) and table.statements[sibling].kind == "If"
                leaves = (table.statements[one].kind in {"Return", "Raise"} for one in layout.below(sibling))
                if asks and any(leaves):
                    return True
            if around < 0:
                return False
            header = table.statements[around]
            if header.kind == "ExceptHandler":
                # What is tried before is looked at too.
                if any(_reads(table.statements[one], slot) for one in layout.below(header.parent)):
                    return True
            elif _reads(header, slot) and (block != BODY or ABSENT in header.effects.traits or _asks(header)):
                return True
            around, inner = header.parent, around

    def _makers(
        self, path: str, scope: int, statement: Statement, statements: list[Statement]
    ) -> frozenset[str]:
        """Functions that can run to make a value that is kept: those behind what flows into the statement."""
        kept = {attribute(chain) for chain in (*statement.effects.stores, *statement.effects.alters)}
        part = [statement]
        wanted = _loaded(statement)
        grown = True
        while grown:
            grown = False
            for other in statements:
                if other in part:
                    continue
                binds = {name[1:] for name in other.effects.locals if name.startswith("=")}
                works_on = kept & {attribute(chain) for chain in other.effects.reads} or wanted & _loaded(
                    other
                )
                if binds & wanted or (works_on and other.effects.calls):
                    part.append(other)
                    wanted |= _loaded(other)
                    grown = True
        names: set[str] = set()
        table = self.program.tables[path]
        self._name_edges()
        for one in part:
            names |= self.called_by(one)
            if "cls" in one.effects.locals and "?" in one.effects.calls:
                names.add(table.scopes[table.scopes[scope].parent].name.rpartition(".")[2])
        return self._closure(frozenset(names))

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


def _asks(header: Statement) -> bool:
    return "hasattr" in header.effects.calls or header.kind not in {"If", "While"}


def _reads(statement: Statement, slot: str) -> bool:
    return any(attribute(chain) == slot[1:] for chain in statement.effects.reads)


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


def _loaded(statement: Statement) -> set[str]:
    """Local names that a statement loads, but the object or class that a method works on."""
    return {name for name in statement.effects.locals if not name.startswith("=")} - {"self", "cls"}


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
