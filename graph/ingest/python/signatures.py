"""What a function's head says: its parameters, and what its decorators make of it."""

from __future__ import annotations

import ast

from graph.ingest.python.chains import dotted
from graph.ingest.python.module import (
    ASYNC,
    CLASSMETHOD,
    DELETER,
    GENERATOR,
    LENIENT,
    OVERLOAD,
    PROPERTY,
    SETTER,
    STATIC,
    WRAPPED,
)
from graph.ingest.python.outline import FunctionNode

_BY_NAME = {
    "staticmethod": STATIC,
    "classmethod": CLASSMETHOD,
    "abstractclassmethod": CLASSMETHOD,
    "abstractstaticmethod": STATIC,
    "setter": SETTER,
    "deleter": DELETER,
    "overload": OVERLOAD,
    "getter": PROPERTY,
}
_HARMLESS = frozenset(
    {"abstractmethod", "override", "final", "wraps", "lru_cache", "cache", "total_ordering"}
)


def parameters_of(arguments: ast.arguments) -> list[str]:
    """Names in order, those that collect with their stars."""
    found = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
    if arguments.vararg is not None:
        found.append("*" + arguments.vararg.arg)
    found.extend(item.arg for item in arguments.kwonlyargs)
    if arguments.kwarg is not None:
        found.append("**" + arguments.kwarg.arg)
    return found


def flags_of(node: FunctionNode, generator: bool) -> int:
    """Flags of a `Function` (see module.py)."""
    flags = ASYNC if isinstance(node, ast.AsyncFunctionDef) else 0
    if generator:
        flags |= GENERATOR
    for item in node.decorator_list:
        name = dotted(item.func if isinstance(item, ast.Call) else item)
        short = name.rpartition(".")[2]
        if short in _BY_NAME:
            flags |= _BY_NAME[short]
        elif short.lower().endswith("property"):
            flags |= PROPERTY if short in ("property", "abstractproperty") else PROPERTY | LENIENT
        elif short not in _HARMLESS:
            flags |= WRAPPED
    if node.name in ("__new__", "__init_subclass__", "__class_getitem__"):
        flags |= STATIC if node.name == "__new__" else CLASSMETHOD
    return flags
