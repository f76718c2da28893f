"""The record of one Python file: definitions, and what its code does with which names.

Everything here is plain data for `msgspec.msgpack`: it is cached by the content digest of the file,
so a record does not know its path. No part of a record refers back to it, so that none need be watched
by the garbage collector (`gc=False`), which would otherwise go through all of them again and again.

A *chain* is the text of a dotted expression in postfix notation: a root name, then any of `.name`
(attribute), `()` (result of a call), `[]` (an item or element), `@` (an instance of: what an annotation
says). `|` separates alternatives. The root `?` is an expression that no name stands for, and `%str` an
instance of a builtin type. `Site`s are as in records.py.
"""

from __future__ import annotations

import msgspec

from graph.ingest.python.records import Definition
from graph.ingest.python.traits import FrameworkRecord

RAISED, REQUEST = "raised", "request"
HOLDING = {RAISED: ("value", "exception"), REQUEST: ("param",)}
"""What holds a value, and the attributes that it is read by. As `%raised<E@>`: what `pytest.raises(E)` and
`assertRaises(E)` hand to their block, which holds an E; and a fixture's request, which holds one
of its `params`."""

READ, WRITE, CALL, HANDED, DECORATOR, MUTATE, DEFINE = range(7)
"""Kinds of `Use`: HANDED is a read whose value is passed on or stored, MUTATE an assignment to an item
(`x[k] = v`, chain `x`), DEFINE a nested definition (chain `#place`)."""

DEFINED, IMPORTED, VALUE, PARAMETER, NARROWED, OPAQUE = range(6)
"""Kinds of `Binding`."""

STATIC, CLASSMETHOD, PROPERTY, SETTER, DELETER, OVERLOAD, ASYNC, GENERATOR, WRAPPED, LENIENT = (
    1 << n for n in range(10)
)
"""Flags of a `Function`; WRAPPED: a decorator stands on it that may change what a call returns; LENIENT: a
property of another make, such as `cached_property`, where what is assigned may stand instead of it."""


class Use(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that code does with the object a chain stands for."""

    kind: int
    chain: str
    line: int
    column: int
    end_line: int
    end_column: int
    ends: tuple[int, ...] = ()
    """(line, column) of the end of each attribute's receiver, last first, where it does not follow from
    the end of the whole: written over several lines, or the callee of a CALL."""


class Implied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something done to a value that may run a method of its class; `kind` as in operations.py.

    The span is that of the operand, and the chain what it stands for.
    """

    kind: str
    chain: str
    line: int
    column: int
    end_line: int
    end_column: int


class Block(msgspec.Struct, array_like=True, gc=False):
    """Uses of one owner (who depends on them) seen from one scope (where names are looked up)."""

    owner: int
    scope: int
    script: bool
    """Runs only when the file is started as a script."""
    uses: list[Use]
    implied: list[Implied]


class Binding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a name may be bound to in a scope.

    `place` is the definition for DEFINED, the place in `Uses.imports` for IMPORTED, the scope in which
    `chain` is to be read for VALUE; `conditional` where the statement may not run.
    """

    kind: int
    chain: str
    place: int
    conditional: bool = False


class Scope(msgspec.Struct, array_like=True, gc=False):
    """A namespace: module, class or function (their places in the definitions)."""

    place: int
    parent: int
    names: dict[str, list[Binding]]
    symbols: dict[str, int]
    """Constants and attributes: name to definition. For a class those of instances too."""
    outside: dict[str, bool]
    """Names declared `global` (True) or `nonlocal` (False)."""


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`import module` (name empty), `from module import name` or `*`."""

    scope: int
    line: int
    level: int
    module: str
    name: str
    alias: str
    typing_only: bool
    conditional: bool
    column: int = 0
    end_line: int = 0
    end_column: int = 0


class Function(msgspec.Struct, array_like=True, gc=False):
    """What is written at a function beside its body."""

    place: int
    flags: int
    parameters: list[str]
    """Names in order; `*` and `**` stand before those that collect."""
    returns: str
    """Chain of the annotated result; empty where there is none."""
    results: list[str]
    """Chains that are returned (or yielded, for a generator)."""


class ClassRecord(msgspec.Struct, array_like=True, gc=False):
    """What is written at a class beside its body."""

    place: int
    bases: list[str]
    metaclass: str


class Uses(msgspec.Struct, array_like=True, gc=False):
    """What the code of a file does with names."""

    blocks: list[Block]
    scopes: list[Scope]
    imports: list[Import]
    functions: list[Function]
    classes: list[ClassRecord]
    exported: list[str] | None
    """`__all__` where it is written as literals; None without one."""
    exported_from: list[str]
    """Modules whose `__all__` is added to it, as chains."""


class Fault(msgspec.Struct, array_like=True, gc=False):
    """Why a file could not be read; `line` is 0 where no line is to blame."""

    code: str
    message: str
    hint: str
    line: int


class ModuleRecord(msgspec.Struct, array_like=True):
    """A Python file. Without a tree (see `diagnosis`) only the module itself is defined."""

    definitions: list[Definition]
    uses: Uses
    frameworks: FrameworkRecord | None
    diagnosis: Fault | None
    lines: int
    borrowed: dict[str, list[int]] = {}
    """Imported names that symbols use: `4 * place + part` of the digests each counts in (see digests.py)."""
    conditions: dict[str, str] = {}
    """Digest of what decides between several imports of a name."""
