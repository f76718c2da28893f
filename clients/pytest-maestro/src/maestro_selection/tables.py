"""The table of one Python file: its statements, where each executes, and what it reads and writes.

`read` turns source text into a `FileTable`, which says of every statement which lines are its own (a compound
statement's own lines are its header), a digest of what it means (formatting, comments, docstrings and
annotations left out; these have digests of their own), the scope that it executes in, and which global
names and attributes it reads, binds and may alter. That is all a comparison of two versions and a
selection need, so a recording can do without the source text.

How reads and writes are written: `name` is a global of the file (or a builtin), `root.attr.attr` a chain
of attributes that starts at a global, `.attr` an attribute of anything else. A local variable is none of
these.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maestro_selection.effects import Effects
from maestro_selection.extraction import effects_of
from maestro_selection.meaning import digest, is_inert, own_parts, resolve, text_digest

VERSION = 4

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
TRIES = tuple(kind for kind in (ast.Try, getattr(ast, "TryStar", None)) if kind is not None)

MODULE, CLASS, FUNCTION = "module", "class", "function"
BODY, ORELSE, FINALLY, HANDLERS, CASES = "body", "orelse", "finalbody", "handlers", "cases"
BLOCKS = (BODY, HANDLERS, CASES, ORELSE, FINALLY)


@dataclass(frozen=True)
class Statement:
    """A statement, without the statements inside it.

    Parameters
    ----------
    kind : str
        The name of its class in `ast`, as `Assign`, `If`, `FunctionDef`, `ExceptHandler`, `match_case`.
    scope : int
        Index of the scope that it executes in.
    parent : int
        Index of the compound statement around it in the same scope, or -1.
    block : str
        Which part of the parent it is in, one of `BLOCKS`.
    first, last : int
        Lines of its own: of a compound statement, those of its header (decorators included).
    end : int
        Last line of everything in it.
    digest : str
        Of its own meaning: names with the kind of scope they resolve in, no docstring, no annotation that
        only describes.
    tree : str
        Of it and everything inside it.
    annotation : str
        Digest of its annotations, empty when it has none.
    doc : str
        Digest of the docstring of what it defines, empty when it has none.
    name : str
        What a `def`, `class`, import or plain assignment binds, when that is one name.
    effects : Effects
        What its own part reads and writes.
    unsure : bool
        Whether an execution may leave no line of its own in a trace.
    """

    kind: str
    scope: int
    parent: int
    block: str
    first: int
    last: int
    end: int
    digest: str
    tree: str
    annotation: str = ""
    doc: str = ""
    name: str = ""
    effects: Effects = field(default_factory=Effects)
    unsure: bool = False


@dataclass(frozen=True)
class Scope:
    """A module, class or function: a stretch of code with names of its own.

    Parameters
    ----------
    kind : str
        `module`, `class` or `function`.
    name : str
        Qualified name within the file; empty for the module.
    parent : int
        Index of the scope that its definition executes in, -1 for the module.
    statement : int
        Index of its definition, -1 for the module.
    first, last : int
        Lines, decorators included.
    traits : str
        Letters: `g` generator, `a` async, `c` does something when created beyond binding its name (a class
        with decorators, keywords or a base that is not known to be plain).
    bases : tuple of str
        A class's bases, as reads are written; `?` for one that is no name.
    defaults : tuple
        A function's parameters with a default that reads something, and what it reads.
    """

    kind: str
    name: str
    parent: int
    statement: int
    first: int
    last: int
    traits: str = ""
    bases: tuple[str, ...] = ()
    defaults: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class FileTable:
    """What is to be known of one Python file. `fault` says why it could not be read, else it is empty."""

    path: str
    scopes: tuple[Scope, ...]
    statements: tuple[Statement, ...]
    future: tuple[str, ...] = ()
    doc: str = ""
    fault: str = ""

    def at_import(self, scope: int) -> bool:
        """Whether statements of this scope execute when the module is imported."""
        while self.scopes[scope].kind == CLASS:
            scope = self.scopes[scope].parent
        return self.scopes[scope].kind == MODULE

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "version": VERSION,
            "path": self.path,
            "future": list(self.future),
            "doc": self.doc,
            "fault": self.fault,
            "scopes": [
                [
                    s.kind,
                    s.name,
                    s.parent,
                    s.statement,
                    s.first,
                    s.last,
                    s.traits,
                    list(s.bases),
                    list(s.defaults),
                ]
                for s in self.scopes
            ],
            "statements": [_packed(statement) for statement in self.statements],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileTable:
        """The table that `to_json` wrote; a ValueError when it is another version's."""
        if data.get("version") != VERSION:
            raise ValueError(f"a file table of version {data.get('version')!r}, where {VERSION} is known")
        return cls(
            data["path"],
            tuple(_scope(row) for row in data["scopes"]),
            tuple(_unpacked(row) for row in data["statements"]),
            tuple(data["future"]),
            data["doc"],
            data["fault"],
        )


