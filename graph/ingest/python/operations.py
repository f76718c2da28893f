"""What the language runs by itself of an operand's class: truth, comparison, built-in functions, conversions.

The rules are those of Python's data model ("Special method names") and of the standard library's `copy` and
`pickle`. Of arithmetic, items and loops, which the type engine tells of, only what it leaves out is here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

_PARTS = ("__reduce_ex__", "__reduce__", "__getstate__")
_NEW = ("__getnewargs_ex__", "__getnewargs__")
RUNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "truth": (("__bool__", "__len__"),),
    "len": (("__len__",),),
    "hash": (("__hash__",),),
    "key": (("__hash__",), ("__eq__",)),
    "str": (("__str__", "__repr__"),),
    "repr": (("__repr__",),),
    "format": (("__format__", "__str__", "__repr__"),),
    "int": (("__int__", "__index__", "__trunc__"),),
    "float": (("__float__", "__index__"),),
    "complex": (("__complex__", "__float__", "__index__"),),
    "index": (("__index__",),),
    "bytes": (("__bytes__", "__iter__"),),
    "round": (("__round__",),),
    "abs": (("__abs__",),),
    "divmod": (("__divmod__",),),
    "pow": (("__pow__",),),
    "dir": (("__dir__",),),
    "iter": (("__iter__", "__getitem__"), ("__next__",)),
    "next": (("__next__",),),
    "list": (("__iter__", "__getitem__"), ("__next__",), ("__len__", "__length_hint__")),
    "mapping": (("keys", "__iter__"), ("__getitem__",)),
    "reversed": (("__reversed__", "__getitem__"), ("__len__",)),
    "fspath": (("__fspath__",),),
    "await": (("__await__",),),
    "del": (("__delitem__",),),
    "in": (("__contains__", "__iter__", "__getitem__"),),
    "==": (("__eq__",),),
    "!=": (("__ne__", "__eq__"),),
    "<": (("__lt__",),),
    "<=": (("__le__",),),
    ">": (("__gt__",),),
    ">=": (("__ge__",),),
    "-": (("__neg__",),),
    "+": (("__pos__",),),
    "~": (("__invert__",),),
    "copy": (("__copy__", *_PARTS), _NEW, ("__setstate__",)),
    "deepcopy": (("__deepcopy__", *_PARTS), _NEW, ("__setstate__",)),
    "pickle": (_PARTS, _NEW),
    "with": (("__enter__",), ("__exit__",)),
    "async with": (("__aenter__",), ("__aexit__",)),
    "close": (("close",),),
    "aclose": (("aclose",),),
    "isinstance": (("__instancecheck__",),),
    "issubclass": (("__subclasscheck__",),),
    "class item": (("__getitem__",),),
    "raise": (),
    "item": (("__getitem__",),),
    "set item": (("__setitem__",),),
    "for": (("__iter__", "__getitem__"), ("__next__",)),
    "async for": (("__aiter__",), ("__anext__",)),
}
"""By operation: groups of methods; of each group the first that the class has is run.

