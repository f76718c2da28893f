"""`__all__`, as far as it is written as literals."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def exports_of(tree: ast.Module) -> tuple[list[str] | None, list[str]]:
    """Names that `__all__` lists (None without one), and the modules whose own it takes in."""
    names: list[str] | None = None
    sources: list[str] = []
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
            targets = [statement.target]
        else:
            continue
        value = statement.value
        if value is not None and any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets):
            names = [*(names or ()), *_literals(value, sources)]
    return names, sources


def _literals(node: ast.expr, sources: list[str]) -> Iterator[str]:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for item in node.elts:
            if isinstance(item, ast.Starred):
                yield from _literals(item.value, sources)
            elif isinstance(item, ast.Constant) and isinstance(item.value, str):
                yield item.value
    elif isinstance(node, ast.BinOp):
        yield from _literals(node.left, sources)
        yield from _literals(node.right, sources)
    elif isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
        sources.append(node.value.id)
    elif isinstance(node, ast.Call) and len(node.args) == 1:
        yield from _literals(node.args[0], sources)
