"""JaCoCo's XML (report.dtd): lines of Java and Kotlin sources, by package."""

from __future__ import annotations

from collections.abc import Mapping

from graph.errors import RecordingError
from graph.ingest.coverage import markup
from graph.ingest.coverage.covered import Format, Gathering, Report, number


def read(data: bytes) -> Report:
    """The executed lines of a report: those of which some instruction was covered.

    Raises
    ------
    RecordingError
        It is no such report.
    """
    found = Gathering(Format.JACOCO)
    stack: list[str] = []
    inside = {"package": "", "sourcefile": ""}

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        if not stack and name != "report":
            raise RecordingError(f"A JaCoCo report is a <report>, and this a <{name[:40]}>.", "Is it one?")
        stack.append(name)
        if name in inside:
            inside[name] = attributes.get("name", "")
        elif name == "line" and inside["sourcefile"]:
            path = "/".join(filter(None, (inside["package"], inside["sourcefile"])))
            where = f"a line of {path}"
            if number(attributes.get("ci", ""), Format.JACOCO, where):
                found.add("", path, number(attributes.get("nr", ""), Format.JACOCO, where), where)

    def end(name: str) -> None:
        stack.pop()
        if name in inside:
            inside[name] = ""

    markup.walk(data, Format.JACOCO, begin, end)
    return found.report(notes=("A JaCoCo report tells of a whole run, not of its tests.",))
