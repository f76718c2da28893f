"""Which values outlive the test that made them, and which other tests read those.

A value that one test computed can be kept: in a class attribute, in a global name, behind a cache. Then the
next test reads it without executing what made it. Who keeps is told by names alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maestro_selection.alterations import Alterations
from maestro_selection.causes import Cause, Reach, shown
from maestro_selection.effects import ABSENT, ALTERING_OUTER
from maestro_selection.evidence import Evidence, own_span
from maestro_selection.program import Program, attribute, global_slot
from maestro_selection.reaching import CREATING, Reaching
from maestro_selection.records import Trace, span
from maestro_selection.tables import BODY, FUNCTION, Statement

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


class Keepers:
    """The code of one program that can keep a value beyond a test."""

    def __init__(self, program: Program, alterations: Alterations, reaching: Reaching) -> None:
        self.program = program
        self.alterations = alterations
        self.reaching = reaching
        self._keepers: list[Keeper] | None = None
        self._kept_for: dict[tuple[str, int], list[Keeper]] = {}

    def all(self) -> list[Keeper]:
        """All code that can keep a value beyond a test."""
        if self._keepers is None:
            self._keepers = list(dict.fromkeys(self._find_keepers()))
        return self._keepers

    def of(self, path: str, scope: int) -> list[Keeper]:
        """The code that can keep what a function does or gives: on whose behalf it runs, or itself."""
        key = (path, scope)
        if key not in self._kept_for:
            self._kept_for[key] = [
                keeper
                for keeper in self.all()
                if ((keeper.path, keeper.scope) == key) or self.reaching.includes(keeper.makers, path, scope)
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
                    yield Keeper(slot, path, number, inside, True, self.reaching.from_function(path, number))

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
        for one in part:
            if "cls" in one.effects.locals and "?" in one.effects.calls:
                names.add(table.scopes[table.scopes[scope].parent].name.rpartition(".")[2])
        return self.reaching.from_statements(part, names)

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


class Keeping:
    """What is kept of one difference."""

    def __init__(self, evidence: Evidence, keepers: Keepers, reach: Reach) -> None:
        self.evidence = evidence
        self.program = keepers.program
        self.keepers = keepers
        self.reach = reach
        self._kept: set[str] = set()

    def kept(self, path: str, scope: int, mask: int, cause: Cause, outside: Sequence[Trace] = ()) -> None:
        """What differs in a function can be kept, by code on whose behalf it runs, and be read by other
        tests. It was made by the tests of `mask`, and by what is traced in `outside`.
        """
        if not (mask or outside) or self.program.tables[path].scopes[scope].kind != FUNCTION:
            return
        for keeper in self.keepers.of(path, scope):
            if keeper.slot in self._kept:
                continue
            by_tests = mask and self.evidence.executing(keeper.path, keeper.lines) & mask
            # Values that imports put somewhere are followed from the statements that do.
            made = keeper.whole and any(t.lines.get(keeper.path, 0) & keeper.lines for t in outside)
            if by_tests or made:
                self._kept.add(keeper.slot)
                where = f"{keeper.path} ({self.program.tables[keeper.path].scopes[keeper.scope].name})"
                why = Cause(f"{shown(keeper.slot)} keeps it for other tests, in {where}", cause)
                self._read_kept(keeper, why)

    def kept_outside(self, path: str, scope: int, lines: int, cause: Cause) -> None:
        """What these lines of a function made for an import, or while a file was collected, can be kept for
        tests, which then execute none of them.
        """
        recording = self.evidence.recording
        traces = [*recording.imports.values(), *recording.collections.values()]
        outside = [trace for trace in traces if trace.lines.get(path, 0) & lines]
        if outside:
            self.kept(path, scope, 0, cause, outside)

    def _read_kept(self, keeper: Keeper, cause: Cause) -> None:
        """Tests that read a kept value which they did not set themselves."""
        evidence = self.evidence
        own = 0
        for path, index in () if keeper.whole else self.keepers.alterations.storing(keeper.slot):
            own |= evidence.executing(path, own_span(self.program.tables[path], index))
        for place in self.program.readers(keeper.slot):
            path, index = place
            table = self.program.tables[path]
            scope = table.statements[index].scope
            if table.at_import(scope):
                continue
            mask = evidence.executing(path, self.program.layout(path).executed(index)) & ~own
            why = Cause(f"{shown(keeper.slot)} is read at {self.program.where(place)}", cause)
            self.reach.add(mask, why)
            self.kept(path, scope, mask, why)


def _is_cache(chain: str, caching: set[str]) -> bool:
    name = chain.rpartition(".")[2]
    return name in caching or any(word in name.lower() for word in CACHE_WORDS)


def _asks(header: Statement) -> bool:
    return "hasattr" in header.effects.calls or header.kind not in {"If", "While"}


def _reads(statement: Statement, slot: str) -> bool:
    return any(attribute(chain) == slot[1:] for chain in statement.effects.reads)


def _loaded(statement: Statement) -> set[str]:
    """Local names that a statement loads, but the object or class that a method works on."""
    return {name for name in statement.effects.locals if not name.startswith("=")} - {"self", "cls"}
