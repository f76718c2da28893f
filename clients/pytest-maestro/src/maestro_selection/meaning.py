"""Digests of what code means, with everything left out that changes nothing when it runs.

Left out are positions, formatting, comments, parentheses, the prefix `u` of a string, docstrings and other
constants that stand alone, `pass`, and annotations. Put in is the kind of scope in which each name
resolves: a new assignment somewhere else in a function can turn a global name into a local one, and that
changes every statement which uses it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Union

SKIPPED = frozenset({"ctx", "type_comment", "annotation", "returns", "kind", "type_ignores"})

NAMING = frozenset({"ExceptHandler", "MatchAs", "MatchStar", "MatchMapping"})

GLOBAL, LOCAL, FREE, CLASS_LEVEL = "G", "L", "F", "C"

FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

LEAVES = frozenset(
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type)
    and issubclass(kind, (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Constant))
)

Part = Union[ast.AST, str, None]


def text_digest(*texts: str) -> str:
    """A short digest of some texts in their order."""
    whole = hashlib.blake2b(digest_size=8)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        whole.update(b"%d:" % len(encoded))
        whole.update(encoded)
    return whole.hexdigest()


def is_inert(node: ast.AST) -> bool:
    """Whether a statement does nothing: `pass`, a docstring, any constant that stands alone."""
    if isinstance(node, ast.Pass):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def own_parts(node: Any) -> list[Part]:
    """What belongs to a statement itself and not to the statements inside it."""
    kind = type(node).__name__
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [kind, node.name, *node.decorator_list, "(", node.args, *getattr(node, "type_params", ())]
    if isinstance(node, ast.ClassDef):
        bases = [*node.bases, "(", *node.keywords, *getattr(node, "type_params", ())]
        return [kind, node.name, *node.decorator_list, "(", *bases]
    if isinstance(node, (ast.If, ast.While)):
        return [kind, node.test]
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return [kind, node.target, node.iter]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [kind, *node.items]
    if isinstance(node, ast.ExceptHandler):
        return [kind, node.type, node.name]
    if kind in {"Try", "TryStar"}:
        return [kind]
    if kind == "Match":
        return [kind, node.subject]
    if kind == "match_case":
        return [kind, node.pattern, node.guard]
    return [node]


def digest(parts: Sequence[Part], names: Mapping[int, str]) -> str:
    """Digest of the meaning of some parts; `names` says how each name in them resolves (see `resolve`)."""
    out: list[str] = []
    for part in parts:
        _write(part, names, out)
        out.append(";")
    return text_digest("".join(out))


def _write(value: Any, names: Mapping[int, str], out: list[str]) -> None:
    if isinstance(value, ast.AnnAssign):
        # What an annotation says is kept apart; a local one is never evaluated.
        out.append("(Assign [" if value.value is not None else "(Declare [")
        _write(value.target, names, out)
        out.append("] ")
        _write(value.value, names, out)
        out.append(")")
    elif isinstance(value, ast.Constant):
        out.append(f"({type(value.value).__name__} {value.value!r})")
    elif isinstance(value, ast.Name):
        out.append(f"(Name {value.id} {names.get(id(value), GLOBAL)})")
    elif isinstance(value, ast.AST):
        out.append("(" + type(value).__name__)
        for field in value._fields:
            inside = getattr(value, field, None)
            if field in SKIPPED or inside is None or inside == []:
                continue
            out.append(f" {field}=")
            _write(inside, names, out)
        out.append(")")
    elif isinstance(value, list):
        out.append("[")
        for item in value:
            _write(item, names, out)
            out.append(",")
        out.append("]")
    else:
        out.append(repr(value))


def resolve(module: ast.Module) -> dict[int, str]:
    """How every `Name` node of a module resolves, by the node's `id`: one of the four letters above."""
    found: dict[int, str] = {}
    _visit_block(module.body, [], found)
    return found


_Scopes = list[tuple[str, frozenset[str], frozenset[str]]]  # kind, bound names, names declared global


def _visit_block(nodes: Sequence[ast.AST], scopes: _Scopes, found: dict[int, str]) -> None:
    for node in nodes:
        _visit(node, scopes, found)


