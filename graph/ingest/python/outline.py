"""First pass over a file's tree: which symbols it defines, and the statements that make each of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from graph.schema import Sort

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
DefinitionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor)
WITHS = (ast.With, ast.AsyncWith)
TRIES: tuple[type[ast.AST], ...] = tuple(
    kind for kind in (getattr(ast, name, None) for name in ("Try", "TryStar")) if kind is not None
)


class Draft:
    """A definition while it is put together."""

    __slots__ = (
        "column",
        "contexts",
        "end",
        "line",
        "mark",
        "name",
        "node",
        "ordinal",
        "parent",
        "qualname",
        "sort",
        "statements",
    )

    def __init__(
        self, qualname: str, name: str, sort: Sort, parent: int, node: DefinitionNode | None
    ) -> None:
        self.qualname = qualname
        self.name = name
        self.sort = sort
        self.parent = parent
        self.node = node
        self.ordinal = 0
        self.line = self.mark = self.end = 1
        self.column = 0
        self.statements: list[ast.AST] = []
        """Statements that bind a constant or attribute; for a module or class those that bind nothing."""
        self.contexts: list[ast.AST] = []
        """Headers of the compound statements that decide whether the definition comes about."""


class Outline:
    """The symbols of one tree.

    Attributes
    ----------
    drafts : list of Draft
        The module first, then in the order of the source.
    places : dict from a definition's node to its place
    symbols : dict from a module's or class's place to its constants or attributes by name
    """

    def __init__(self, tree: ast.Module, lines: Sequence[str], walrus: bool) -> None:
        self.lines = lines
        self.walrus = walrus
        module = Draft("<module>", "<module>", Sort.MODULE, -1, None)
        module.end = max(1, len(lines))
        self.drafts = [module]
        self.places: dict[ast.AST, int] = {}
        self.symbols: dict[int, dict[str, int]] = {0: {}}
        self.counts: dict[str, int] = {"<module>": 1}
        self.imports: list[ast.stmt] = []
        """Imports that run with the module, and the tests that decide between them."""
        self.every_import: list[ast.stmt] = []
        """Imports wherever they stand."""
        self.guarded: list[tuple[ast.stmt, tuple[ast.AST, ...]]] = []
        """Imports that run with the module under some condition, and the statements that decide."""
        self.scripts: list[ast.stmt] = []
        """Statements that run only when the file is started as a script."""
        self._beside: list[ast.stmt] | None = None
        self._self: list[tuple[str, int]] = []
        self._globals: list[set[str]] = []
        self._body(tree.body, 0, ())

    def _add(self, draft: Draft) -> int:
        draft.ordinal = self.counts.get(draft.qualname, 0)
        self.counts[draft.qualname] = draft.ordinal + 1
        self.drafts.append(draft)
        return len(self.drafts) - 1

    def _body(self, body: Sequence[ast.stmt], owner: int, contexts: tuple[ast.AST, ...]) -> None:
        """Statements that run in the namespace of a module or class."""
        for statement in body:
            if isinstance(statement, FUNCTIONS):
                self._function(statement, owner, contexts)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, owner, contexts)
            else:
                self._statement(statement, owner, contexts)

    def _keep(self, statement: ast.stmt, owner: int) -> None:
        """A statement that runs with its module or class and makes no symbol."""
        if self._beside is not None:
            self._beside.append(statement)
        elif owner == 0 and isinstance(statement, (ast.Import, ast.ImportFrom)):
            self.imports.append(statement)
        else:
            self.drafts[owner].statements.append(statement)

    def _statement(self, statement: ast.stmt, owner: int, contexts: tuple[ast.AST, ...]) -> None:
        before = self._beside
        if isinstance(statement, ast.If) and (is_typing_guard(statement) or is_script_guard(statement)):
            self._beside = [] if is_typing_guard(statement) else self.scripts
            self._body(statement.body, owner, contexts)
            self._beside = before
            self._body(statement.orelse, owner, contexts)
            return
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self.every_import.append(statement)
            if contexts:
                self.guarded.append((statement, contexts))
        blocks = list(blocks_of(statement))
        names = list(bound_names(statement))
        if self.walrus and not blocks:
            names.extend(node.target for node in ast.walk(statement) if isinstance(node, ast.NamedExpr))
        stands_alone = bool(blocks) and (bool(names) or not only_binds(statement))
        if not names and (not blocks or stands_alone):
            self._keep(statement, owner)
        elif blocks and owner == 0 and self._beside is None and has_imports(statement):
            self.imports.append(statement)
        for name in names:
            self._bind(name.id, name, owner, statement, contexts)
        if names and stands_alone:
            self._keep(statement, owner)
        if blocks:
            inner = contexts if stands_alone else (*contexts, statement)
            for block in blocks:
                self._body(block, owner, inner)

    def _bind(
        self,
        name: str,
        at: ast.Name | ast.Attribute,
        owner: int,
        statement: ast.AST,
        contexts: tuple[ast.AST, ...],
    ) -> None:
        """One more statement that binds a constant (of a module) or an attribute (of a class)."""
        symbols = self.symbols[owner]
        place = symbols.get(name)
        line = at.end_lineno or at.lineno
        if place is None:
            parent = self.drafts[owner]
            sort = Sort.CONSTANT if parent.sort is Sort.MODULE else Sort.ATTRIBUTE
            qualname = name if parent.sort is Sort.MODULE else f"{parent.qualname}.{name}"
            draft = Draft(qualname, name, sort, owner, None)
            draft.line = getattr(statement, "lineno", line)
            draft.mark = line
            draft.end = end_of(statement)
            draft.column = (
                at.col_offset if isinstance(at, ast.Name) else (at.end_col_offset or 0) - len(name.encode())
            )
            place = symbols[name] = self._add(draft)
        draft = self.drafts[place]
        if not draft.statements or draft.statements[-1] is not statement:
            draft.statements.append(statement)
        draft.contexts.extend(contexts)

    def _start(self, node: DefinitionNode, sort: Sort, owner: int, contexts: tuple[ast.AST, ...]) -> int:
        parent = self.drafts[owner]
        qualname = node.name
        if parent.sort in (Sort.FUNCTION, Sort.METHOD):
            qualname = f"{parent.qualname}.<locals>.{node.name}"
        elif parent.sort is Sort.CLASS:
            qualname = f"{parent.qualname}.{node.name}"
        draft = Draft(qualname, node.name, sort, owner, node)
        draft.line = min([node.lineno, *(item.lineno for item in node.decorator_list)])
        draft.mark = node.lineno
        draft.end = node.end_lineno or node.lineno
        draft.column = self._name_column(node)
        draft.contexts.extend(contexts)
        place = self.places[node] = self._add(draft)
        return place

    def _name_column(self, node: DefinitionNode) -> int:
        """Byte column of the name; on the keyword's line unless a backslash parts them."""
        skip = node.col_offset + (5 if isinstance(node, ast.ClassDef) else 3)
        if isinstance(node, ast.AsyncFunctionDef):
            skip += 5
        line = self.lines[node.lineno - 1] if node.lineno <= len(self.lines) else ""
        if line.isascii():
            found = line.find(node.name, skip)
        else:
            found = line.encode("utf-8", "surrogatepass").find(node.name.encode(), skip)
        return found if found >= 0 else skip + 1

    def _class(self, node: ast.ClassDef, owner: int, contexts: tuple[ast.AST, ...]) -> None:
        place = self._start(node, Sort.CLASS, owner, contexts)
        self.symbols[place] = {}
        self._body(node.body, place, ())

    def _function(self, node: FunctionNode, owner: int, contexts: tuple[ast.AST, ...]) -> None:
        inside = self.drafts[owner].sort is Sort.CLASS
        place = self._start(node, Sort.METHOD if inside else Sort.FUNCTION, owner, contexts)
        self._self.append((first_parameter(node), owner) if inside else ("", -1))
        self._globals.append(set())
        self._run(node.body, place)
        self._self.pop()
        self._globals.pop()

    def _run(self, body: Sequence[ast.stmt], owner: int) -> None:
        """Statements that run when a function is called: nested definitions, `self.x =`, `global x`."""
        for statement in body:
            if isinstance(statement, FUNCTIONS):
                self._function(statement, owner, ())
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, owner, ())
            elif isinstance(statement, ast.Global):
                self._globals[-1].update(statement.names)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                self.every_import.append(statement)
            else:
                self._stores(statement)
                for block in blocks_of(statement):
                    self._run(block, owner)

    def _stores(self, statement: ast.stmt) -> None:
        for target in targets_of(statement):
            for item in flat(target):
                if isinstance(item, ast.Name) and item.id in self._globals[-1]:
                    self._bind(item.id, item, 0, statement, ())
                elif isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
                    for name, owner in reversed(self._self):
                        if name and name == item.value.id:
                            self._bind(item.attr, item, owner, statement, ())
                            break