def _scope(row: list[Any]) -> Scope:
    kind, name, parent, statement, first, last, traits, bases, given = row
    defaults = tuple((parameter, tuple(reads)) for parameter, reads in given)
    return Scope(kind, name, parent, statement, first, last, traits, tuple(bases), defaults)


def _packed(s: Statement) -> list[Any]:
    tail = [s.annotation, s.doc, s.name, s.effects.to_json(), int(s.unsure)]
    return [s.kind, s.scope, s.parent, BLOCKS.index(s.block), s.first, s.last, s.end, s.digest, s.tree, *tail]


def _unpacked(row: list[Any]) -> Statement:
    kind, scope, parent, block, first, last, end, own, tree, annotation, doc, name, effects, unsure = row
    return Statement(
        kind,
        scope,
        parent,
        BLOCKS[block],
        first,
        last,
        end,
        own,
        tree,
        annotation,
        doc,
        name,
        Effects.from_json(effects),
        bool(unsure),
    )


def read(path: str, source: str | bytes) -> FileTable:
    """The table of a file.

    A file that cannot be parsed has a table with `fault` set and nothing else: its changes cannot be
    classed, and select by the whole file.
    """
    try:
        module = ast.parse(source)
        return _Reader(path, module).table()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        fault = f"{type(error).__name__}: {error}"
        content = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
        whole = hashlib.sha256(content).hexdigest()[:16]
        return FileTable(path, (Scope(MODULE, "", -1, -1, 1, 1),), (), doc=whole, fault=fault)


class _Reader:
    def __init__(self, path: str, module: ast.Module) -> None:
        self.path = path
        self.module = module
        self.scopes: list[Scope] = []
        self.statements: list[Statement | None] = []
        self.future = tuple(
            sorted(
                alias.name
                for node in module.body
                if isinstance(node, ast.ImportFrom) and node.module == "__future__"
                for alias in node.names
            )
        )
        self.names = resolve(module)

    def table(self) -> FileTable:
        last = max((node.end_lineno or 1 for node in self.module.body), default=1)
        self.scopes.append(Scope(MODULE, "", -1, -1, 1, last))
        self._block(self.module.body, 0, -1, BODY)
        kept = tuple(statement for statement in self.statements if statement is not None)
        return FileTable(self.path, tuple(self.scopes), kept, self.future, _doc(self.module))

    def _block(self, body: list[ast.stmt], scope: int, parent: int, block: str) -> list[str]:
        """Enters the statements of a block; the digests of their trees."""
        digests = []
        for node in body:
            if is_inert(node):
                continue
            digests.append(self._statement(node, scope, parent, block))
        return digests

    def _statement(self, node: ast.AST, scope: int, parent: int, block: str) -> str:
        place = len(self.statements)
        self.statements.append(None)
        in_function = self.scopes[scope].kind == FUNCTION
        own = digest(own_parts(node), self.names)
        kind = type(node).__name__
        defines = isinstance(node, (*FUNCTIONS, ast.ClassDef))
        evaluated = "annotations" not in self.future and not (in_function and isinstance(node, ast.AnnAssign))
        traits = ""
        if defines:
            # Whether it is a generator is part of what a function means.
            traits, parts = self._definition(node, scope, place)
        else:
            parts = self._blocks(node, scope, place)
        tree = text_digest(kind, own, traits, *parts)
        first, last, end = _lines(node)
        self.statements[place] = Statement(
            kind,
            scope,
            parent,
            block,
            first,
            last,
            end,
            text_digest(kind, own, traits.replace("c", "")) if defines else own,
            tree,
            annotation=_annotation(node, self.names, in_function),
            doc=_doc(node) if defines else "",
            name=_bound_name(node),
            effects=effects_of(node, self.names, evaluated=evaluated),
            unsure=_is_unsure(node),
        )
        return tree

    def _blocks(self, node: ast.AST, scope: int, place: int) -> list[str]:
        parts = []
        for block in BLOCKS:
            inside = getattr(node, block, None)
            if isinstance(inside, list) and inside:
                found = self._block(inside, scope, place, block)
                if found:
                    parts.append(text_digest(block, *found))
        return parts

    def _definition(self, node: Any, scope: int, place: int) -> tuple[str, list[str]]:
        index = len(self.scopes)
        around = self.scopes[scope].name
        if around and self.scopes[scope].kind == FUNCTION:
            around += ".<locals>"
        name = f"{around}.{node.name}" if around else node.name
        first, _, end = _lines(node)
        is_class = isinstance(node, ast.ClassDef)
        bases = tuple(_base(base) for base in node.bases) if is_class else ()
        traits = _class_traits(node) if is_class else _function_traits(node)
        kind = CLASS if is_class else FUNCTION
        defaults = () if is_class else self._defaults(node)
        self.scopes.append(Scope(kind, name, scope, place, first, end, traits, bases, defaults))
        return traits, self._block(node.body, index, -1, BODY)

    def _defaults(self, node: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = list(zip(reversed(positional), reversed(arguments.defaults)))
        pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults) if value]
        found = []
        for name, value in pairs:
            reads = effects_of(ast.Expr(value), self.names, evaluated=False).reads
            if reads:
                found.append((name.arg, reads))
        return tuple(found)


