"""Room behind functions in what the engine is shown, so that an edit in one does not move the others.

The engine takes a definition that stands at another byte for another definition, and reads all files
again that use it. A comment behind each function takes up what the function grew or shrank by: all that
follows stays at its byte. Lines of the comments are taken out of whatever the engine says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graph.ingest.python.module import ModuleRecord
from graph.schema import Sort

ROOM = 240
"""Bytes of a comment, its line's end included: a few lines of code."""

Ends = tuple[tuple[str, int], ...]
"""Functions by name with their last lines (from 1), in order."""


class Slack(NamedTuple):
    """A text with comments put in."""

    text: bytes
    lines: list[int]
    """The comments' lines, from 1, ascending."""
    places: dict[str, int]
    """By function the byte at which its comment ends."""


def ends(record: ModuleRecord) -> Ends:
    """Functions of modules and classes, behind which there may be room; one a line."""
    found: dict[int, str] = {}
    for item in record.definitions:
        if item.sort in (Sort.FUNCTION, Sort.METHOD) and "<locals>" not in item.qualname:
            found.setdefault(item.end, f"{item.qualname}#{item.ordinal}")
    return tuple((name, line) for line, name in sorted(found.items()))


def spread(text: bytes, functions: Ends, before: Mapping[str, int]) -> Slack:
    """Put a comment behind each function, so that it ends at the byte at which it did `before`.

    A function that grew by more than there was room for gets new room, and what follows moves.
    """
    lines = text.split(b"\n")
    parts: list[bytes] = []
    numbers: list[int] = []
    places: dict[str, int] = {}
    done = at = 0
    for name, end in functions:
        if not done < end <= len(lines):
            continue
        piece = b"\n".join(lines[done:end]) + b"\n"
        at += len(piece)
        room = before.get(name, 0) - at
        comment = b"#" + b"." * ((room if room >= 2 else ROOM) - 2) + b"\n"
        at += len(comment)
        parts += (piece, comment)
        done = end
        numbers.append(done + len(numbers) + 1)
        places[name] = at
    parts.append(b"\n".join(lines[done:]))
    return Slack(b"".join(parts), numbers, places)


def line_of(line: int, comments: Sequence[int]) -> int:
    """A line as the file itself has it."""
    return line - bisect_left(comments, line)