def first_parameter(node: FunctionNode) -> str:
    """Name of the parameter that receives the instance or class; empty for a static method."""
    if any(isinstance(item, ast.Name) and item.id == "staticmethod" for item in node.decorator_list):
        return ""
    parameters = node.args.posonlyargs or node.args.args
    return parameters[0].arg if parameters else ""


def blocks_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Blocks of statements inside a compound statement that share its namespace."""
    if isinstance(statement, (ast.If, ast.For, ast.AsyncFor, ast.While)):
        yield statement.body
        if statement.orelse:
            yield statement.orelse
    elif isinstance(statement, WITHS):
        yield statement.body
    elif isinstance(statement, TRIES):
        yield statement.body  # type: ignore[attr-defined]
        for handler in statement.handlers:  # type: ignore[attr-defined]
            yield handler.body
        yield statement.orelse  # type: ignore[attr-defined]
        yield statement.finalbody  # type: ignore[attr-defined]
    elif isinstance(statement, ast.Match):
        for case in statement.cases:
            yield case.body


def targets_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """Expressions that a statement itself assigns to, its blocks left out."""
    if isinstance(statement, ast.Assign):
        yield from statement.targets
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign, ast.For, ast.AsyncFor)):
        yield statement.target
    elif isinstance(statement, WITHS):
        for item in statement.items:
            if item.optional_vars is not None:
                yield item.optional_vars
    elif isinstance(statement, ast.Delete):
        yield from statement.targets
    elif type(statement).__name__ == "TypeAlias":
        yield statement.name  # type: ignore[attr-defined]


def flat(target: ast.expr) -> Iterator[ast.expr]:
    """The single targets of a nested one: `(a, *b), c.d` is a, b, c.d."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for item in target.elts:
            yield from flat(item)
    elif isinstance(target, ast.Starred):
        yield from flat(target.value)
    else:
        yield target