def _lines(node: Any) -> tuple[int, int, int]:
    """First line, last line of the own part, and last line of all of it."""
    if type(node).__name__ == "match_case":
        first, end = node.pattern.lineno, max(child.end_lineno or 0 for child in node.body)
        guard = node.guard.end_lineno if node.guard is not None else 0
        return first, max(node.pattern.end_lineno, guard), end
    first, end = node.lineno, node.end_lineno
    for decorator in getattr(node, "decorator_list", ()):
        first = min(first, decorator.lineno)
    inside = [block for block in BLOCKS if isinstance(getattr(node, block, None), list)]
    if not inside:
        return first, end, end
    last = node.lineno
    for part in (*own_parts(node), getattr(node, "returns", None)):
        for child in ast.walk(part) if isinstance(part, ast.AST) else ():
            last = max(last, getattr(child, "end_lineno", None) or 0)
    return first, max(last, first), end


def _doc(node: Any) -> str:
    if not node.body:
        return ""
    first = node.body[0]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return ""
    return text_digest(first.value.value) if isinstance(first.value.value, str) else ""


def _annotation(node: Any, names: Mapping[int, str], in_function: bool) -> str:
    if isinstance(node, FUNCTIONS):
        given = [(a.arg, a.annotation) for a in _arguments(node.args) if a.annotation is not None]
        if node.returns is not None:
            given.append(("return", node.returns))
        if not given:
            return ""
        return text_digest(*(f"{name}:{digest([value], names)}" for name, value in given))
    if isinstance(node, ast.AnnAssign) and not in_function:
        return digest([node.annotation], names)
    return ""


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def _bound_name(node: Any) -> str:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return str(node.name)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def _is_unsure(node: Any) -> bool:
    if isinstance(node, (*TRIES, ast.Break, ast.Continue, ast.Global, ast.Nonlocal)):
        return True
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return True
    return isinstance(node, (ast.While, ast.If)) and not _can_vary(node.test)


def _can_vary(test: ast.expr) -> bool:
    """Whether a compiler cannot know the outcome of a condition by itself."""
    return any(
        isinstance(part, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)) for part in ast.walk(test)
    ) and not (isinstance(test, ast.Name) and test.id == "__debug__")


def _base(node: ast.expr) -> str:
    """A class's base as reads are written: a parameter in brackets left out, `?` when it is no name."""
    if isinstance(node, ast.Subscript):
        node = node.value
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return "?"
    return ".".join([node.id, *reversed(parts)])


def _class_traits(node: ast.ClassDef) -> str:
    return "c" if node.decorator_list or node.keywords else ""


def _function_traits(node: Any) -> str:
    traits = "a" if isinstance(node, ast.AsyncFunctionDef) else ""
    stack: list[ast.AST] = list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, (ast.Yield, ast.YieldFrom)):
            return traits + "g"
        if not isinstance(part, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(part))
    return traits
