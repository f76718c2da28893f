"""What is known of what a statement's own part reads, binds and may alter, and how a recording holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CALLING, BY_NAME, BY_SET, LISTING, RUNNING, READING_DOC, READING_HINTS, READING_SOURCE = "cgwvedhs"
ALTERING_OUTER, ALTERING_LOCAL, COMPUTED, ABSENT, MILD = "opknm"


@dataclass(frozen=True)
class Effects:
    """What a statement's own part does.

    Parameters
    ----------
    reads : tuple of str
        Names and attributes loaded: `name`, `root.attr.attr`, `self.attr` for one of a method's own object
        or class,
        `function().attr` for one of what a call gives, `.attr` for one of anything else.
    hints : tuple of str
        Names and attributes in annotations that are evaluated.
    binds : tuple of str
        Names bound in the scope that it executes in (in a function: those declared global only).
    stores : tuple of str
        Attributes set or deleted.
    alters : tuple of str
        Names and attributes whose value is altered in place: by a subscript, or by a method such as `append`.
    calls : tuple of str
        What is called, as reads are written; `?` for what is no name.
    strings : tuple of str
        Strings that could be a name, dotted ones included: constants, and names of keyword arguments.
    imports : tuple
        Module, level, imported name (empty for the module itself), bound name.
    traits : str
        `c` does more than move values about (calls, operators, subscripts, ...); `g` reads attributes by a
        computed name; `w` sets them so; `v` enumerates the names of something; `e` runs text or imports by
        a computed name;
        `d` reads docstrings; `h` annotations; `s` source text; `o` alters a variable of an enclosing
        function;
        `p` what a local variable holds; `k` reads an attribute whose name is put together on the spot; `n`
        asks whether something is missing or so; `m` does nothing but set attributes of local variables,
        without a call that could fail.
    locals : tuple of str
        Local names that it loads (`x`) and binds (`=x`).
    """

    reads: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    alters: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    imports: tuple[tuple[str, int, str, str], ...] = ()
    traits: str = ""
    locals: tuple[str, ...] = ()

    def to_json(self) -> list[Any]:
        """Its fields in order, trailing empty ones left out."""
        row: list[Any] = [
            *(
                " ".join(part)
                for part in (self.reads, self.hints, self.binds, self.stores, self.alters, self.calls)
            ),
            " ".join(self.strings),
            [list(one) for one in self.imports],
            self.traits,
            " ".join(self.locals),
        ]
        while row and not row[-1]:
            row.pop()
        return row

    @classmethod
    def from_json(cls, row: list[Any]) -> Effects:
        """What `to_json` wrote."""
        row = [*row, *([""] * (10 - len(row)))]
        reads, hints, binds, stores, alters, calls, strings = (tuple(part.split()) for part in row[:7])
        return cls(
            reads,
            hints,
            binds,
            stores,
            alters,
            calls,
            strings,
            imports=tuple((one[0], one[1], one[2], one[3]) for one in row[7] or ()),
            traits=row[8],
            locals=tuple(row[9].split()),
        )
