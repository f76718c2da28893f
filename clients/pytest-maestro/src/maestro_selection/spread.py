"""How a difference spreads from values made at import to the tests that can see it.

A test can only be altered by a value that differs when it executes a statement that reads it (or one that
reads a value which was made from it when modules were imported). So a difference is followed from slot to
slot through the statements that run at import, and ends at the tests that executed a reader.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator

from maestro_selection.alterations import OUTSIDE, Alterations
from maestro_selection.causes import Cause, Reach, shown
from maestro_selection.changes import DEFINITIONS
from maestro_selection.classes import FRAMEWORK_NAMES, is_special, needs_class
from maestro_selection.containment import Containment
from maestro_selection.effects import BY_NAME, CALLING, LISTING, MILD
from maestro_selection.evidence import Evidence, own_span
from maestro_selection.keeping import Keepers, Keeping
from maestro_selection.program import Place, Program, attribute, global_slot
from maestro_selection.reaching import BUILTIN_METHODS, Reaching
from maestro_selection.tables import CLASS, MODULE, FileTable


class Spread:
    """One difference on its way."""

    def __init__(self, world: World, gone: frozenset[Place] = frozenset()) -> None:
        self.world = world
        # Statements that are no more: they read nothing, and that they are gone is a change of its own.
        self.gone = gone
        self.program = world.program
        self.alterations = world.alterations
        self.evidence = world.evidence
        self.reaching = world.reaching
        self.holders = world.holders
        self.reach = Reach()
        self.keeping = Keeping(self.evidence, world.keepers, self.reach)
        self._slots: dict[str, int] = {}
        self._flowed: set[Place] = set()
        self._coarse: set[tuple[str, str, int]] = set()
        self._waiting: list[tuple[str, Cause, int]] = []

    def slot(self, slot: str, cause: Cause, within: int = -1) -> None:
        """A slot's value can differ, for the tests of a set."""
        known = self._slots.get(slot, 0)
        if known | within != known:
            self._slots[slot] = known | within
            self._waiting.append((slot, cause, within))

    def run(self) -> Reach:
        """Follows everything to its end."""
        while self._waiting:
            self._follow(*self._waiting.pop())
        return self.reach

    def _follow(self, slot: str, cause: Cause, within: int) -> None:
        path, _, name = slot.rpartition("::")
        if name == OUTSIDE:
            self._outside(path, cause, within)
            return
        if path:
            self._implicit(path, name, cause)
        for place in self.program.readers(slot):
            if place in self.gone:
                continue
            why = Cause(f"{shown(slot)} is read at {self.program.where(place)}", cause)
            file, index = place
            table = self.program.tables[file]
            statement = table.statements[index]
            if statement.effects.imports and table.at_import(statement.scope):
                self._taken(place, slot, why)
            else:
                self.statement(place, why, within, slot)
        for place in self.program.mentions(name if path else slot[1:]):
            why = Cause(f"{shown(slot)} is named in a string at {self.program.where(place)}", cause)
            self._mentioned(place, why, within)

    def _outside(self, path: str, cause: Cause, within: int) -> None:
        """Code of a file alters what is not of the repository: nothing tells who looks at that."""
        mask = self.evidence.needing(self.program, path) & within
        if mask:
            self.reach.widened.append(f"{path} alters what is not of this repository: {cause.path()[0]}")
            self.reach.add(mask, Cause(f"{path} alters what is not of this repository", cause))

    def _mentioned(self, place: Place, cause: Cause, within: int) -> None:
        """A string has the name of what differs: whoever looks attributes up by computed names can come to
        it.
        """
        path, index = place
        table = self.program.tables[path]
        statement = table.statements[index]
        by_name = self.evidence.looking_up(self.program)
        if not table.at_import(statement.scope):
            hands_over = self._hands_strings_over(path, index)
            self.reach.add(self._executing(place) & within & (-1 if hands_over else by_name), cause)
            if BY_NAME in statement.effects.traits:
                self.statement(place, cause, within)
            return
        for name in statement.effects.binds:
            in_module = table.scopes[statement.scope].kind == MODULE
            carrier = global_slot(path, name) if in_module else "." + name
            for reader in self.program.readers(carrier):
                other, number = reader
                if not self.program.tables[other].at_import(
                    self.program.tables[other].statements[number].scope
                ):
                    self.reach.add(self._executing(reader) & within & by_name, cause)

    def _hands_strings_over(self, path: str, index: int) -> bool:
        """Whether a statement calls something that is not of the repository: it may look up what it is
        given.
        """
        for chain in self.program.tables[path].statements[index].effects.calls:
            if attribute(chain) not in self.reaching.defined() and attribute(chain) not in QUIET_CALLS:
                return True
        return False

    def _executing(self, place: Place) -> int:
        path, index = place
        return self.evidence.executing(path, self.program.layout(path).executed(index))

    def _taken(self, place: Place, slot: str, cause: Cause) -> None:
        """An import takes a name that differs: only what it binds for that one."""
        path, index = place
        table = self.program.tables[path]
        if self.evidence.ran_at_import(path, own_span(table, index)) is False:
            return
        in_class = table.scopes[table.statements[index].scope].kind == CLASS
        for module, level, taken, bound in table.statements[index].effects.imports:
            for target in self.program.imported(path, module, level) if taken else ():
                if taken == "*" and slot.startswith(target + "::"):
                    self.slot(global_slot(path, slot.rpartition("::")[2]), cause)
                elif slot == global_slot(target, taken):
                    self.slot("." + bound if in_class else global_slot(path, bound), cause)

    def _implicit(self, path: str, name: str, cause: Cause) -> None:
        """Tests that a framework finds by a module's name."""
        evidence = self.evidence
        if name in FRAMEWORK_NAMES:
            self.reach.add(evidence.in_file(path), cause)
        mask = 0
        for number in evidence.members(evidence.in_file(path)):
            if evidence.test(number).function.split(".")[0] == name:
                mask |= 1 << number
        self.reach.add(mask, cause)
        for key, fixture in evidence.recording.fixtures.items():
            if fixture.path == path and fixture.function.split(".")[0] == name:
                self.reach.add(evidence.using_fixture(key), cause)

    def statement(self, place: Place, cause: Cause, within: int = -1, slot: str = "") -> None:
        """A statement's execution can differ, wherever it is executed (as it reads `slot`)."""
        path, index = place
        table = self.program.tables[path]
        scope = table.statements[index].scope
        if table.at_import(scope):
            self.flow(place, cause, slot)
            return
        lines = self.program.layout(path).executed(index)
        contained = self.world.mild(path, scope, table, index)
        if contained is not None:
            self.sets(contained, path, scope, lines, cause, within)
        else:
            self.executed(path, scope, lines, cause, within)

    def sets(
        self, slots: Iterable[str], path: str, scope: int, lines: int, cause: Cause, within: int = -1
    ) -> None:
        """A statement sets attributes to something else, and does no more: for who sets them and reads
        them.
        """
        mask = self.evidence.executing(path, lines) & within
        at_import = bool(self.evidence.importing(path, lines))
        for slot in slots:
            self.slot(slot, Cause(f"it sets {shown(slot)}", cause), -1 if at_import else mask)
        self.reach.add(mask & self.evidence.enumerating(self.program), cause)
        self.keeping.kept(path, scope, mask, cause)

    def executed(self, path: str, scope: int, lines: int, cause: Cause, within: int = -1) -> None:
        """Whoever executed one of these lines of a function can differ from there on."""
        evidence = self.evidence
        mask = evidence.executing(path, lines) & within
        self.reach.add(mask, cause)
        self.keeping.kept(path, scope, mask, cause)
        importers = evidence.importing(path, lines)
        contained = self.world.containment.of_function(path, scope) if importers else None
        for importer in importers:
            why = Cause(f"it is executed while {importer} is imported", cause)
            if contained is None:
                self.importing(importer, path, scope, why)
            for slot in contained or ():
                self.slot(slot, why)
        recording = evidence.recording
        for file, trace in recording.collections.items():
            if trace.lines.get(path, 0) & lines:
                mask = evidence.in_file(file) & within
                self.reach.add(mask, Cause(f"it is executed while {file} is collected", cause))
        if recording.session.lines.get(path, 0) & lines:
            self.reach.add(evidence.all & within, Cause("it is executed outside of all tests", cause))
        self.keeping.kept_outside(path, scope, lines, cause)

    def importing(self, importer: str, path: str, scope: int, cause: Cause) -> None:
        """A function that the import of a file executes can differ: so can what the calls give that can
        come to it.
        """
        if (importer, path, scope) in self._coarse or importer not in self.program.tables:
            return
        self._coarse.add((importer, path, scope))
        calling = list(self.calling(importer))
        reaching = [
            index
            for index in calling
            if self.reaching.includes(self.reaching.from_statement(importer, index), path, scope)
        ]
        for index in reaching or calling:
            self.flow((importer, index), cause)

    def calling(self, path: str) -> Iterator[int]:
        """The statements of a file that run at import and can call a function of the repository."""
        table = self.program.tables[path]
        for index, statement in enumerate(table.statements):
            if table.at_import(statement.scope) and self._calls(path, index):
                yield index

    def _calls(self, path: str, index: int) -> bool:
        statement = self.program.tables[path].statements[index]
        if statement.kind == "ClassDef":
            return is_special(self.program, path, index)
        return CALLING in statement.effects.traits

    def flow(self, place: Place, cause: Cause, slot: str = "", *, turned: bool = False) -> None:
        """A statement that runs at import can give something else (as it reads `slot`).

        `turned`: what is around it can come out otherwise, so that it can run though it never did.
        """
        path, index = place
        table = self.program.tables[path]
        if place in self._flowed:
            return
        if not turned and self.evidence.ran_at_import(path, own_span(table, index)) is False:
            return
        if slot and self._only_default(path, index, slot, cause):
            return
        self._flowed.add(place)
        statement = table.statements[index]
        self._bind(path, index, cause)
        for chain in (*statement.effects.stores, *statement.effects.alters):
            known = not chain.startswith((".", "self."))
            for put in self.alterations.put_into(path, chain) if known else {"." + attribute(chain)}:
                self.slot(put, cause)
        for put in self.alterations.worked_on(path, statement):
            self.slot(put, cause)
        if self._calls(path, index):
            for altered in self._altered_during(path, index):
                self.slot(altered, cause)
        if statement.kind not in DEFINITIONS:
            for inner in self.program.layout(path).below(index):
                if inner != index:
                    self.flow((path, inner), cause, turned=True)

    def _only_default(self, path: str, index: int, slot: str, cause: Cause) -> bool:
        """Whether a definition reads a slot for the default of a parameter alone: then who loads that one
        differs.
        """
        table = self.program.tables[path]
        statement = table.statements[index]
        number = self.program.layout(path).scope_of.get(index, 0)
        defaults = table.scopes[number].defaults
        if not defaults or CALLING in statement.effects.traits:
            return False
        names = {
            name for name, reads in defaults for chain in reads if slot in self.program.slots(path, chain)
        }
        if not names:
            return False
        scope = table.scopes[number]
        for inner, other in enumerate(table.statements):
            inside = scope.first <= other.first and other.end <= scope.last and inner != index
            if inside and (names & set(other.effects.locals) or LISTING in other.effects.traits):
                why = Cause(
                    f"it is the default of {', '.join(sorted(names))}, {self.program.where((path, inner))}",
                    cause,
                )
                self.statement((path, inner), why)
        return True

    def _bind(self, path: str, index: int, cause: Cause) -> None:
        table = self.program.tables[path]
        statement = table.statements[index]
        scope = table.scopes[statement.scope]
        if statement.kind in DEFINITIONS:
            self._defined(path, self.program.layout(path).scope_of[index], cause)
        for name in statement.effects.binds:
            if scope.kind == MODULE:
                self.slot(global_slot(path, name), cause)
                if name == "__all__":
                    self.stars(path, cause)
            elif scope.kind == CLASS:
                self.member(path, statement.scope, name, cause)

    def member(self, path: str, scope: int, name: str, cause: Cause, *, whole: bool = False) -> None:
        """A member of a class can differ: for those who read one of its name, and can hold the class or an
        instance.
        """
        table = self.program.tables[path]
        if whole or needs_class(self.program, path, scope, name):
            why = Cause(f"class {table.scopes[scope].name} is made of it", cause)
            self.flow((path, table.scopes[scope].statement), why)
        else:
            within = self.holders.of(self, path, scope)
            self.slot("." + name, cause, within)
            mask = 0
            for file, number in self.program.functions(name):
                mask |= self.evidence.executing(file, self.program.inside(file, number))
            self.reach.add(mask & within, Cause(f"a method {name} was executed", cause))

    def _defined(self, path: str, number: int, cause: Cause) -> None:
        """Tests and fixtures by the definition that they are."""
        name = self.program.tables[path].scopes[number].name
        evidence = self.evidence
        mask = 0
        for place in evidence.members(evidence.in_file(path)):
            function = evidence.test(place).function
            if function == name or function.startswith(name + "."):
                mask |= 1 << place
        self.reach.add(mask, cause)
        for key, fixture in evidence.recording.fixtures.items():
            if fixture.path == path and (fixture.function + ".").startswith(name + "."):
                self.reach.add(evidence.using_fixture(key), cause)

    def stars(self, path: str, cause: Cause) -> None:
        """What a star import takes can differ."""
        for other in self.program.star_importers(path):
            for name in self.program.bound[path]:
                self.slot(global_slot(other, name), cause)

    def _altered_during(self, path: str, index: int) -> set[str]:
        """Global values that functions alter or bind which a statement can come to, when its file is
        imported.
        """
        trace = self.evidence.recording.imports.get(path)
        found: set[str] = set()
        if trace is None:
            return found
        names = self.reaching.from_statement(path, index)
        for_effect = self.program.tables[path].statements[index].kind == "Expr"
        for other, bits in trace.lines.items():
            if other not in self.program.tables:
                continue
            for number, slots in self.alterations.altering(other, attributes=for_effect):
                table = self.program.tables[other]
                if not own_span(table, number) & bits or slots <= self._slots.keys():
                    continue
                scope = table.statements[number].scope
                if self.reaching.includes(names, other, scope):
                    named = self.reaching.includes(names, other, scope, unnamed=False)
                    found |= slots if named else slots - {global_slot(other, OUTSIDE)}
        return found


