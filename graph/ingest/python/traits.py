"""What one file says to frameworks: the shapes that `frameworks.collect` fills, per file.

A callable is followed as a value: by the name it is written with, or by the call it comes out
of. Containers are not told from what they hold: `hooks[key]`, `hooks.get(key)` and `hooks` are
one place, which is what is wanted of a table of callables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

Value: TypeAlias = str | int
"""A dotted name as written (`self.hooks`; `?` for a receiver that is no name), or the index in
`FrameworkRecord.calls` of the call whose result it is."""

Key: TypeAlias = int | str
"""A position or a keyword of an argument; `*` and `**` for unpacked ones."""


GENERATOR = 1
COROUTINE = 2


class Function(msgspec.Struct, array_like=True, gc=False):
    """Parameters and decorators of a function, by its place in the record's definitions."""

    place: int
    positional: tuple[str, ...]
    vararg: str
    keywords: tuple[str, ...]
    """Keyword-only parameters."""
    kwarg: str
    optional: tuple[str, ...]
    """Parameters with a default."""
    flags: int = 0
    """`GENERATOR`, `COROUTINE`."""
    unnamed: int = 0
    """How many of `positional` can only be given by position."""
    injected: int = 0
    """How many arguments `mock.patch` decorators hand over, by position."""


class Decoration(msgspec.Struct, array_like=True, gc=False):
    """One decorator of one definition. `order` counts from the one nearest to the `def`, 0."""

    place: int
    value: Value
    order: int
    line: int
    column: int
    end_line: int
    end_column: int


class Call(msgspec.Struct, array_like=True, gc=False):
    """A call: within which definition, of what, where (lines from 1, columns from 0 in UTF-8
    bytes), and the values among its arguments; an argument with several alternatives is repeated."""

    place: int
    callee: Value
    line: int
    column: int
    end_line: int
    end_column: int
    arguments: tuple[tuple[Key, Value], ...]


class Bind(msgspec.Struct, array_like=True, gc=False):
    """A value may get into a place: an assignment, an append, a loop's variable.

    `slot` is a dotted name; with `+` before it the value is put into what it holds (`hooks[key] = f`,
    `hooks.append(f)`), with `*` a literal container with the value in it is assigned.
    """

    place: int
    slot: str
    value: Value


class Return(msgspec.Struct, array_like=True, gc=False):
    """A value may be returned or yielded by the function at `place`."""

    place: int
    value: Value


class Text(msgspec.Struct, array_like=True, gc=False):
    """A string that some framework may read as a name.

    `taker` is the function that receives it or the variable it is assigned to, `receiver` the
    first argument where that is an object and the string one of its attributes.
    """

    place: int
    line: int
    taker: str
    text: str
    receiver: str = ""


class FixtureMark(msgspec.Struct, array_like=True, gc=False):
    """A function made a fixture by a decorator. `name` as given by `name=`, else empty."""

    place: int
    decorator: str
    name: str
    scope: str
    autouse: bool
    parametrized: bool


class Mark(msgspec.Struct, array_like=True, gc=False):
    """A pytest mark on a definition (place 0: `pytestmark` of the module).

    `kind` is "usefixtures" or "parametrize"; `indirect` are the names handed to fixtures.
    """

    place: int
    kind: str
    names: tuple[str, ...]
    indirect: tuple[str, ...] = ()


class FrameworkRecord(msgspec.Struct, array_like=True):
    """Everything of one file that linking to frameworks needs; a pure function of its bytes."""

    functions: list[Function] = []
    decorations: list[Decoration] = []
    calls: list[Call] = []
    binds: list[Bind] = []
    returns: list[Return] = []
    texts: list[Text] = []
    fixtures: list[FixtureMark] = []
    marks: list[Mark] = []
    imported: list[str] = []
    """Names that the module's top level imports; `*module` for a star import."""
    untested: list[int] = []
    """Definitions that say `__test__ = False`."""
    deleted: list[str] = []
    """Names that the module's top level deletes."""
    cut: list[int] = []
    """Lines of top-level statements that nest too deep to be walked to their end."""


def written(calls: Sequence[Call], value: Value) -> str:
    """The dotted name of a value; of what calls gave, the name of what was called first."""
    while isinstance(value, int):
        value = calls[value].callee
    return value
