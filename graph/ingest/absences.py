"""Who is away: a small file that a person or a calendar's export writes (docs/reviews.md).

JSON lines, an object a line; days are those of UTC, both included, and either end may be open:

    {"person": "ann@example.org", "from": "2026-11-02", "to": "2026-11-20", "why": "on leave"}
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec

from graph.errors import InputError

MAX_ABSENCES = 4 * 1024 * 1024
"""Bytes of a file that are taken."""
_DAY = 86_400
_KNOWN = {"person", "from", "to", "why"}


class Absence(NamedTuple):
    """Somebody (an address, a `@handle` or a name) is away from one moment to another, Unix seconds."""

    person: str
    begin: float
    end: float
    why: str

    def covers(self, at: float) -> bool:
        """Whether they are away then."""
        return self.begin <= at < self.end


def parse_absences(data: bytes, called: str = "the file of absences") -> tuple[Absence, ...]:
    """Read who is away.

    Raises
    ------
    InputError
        A line is not what docs/reviews.md says; the message names it.
    """
    if len(data) > MAX_ABSENCES:
        raise InputError(f"{called} is larger than {MAX_ABSENCES >> 20} MB.", "Leave out what is over.")
    found = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(_absence(msgspec.json.decode(line)))
        except (ValueError, RecursionError, msgspec.DecodeError) as error:
            raise InputError(
                f"Line {number} of {called} cannot be used: {error}.", "docs/reviews.md shows the form."
            ) from error
    return tuple(found)


def _absence(row: Any) -> Absence:
    if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
        raise ValueError("a line is an object with `person`, and `from`, `to` and `why` as text")
    if odd := sorted(row.keys() - _KNOWN):
        raise ValueError(f"{odd[0]!r} means nothing; known are person, from, to and why")
    person = row.get("person", "").strip()
    if not person or not person.isprintable():
        raise ValueError("`person` names nobody")
    begin = _seconds(row["from"]) if "from" in row else float("-inf")
    end = _seconds(row["to"]) + _DAY if "to" in row else float("inf")
    if begin >= end:
        raise ValueError("it ends before it begins")
    why = "".join(c for c in row.get("why", "") if c.isprintable())[:200]
    return Absence(person, begin, end, why)


def _seconds(day: str) -> float:
    return float((date.fromisoformat(day) - date(1970, 1, 1)).days * _DAY)