Of `iter` the second group is what a class has that is its own iterator.
"""
OF_CLASSES = frozenset({"isinstance", "issubclass", "class item", "raise"})
"""Operations on a class, not on an instance: its metaclass has what they run."""
LOOPS = frozenset({"for", "async for"})
"""Operations that the type engine tells of, where it knows the class."""
COMPARISONS = frozenset({"<", "<=", ">", ">="})
ORDERING = ("__lt__", "__le__", "__gt__", "__ge__")
"""`functools.total_ordering` makes the others of one of these."""

_REFLECTED = {
    ast.Add: "__radd__",
    ast.Sub: "__rsub__",
    ast.Mult: "__rmul__",
    ast.MatMult: "__rmatmul__",
    ast.Div: "__rtruediv__",
    ast.FloorDiv: "__rfloordiv__",
    ast.Mod: "__rmod__",
    ast.Pow: "__rpow__",
    ast.LShift: "__rlshift__",
    ast.RShift: "__rrshift__",
    ast.BitAnd: "__rand__",
    ast.BitXor: "__rxor__",
    ast.BitOr: "__ror__",
}
RUNS |= {name: ((name,),) for name in _REFLECTED.values()}
_OPERATORS = {kind: f"__{name[3:]}" for kind, name in _REFLECTED.items()}
RUNS |= {name: ((name,),) for name in _OPERATORS.values()}
RUNS |= {f"__i{name[2:]}": ((f"__i{name[2:]}", name),) for name in _OPERATORS.values()}
SELF = "self"
"""Of operators, items and loops the type engine tells, except where a method uses its own instance."""

UNARY = {ast.Not: "truth", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}
_COMPARED = {
    ast.Eq: ("==", "=="),
    ast.NotEq: ("!=", "!="),
    ast.Lt: ("<", ">"),
    ast.LtE: ("<=", ">="),
    ast.Gt: (">", "<"),
    ast.GtE: (">=", "<="),
    # A container is asked for the element, or compares it with its own.
    ast.In: ("==", "in"),
    ast.NotIn: ("==", "in"),
}
"""By comparison: what it runs of the left operand, and of the right one."""
_CONVERSIONS = {ord("r"): "repr", ord("a"): "repr", ord("s"): "str"}

_FUNCTIONS = {
    **dict.fromkeys(("list", "tuple", "set", "frozenset", "sorted"), "list"),
    **dict.fromkeys(("sum", "min", "max", "any", "all", "enumerate", "iter"), "iter"),
    **dict.fromkeys(("bin", "hex", "oct", "chr", "range"), "index"),
    **{name: name for name in ("len", "hash", "str", "repr", "format", "int", "float", "complex", "bytes")},
    **{name: name for name in ("round", "abs", "divmod", "pow", "dir", "next", "reversed")},
    "bool": "truth",
    "ascii": "repr",
    "dict": "mapping",
    "open": "fspath",
    "contextlib.closing": "close",
    "contextlib.aclosing": "aclose",
    "os.fspath": "fspath",
    "copy.copy": "copy",
    "copy.deepcopy": "deepcopy",
    "pickle.dump": "pickle",
    "pickle.dumps": "pickle",
}
"""Functions that do it to their first argument; to all of them those of `_EACH`."""
_SECOND = {"isinstance": "isinstance", "issubclass": "issubclass"}
_ENTERING = {"enter_context": "with", "enter_async_context": "async with"}
"""Methods of `contextlib.ExitStack`."""
_EACH = {"zip": "iter", "print": "str", "map": "iter", "filter": "iter"}
_LATER = frozenset({"map", "filter"})
"""The first argument is the function."""


BY_PREFIX = "getattr "
"""Begins the kind of an operation that reads an attribute whose name is written only in part."""


CALLED = frozenset(
    name.rpartition(".")[2] for name in (*_FUNCTIONS, *_EACH, *_SECOND, *_ENTERING, "join", "format")
)
"""Last names of what `called` knows."""


class Operation(NamedTuple):
    """Something done to an operand; `kind` is a key of `RUNS`, or `BY_PREFIX` and a prefix."""

    kind: str
    operand: ast.expr


def compared(node: ast.Compare) -> Iterator[Operation]:
    """What a comparison, chained or not, does to its operands."""
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        both = _COMPARED.get(type(operator))
        if both is not None:
            yield Operation(both[0], left)
            yield Operation(both[1], right)
        left = right


def computed(node: ast.BinOp) -> Iterator[Operation]:
    """What an operator does to its right operand, where the left one does not know what to do."""
    yield Operation(_REFLECTED[type(node.op)], node.right)
    if is_self(node.left):
        yield Operation(_OPERATORS[type(node.op)], node.left)
    if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and _is_text(node.left):
        text = str(node.left.value)
        for item in node.right.elts if isinstance(node.right, ast.Tuple) else (node.right,):
            yield Operation("str", item)
            if "%r" in text or "%a" in text:
                yield Operation("repr", item)


def is_self(node: ast.expr) -> bool:
    """Whether an expression is the instance that a method is called on, by its usual name."""
    return isinstance(node, ast.Name) and node.id == SELF


def subscripted(node: ast.Subscript) -> Iterator[Operation]:
    """What reading an item does: to its key, to a class that is given parameters, and to the own instance."""
    yield Operation("key", node.slice)
    value = node.value
    if is_self(value):
        yield Operation("item", value)
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    if name[:1].isupper():  # as classes are called; anything else is a container, nearly always
        yield Operation("class item", value)


def augmented(node: ast.AugAssign) -> Iterator[Operation]:
    """What `self += x` and `self[k] += x` run of the instance."""
    if is_self(node.target):
        yield Operation(f"__i{_OPERATORS[type(node.op)][2:]}", node.target)
    elif isinstance(node.target, ast.Subscript) and is_self(node.target.value):
        yield Operation("item", node.target.value)


def shown(node: ast.JoinedStr) -> Iterator[Operation]:
    """What an f-string does to what stands in it."""
    for item in node.values:
        if isinstance(item, ast.FormattedValue):
            yield Operation(_CONVERSIONS.get(item.conversion, "format"), item.value)


def called(node: ast.Call, function: str) -> Iterator[Operation]:
    """What a call does to its arguments; `function` is the dotted name of what is called, or empty."""
    arguments = node.args
    if function in _FUNCTIONS:
        if arguments:
            yield Operation(_FUNCTIONS[function], arguments[0])
    elif function in _EACH:
        for argument in arguments[function in _LATER :]:
            yield Operation(_EACH[function], argument)
    elif function in _SECOND:
        for kinds in arguments[1:2]:
            for kind in kinds.elts if isinstance(kinds, ast.Tuple) else (kinds,):
                yield Operation(_SECOND[function], kind)
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _ENTERING and arguments:
        yield Operation(_ENTERING[node.func.attr], arguments[0])
    elif isinstance(node.func, ast.Attribute) and _is_text(node.func.value):
        if node.func.attr == "join" and arguments:
            yield Operation("iter", arguments[0])
        elif node.func.attr == "format":
            for argument in (*arguments, *(keyword.value for keyword in node.keywords)):
                yield Operation("format", argument)
    for argument in arguments:
        if isinstance(argument, ast.Starred):
            yield Operation("iter", argument.value)
    for keyword in node.keywords:
        if keyword.arg is None:
            yield Operation("mapping", keyword.value)


def fetched(node: ast.Call) -> Iterator[Operation]:
    """What `getattr(x, f"visit_{name}")` does to x: as visitors, commands and handlers are found.

    The beginning must be written out: `f"visit_{name}"`, `"visit_" + name`, `"visit_%s" % name`.
    """
    name = node.args[1]
    first: ast.AST = name
    if isinstance(name, ast.JoinedStr) and name.values:
        first = name.values[0]
    elif isinstance(name, ast.BinOp) and isinstance(name.op, (ast.Add, ast.Mod)):
        first = name.left
    elif isinstance(name, ast.Call) and isinstance(name.func, ast.Attribute) and name.func.attr == "format":
        first = name.func.value
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and first is not name:
        prefix = re.split(r"[%{]", first.value, maxsplit=1)[0]
        if len(prefix) > 1 and prefix.isidentifier():
            yield Operation(BY_PREFIX + prefix, node.args[0])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def tested(node: ast.expr) -> Iterator[Operation]:
    """What a condition does to what it is; its inner operators tell of their operands themselves."""
    while isinstance(node, (ast.BoolOp, ast.NamedExpr)):
        node = node.values[-1] if isinstance(node, ast.BoolOp) else node.value
    if not isinstance(node, ast.UnaryOp):
        yield Operation("truth", node)