class World:
    """All that is worked out once for a recording."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.program = Program(evidence.tables)
        self.alterations = Alterations(self.program)
        self.reaching = Reaching(self.program, self.alterations)
        self.keepers = Keepers(self.program, self.alterations, self.reaching)
        self.containment = Containment(self.program, self.alterations, self.reaching)
        self.holders = Holders()

    def mild(self, path: str, scope: int, table: FileTable, index: int) -> frozenset[str] | None:
        """The attributes that a statement in a function sets, when that is all; `scope` is of the old
        version.
        """
        if MILD not in table.statements[index].effects.traits:
            return None
        old = self.program.tables[path]
        around = self.containment.class_around(old, scope)
        if not around:
            return None
        special = any(
            is_special(self.program, file, self.program.tables[file].scopes[number].statement)
            for file, number in self.program.family(attribute(old.scopes[around].name))
        )
        plain = self.containment.is_plain(path, around, special)
        return self.containment.of_mild(path, table, index, plain)


class Holders:
    """Which tests can come to hold a class or an instance of it; worked out once a class."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], int] = {}

    def of(self, spread: Spread, path: str, scope: int) -> int:
        """The tests that can hold the class of this scope."""
        key = (path, scope)
        if key not in self._known:
            # While it is being worked out, and is asked for in a circle, it is anyone.
            self._known[key] = -1
            own = Spread(spread.world)
            table = spread.program.tables[path]
            own.flow((path, table.scopes[scope].statement), Cause("held"))
            self._known[key] = own.run().mask
        return self._known[key]


QUIET_CALLS = frozenset(dir(builtins)) | BUILTIN_METHODS