def bound_names(statement: ast.stmt) -> Iterator[ast.Name]:
    """Names that a statement itself binds (or unbinds) in its namespace; imports are not counted."""
    for target in targets_of(statement):
        for item in flat(target):
            if isinstance(item, ast.Name):
                yield item


def only_binds(statement: ast.stmt) -> bool:
    """Whether an `if` or `try` does nothing but decide what some names are bound to."""
    if isinstance(statement, (ast.If, *TRIES)):
        return all(only_binds(inner) for block in blocks_of(statement) for inner in block)
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        return any(True for _ in bound_names(statement))
    plain = (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass, ast.Raise)
    return isinstance(statement, plain) or is_string(statement)


def has_imports(statement: ast.stmt) -> bool:
    """Whether a compound statement decides between imports."""
    return any(
        isinstance(inner, (ast.Import, ast.ImportFrom)) or has_imports(inner)
        for block in blocks_of(statement)
        for inner in block
    )


def is_string(statement: ast.AST) -> bool:
    """Whether a statement is a string that stands alone: a docstring, or a comment by habit."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def is_typing_guard(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, whose block never runs."""
    if not isinstance(statement, ast.If):
        return False
    test = statement.test
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def is_script_guard(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, whose block runs only in a script."""
    if not (isinstance(statement, ast.If) and isinstance(statement.test, ast.Compare)):
        return False
    test = statement.test
    sides = (test.left, *test.comparators)
    return (
        len(sides) == 2
        and isinstance(test.ops[0], ast.Eq)
        and any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
        and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    )


def end_of(statement: ast.AST) -> int:
    """Last line of a statement; of a compound one, of its header."""
    if not isinstance(statement, ast.stmt):
        return 1
    for block in blocks_of(statement):
        if block:
            return max(statement.lineno, block[0].lineno - 1)
    return statement.end_lineno or statement.lineno
