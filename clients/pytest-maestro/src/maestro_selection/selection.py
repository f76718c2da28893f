"""The tests that a change can alter, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Optional, Protocol

from maestro_selection.changes import (
    ADDED,
    CODE,
    DATA,
    DEFINITIONS,
    DOC,
    FILE,
    HINTS,
    IMPORT,
    REMOVED,
    Changed,
    FileChange,
    Layout,
)
from maestro_selection.evidence import Evidence, own_span
from maestro_selection.program import Place, global_slot
from maestro_selection.records import Recording, span
from maestro_selection.spread import Cause, Reach, Spread, World, shown
from maestro_selection.tables import CLASS, MODULE, FileTable

SAFE, MINIMAL, BUDGET = "safe", "minimal", "budget"


class References(Protocol):
    """Answers who reads a value, more narrowly than names can (by types)."""

    def readers(self, path: str, name: str) -> Optional[Iterable[tuple[str, int]]]:
        """Files and lines that can read a definition, by its qualified name in a file; None when it is not known."""


@dataclass(frozen=True)
class Chosen:
    """A selected test and its reasons, each a path from a changed statement to the test."""

    node: str
    seconds: float
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Selection:
    """What to run.

    Parameters
    ----------
    tests : tuple of Chosen
        In the order to run them.
    skipped : tuple of str
        Node ids that the change cannot alter.
    widened : tuple of str
        Each step by which more was taken than the evidence shows, and why.
    notes : tuple of str
        What else there is to be said.
    """

    tests: tuple[Chosen, ...]
    skipped: tuple[str, ...]
    widened: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def explain(self, node: str) -> tuple[tuple[str, ...], ...]:
        """The reasons of a test, empty when it was skipped."""
        for test in self.tests:
            if test.node == node:
                return test.reasons
        return ()


class Selector:
    """Selects by one recording; made once, it answers many changes."""

    def __init__(self, recording: Recording) -> None:
        self.evidence = Evidence(recording)
        self.world = World(self.evidence)
        self.program = self.world.program

    def select(self, changes: Iterable[FileChange]) -> Selection:
        """Every test that the changes can alter."""
        run = _Run(self.world, list(changes))
        run.judge()
        return run.selection()


def select(
    recording: Recording,
    changes: Iterable[FileChange],
    *,
    mode: str = SAFE,
    references: Optional[References] = None,
) -> Selection:
    """Selects the tests that changes since a recording can alter."""
    return Selector(recording).select(changes)


class _Run:
    def __init__(self, world: World, changes: list[FileChange]) -> None:
        self.world = world
        self.evidence = world.evidence
        self.program = world.program
        self.changes = changes
        self.groups: list[tuple[int, Cause]] = []
        self.widened: list[str] = []
        self.notes: list[str] = []
        self.globals = Spread(world, frozenset(_gone(changes)))
        self.new_tables = {change.path: change.new for change in changes if change.new is not None}

    def judge(self) -> None:
        for change in self.changes:
            for changed in change:
                getattr(self, "_" + changed.kind)(change, changed)
        self._take(self.globals.run())

    def _take(self, reach: Reach) -> None:
        self.groups.extend(reach.groups)

    def _add(self, mask: int, cause: Cause) -> None:
        if mask:
            self.groups.append((mask, cause))

    # What runs in functions

    def _code(self, change: FileChange, changed: Changed) -> None:
        cause = Cause(str(changed))
        evidence = self.evidence
        path = changed.path
        scope = _old_scope(change, changed)
        contained = self._contained(change, changed, scope)
        if contained is not None:
            self.globals.sets(contained, path, scope, changed.lines, cause)
            return
        mask = evidence.executing(path, changed.lines)
        self._add(mask, cause)
        self.globals.kept(path, scope, mask, cause)
        for importer in evidence.importing(path, changed.lines):
            self._changed_during(importer, change, changed, scope)
        for file, trace in evidence.recording.collections.items():
            if trace.lines.get(path, 0) & changed.lines:
                self._widen(evidence.in_file(file), f"{changed} is executed while {file} is collected", cause)
        if evidence.recording.session.lines.get(path, 0) & changed.lines:
            self._widen(evidence.all, f"{changed} is executed outside of all tests", cause)

    def _versions(self, change: FileChange, changed: Changed) -> Iterator[tuple[FileTable, int]]:
        for table, index in ((change.old, changed.old), (change.new, changed.new)):
            if table is not None and index >= 0:
                yield table, index

    def _contained(self, change: FileChange, changed: Changed, scope: int) -> Optional[frozenset[str]]:
        """The attributes that a changed statement sets, when neither version does more."""
        found: frozenset[str] = frozenset()
        for table, index in self._versions(change, changed):
            slots = self.world.mild(changed.path, scope, table, index)
            if slots is None:
                return None
            found |= slots
        return found

    def _changed_during(self, importer: str, change: FileChange, changed: Changed, scope: int) -> None:
        """A changed statement of a function that the import of a file executes."""
        cause = Cause(f"it is executed while {importer} is imported", Cause(str(changed)))
        slots: frozenset[str] = frozenset()
        for table, index in self._versions(change, changed):
            containment = self.world.containment
            stored = containment.of_stores(table, index)
            if stored is None:
                stored = containment.of_locals(table, Layout(table), index)
            if stored is None:
                self.globals.importing(importer, changed.path, scope, cause)
                return
            slots |= stored
        for slot in slots:
            self.globals.slot(slot, cause)

    def _widen(self, mask: int, why: str, cause: Cause) -> None:
        if mask:
            self.widened.append(why)
            self._add(mask, cause)

    # What runs at import

    def _import(self, change: FileChange, changed: Changed) -> None:
        table, index = (change.old, changed.old) if changed.old >= 0 else (change.new, changed.new)
        assert table is not None
        statement = table.statements[index]
        if changed.old >= 0 and self.evidence.ran_at_import(changed.path, own_span(table, index)) is False:
            return
        scope = table.scopes[statement.scope]
        cause = Cause(str(changed))
        if scope.kind == CLASS and self._is_whole(change, changed, statement.scope):
            return
        if scope.kind == CLASS:
            self._member(change, changed, cause)
        elif statement.effects.imports:
            self._imported(change, changed, cause)
        elif changed.old >= 0:
            self.globals.flow((changed.path, index), cause)
            self._called(change, changed, cause)
        for name in (
            self._binds(change, changed) if scope.kind == MODULE and not statement.effects.imports else ()
        ):
            self.globals.slot(global_slot(changed.path, name), cause)
            if name == "__all__":
                self.globals.stars(changed.path, cause)
            if self._gone(change, name):
                self._broken(changed.path, name, cause)

    def _is_whole(self, change: FileChange, changed: Changed, scope: int) -> bool:
        """Whether the class around a statement is itself new or gone: then its name says it all."""
        table = change.old if changed.old >= 0 else change.new
        assert table is not None
        while scope > 0:
            definition = table.scopes[scope].statement
            for other in change:
                if other.kind == IMPORT and other.how == changed.how and other.how in (ADDED, REMOVED):
                    if definition == (other.old if changed.old >= 0 else other.new):
                        return True
            scope = table.scopes[scope].parent
        return False

    def _binds(self, change: FileChange, changed: Changed) -> set[str]:
        found: set[str] = set()
        for table, index in ((change.old, changed.old), (change.new, changed.new)):
            if table is not None and index >= 0:
                found.update(table.statements[index].effects.binds)
        return found

    def _called(self, change: FileChange, changed: Changed, cause: Cause) -> None:
        """Tests that executed the body of a function whose definition changed or is gone."""
        if changed.old < 0 or change.old is None:
            return
        for scope in change.old.scopes[1:]:
            if scope.statement == changed.old and scope.kind == "function":
                own = change.old.statements[changed.old]
                inside = span(scope.first, scope.last) & ~span(own.first, own.last)
                self._add(
                    self.evidence.executing(changed.path, inside), Cause("its body was executed", cause)
                )

    def _imported(self, change: FileChange, changed: Changed, cause: Cause) -> None:
        """A changed import: only the names that come from elsewhere now, or are gone."""
        before, after = self._aliases(change, changed.old, True), self._aliases(change, changed.new, False)
        others_before: set[tuple[str, int, str, str]] = set()
        others_after: set[tuple[str, int, str, str]] = set()
        for other in change:
            if other.kind == IMPORT:
                others_before |= self._aliases(change, other.old, True)
                others_after |= self._aliases(change, other.new, False)
        for alias in (before - others_after) | (after - others_before):
            name = alias[3].lstrip("=")
            self.globals.slot(global_slot(changed.path, name), cause)
            if self._gone(change, name):
                self._broken(changed.path, name, cause)

    def _aliases(self, change: FileChange, index: int, old: bool) -> set[tuple[str, int, str, str]]:
        table = change.old if old else change.new
        return set(table.statements[index].effects.imports) if table is not None and index >= 0 else set()

    def _gone(self, change: FileChange, name: str) -> bool:
        """Whether nothing in the new version of a file binds a global name any more."""
        if change.new is None:
            return True
        for statement in change.new.statements:
            if name in statement.effects.binds or any(one[2] == "*" for one in statement.effects.imports):
                return False
        return True

    def _broken(self, path: str, name: str, cause: Cause) -> None:
        """A name is gone: what reads it at import fails, and so does all that imports that."""
        slot = global_slot(path, name)
        for place in self.program.readers(slot):
            file, index = place
            table = self.program.tables[file]
            statement = table.statements[index]
            if not table.at_import(statement.scope) or slot not in self._read_exactly(file, index):
                continue
            if self.evidence.ran_at_import(file, own_span(table, index)) is False or self._removed(
                file, index
            ):
                continue
            self._fails(file, Cause(f"{self.globals.where(place)} needs {shown(slot)}, which is gone", cause))

    def _read_exactly(self, path: str, index: int) -> set[str]:
        effects = self.program.tables[path].statements[index].effects
        found: set[str] = set()
        for chain in effects.reads:
            found |= self.program.slots(path, chain)
        for module, level, name, _ in effects.imports:
            for target in self.program.imported(path, module, level):
                if not self.program.submodule(target, name):
                    found.add(global_slot(target, name))
        return found

    def _removed(self, path: str, index: int) -> bool:
        for change in self.changes:
            if change.path == path:
                return any(c.kind == IMPORT and c.old == index and c.how == REMOVED for c in change)
        return False

    def _fails(self, path: str, cause: Cause) -> None:
        """The import of a file fails: every test whose module needs it fails."""
        files = self.program.importers(path)
        mask = self.evidence.in_files(files)
        for file in files:
            mask |= self.evidence.using_file(file)
            if file.rpartition("/")[2] == "conftest.py":
                mask |= self.evidence.below(file.rpartition("/")[0])
        self._widen(mask, f"importing {path} fails: {cause.text}", cause)

    # Class members

    def _member(self, change: FileChange, changed: Changed, cause: Cause) -> None:
        table, index = (change.old, changed.old) if changed.old >= 0 else (change.new, changed.new)
        assert table is not None
        scope = table.scopes[table.statements[index].scope]
        known = self.program.tables.get(changed.path)
        number = (
            next((n for n, one in enumerate(known.scopes) if one.kind == CLASS and one.name == scope.name), 0)
            if known is not None
            else 0
        )
        if not number:
            return
        if changed.old >= 0:
            self.globals.flow((changed.path, changed.old), cause)
        for name in self._binds(change, changed):
            self.globals.member(changed.path, number, name, cause)
        self._called(change, changed, cause)

    # The rest

    def _doc(self, change: FileChange, changed: Changed) -> None:
        return

    def _hints(self, change: FileChange, changed: Changed) -> None:
        return

    def _file(self, change: FileChange, changed: Changed) -> None:
        if changed.how == ADDED:
            return
        self._fails(changed.path, Cause(str(changed)))

    def _data(self, change: FileChange, changed: Changed) -> None:
        self._add(self.evidence.opening(changed.path), Cause(f"{changed.path} {changed.how}"))

    def selection(self) -> Selection:
        mask = 0
        reasons: dict[int, list[Cause]] = {}
        for tests, cause in self.groups:
            mask |= tests
            for number in self.evidence.members(tests):
                found = reasons.setdefault(number, [])
                if len(found) < 3:
                    found.append(cause)
        chosen = []
        for number in self.evidence.members(mask):
            test = self.evidence.test(number)
            paths = tuple((*cause.path(), test.node) for cause in reasons[number])
            chosen.append(Chosen(test.node, test.seconds, paths))
        skipped = [self.evidence.nodes[n] for n in self.evidence.members(self.evidence.all & ~mask)]
        return Selection(tuple(chosen), tuple(skipped), tuple(dict.fromkeys(self.widened)), tuple(self.notes))


def _gone(changes: list[FileChange]) -> Iterator[Place]:
    """Statements of the old state that are no more, and all that is inside those that are."""
    for change in changes:
        if change.old is None:
            continue
        for changed in change:
            if changed.how != REMOVED or changed.old < 0:
                continue
            around = change.old.statements[changed.old]
            for index, statement in enumerate(change.old.statements):
                if around.first <= statement.first and statement.end <= around.end:
                    yield change.path, index


def _old_scope(change: FileChange, changed: Changed) -> int:
    """The scope of a changed statement, in the old table."""
    assert change.old is not None
    if changed.old >= 0:
        return change.old.statements[changed.old].scope
    assert change.new is not None
    name = change.new.scopes[change.new.statements[changed.new].scope].name
    return next((number for number, scope in enumerate(change.old.scopes) if scope.name == name), 0)


_ = (CODE, DATA, DEFINITIONS, DOC, FILE, HINTS, Mapping, field)
