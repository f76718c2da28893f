"""What one Python file amounts to, and what resolvers say of it: the shapes the readers share.

A `ModuleRecord` is a pure function of the file's bytes, cached by content digest. Everything
that needs other files (linking, the type engine, frameworks) works on a `Program` of them.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from graph.schema import Form, Resolver, Sort, Tier


class Site(NamedTuple):
    """A span of source: 1-based lines, 0-based columns in characters, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Definition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A symbol that a file defines. Index 0 of a record is always the module itself.

    `code` is a digest of the symbol's own normalised code: no comments, docstrings, formatting,
    nor annotations that nothing evaluates; nested definitions count by name only, since they
    are symbols of their own. For a module or class it covers the statements that run when it is
    executed and that bind no name of their own; for a constant or attribute all statements that
    bind it. `signature` covers parameters, their kinds and defaults (functions) or bases and
    keywords (classes); `decoration` the decorators.
    """

    qualname: str
    """As `__qualname__` has it (PEP 3155), nested functions with `<locals>`; `<module>`."""
    ordinal: int
    sort: Sort
    line: int
    """First line, decorators included."""
    mark: int
    """Line of `def`, `class` or the first binding."""
    end: int
    name_column: int
    """0-based column of the name on its line (the `mark` line), to meet an engine's report."""
    parent: int
    """Index of the enclosing definition; -1 for the module."""
    code: str
    signature: str
    decoration: str
    documentation: str
    """Digest of docstring and annotations: differs alone when an edit cannot be observed."""


class Target(NamedTuple):
    """A definition of the program: a path and its place in the record's definitions."""

    path: str
    place: int


class CallSite(NamedTuple):
    """A call as one resolver sees it; no targets: it could not be followed, and `reason` says why.

    `external` says the target is known to lie outside the repository: nothing to follow.
    """

    caller: Target
    site: Site
    """Span of the whole call expression (of the attribute, for a property)."""
    targets: tuple[Target, ...]
    tier: Tier
    form: Form
    resolver: Resolver
    virtual: bool = False
    """A dispatch at run time: overrides of the targets may run too."""
    external: bool = False
    reason: str = ""
    name: str = ""
    """The name called, as written last (`c` of `a.b.c()`)."""


class OpenAttribute(NamedTuple):
    """An attribute whose receiver is unknown here; an engine that knows the receiver's type can finish it."""

    reader: Target
    receiver: Site
    """Span of the receiver's expression."""
    name: str
    written: bool


class OpenOperation(NamedTuple):
    """Something done to a value of a class that may define what that runs; `kind` as in operations.py."""

    reader: Target
    scope: int
    """The scope in which `chain`, which the operand stands for, is to be read."""
    kind: str
    chain: str
    operand: Site


class Touch(NamedTuple):
    """A symbol read or written; `line` is absolute."""

    owner: Target
    target: Target
    written: bool
    tier: Tier
    line: int
