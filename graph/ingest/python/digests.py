"""What the code of each symbol amounts to, without what cannot be observed: the digests of a Definition.

Comments, formatting, quotes and parentheses are gone in the tree already. The dump leaves out docstrings,
`pass`, annotations that nothing evaluates and nested definitions. Which imported names a part of a symbol
uses is told apart: what they stand for is known only when all files are linked (see borrowing.py).
Structural hashing of syntax trees: Baxter et al., Clone Detection Using Abstract Syntax Trees, ICSM 1998.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b
from typing import Any

from graph.ingest.python.outline import Draft, FunctionNode, Outline, blocks_of, is_string
from graph.ingest.python.records import Definition
from graph.schema import Sort

CODE, SIGNATURE, DECORATION = range(3)
"""Parts of a symbol that have a digest each."""

EMPTY = "00000000"
"""Digest of nothing."""

INERT = frozenset(
    [
        "staticmethod",
        "classmethod",
        "property",
        "cached_property",
        "overload",
        "abstractmethod",
        "abstractproperty",
        "setter",
        "getter",
        "deleter",
        "override",
        "final",
        "wraps",
        "lru_cache",
        "cache",
        "contextmanager",
        "asynccontextmanager",
        "total_ordering",
    ]
)
"""Decorators, by their last name, that never look at a function's annotations."""

_SKIPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores", "lineno", "annotation", "returns"})
_BLOCKS = frozenset({"body", "orelse", "handlers", "finalbody", "cases"})


def digest(parts: Iterable[str]) -> str:
    """Eight hexadecimal characters of BLAKE2b over the parts; EMPTY where there are none."""
    text = "\x1f".join(parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest() if text else EMPTY


def _fields() -> dict[type, tuple[str, ...]]:
    kinds = [kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)]
    return {kind: tuple(name for name in kind._fields if name not in _SKIPPED) for kind in kinds}


FIELDS = _fields()


