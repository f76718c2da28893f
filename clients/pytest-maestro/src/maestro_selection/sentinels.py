"""For each file whose import can fail now, a test that would show it.

What differs at import is followed to those who read it. Were the import to fail, no test that needs the file
could run, and any one of them shows it; so one must be among those that are selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from maestro_selection.causes import Cause
from maestro_selection.changes import CODE, HINTS, IMPORT, Changed, FileChange
from maestro_selection.effects import CALLING
from maestro_selection.evidence import Evidence
from maestro_selection.program import Program


def sentinels(
    evidence: Evidence,
    program: Program,
    changes: Iterable[FileChange],
    selected: int,
    idle: Callable[[FileChange, Changed], bool],
) -> Iterator[tuple[int, Cause]]:
    """The quickest test for each such file that none of the selected ones imports.

    Parameters
    ----------
    selected : int
        The tests that are selected, as a set.
    idle : callable
        Tells of a statement that belongs to an import whether it never runs.
    """
    for change in changes:
        for path, changed in _can_fail(evidence, change):
            if changed.kind == IMPORT and idle(change, changed):
                continue
            mask = evidence.needing(program, path, surely=True) if path in program.tables else 0
            if not mask or mask & selected:
                continue
            number = min(evidence.members(mask), key=lambda each: (evidence.test(each).seconds, each))
            selected |= 1 << number
            yield (
                1 << number,
                Cause(f"it imports {path}: no other would show that this fails", Cause(str(changed))),
            )


def _can_fail(evidence: Evidence, change: FileChange) -> Iterator[tuple[str, Changed]]:
    for changed in change:
        if changed.kind == CODE:
            for importer in evidence.importing(change.path, changed.lines):
                yield importer, changed
        elif changed.kind == IMPORT and changed.new >= 0 and change.new is not None:
            effects = change.new.statements[changed.new].effects
            if effects.reads or effects.calls or effects.imports or CALLING in effects.traits:
                yield change.path, changed
        elif changed.kind == HINTS and changed.new >= 0 and change.new is not None:
            # Annotations that are evaluated are expressions like others; those that are not have no hints.
            statement = change.new.statements[changed.new]
            if statement.effects.hints and change.new.at_import(statement.scope):
                yield change.path, changed
