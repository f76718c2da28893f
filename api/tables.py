"""An impact as tables, in which each node and each step of its proofs stands once: how it travels.

Pickled as it is, an answer of a thousand items takes three times its own room meanwhile, in the process that
worked on it: the pickler keeps whatever it came by until it is done.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from api.documents import Impact, Reached, Step, Symbol
from api.sharing import once


class _Step(Struct, frozen=True, array_like=True):
    """A step; its ends are places in the table of symbols."""

    source: int
    target: int
    said: tuple[Any, ...]
    """All else that a step has."""


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


_ENDS = 2
"""Fields of a step that are its ends; they come first."""
_SAID = Step.__struct_fields__[_ENDS:]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Tables)


def pack(found: Impact) -> bytes:
    """An impact as bytes, for a process of the same program."""
    symbols: list[Symbol] = []
    steps: list[_Step] = []

    @once
    def symbol(each: Symbol) -> int:
        symbols.append(each)
        return len(symbols) - 1

    @once
    def step(each: Step) -> int:
        steps.append(_Step(symbol(each.source), symbol(each.target), astuple(each)[_ENDS:]))
        return len(steps) - 1

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
    symbols = tables.symbols
    steps = [
        Step(
            source=symbols[row.source], target=symbols[row.target], **dict(zip(_SAID, row.said, strict=True))
        )
        for row in tables.steps
    ]

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
