"""What a statement's own part reads, binds and may alter, found in its syntax tree as far as that tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from maestro_selection.effects import (
    ABSENT,
    ALTERING_LOCAL,
    ALTERING_OUTER,
    BY_NAME,
    BY_SET,
    CALLING,
    COMPUTED,
    LISTING,
    MILD,
    READING_DOC,
    READING_HINTS,
    READING_SOURCE,
    RUNNING,
    Effects,
)
from maestro_selection.meaning import CLASS_LEVEL, FREE, GLOBAL, LOCAL, own_parts

# Methods of the built-in containers that alter what they are called on, and names that registries commonly
# use.
MUTATORS = frozenset(
    "append extend insert add update setdefault pop popitem remove discard clear sort reverse appendleft "
    "extendleft popleft register __setitem__ __delitem__ cache_clear".split()
)
# Copying and pickling only carry attributes on: whoever looks at them then names them.
ENUMERATING = frozenset(
    "vars dir locals globals getmembers getmembers_static asdict astuple evolve __dict__ __slots__ "
    "__members__ "
    "__getstate__ __reduce__ __reduce_ex__ __subclasses__ __dir__ dataclasses.replace dataclasses.fields "
    "attr.fields attrs.fields".split()
)
# As bare names only: as methods they are something else nearly always.
ENUMERATING_BARE = frozenset("fields replace".split())
EVALUATING = frozenset("eval exec compile __import__ import_module run_path run_module execfile".split())
DOC_READERS = frozenset("__doc__ getdoc getcomments".split())
HINT_READERS = frozenset(
    "__annotations__ get_type_hints get_annotations signature getfullargspec typechecked runtime_checkable "
    "singledispatch singledispatchmethod validate_call validate_arguments beartype create_model".split()
)
SOURCE_READERS = frozenset("getsource getsourcelines getsourcefile findsource __code__ getfile".split())

SPECIAL = {
    **dict.fromkeys(("attrgetter", "methodcaller", "__getattribute__", "__getattr__"), BY_NAME),
    **dict.fromkeys(SOURCE_READERS, READING_SOURCE),
    **dict.fromkeys(HINT_READERS, READING_HINTS),
    **dict.fromkeys(DOC_READERS, READING_DOC),
    **dict.fromkeys(EVALUATING, RUNNING),
    **dict.fromkeys(ENUMERATING, LISTING),
}

# What makes a built-in value: its attributes are none of the repository's.
DISPLAYS = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
)

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*[.:][^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
"""A module's path and more, as programs that load others by name are given it: `package.module:name`."""
_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")
_MANGLED = re.compile(r"_[^\W_]\w*?(__\w+)\Z")


def effects_of(node: ast.AST, names: Mapping[int, str], *, evaluated: bool) -> Effects:
    """The effects of a statement's own part.

    Parameters
    ----------
    names : mapping
        How each `Name` node resolves, by `id`.
    evaluated : bool
        Whether annotations here are evaluated.
    """
    collector = _Collector(names, evaluated)
    collector.statement(node)
    return collector.effects()


