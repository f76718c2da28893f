"""Each changed statement judged: what it can alter, by whose evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from maestro_selection.alterations import OUTSIDE
from maestro_selection.causes import Cause, Reach, shown
from maestro_selection.changes import (
    ADDED,
    CODE,
    DEFINITIONS,
    IMPORT,
    MOVED,
    REMOVED,
    Changed,
    FileChange,
    Layout,
)
from maestro_selection.classes import is_special
from maestro_selection.distributions import Distributions
from maestro_selection.effects import CALLING
from maestro_selection.evidence import own_span
from maestro_selection.manifests import is_manifest
from maestro_selection.program import Place, attribute, global_slot, root_of
from maestro_selection.records import Distribution, span
from maestro_selection.sentinels import sentinels
from maestro_selection.spread import Spread, World
from maestro_selection.surroundings import Surroundings
from maestro_selection.tables import BODY, CLASS, MODULE, FileTable, Statement
from maestro_selection.unseen import unseen


class Judge:
    """Judges the changes of one question."""

    def __init__(
        self, world: World, changes: list[FileChange], installed: Mapping[str, Distribution] | None = None
    ) -> None:
        self.world = world
        self.installed = installed
        self.evidence = world.evidence
        self.program = world.program
        self.alterations = world.alterations
        self.changes = changes
        self.groups: list[tuple[int, Cause]] = []
        self.widenings: list[str] = []
        self.notes: list[str] = []
        self.globals = Spread(world, frozenset(_gone(changes)))

    def judge(self) -> None:
        """Judges every change; what is found is in `groups`, `widened` and `notes`."""
        surroundings = Surroundings(self)
        distributions = Distributions(self)
        if self.installed is not None:
            distributions.installed(self.installed, "what is installed")
        for change in self.changes:
            surroundings.text(change)
            if change and is_manifest(change.path):
                distributions.judge(change)
            for changed in change:
                if changed.kind == CODE:
                    self._code(change, changed)
                elif changed.kind == IMPORT:
                    self._import(change, changed)
                else:
                    surroundings.judge(change, changed)
        self._take(self.globals.run())
        for nodes, why in unseen(self.evidence.recording, self.changes):
            mask = 0
            for node in nodes:
                mask |= 1 << self.evidence.place[node]
            self.widen(mask, why, Cause(why))
        selected = 0
        for tests, _ in self.groups:
            selected |= tests
        self.groups += sentinels(self.evidence, self.program, self.changes, selected, self._never_runs)

    def _take(self, reach: Reach) -> None:
        self.groups.extend(reach.groups)
        self.widenings.extend(reach.widened)

    def add(self, mask: int, cause: Cause) -> None:
        """These tests can be altered."""
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
        self.add(mask, cause)
        self.globals.keeping.kept(path, scope, mask, cause)
        for importer in evidence.importing(path, changed.lines):
            self._changed_during(importer, change, changed, scope)
        for file, trace in evidence.recording.collections.items():
            if trace.lines.get(path, 0) & changed.lines:
                self.widen(evidence.in_file(file), f"{changed} is executed while {file} is collected", cause)
        if evidence.recording.session.lines.get(path, 0) & changed.lines:
            self.widen(evidence.all, f"{changed} is executed outside of all tests", cause)
        self.globals.keeping.kept_outside(path, scope, changed.lines, cause)

    def _versions(self, change: FileChange, changed: Changed) -> Iterator[tuple[FileTable, int]]:
        for table, index in ((change.old, changed.old), (change.new, changed.new)):
            if table is not None and index >= 0:
                yield table, index

    def _contained(self, change: FileChange, changed: Changed, scope: int) -> frozenset[str] | None:
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

    def widen(self, mask: int, why: str, cause: Cause) -> None:
        """These tests are taken without evidence for each, which is said."""
        if mask:
            self.widenings.append(why)
            self.add(mask, cause)

    # What runs at import

    def _import(self, change: FileChange, changed: Changed) -> None:
        table, index = (change.old, changed.old) if changed.old >= 0 else (change.new, changed.new)
        assert table is not None
        statement = table.statements[index]
        if self._never_runs(change, changed) or self._only_moved(change, changed):
            return
        scope = table.scopes[statement.scope]
        cause = Cause(str(changed))
        if changed.old >= 0:
            # Lambdas and the like run whenever they are called.
            self.add(self.evidence.executing(changed.path, own_span(table, index)), cause)
        if scope.kind == CLASS:
            if not self._is_whole(change, changed, statement.scope):
                self._member(change, changed, cause)
            else:
                self._called(change, changed, cause)
            return
        if statement.effects.imports:
            self._imported(change, changed, cause)
            return
        if statement.kind in {"Raise", "Assert", "Delete"}:
            self.fails(changed.path, cause)
        if changed.old >= 0:
            self.globals.flow((changed.path, index), cause)
            self._called(change, changed, cause)
        if changed.new >= 0:
            self._new_effects(change, changed.new, cause)
        for name in self._binds(change, changed):
            self._name(change, name, cause)

    def _name(self, change: FileChange, name: str, cause: Cause) -> None:
        """A global name's value can differ."""
        path = change.path
        self.globals.slot(global_slot(path, name), cause)
        if name == "__all__":
            self.globals.stars(path, cause)
        if self._gone(change, name):
            self._broken(path, name, cause)
        if name.startswith("pytest_"):
            self.widen(
                self.evidence.below(path.rpartition("/")[0]), f"{path}: the hook {name} changed", cause
            )

    def _never_runs(self, change: FileChange, changed: Changed) -> bool:
        """Whether a statement did not run when its file was imported, and does not now."""
        if changed.old >= 0:
            assert change.old is not None
            own = own_span(change.old, changed.old)
            return self.evidence.ran_at_import(changed.path, own) is False and changed.how != MOVED
        assert change.new is not None
        index = changed.new
        while index >= 0:
            statement = change.new.statements[index]
            around = statement.parent
            header = change.new.statements[around] if around >= 0 else None
            names = header.effects.reads if header is not None and header.kind == "If" else ()
            if statement.block == BODY and any(attribute(chain) == "TYPE_CHECKING" for chain in names):
                return True
            if around < 0:
                scope = change.new.scopes[statement.scope]
                around = scope.statement if scope.kind == CLASS else -1
            index = around
        return False

    def _only_moved(self, change: FileChange, changed: Changed) -> bool:
        """Whether a definition or import went elsewhere in its file, where it is the same."""
        if changed.how != MOVED or change.old is None:
            return False
        statement = change.old.statements[changed.old]
        around = change.old.scopes[statement.scope]
        if around.kind == CLASS and is_special(self.program, changed.path, around.statement):
            return False
        if statement.kind == "ClassDef":
            return not is_special(self.program, changed.path, changed.old)
        plain = statement.kind in DEFINITIONS and CALLING not in statement.effects.traits
        return plain or bool(statement.effects.imports)

    def _new_effects(self, change: FileChange, index: int, cause: Cause) -> None:
        """What a statement of the new version does beyond binding names, when its file is imported."""
        assert change.new is not None
        known = change.path in self.program.tables
        for inner in Layout(change.new).below(index):
            statement = change.new.statements[inner]
            effects = statement.effects
            for slot in self._put_by(change, statement) if known else ():
                self.globals.slot(slot, cause)
            if inner != index and change.new.scopes[statement.scope].kind == MODULE:
                for name in effects.binds:
                    self.globals.slot(global_slot(change.path, name), cause)
            if effects.calls or statement.kind == "ClassDef":
                for slot in self.world.reaching.altered_by(statement):
                    self.globals.slot(slot, cause)

    def _put_by(self, change: FileChange, statement: Statement) -> set[str]:
        """What a statement of the new version, which runs at import, alters that was there before."""
        path, table = change.path, change.new
        found = self.alterations.worked_on(path, statement, table)
        for chain in (*statement.effects.stores, *statement.effects.alters):
            if chain.startswith((".", "self.")):
                found.add("." + attribute(chain))
                continue
            found |= self.alterations.put_into(path, chain)
            if self.alterations.is_outside(path, root_of(chain), table):
                found.add(global_slot(path, OUTSIDE))
        return found

    def _is_whole(self, change: FileChange, changed: Changed, scope: int) -> bool:
        """Whether the class around a statement is itself new or gone: then its name says it all."""
        table = change.old if changed.old >= 0 else change.new
        assert table is not None
        while scope > 0:
            definition = table.scopes[scope].statement
            for other in change:
                same = other.kind == IMPORT and other.how == changed.how and other.how in (ADDED, REMOVED)
                if same and definition == (other.old if changed.old >= 0 else other.new):
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
                self.add(self.evidence.executing(changed.path, inside), Cause("its body was executed", cause))

    def _imported(self, change: FileChange, changed: Changed, cause: Cause) -> None:
        """A changed import: only the names that come from elsewhere now, or are gone."""
        before, after = self._aliases(change, changed.old, True), self._aliases(change, changed.new, False)
        others_before: set[tuple[str, int, str, str]] = set()
        others_after: set[tuple[str, int, str, str]] = set()
        for other in change:
            if other.kind == IMPORT:
                others_before |= self._aliases(change, other.old, True)
                others_after |= self._aliases(change, other.new, False)
        for module, level, taken, bound in (before - others_after) | (after - others_before):
            targets = self.program.imported(changed.path, module, level)
            if taken == "*":
                for target in targets:
                    for name in self.program.bound[target]:
                        self._name(change, name, cause)
                if not targets:
                    self.fails(changed.path, cause)
            else:
                self._name(change, bound.lstrip("="), cause)
            for target in targets:
                self._reaches_module(changed, target, cause)

    def _reaches_module(self, changed: Changed, target: str, cause: Cause) -> None:
        """A module of the repository is imported from here now, or is not any more."""
        if changed.how == ADDED and target not in self.evidence.recording.imports:
            if any(True for _ in self.globals.calling(target)):
                self.fails(changed.path, Cause(f"{target}, which was never imported, is imported", cause))
        elif changed.how == REMOVED and self.program.direct_importers(target) <= {changed.path}:
            for index in self.globals.calling(target):
                for slot in self.world.reaching.altered_by(self.program.tables[target].statements[index]):
                    self.globals.slot(slot, cause)

    def _aliases(self, change: FileChange, index: int, old: bool) -> set[tuple[str, int, str, str]]:
        table = change.old if old else change.new
        return set(table.statements[index].effects.imports) if table is not None and index >= 0 else set()

    def _gone(self, change: FileChange, name: str) -> bool:
        """Whether nothing in the new version of a file binds a global name any more."""
        if change.new is None:
            return True
        for statement in change.new.statements:
            if statement.name == "__getattr__" and change.new.scopes[statement.scope].kind == MODULE:
                return False
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
            why = Cause(f"{self.program.where(place)} needs {shown(slot)}, which is gone", cause)
            self.fails(file, why)

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

    def fails(self, path: str, cause: Cause, why: str = "") -> None:
        """The import of a file fails, or so it must be taken: every test whose module needs it is altered."""
        mask = self.evidence.needing(self.program, path)
        self.widen(mask, why or f"importing {path} can fail or do something else: {cause.text}", cause)

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
        if changed.new >= 0:
            self._new_effects(change, changed.new, cause)
        for name in self._binds(change, changed):
            self.globals.member(
                changed.path, number, name, cause, whole=self._is_abstract(change, changed, name)
            )
        self._called(change, changed, cause)

    def _is_abstract(self, change: FileChange, changed: Changed, name: str) -> bool:
        """Whether a member decides if its class can be made: one of its name is abstract somewhere."""
        definitions = [table.statements[index] for table, index in self._versions(change, changed)]
        for path, scope in self.program.functions(name):
            table = self.program.tables[path]
            definitions.append(table.statements[table.scopes[scope].statement])
        return any("abstract" in attribute(chain) for one in definitions for chain in one.effects.reads)


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
