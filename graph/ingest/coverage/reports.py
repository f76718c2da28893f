"""Tells reports apart by what they hold, and reads each by its reader."""

from __future__ import annotations

import re
from collections.abc import Callable

from graph.errors import RecordingError
from graph.ingest.coverage import cobertura, gocover, jacoco, junit, lcov
from graph.ingest.coverage.covered import Format, Report

READERS: dict[Format, Callable[[bytes], Report]] = {
    Format.LCOV: lcov.read,
    Format.COBERTURA: cobertura.read,
    Format.JACOCO: jacoco.read,
    Format.GO_COVER: gocover.read,
    Format.JUNIT: junit.read,
}
_ROOTS = {
    b"coverage": Format.COBERTURA,
    b"report": Format.JACOCO,
    b"testsuites": Format.JUNIT,
    b"testsuite": Format.JUNIT,
}
_ELEMENT = re.compile(rb"<([A-Za-z_][\w.-]*)[\s/>]")
_LCOV = re.compile(rb"(?:TN:|SF:|#)")
_LOOKED = 65_536


def format_of(data: bytes) -> Format | None:
    """The format of a report by its beginning; None where it is none that is read."""
    start = data[:_LOOKED].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"mode: "):
        return Format.GO_COVER
    if _LCOV.match(start) and b"SF:" in data[:_LOOKED]:
        return Format.LCOV
    found = _ELEMENT.search(start) if start.startswith(b"<") else None
    return _ROOTS.get(found[1]) if found else None


def read(data: bytes, name: str) -> Report:
    """A report of any format that is read.

    Raises
    ------
    RecordingError
        It is none of them, or it is damaged.
    """
    format = format_of(data)
    if format is None:
        known = ", ".join(format.value for format in Format)
        raise RecordingError(
            f"{name} is neither a recording nor a report that Maestro reads.",
            f"Take in what pytest --maestro-record writes, or one of: {known}.",
        )
    return READERS[format](data)
