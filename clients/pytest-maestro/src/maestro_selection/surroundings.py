"""Changes of what is no statement: docstrings, annotations, whole files, data."""

from __future__ import annotations

import builtins
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maestro_selection.causes import Cause
from maestro_selection.changes import ADDED, CHANGED, DATA, DOC, FILE, HINTS, REMOVED, Changed, FileChange
from maestro_selection.classes import is_special
from maestro_selection.effects import CALLING, READING_DOC, READING_HINTS
from maestro_selection.evidence import finds, own_span
from maestro_selection.manifests import is_manifest
from maestro_selection.program import Place, attribute, global_slot
from maestro_selection.records import Trace
from maestro_selection.tables import CLASS, FUNCTION, FileTable

if TYPE_CHECKING:
    from maestro_selection.judging import Judge

BUILT = (".so", ".pyd", ".dll", ".dylib")
PLAIN_DECORATORS = frozenset(
    [
        "property",
        "setter",
        "getter",
        "deleter",
        "staticmethod",
        "classmethod",
        "overload",
        "abstractmethod",
        "override",
        "final",
    ]
)


class Surroundings:
    """Judges what is around the code, into the findings of one question."""

    def __init__(self, judge: Judge) -> None:
        self.found = judge
        self.evidence = judge.evidence
        self.program = judge.program
        self.gone = {
            change.path for change in judge.changes if any(one.how == REMOVED for one in whole(change))
        }

    def judge(self, change: FileChange, changed: Changed) -> None:
        """Judges one change that is of no statement."""
        if changed.kind == DOC:
            self._doc(change, changed)
        elif changed.kind == HINTS:
            self._hints(change, changed)
        elif changed.kind == FILE:
            self._file(changed)
        elif changed.kind == DATA:
            self._data(changed)

    # Docstrings and annotations

    def _doc(self, change: FileChange, changed: Changed) -> None:
        """A docstring: for who reads it from what it describes, which may have been handed on."""
        cause = Cause(f"{changed}: the docstring")
        if changed.old < 0:
            self.found.globals.slot(global_slot(changed.path, "__doc__"), cause)
            return
        self._described(change, changed, cause, READING_DOC)

    def _hints(self, change: FileChange, changed: Changed) -> None:
        """Annotations: for who evaluates them."""
        cause = Cause(f"{changed}: the annotations")
        self._unknown_names(change, changed, cause)
        table = change.old
        assert table is not None
        statement = table.statements[changed.old]
        scope = table.scopes[statement.scope]
        if scope.kind == CLASS and is_special(self.program, changed.path, scope.statement):
            self.found.globals.flow((changed.path, scope.statement), cause)
        if statement.kind != "AnnAssign":
            self._described(change, changed, cause, READING_HINTS)

    def _unknown_names(self, change: FileChange, changed: Changed, cause: Cause) -> None:
        """An annotation that is evaluated needs its names: without them the import fails."""
        assert change.new is not None
        for chain in change.new.statements[changed.new].effects.hints:
            name = chain.split(".")[0].split("(")[0]
            bound = any(
                name in statement.effects.binds or any(one[2] == "*" for one in statement.effects.imports)
                for statement in change.new.statements
            )
            if name and name != "self" and not bound and name not in BUILTINS:
                why = Cause(f"the annotation needs {name}, which is not there", cause)
                self.found.fails(changed.path, why)

    def _described(self, change: FileChange, changed: Changed, cause: Cause, trait: str) -> None:
        """Who reads what a definition is described by: its decorators, who names it there, who got it
        handed.
        """
        table = change.old
        assert table is not None
        path, index = changed.path, changed.old
        statement = table.statements[index]
        reads = [chain for chain in statement.effects.reads if not chain.startswith(".")]
        decorators = {
            attribute(chain) for chain in reads if not any(other.startswith(f"{chain}.") for other in reads)
        }
        decorated = CALLING in statement.effects.traits and decorators - PLAIN_DECORATORS
        if decorated and table.at_import(statement.scope):
            self.found.globals.flow((path, index), cause)
        if not table.at_import(statement.scope):
            # Defined by code that runs in tests: whoever executed that.
            self.found.add(self.evidence.executing(path, changed.lines), cause)
            return
        in_class = table.scopes[statement.scope].kind == CLASS
        slot = "." + statement.name if in_class else global_slot(path, statement.name)
        reading = self.evidence.with_traits(self.program, trait)
        for place in self.program.readers(slot):
            file, number = place
            effects = self.program.tables[file].statements[number].effects
            if trait in effects.traits:
                self.found.globals.statement(place, cause)
            elif self._hands_on(place, slot):
                mask = self.evidence.executing(file, own_span(self.program.tables[file], number))
                why = Cause(f"it is handed on at {self.program.where(place)}", cause)
                self.found.add(mask & reading, why)

    def _hands_on(self, place: Place, slot: str) -> bool:
        """Whether a statement passes something on as a value, rather than calling it or taking an
        attribute of it.
        """
        path, index = place
        table = self.program.tables[path]
        statement = table.statements[index]
        effects = statement.effects
        if effects.imports or table.at_import(statement.scope):
            return False
        local_alias = statement.kind == "Assign" and not effects.calls and not effects.stores
        for chain in effects.reads:
            if slot not in self.program.slots(path, chain) or chain in effects.calls:
                continue
            if any(other.startswith(chain + ".") for other in effects.reads):
                continue
            return not local_alias
        return False

    # Files

    def _file(self, changed: Changed) -> None:
        cause = Cause(str(changed))
        path = changed.path
        if changed.how != ADDED:
            self.found.fails(path, cause)
            return
        folder, _, name = path.rpartition("/")
        if name == "conftest.py":
            why = f"{path} is new, and can change every test below it"
            self.found.widen(self.evidence.below(folder), why, cause)
        names = set(self.program.names_for(path))
        for file, table in self.program.tables.items():
            for index, statement in enumerate(table.statements):
                if any(one[0] in names for one in statement.effects.imports):
                    self.found.globals.statement((file, index), Cause(f"{file} imports its name", cause))

    def text(self, change: FileChange) -> None:
        """A Python file's text differs, were it in a comment alone: for who read it as text, or looked
        whether it is there.
        """
        if change.differs:
            how = next((one.how for one in whole(change)), CHANGED)
            self._found(change.path, how, Cause(f"{change.path} {how}"))

    def _data(self, changed: Changed) -> None:
        path = changed.path
        cause = Cause(f"{path} {changed.how}")
        name = posixpath.basename(path)
        evidence = self.evidence
        if name.endswith(BUILT):
            self.found.widen(evidence.all, f"{path} is compiled, and who executes it is not seen", cause)
            return
        self._found(path, changed.how, cause)

    def _found(self, path: str, how: str, cause: Cause) -> None:
        """For who opened a file or, where it comes or goes, looked for it or listed its folder."""
        evidence, recording = self.evidence, self.evidence.recording
        turned = evidence.turning(path, self.gone) if how != CHANGED else ()
        looked = "it is opened, looked for, or its folder listed" if turned else "it is opened"
        mask = evidence.finding(path, turned)
        self.found.add(mask, Cause(looked, cause))
        outside = []
        for file, trace in recording.imports.items():
            if finds(trace, path, turned):
                outside.append(trace)
                read = Cause(f"it is read while {file} is imported", cause)
                for index in self.found.globals.calling(file) if file in self.program.tables else ():
                    self.found.globals.flow((file, index), read)
        for file, trace in recording.collections.items():
            if finds(trace, path, turned):
                outside.append(trace)
                self.found.widen(evidence.in_file(file), f"{path} is read while {file} is collected", cause)
        if finds(recording.session, path, turned) and not self._read_by_the_run(path):
            self.found.widen(evidence.all, f"{path} is read outside of all tests", cause)
        self._kept(
            {path, *turned, *(each.rpartition("/")[0] or "." for each in turned)}, mask, outside, cause
        )

    def _read_by_the_run(self, path: str) -> bool:
        """Whether pytest and its plugins alone read a manifest outside of all tests: of what they read there,
        `Distributions` tells.
        """
        recording = self.evidence.recording
        own = recording.readers.get(path) if recording.readers else recording.session.lines
        return is_manifest(path) and not own

    def _kept(self, paths: set[str], mask: int, outside: list[Trace], cause: Cause) -> None:
        """For those whom another one spared the reading, by keeping what it read."""
        for known in sorted(paths):
            for file, line in sorted(self.evidence.recording.readers.get(known, ())):
                scope = function_at(self.program.tables.get(file), line)
                if scope:
                    read = Cause(f"{known} is read at {file}:{line}", cause)
                    self.found.globals.keeping.kept(file, scope, mask, read, outside)


def whole(change: FileChange) -> Iterator[Changed]:
    """That a file came, went, or changed in a way that is not told apart."""
    return (one for one in change if one.kind in (FILE, DATA))


def function_at(table: FileTable | None, line: int) -> int:
    """The innermost function around a line; 0 where there is none."""
    found = 0
    for number, scope in enumerate(table.scopes if table is not None else ()):
        if scope.kind == FUNCTION and scope.first <= line <= scope.last:
            found = number  # an inner one comes after those around it
    return found


BUILTINS = frozenset(dir(builtins))
