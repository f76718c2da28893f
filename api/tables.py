"""An impact as tables, in which each node and each step of its proofs stands once: how it travels.

Pickled as it is, an answer of a thousand items takes three times its own room meanwhile, in the process that
worked on it: the pickler keeps whatever it came by until it is done.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from api.documents import Impact, Reached, Step, Symbol


class _Step(Struct, frozen=True, array_like=True):
    """A step; its ends are places in the table of symbols."""

    source: int
    target: int
    said: tuple[str, str, str, str, str, int, str]
    """Edge, tier, role, form, path, line and side."""


class _Reached(Struct, frozen=True, array_like=True):
    """What is reached; a place in the table of symbols, and places in that of steps."""

    symbol: int
    distance: int
    tier: str
    proof: list[int]


class _Tables(Struct, frozen=True, array_like=True):
    rest: Impact
    symbols: list[Symbol]
    steps: list[_Step]
    reached: list[_Reached]
    tests: list[_Reached]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Tables)


class _Table:
    """Things by identity, in the order of their coming."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def place(self, thing: object) -> tuple[int, bool]:
        """Where a thing stands, and whether it is new. The thing has to outlive the table."""
        before = len(self._places)
        place = self._places.setdefault(id(thing), before)
        return place, place == before


def pack(found: Impact) -> bytes:
    """An impact as bytes, for a process of the same program."""
    symbols: list[Symbol] = []
    steps: list[_Step] = []
    known, taken = _Table(), _Table()

    def symbol(each: Symbol) -> int:
        place, new = known.place(each)
        if new:
            symbols.append(each)
        return place

    def step(each: Step) -> int:
        place, new = taken.place(each)
        if new:
            said = each.edge, each.tier, each.role, each.form, each.path, each.line, each.side
            steps.append(_Step(symbol(each.source), symbol(each.target), said))
        return place

    def rows(part: tuple[Reached, ...]) -> list[_Reached]:
        return [
            _Reached(symbol(each.symbol), each.distance, each.tier, [step(one) for one in each.proof])
            for each in part
        ]

    reached, tests = rows(found.reached), rows(found.tests)
    rest = msgspec.structs.replace(found, reached=(), tests=())
    return _ENCODER.encode(_Tables(rest, symbols, steps, reached, tests))


def unpack(data: bytes) -> Impact:
    """The impact that was packed; what was one object then is one object again."""
    tables = _DECODER.decode(data)
    symbols, steps = tables.symbols, [_step(each, tables.symbols) for each in tables.steps]

    def told(rows: list[_Reached]) -> tuple[Reached, ...]:
        return tuple(
            Reached(
                symbol=symbols[row.symbol],
                distance=row.distance,
                tier=row.tier,
                proof=tuple(steps[place] for place in row.proof),
            )
            for row in rows
        )

    return msgspec.structs.replace(tables.rest, reached=told(tables.reached), tests=told(tables.tests))


def _step(row: _Step, symbols: list[Symbol]) -> Step:
    edge, tier, role, form, path, line, side = row.said
    source, target = symbols[row.source], symbols[row.target]
    return Step(
        source=source,
        target=target,
        edge=edge,
        tier=tier,
        role=role,
        form=form,
        path=path,
        line=line,
        side=side,
    )