class Dump:
    """Writes trees as flat lists of words, and keeps which imported names it met in which part.

    Parameters
    ----------
    imported : collection of str
        Names that the file's imports bind.
    """

    def __init__(self, imported: Collection[str]) -> None:
        self.imported = imported
        self.borrowed: dict[str, list[int]] = {}
        """Imported name to `4 * place + part` of the digests that it counts in."""
        self.place = 0
        self._met: set[str] = set()
        self.out: list[str] = []
        self.annotations: list[ast.expr] = []
        self.strings: list[str] = []
        self._special: dict[type, Callable[[ast.AST], None]] = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Expr: self._expression,
            ast.Pass: self._nothing,
            ast.AnnAssign: self._annotated,
            ast.FunctionDef: self._nested,
            ast.AsyncFunctionDef: self._nested,
            ast.ClassDef: self._nested,
        }

    def take(self) -> list[str]:
        """The words since the last call."""
        out, self.out = self.out, []
        self._met.clear()
        return out

    def close(self, part: int) -> str:
        """Digest of the words since the last call: a part (CODE, SIGNATURE, DECORATION) of the symbol."""
        for name in sorted(self._met):
            self.borrowed.setdefault(name, []).append(4 * self.place + part)
        return digest(self.take())

    def node(self, node: ast.AST) -> None:
        """Append one tree's words."""
        kind = node.__class__
        special = self._special.get(kind)
        if special is not None:
            special(node)
            return
        out, down = self.out, self.node
        out.append(kind.__name__)
        for name in FIELDS[kind]:
            value: Any = getattr(node, name, None)
            of = value.__class__
            if of in FIELDS:
                down(value)
            elif of is list:
                out.append("[")
                for item in value:
                    inside = item.__class__
                    if inside in FIELDS:
                        down(item)
                    else:
                        out.append(str(item))
                out.append("]")
            elif of is str:
                out.append(value)
            else:
                out.append("-" if value is None else repr(value))

    def header(self, statement: ast.AST) -> None:
        """A statement of a module or class: of a compound one only what stands before its blocks."""
        if not isinstance(statement, ast.stmt) or not any(True for _ in blocks_of(statement)):
            self.node(statement)
            return
        self.out.append(statement.__class__.__name__)
        for name in FIELDS[statement.__class__]:
            value = getattr(statement, name, None)
            if name == "handlers":
                for handler in statement.handlers:  # type: ignore[attr-defined]
                    if handler.type is not None:
                        self.node(handler.type)
            elif name == "cases":
                for case in statement.cases:  # type: ignore[attr-defined]
                    self.node(case.pattern)
                    if case.guard is not None:
                        self.node(case.guard)
            elif name not in _BLOCKS:
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, ast.AST):
                        self.node(item)

    def field(self, node: ast.AnnAssign) -> None:
        """A field of a class body, whose annotation the class's maker may read."""
        self.out.append("field")
        self.node(node.target)
        self.node(node.annotation)
        if node.value is not None:
            self.node(node.value)

    def _name(self, node: ast.AST) -> None:
        name: str = node.id  # type: ignore[attr-defined]
        self.out.append("'" + name)
        if name in self.imported:
            self._met.add(name)

    def _constant(self, node: ast.AST) -> None:
        value = node.value  # type: ignore[attr-defined]
        kind = value.__class__
        self.out.append("=" + value if kind is str else hex(value) if kind is int else repr(value))

    def _expression(self, node: ast.AST) -> None:
        if is_string(node):
            self.strings.append(node.value.value)  # type: ignore[attr-defined]
        else:
            self.node(node.value)  # type: ignore[attr-defined]

    def _nothing(self, node: ast.AST) -> None:
        """`pass` does nothing: a docstring may take its place."""

    def _annotated(self, node: ast.AST) -> None:
        self.annotations.append(node.annotation)  # type: ignore[attr-defined]
        if node.value is not None:  # type: ignore[attr-defined]
            self.out += ("Assign", "[")
            self.node(node.target)  # type: ignore[attr-defined]
            self.out.append("]")
            self.node(node.value)  # type: ignore[attr-defined]

    def _nested(self, node: ast.AST) -> None:
        self.out += ("def", node.name)  # type: ignore[attr-defined]


def imported_names(statement: ast.stmt) -> list[tuple[str, str]]:
    """Names that an import binds, with what it says they stand for; none for `*`."""
    if isinstance(statement, ast.Import):
        return [(item.asname or item.name.partition(".")[0], item.name) for item in statement.names]
    if isinstance(statement, ast.ImportFrom):
        source = f"{'.' * statement.level}{statement.module or ''}"
        items = [item for item in statement.names if item.name != "*"]
        return [(item.asname or item.name, f"{source}:{item.name}") for item in items]
    return []


def conditions(outline: Outline) -> dict[str, str]:
    """Digest of the tests that decide which import of a name counts, by name, and of their order.

    What the alternatives are is not part of it, only how the later ones sort among them.
    """
    found: dict[str, list[tuple[str, tuple[ast.AST, ...]]]] = {}
    for statement, contexts in outline.guarded:
        for name, source in imported_names(statement):
            found.setdefault(name, []).append((source, contexts))
    dump = Dump(())
    digests = {}
    for name, ways in found.items():
        order = sorted(range(len(ways)), key=lambda at, ways=ways: ways[at][0])  # type: ignore[misc]
        dump.out.extend(map(str, order))
        for _, contexts in ways:
            for context in contexts:
                dump.header(context)
        digests[name] = dump.close(CODE)
    return digests


def seal(outline: Outline, tree: ast.Module) -> tuple[list[Definition], dict[str, list[int]]]:
    """The finished definitions, digests included, and the imported names they use as in `Dump.borrowed`.

    Columns are in bytes still.
    """
    names = {name for statement in outline.every_import for name, _ in imported_names(statement)}
    dump = Dump(names)
    found = [_seal(draft, place, outline, tree, dump) for place, draft in enumerate(outline.drafts)]
    return found, dump.borrowed