def _is_mild(node: ast.AST, names: Mapping[int, str]) -> bool:
    """Whether a statement only sets attributes of local variables to something that is there already."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    else:
        return False
    for target in targets:
        if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
            return False
        if names.get(id(target.value), GLOBAL) not in (LOCAL, FREE):
            return False
    return node.value is not None and _is_calm(node.value)


def _is_calm(node: ast.expr) -> bool:
    """Whether an expression cannot fail, and calls nothing of the repository (attributes are taken to be
    there).
    """
    if isinstance(node, (ast.Constant, ast.Name, ast.Lambda)):
        return True
    if isinstance(node, ast.Attribute):
        return _is_calm(node.value)
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_calm(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        keys = all(isinstance(key, ast.Constant) for key in node.keys)
        return keys and all(_is_calm(value) for value in node.values)
    if isinstance(node, ast.IfExp):
        return all(_is_calm(part) for part in (node.test, node.body, node.orelse))
    if isinstance(node, ast.Compare):
        plain = all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        return plain and all(_is_calm(part) for part in (node.left, *node.comparators))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        count = {"getattr": 3, "isinstance": 2, "callable": 1, "id": 1}.get(node.func.id)
        if node.func.id in {"list", "dict", "set", "tuple", "frozenset", "object"}:
            count = 0
        return count == len(node.args) and all(_is_calm(argument) for argument in node.args)
    return False


class _Collector:
    def __init__(self, names: Mapping[int, str], evaluated: bool) -> None:
        self.names = names
        self.evaluated = evaluated
        self.reads: dict[str, None] = {}
        self.hints: dict[str, None] = {}
        self.binds: dict[str, None] = {}
        self.stores: dict[str, None] = {}
        self.alters: dict[str, None] = {}
        self.calls: dict[str, None] = {}
        self.strings: dict[str, None] = {}
        self.locals: dict[str, None] = {}
        self.imports: list[tuple[str, int, str, str]] = []
        self.traits: set[str] = set()

    def effects(self) -> Effects:
        return Effects(
            reads=tuple(self.reads),
            hints=tuple(self.hints),
            binds=tuple(self.binds),
            stores=tuple(self.stores),
            alters=tuple(self.alters),
            calls=tuple(self.calls),
            strings=tuple(self.strings),
            imports=tuple(self.imports),
            traits="".join(sorted(self.traits)),
            locals=tuple(self.locals),
        )

    def statement(self, node: ast.AST) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind(node.name, self.names.get(id(node), GLOBAL))
            if node.decorator_list:
                self.traits.add(CALLING)
            returned = getattr(node, "returns", None)
            if returned is not None:
                self._hint(returned)
        if isinstance(node, ast.ExceptHandler) and node.name:
            self._bind(node.name, self.names.get(id(node), GLOBAL))
        if isinstance(
            node, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Raise, ast.Assert, ast.Delete)
        ):
            self.traits.add(CALLING)
        if isinstance(node, ast.AugAssign):
            self._augmented(node.target)
        if _is_mild(node, self.names):
            self.traits.add(MILD)
        for part in own_parts(node):
            if isinstance(part, ast.AST):
                self._visit(part)

    def _import(self, node: Any) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                bound = alias.asname or alias.name.split(".")[0]
                self.imports.append((alias.name, 0, "", ("=" if alias.asname else "") + bound))
            else:
                bound = alias.asname or alias.name
                self.imports.append((node.module or "", node.level, alias.name, bound))
            self._bind(bound, self.names.get(id(alias), GLOBAL))

    def _bind(self, name: str, kind: str) -> None:
        if kind in (LOCAL, FREE):
            self.locals["=" + name] = None
            if kind == FREE:
                self.traits.add(ALTERING_OUTER)
        else:
            self.binds[name] = None

    def _augmented(self, target: ast.expr) -> None:
        """`x += y` reads its target as well as setting it, and may alter the value in place."""
        self.traits.add(CALLING)
        if isinstance(target, ast.Name):
            if self.names.get(id(target), GLOBAL) in (LOCAL, FREE):
                self.locals[target.id] = None
            else:
                self.reads[target.id] = None
                self.alters[target.id] = None
        elif isinstance(target, ast.Attribute):
            chain = self._chain(target)
            if chain:
                self.reads[chain] = None
                self.alters[chain] = None

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Constant):
            self._string(node.value)
        elif isinstance(node, ast.arg):
            if node.annotation is not None:
                self._hint(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            self._hint(node.annotation)
            self._visit(node.target)
            if node.value is not None:
                self._visit(node.value)
        else:
            self._expression(node)

    def _expression(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Subscript):
            self.traits.add(CALLING)
            if not isinstance(node.ctx, ast.Load):
                self._alter(node.value)
        elif isinstance(node, ast.BoolOp):
            pass
        elif isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Await, ast.Yield, ast.YieldFrom)):
            self.traits.add(CALLING)
            if isinstance(getattr(node, "op", None), ast.Not) or any(
                isinstance(op, (ast.Is, ast.Eq, ast.NotIn, ast.Lt, ast.LtE, ast.Gt, ast.GtE))
                for op in getattr(node, "ops", ())
            ):
                self.traits.add(ABSENT)
        elif isinstance(node, (ast.Starred, ast.FormattedValue, ast.comprehension)):
            self.traits.add(CALLING)
        elif isinstance(node, ast.keyword) and node.arg:
            self.strings[node.arg] = None
        elif type(node).__name__.startswith("Match"):
            self._pattern(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self._visit(item)
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                self._visit(value)

    def _pattern(self, node: Any) -> None:
        self.traits.add(CALLING)
        for name in (getattr(node, "name", None), getattr(node, "rest", None)):
            if name:
                self._bind(name, self.names.get(id(node), GLOBAL))
        for name in getattr(node, "kwd_attrs", ()):
            self.reads["." + name] = None
        if type(node).__name__ == "MatchClass" and node.patterns:
            self.reads[".__match_args__"] = None
            self.traits.add(BY_NAME)

    def _name(self, node: ast.Name) -> None:
        kind = self.names.get(id(node), GLOBAL)
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id, kind)
        elif kind in (LOCAL, FREE):
            self.locals[node.id] = None
        else:
            self.reads[node.id] = None
            self._special(node.id)
            if node.id in ENUMERATING_BARE:
                self.traits.add(LISTING)
            if kind == CLASS_LEVEL:
                self.reads["." + node.id] = None

    def _attribute(self, node: ast.Attribute) -> None:
        chain = self._chain(node)
        if chain and isinstance(node.ctx, ast.Load):
            self.reads[chain] = None
            self._special(node.attr)
            self._special(chain)
        elif chain:
            self.stores[chain] = None
        self._visit(node.value)

    def _special(self, name: str) -> None:
        if name in SPECIAL:
            self.traits.add(SPECIAL[name])

    def _chain(self, node: ast.expr) -> str:
        """A name or attribute as reads are written; empty for what is neither, or belongs to a built-in
        value.
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        parts.reverse()
        if isinstance(node, ast.Name):
            if self.names.get(id(node), GLOBAL) in (GLOBAL, CLASS_LEVEL):
                return ".".join([node.id, *parts])
            if node.id in {"self", "cls"} and len(parts) == 1:
                return f"self.{parts[0]}"
        if not parts or isinstance(node, DISPLAYS):
            return ""
        function = self._chain(node.func) if isinstance(node, ast.Call) else ""
        if function and not function.startswith((".", "self.")):
            return f"{function}().{parts[-1]}"
        return "." + parts[-1]

    def _call(self, node: ast.Call) -> None:
        self.traits.add(CALLING)
        function = node.func
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, DISPLAYS)):
            self.calls[self._chain(function) or "?"] = None
        if isinstance(function, ast.Attribute) and function.attr in MUTATORS:
            self._alter(function.value)
        if isinstance(function, ast.Name) and function.id in {"getattr", "hasattr", "setattr", "delattr"}:
            self._by_name(function.id, node.args)

    def _by_name(self, function: str, arguments: list[ast.expr]) -> None:
        reading = function in {"getattr", "hasattr"}
        if (
            len(arguments) > 1
            and isinstance(arguments[1], ast.Constant)
            and isinstance(arguments[1].value, str)
        ):
            root = self._chain(arguments[0])
            name = arguments[1].value
            chain = f"{root}.{name}" if root and "(" not in root and "." not in root else f".{name}"
            if _IDENTIFIER.match(name):
                (self.reads if reading else self.stores)[chain] = None
                self._special(name)
            return
        self.traits.add(BY_NAME if reading else BY_SET)
        if reading and len(arguments) > 1 and not isinstance(arguments[1], ast.Name):
            self.traits.add(COMPUTED)

    def _alter(self, node: ast.expr) -> None:
        while isinstance(node, (ast.Subscript, ast.Call)):
            if isinstance(node, ast.Call):
                self.alters[(self._chain(node.func) or "?") + "()"] = None
                return
            node = node.value
        chain = self._chain(node)
        if chain:
            self.alters[chain] = None
        elif isinstance(node, ast.Name):
            self.traits.add(ALTERING_OUTER if self.names.get(id(node)) == FREE else ALTERING_LOCAL)

    def _hint(self, node: ast.expr) -> None:
        if not self.evaluated:
            return
        inner = _Collector(self.names, True)
        inner._visit(node)
        self.hints.update(inner.reads)

    def _string(self, value: object) -> None:
        if isinstance(value, str) and len(value) <= 200 and _DOTTED.match(value):
            self.strings[value] = None
        elif isinstance(value, str) and len(value) <= 80 and _IDENTIFIER.match(value):
            self.strings[value] = None
            mangled: re.Match[str] | None = _MANGLED.match(value)
            if mangled:
                self.strings[mangled.group(1)] = None
