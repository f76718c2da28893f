"""Go's cover profiles (`go test -coverprofile`; golang.org/x/tools/cover): blocks with how often they ran."""

from __future__ import annotations

import re

from graph.errors import RecordingError
from graph.ingest.coverage.covered import Format, Gathering, Report, number, text_of

_MODE = re.compile(r"mode: (set|count|atomic)")
_BLOCK = re.compile(r"(.+):(\d+)\.(\d+),(\d+)\.(\d+) (\d+) (\d+)")
_LONGEST = 1_000_000
"""Lines of a block at most."""


def read(data: bytes) -> Report:
    """The executed lines of a profile: every line of a block that ran.

    Raises
    ------
    RecordingError
        It is no profile, or a line of it is none of a block.
    """
    lines = text_of(data, Format.GO_COVER).splitlines()
    if not lines or not _MODE.fullmatch(lines[0].strip()):
        raise RecordingError(
            "A Go cover profile begins with its mode.", "Is it one? go test -coverprofile=FILE"
        )
    found = Gathering(Format.GO_COVER)
    for place, line in enumerate(lines[1:], 2):
        text, where = line.strip(), f"line {place}"
        if not text or _MODE.fullmatch(text):  # profiles of several packages are often put together
            continue
        match = _BLOCK.fullmatch(text)
        if match is None:
            raise RecordingError(
                f"{text[:60]!r} is no block of a Go cover profile ({where}).", "It is damaged."
            )
        first, last = (number(match[group], Format.GO_COVER, where) for group in (2, 4))
        if last < first or last - first > _LONGEST:
            raise RecordingError(
                f"A block of {match[1]} goes from {first} to {last} ({where}).", "It is damaged."
            )
        if number(match[7], Format.GO_COVER, where):
            for executed in range(first, last + 1):
                found.add("", match[1], executed, where)
    return found.report()