def _seal(draft: Draft, place: int, outline: Outline, tree: ast.Module, dump: Dump) -> Definition:
    dump.annotations, dump.strings = [], []
    dump.place = place
    signature = decoration = EMPTY
    if draft.sort is Sort.MODULE:
        code = _statements(draft.statements, dump, CODE)
        signature = _statements([item for item in outline.imports if not _is_future(item)], dump, SIGNATURE)
        decoration = _statements(outline.scripts, dump, DECORATION)
    elif isinstance(draft.node, ast.ClassDef):
        code, signature, decoration = _class(draft, draft.node, dump)
    elif draft.node is not None:
        code, signature, decoration = _function(draft, draft.node, dump)
    else:
        code = _binding(draft, outline, dump)
    return Definition(
        draft.qualname,
        draft.ordinal,
        draft.sort,
        draft.line,
        draft.mark,
        draft.end,
        draft.column,
        draft.parent,
        code,
        signature,
        decoration,
        _documentation(dump),
    )


def _documentation(dump: Dump) -> str:
    if not dump.annotations and not dump.strings:
        return EMPTY
    strings, dump.strings = dump.strings, []
    dump.take()
    for annotation in dump.annotations:
        dump.node(annotation)
        dump.out.append(";")
    return digest([*strings, *dump.take()])


def _is_future(statement: ast.AST) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__" and not statement.level


def _statements(statements: Iterable[ast.AST], dump: Dump, part: int) -> str:
    dump.take()
    for statement in statements:
        dump.header(statement)
    return dump.close(part)


def _contexts(draft: Draft, dump: Dump) -> None:
    for context in draft.contexts:
        dump.header(context)


def _binding(draft: Draft, outline: Outline, dump: Dump) -> str:
    dump.take()
    fields = draft.sort is Sort.ATTRIBUTE
    for statement in draft.statements:
        if fields and isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            dump.field(statement)
        else:
            dump.header(statement)
    _contexts(draft, dump)
    return dump.close(CODE)


def _class(draft: Draft, node: ast.ClassDef, dump: Dump) -> tuple[str, str, str]:
    dump.take()
    for statement in draft.statements:
        dump.header(statement)
    if node.decorator_list or node.bases or node.keywords:
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                dump.field(statement)
    _contexts(draft, dump)
    code = dump.close(CODE)
    for item in (*node.bases, *node.keywords, *getattr(node, "type_params", ())):
        dump.node(item)
    signature = dump.close(SIGNATURE)
    # A class body's strings were left to its Expr statements, which `statements` holds.
    return code, signature, _decoration(node.decorator_list, dump)


def _function(draft: Draft, node: FunctionNode, dump: Dump) -> tuple[str, str, str]:
    dump.take()
    dump.out.append(node.__class__.__name__)
    for statement in node.body:
        dump.node(statement)
    _contexts(draft, dump)
    code = dump.close(CODE)
    arguments = node.args
    dump.node(arguments)
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    annotations = [item.annotation for item in every if item is not None and item.annotation is not None]
    if node.returns is not None:
        annotations.append(node.returns)
    if not annotations or all(_is_inert(item) for item in node.decorator_list):
        dump.annotations.extend(annotations)
    else:
        # Order alone would not tell which parameter an annotation belongs to.
        for item in every:
            dump.out.append(":")
            if item is not None and item.annotation is not None:
                dump.node(item.annotation)
        if node.returns is not None:
            dump.node(node.returns)
    signature = dump.close(SIGNATURE)
    return code, signature, _decoration(node.decorator_list, dump)


def _decoration(decorators: list[ast.expr], dump: Dump) -> str:
    for item in decorators:
        dump.node(item)
    return dump.close(DECORATION)


def _is_inert(decorator: ast.expr) -> bool:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(inner, ast.Attribute):
        return inner.attr in INERT
    return isinstance(inner, ast.Name) and inner.id in INERT
