"""Classes of a program: their bases and the order in which attributes are looked up.

That order is the C3 linearisation (Barrett et al., A Monotonic Superclass Linearization for Dylan, OOPSLA
1996), with depth-first order where bases contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graph.ingest.python.lookup import ASKED, Lookup
from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.records import Target
from graph.ingest.python.roots import Roots
from graph.ingest.python.values import EXTERNAL, OBJECT

_PLAIN_BASES = frozenset(
    (
        "builtins.object",
        "object",
        "typing.Generic",
        "typing.Protocol",
        "abc.ABC",
        "typing_extensions.Protocol",
    )
)


class Bases(NamedTuple):
    """What a class derives from: classes of the program, and dotted names outside it."""

    inside: tuple[Target, ...]
    outside: tuple[str, ...]


class Classes(Lookup):
    """Bases of all classes, each read once."""

    def __init__(self, records: Mapping[str, ModuleRecord], roots: Roots) -> None:
        super().__init__(records, roots)
        self._mro: dict[Target, tuple[Target, ...] | int] = {}
        self._bases: dict[Target, Bases] = {}

    def bases(self, klass: Target) -> tuple[Target, ...]:
        """Direct bases inside the program, in order."""
        return self._bases_of(klass).inside

    def _bases_of(self, klass: Target) -> Bases:
        known = self._bases.get(klass)
        if known is None:
            before = self._begin()
            known = self._read_bases(klass)
            if self._end(before):
                self._bases[klass] = known
        return known

    def _read_bases(self, klass: Target) -> Bases:
        file = self.files[klass.path]
        record = file.classes.get(klass.place)
        inside: list[Target] = []
        outside: list[str] = []
        parent = file.record.definitions[klass.place].parent
        for chain in record.bases if record is not None else ():
            values = self.types_of(self.chain(klass.path, parent, chain))
            found = False
            for value in values:
                if value.kind == OBJECT and value.place in self.files[value.path].classes:
                    if value.target != klass and value.target not in inside:
                        inside.append(value.target)
                    found = True
                elif value.kind == EXTERNAL:
                    outside.append(value.path)
                    found = True
            if not found:
                outside.append(chain)
        return Bases(tuple(inside), tuple(outside))

    def mro(self, klass: Target) -> tuple[Target, ...]:
        """A class and its bases inside the program, in the order of attribute look-up."""
        known = self._mro.get(klass)
        if known is not None:
            if isinstance(known, int):
                self._cut()
                return (klass,)
            return known
        before = self._begin()
        self._mro[klass] = ASKED
        bases = self.bases(klass)
        lines = [list(self.mro(base)) for base in bases]
        merged = merge([*lines, list(bases)])
        if merged is None:
            merged = list(dict.fromkeys(item for line in lines for item in line))
        found = (klass, *(item for item in merged if item != klass))
        if self._end(before):
            self._mro[klass] = found
        else:
            del self._mro[klass]
        return found

    def metaclasses(self, klass: Target) -> tuple[Target, ...]:
        """The metaclass of a class, where the program has it: its own, else that of the nearest base."""
        for base in self.mro(klass):
            record = self.files[base.path].classes.get(base.place)
            if record is not None and record.metaclass:
                parent = self.files[base.path].record.definitions[base.place].parent
                values = self.types_of(self.chain(base.path, parent, record.metaclass))
                return tuple(
                    value.target
                    for value in values
                    if value.kind == OBJECT and value.place in self.files[value.path].classes
                )
        return ()

    def outside(self, klass: Target) -> tuple[str, ...]:
        """Dotted names of the bases outside the program, of a class and of its bases."""
        return tuple(
            name
            for base in self.mro(klass)
            for name in self._bases_of(base).outside
            if name not in _PLAIN_BASES
        )


def merge(lines: list[list[Target]]) -> list[Target] | None:
    """C3: bases before theirs, in the order given; None where the orders contradict each other."""
    found: list[Target] = []
    lines = [line for line in lines if line]
    while lines:
        for line in lines:
            head = line[0]
            if not any(head in other[1:] for other in lines):
                break
        else:
            return None
        found.append(head)
        lines = [rest for rest in ([item for item in line if item != head] for line in lines) if rest]
    return found
