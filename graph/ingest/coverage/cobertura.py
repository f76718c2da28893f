"""Cobertura's XML (coverage-04.dtd), as coverage.py, gcovr, istanbul and many others write it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from graph.errors import RecordingError
from graph.ingest.coverage import markup
from graph.ingest.coverage.covered import Format, Gathering, Report, number


def read(data: bytes) -> Report:
    """The executed lines of a report: of the whole run, since it tells no tests.

    Raises
    ------
    RecordingError
        It is no such report.
    """
    found = Gathering(Format.COBERTURA)
    stack: list[str] = []
    files: list[str] = []

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        if not stack and name != "coverage":
            raise RecordingError(
                f"A Cobertura report is a <coverage>, and this a <{name[:40]}>.", "Is it one?"
            )
        stack.append(name)
        if name == "class":
            files.append(attributes.get("filename", ""))
        elif name == "line" and files and files[-1]:
            where = f"a line of {files[-1]}"
            if number(attributes.get("hits", ""), Format.COBERTURA, where):
                line = number(attributes.get("number", ""), Format.COBERTURA, where)
                found.add("", posixpath.normpath(files[-1]), line, where)

    def end(name: str) -> None:
        stack.pop()
        if name == "class":
            files.pop()

    markup.walk(data, Format.COBERTURA, begin, end)
    return found.report(notes=("A Cobertura report tells of a whole run, not of its tests.",))
