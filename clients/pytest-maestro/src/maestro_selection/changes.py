"""Two versions of a file compared: which statements changed, and what a change of each can alter.

Code that runs in functions is told by lines of the old version. Up to the first changed statement that it
reaches, a test runs as it did before; so a test that executed none of the lines named here cannot be
altered by that change:

- a statement that is gone or different: those who executed it;
- a statement put in before another: those who executed that other one, since a block runs in order;
- one put in at the end of a block: those who executed the statement before it;
- a new `else`, `except`, `finally` or `case`: those who executed the statement that it belongs to,
  or, between handlers, the handler after it.

Code that runs when a module is imported binds names, and is told by statements: selection follows who
reads these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from maestro_selection.records import span
from maestro_selection.tables import BLOCKS, BODY, CASES, CLASS, HANDLERS, FileTable, Statement, read

if TYPE_CHECKING:
    from maestro_selection.manifests import Difference

CODE, IMPORT, DOC, HINTS, FILE, DATA = "code", "import", "doc", "hints", "file", "data"
ADDED, REMOVED, CHANGED, MOVED = "added", "removed", "changed", "moved"

DEFINITIONS = frozenset({"FunctionDef", "AsyncFunctionDef", "ClassDef"})


@dataclass(frozen=True)
class Changed:
    """One changed statement.

    Parameters
    ----------
    path : str
        Its file.
    kind : str
        `code` runs in a function; `import` runs when the module is imported; `doc` is a docstring and
        `hints` are annotations of what
        `old` or `new` defines (both -1: of the module); `file` is a Python file whose changes could not be
        told apart; `data` is any other file.
    how : str
        `added`, `removed`, `changed` or `moved`.
    old, new : int
        Index of the statement in either table, -1 where there is none.
    lines : int
        For `code`: a bitmap of lines of the old version; only tests that executed one of them can be altered.
    scope : str
        Qualified name of the function or class around it.
    line : int
        A line for people: of the new version, or of the old one when it was removed.
    """

    path: str
    kind: str
    how: str
    old: int = -1
    new: int = -1
    lines: int = 0
    scope: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place} {self.how}" + (f" in {self.scope}" if self.scope else "")


@dataclass(frozen=True)
class FileChange:
    """What changed in one file, and its tables on both sides (None where there is no such file, or no
    Python).

    `renamed_from` is the path it had before, when that differs. `differs` tells whether a Python file's text
    does, were it in a comment: true unless both texts were given and are the same. `manifest` is what differs
    in a file that says what is installed or how tests run, where its texts are known (`manifests.told`).
    """

    path: str
    old: FileTable | None
    new: FileTable | None
    changed: tuple[Changed, ...]
    renamed_from: str = ""
    differs: bool = True
    manifest: Difference | None = None

    def __iter__(self) -> Iterator[Changed]:
        return iter(self.changed)

    def __bool__(self) -> bool:
        return bool(self.changed)


def compare(
    path: str, old: str | bytes | FileTable | None, new: str | bytes | FileTable | None
) -> FileChange:
    """What changed between two versions of a file.

    Parameters
    ----------
    old, new : source text, a table, or None
        None where the file does not exist. A table is only asked for a Python file.
    """
    if not path.endswith((".py", ".pyi", ".pyw")):
        how = ADDED if old is None else REMOVED if new is None else CHANGED
        found = () if old == new else (Changed(path, DATA, how),)
        return FileChange(path, None, None, found, differs=False)
    if old is new or (isinstance(old, (str, bytes)) and old == new):
        return FileChange(path, None, None, (), differs=False)
    before = _table(path, old)
    after = _table(path, new)
    if before is None or after is None:
        how = ADDED if before is None else REMOVED
        found = () if before is after else (Changed(path, FILE, how),)
        return FileChange(path, before, after, found)
    if before.fault or after.fault or before.future != after.future:
        same = before == after
        return FileChange(path, before, after, () if same else (Changed(path, FILE, CHANGED),))
    return FileChange(path, before, after, tuple(_Comparison(before, after).run()))


def _table(path: str, version: str | bytes | FileTable | None) -> FileTable | None:
    return read(path, version) if isinstance(version, (str, bytes)) else version


class Layout:
    """The statements of a table by the block that they stand in, and the scopes by their definition."""

    def __init__(self, table: FileTable) -> None:
        self.table = table
        self.blocks: dict[tuple[int, int], dict[str, list[int]]] = {}
        for index, statement in enumerate(table.statements):
            place = self.blocks.setdefault((statement.scope, statement.parent), {})
            place.setdefault(statement.block, []).append(index)
        self.scope_of = {scope.statement: number for number, scope in enumerate(table.scopes) if number}

    def body(self, scope: int) -> list[int]:
        """The outermost statements of a scope."""
        return self.blocks.get((scope, -1), {}).get(BODY, [])

    def inside(self, statement: int) -> dict[str, list[int]]:
        """The blocks of a compound statement."""
        return self.blocks.get((self.table.statements[statement].scope, statement), {})

    def below(self, statement: int) -> Iterator[int]:
        """A statement and every one inside it, in the same scope and in the classes (not functions)
        defined there.
        """
        yield statement
        for block in self.inside(statement).values():
            for inner in block:
                yield from self.below(inner)
        scope = self.scope_of.get(statement)
        if scope is not None and self.table.scopes[scope].kind == CLASS:
            for inner in self.body(scope):
                yield from self.below(inner)

    def executed(self, index: int) -> int:
        """Lines of which an execution of this statement leaves at least one in a trace."""
        statement = self.table.statements[index]
        lines = span(statement.first, statement.last)
        if not statement.unsure:
            return lines
        inside = self.inside(index).get(BODY)
        if inside:
            return lines | self.executed(inside[0])
        return lines | self.around(index)

    def around(self, index: int) -> int:
        """Lines of those who came to the block that a statement stands in."""
        statement = self.table.statements[index]
        siblings = self.blocks[statement.scope, statement.parent][statement.block]
        place = siblings.index(index)
        if place:
            return self.executed(siblings[place - 1])
        if statement.parent >= 0:
            return self.executed(statement.parent)
        scope = self.table.scopes[statement.scope]
        return span(scope.first, scope.last)


class _Comparison:
    def __init__(self, old: FileTable, new: FileTable) -> None:
        self.old = Layout(old)
        self.new = Layout(new)
        self.path = new.path
        self.found: list[Changed] = []

    def run(self) -> list[Changed]:
        if self.old.table.doc != self.new.table.doc:
            self.found.append(Changed(self.path, DOC, CHANGED, line=1))
        self._blocks(self.old.body(0), self.new.body(0), -1, 0, BODY)
        return self.found

    # Pairing

    def _blocks(self, old: Sequence[int], new: Sequence[int], parent: int, scope: int, block: str) -> None:
        """Compares two blocks; `parent` and `scope` are of the old version."""
        pairs = dict(_paired(self.old.table, self.new.table, old, new))
        order = {index: place for place, index in enumerate(new)}
        in_order = _rising([order[pairs[index]] for index in old if index in pairs])
        # Old statements that are still there and did not change places, by where they are now.
        anchors = {order[after]: before for before, after in pairs.items() if order[after] in in_order}
        for index in old:
            if index in pairs:
                self._pair(index, pairs[index])
            else:
                self._removed(index)
        came_from = {after: before for before, after in pairs.items()}
        for place, index in enumerate(new):
            if place in anchors:
                continue
            later = next((anchors[after] for after in range(place + 1, len(new)) if after in anchors), None)
            reached = self._reached(old, later, parent, scope, block)
            if index in came_from:
                before = came_from[index]
                self._emit(MOVED, before, index, self.old.executed(before) | reached)
            else:
                self._added(index, reached)

    def _pair(self, old: int, new: int) -> None:
        before, after = self.old.table.statements[old], self.new.table.statements[new]
        if before.digest != after.digest:
            self._emit(CHANGED, old, new, self.old.executed(old))
        if before.annotation != after.annotation:
            self._note(HINTS, old, new)
        if before.doc != after.doc:
            self._note(DOC, old, new)
        if old in self.old.scope_of:
            scope = self.old.scope_of[old]
            self._blocks(self.old.body(scope), self.new.body(self.new.scope_of[new]), -1, scope, BODY)
            return
        inside, instead = self.old.inside(old), self.new.inside(new)
        for block in BLOCKS:
            if block in inside or block in instead:
                scope = before.scope
                self._blocks(inside.get(block, []), instead.get(block, []), old, scope, block)

    # Telling

    def _at_import(self, table: FileTable, statement: Statement) -> bool:
        return table.at_import(statement.scope)

    def _emit(self, how: str, old: int, new: int, lines: int) -> None:
        table = self.old.table if old >= 0 else self.new.table
        statement = table.statements[old if old >= 0 else new]
        shown = self.new.table.statements[new] if new >= 0 else statement
        kind = IMPORT if self._at_import(table, statement) else CODE
        scope = table.scopes[statement.scope].name
        if statement.kind in DEFINITIONS:
            scope = f"{scope}.{statement.name}" if scope else statement.name
        self.found.append(Changed(self.path, kind, how, old, new, lines, scope, shown.first))

    def _note(self, kind: str, old: int, new: int) -> None:
        statement = self.new.table.statements[new]
        scope = self.new.table.scopes[self.new.scope_of.get(new, statement.scope)].name
        lines = self.old.executed(old)
        self.found.append(Changed(self.path, kind, CHANGED, old, new, lines, scope, statement.first))

    def _in_group(self, parent: int) -> bool:
        """Whether handlers are those of an `except*`, where more than one can run."""
        return self.old.table.statements[parent].kind == "TryStar"

    def _removed(self, index: int) -> None:
        statement = self.old.table.statements[index]
        if self._at_import(self.old.table, statement):
            for inner in self.old.below(index):
                self._emit(REMOVED, inner, -1, self.old.executed(inner))
        else:
            self._emit(REMOVED, index, -1, self.old.executed(index))

    def _added(self, index: int, reached: int) -> None:
        if self._at_import(self.new.table, self.new.table.statements[index]):
            for inner in self.new.below(index):
                self._emit(ADDED, -1, inner, 0)
        else:
            self._emit(ADDED, -1, index, reached)

    def _reached(self, old: Sequence[int], later: int | None, parent: int, scope: int, block: str) -> int:
        """Lines of those who come to the place before `later` (None: the end) of an old block."""
        if block == CASES or (block == HANDLERS and self._in_group(parent)):
            return self.old.executed(parent)
        if later is not None:
            return self.old.executed(later)
        if old:
            return self.old.executed(old[-1])
        if parent >= 0:
            return self.old.executed(parent)
        around = self.old.table.scopes[scope]
        return span(around.first, around.last)


def _paired(
    old: FileTable, new: FileTable, left: Sequence[int], right: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Statements of two blocks that are versions of each other."""
    rest_left, rest_right = list(left), list(right)
    for key in (_whole, _header):
        keys_left = [key(old.statements[index]) for index in rest_left]
        keys_right = [key(new.statements[index]) for index in rest_right]
        matcher = SequenceMatcher(None, keys_left, keys_right, autojunk=False)
        taken_left, taken_right = set(), set()
        for match in matcher.get_matching_blocks():
            for step in range(match.size):
                a, b = rest_left[match.a + step], rest_right[match.b + step]
                yield a, b
                taken_left.add(a)
                taken_right.add(b)
        rest_left = [index for index in rest_left if index not in taken_left]
        rest_right = [index for index in rest_right if index not in taken_right]
    # Definitions are found by their names wherever they went; the rest of one kind in its order.
    for key in (_definition, _compound):
        waiting: dict[str, list[int]] = {}
        for index in rest_right:
            name = key(new.statements[index])
            if name:
                waiting.setdefault(name, []).append(index)
        for index in rest_left:
            name = key(old.statements[index])
            if name and waiting.get(name):
                other = waiting[name].pop(0)
                yield index, other
                rest_left = [one for one in rest_left if one != index]
                rest_right = [one for one in rest_right if one != other]


def _whole(statement: Statement) -> str:
    return statement.tree


def _header(statement: Statement) -> str:
    if statement.kind in DEFINITIONS:
        return _definition(statement)
    return f"{statement.kind} {statement.digest}" if statement.end > statement.last else statement.tree


def _definition(statement: Statement) -> str:
    if statement.kind not in DEFINITIONS:
        return ""
    return ("class " if statement.kind == "ClassDef" else "def ") + statement.name


def _compound(statement: Statement) -> str:
    return statement.kind if statement.end > statement.last and statement.kind not in DEFINITIONS else ""


def _rising(places: Sequence[int]) -> set[int]:
    """The members of a longest rising run of numbers (patience sorting)."""
    tops: list[int] = []
    back: dict[int, int] = {}
    for value in places:
        low, high = 0, len(tops)
        while low < high:
            middle = (low + high) // 2
            if tops[middle] < value:
                low = middle + 1
            else:
                high = middle
        if low:
            back[value] = tops[low - 1]
        if low == len(tops):
            tops.append(value)
        else:
            tops[low] = value
    kept: set[int] = set()
    current = tops[-1] if tops else None
    while current is not None:
        kept.add(current)
        current = back.get(current)
    return kept