def _visit(node: ast.AST, scopes: _Scopes, found: dict[int, str]) -> None:
    if isinstance(node, ast.Name):
        found[id(node)] = _kind(node.id, scopes)
        return
    if type(node).__name__ in NAMING:
        for bound in _bound_by_fields(node):
            found[id(node)] = _kind(bound, scopes)
    if isinstance(node, ast.alias):
        found[id(node)] = _kind(node.asname or node.name.split(".")[0], scopes)
    if isinstance(node, FUNCTION_NODES):
        if not isinstance(node, ast.Lambda):
            found[id(node)] = _kind(node.name, scopes)
        _visit_block(getattr(node, "decorator_list", ()), scopes, found)
        arguments = node.args
        _visit_block(
            [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None], scopes, found
        )
        for argument in _all_arguments(arguments):
            if argument.annotation is not None:
                _visit(argument.annotation, scopes, found)
        returns = getattr(node, "returns", None)
        if returns is not None:
            _visit(returns, scopes, found)
        body: Sequence[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else node.body
        names, declared = _bound(body)
        names |= {argument.arg for argument in _all_arguments(arguments)}
        inner = [*scopes, ("function", frozenset(names), declared)]
        _visit_block(body, inner, found)
    elif isinstance(node, ast.ClassDef):
        _visit_block([*node.decorator_list, *node.bases, *node.keywords], scopes, found)
        found[id(node)] = _kind(node.name, scopes)
        names, declared = _bound(node.body)
        _visit_block(node.body, [*scopes, ("class", frozenset(names), declared)], found)
    elif isinstance(node, COMPREHENSIONS):
        _visit_comprehension(node, scopes, found)
    else:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                if type(value) not in LEAVES:
                    _visit(value, scopes, found)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST) and type(item) not in LEAVES:
                        _visit(item, scopes, found)


def _visit_comprehension(node: Any, scopes: _Scopes, found: dict[int, str]) -> None:
    targets: set[str] = set()
    for generator in node.generators:
        targets |= {part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)}
    inner = [*scopes, ("function", frozenset(targets), frozenset())]
    for place, generator in enumerate(node.generators):
        _visit(generator.iter, scopes if place == 0 else inner, found)
        _visit(generator.target, inner, found)
        _visit_block(generator.ifs, inner, found)
    fields = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    _visit_block(fields, inner, found)


def _kind(name: str, scopes: _Scopes) -> str:
    for depth, (kind, bound, declared) in enumerate(reversed(scopes)):
        if kind == "class" and depth:
            continue
        if name in declared:
            return GLOBAL
        if name in bound:
            if kind == "class":
                return CLASS_LEVEL
            return LOCAL if depth == 0 else FREE
    return GLOBAL


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def _bound(body: Sequence[ast.AST]) -> tuple[set[str], frozenset[str]]:
    """Names that a block binds (none that it declares `nonlocal` or `global`), and those declared
    `global`.
    """
    names: set[str] = set()
    outer: set[str] = set()
    declared: set[str] = set()
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            if isinstance(node, ast.ClassDef):
                stack.extend([*node.decorator_list, *node.bases, *node.keywords])
            else:
                stack.extend([*node.decorator_list, *node.args.defaults])
                stack.extend(d for d in node.args.kw_defaults if d is not None)
            continue
        elif isinstance(node, ast.Lambda):
            stack.extend([*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)])
            continue
        elif isinstance(node, COMPREHENSIONS):
            # Its own names stay inside; those that `:=` binds do not.
            names |= {
                p.target.id
                for p in ast.walk(node)
                if isinstance(p, ast.NamedExpr) and isinstance(p.target, ast.Name)
            }
            continue
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            outer |= set(node.names)
            if isinstance(node, ast.Global):
                declared |= set(node.names)
        if isinstance(node, (ast.Import, ast.ImportFrom)) or type(node).__name__ in NAMING:
            names |= _bound_by_fields(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                if type(value) not in LEAVES:
                    stack.append(value)
            elif isinstance(value, list):
                stack.extend(item for item in value if isinstance(item, ast.AST) and type(item) not in LEAVES)
    return names - outer, frozenset(declared)


def _bound_by_fields(node: ast.AST) -> set[str]:
    """Names that a node binds by a plain string: imports, `except ... as x`, patterns."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    kind = type(node).__name__
    if kind in {"ExceptHandler", "MatchAs", "MatchStar"}:
        name = getattr(node, "name", None)
        return {name} if name else set()
    if kind == "MatchMapping":
        rest = getattr(node, "rest", None)
        return {rest} if rest else set()
    return set()
