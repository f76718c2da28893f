"""Chains (see module.py): made from annotations, taken apart again."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache

UNKNOWN = "?"
MOST = 4
"""Alternatives kept of a chain."""

_TRANSPARENT = frozenset(
    {
        "Optional",
        "Union",
        "Annotated",
        "ClassVar",
        "Final",
        "Required",
        "NotRequired",
        "ReadOnly",
        "InitVar",
        "Unpack",
    }
)
_AWAITED = frozenset({"Awaitable", "Coroutine", "Task", "Future"})
_ELEMENTS = frozenset(
    [
        "list",
        "List",
        "set",
        "Set",
        "frozenset",
        "FrozenSet",
        "Sequence",
        "MutableSequence",
        "Iterable",
        "Iterator",
        "Generator",
        "Collection",
        "deque",
        "Deque",
        "AsyncIterator",
        "AsyncIterable",
        "AsyncGenerator",
        "tuple",
        "Tuple",
        "KeysView",
        "ContextManager",
        "AbstractContextManager",
        "AsyncContextManager",
        "AbstractAsyncContextManager",
        "AbstractSet",
        "MutableSet",
    ]
)
_MAPPINGS = frozenset(
    [
        "dict",
        "Dict",
        "Mapping",
        "MutableMapping",
        "defaultdict",
        "DefaultDict",
        "OrderedDict",
        "WeakValueDictionary",
        "ChainMap",
    ]
)


def join(chains: Iterable[str]) -> str:
    """Alternatives as one chain, each once, at most `MOST`."""
    found: dict[str, None] = {}
    for chain in chains:
        if chain:
            for part in chain.split("|"):
                found[part] = None
    if len(found) > 1:
        found.pop(UNKNOWN, None)
    return "|".join(list(found)[:MOST])


def extend(chain: str, suffix: str) -> str:
    """Every alternative followed by the same suffix."""
    if "|" not in chain:
        return chain + suffix
    return "|".join([part + suffix for part in chain.split("|")])


def last(chain: str) -> str:
    """The name written last: `c` of `a.b.c`, `f` of `f()`."""
    tail = chain.rpartition("|")[2].rstrip("()[]@")
    return tail.rpartition(".")[2]


@lru_cache(maxsize=65536)
def steps(chain: str) -> tuple[str, ...]:
    """A single alternative as its root and steps: `a.b()[]` is ("a", ".b", "()", "[]")."""
    found: list[str] = []
    start = 0
    for at, char in enumerate(chain):
        if char in ".([@" and at > start:
            found.append(chain[start:at])
            start = at
    found.append(chain[start:])
    return tuple(found)


def instance_of(annotation: ast.expr | None) -> str:
    """Chain of what an annotation says a value is; empty where it says nothing that can be followed.

    Containers are instances followed by what an element is, in angle brackets, `%list<C@>`.
    """
    if annotation is None:
        return ""
    if isinstance(annotation, (ast.Name, ast.Attribute)):
        name = dotted(annotation)
        return extend(name, "@") if name and name not in ("Any", "object", "typing.Any") else ""
    if isinstance(annotation, ast.Constant):
        return _quoted(annotation.value)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return join((instance_of(annotation.left), instance_of(annotation.right)))
    if isinstance(annotation, ast.Subscript):
        return _subscript(annotation)
    return ""


def _quoted(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        return ""
    try:
        return instance_of(ast.parse(value.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""  # Not an annotation, just a string: it says nothing.


def _subscript(annotation: ast.Subscript) -> str:
    name = dotted(annotation.value)
    short = name.rpartition(".")[2]
    inner = annotation.slice
    items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if short == "Annotated":
        return instance_of(items[0]) if items else ""
    if short in _TRANSPARENT:
        return join(instance_of(item) for item in items)
    if short in ("Type", "type"):
        return instance_of(items[0]).replace("@", "") if items else ""
    if short in _AWAITED:
        return instance_of(items[-1]) if items else ""
    if short in _ELEMENTS or short in _MAPPINGS:
        element = instance_of(items[-1 if short in _MAPPINGS else 0]) if items else ""
        return f"%list<{element.partition('|')[0]}>" if element and "<" not in element else "%list"
    return name + "@" if name else ""


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; empty for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))
