"""JUnit's XML, as Ant, Maven, pytest, go-junit-report and many others write it: tests and how they ended."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graph.errors import RecordingError
from graph.ingest.coverage import markup
from graph.ingest.coverage.covered import Case, Format, Gathering, Report

_RESULTS = {"failure": "failed", "error": "error", "skipped": "skipped"}
_ROOTS = ("testsuites", "testsuite")
MOST_CASES = 2_000_000


def read(data: bytes) -> Report:
    """The tests of a report, in its order.

    Raises
    ------
    RecordingError
        It is no such report.
    """
    stack: list[str] = []
    suites: list[str] = []
    cases: list[Case] = []

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        if not stack and name not in _ROOTS:
            raise RecordingError(f"A JUnit report is a <testsuite>, and this a <{name[:40]}>.", "Is it one?")
        stack.append(name)
        if name == "testsuite":
            suites.append(attributes.get("name", ""))
        elif name == "testcase":
            if len(cases) >= MOST_CASES:
                raise RecordingError(f"The JUnit report has more than {MOST_CASES:,} tests.", "Split it up.")
            cases.append(_case(attributes, suites[-1] if suites else ""))
        elif name in _RESULTS and len(stack) > 1 and stack[-2] == "testcase":
            last = cases[-1]
            cases[-1] = Case(last.name, last.holder, last.path, last.line, _RESULTS[name], last.seconds)

    def end(name: str) -> None:
        stack.pop()
        if name == "testsuite":
            suites.pop()

    markup.walk(data, Format.JUNIT, begin, end)
    return Gathering(Format.JUNIT).report(tuple(cases))


def _case(attributes: Mapping[str, str], suite: str) -> Case:
    line = attributes.get("line", "")
    return Case(
        name=attributes.get("name", ""),
        holder=attributes.get("classname", "") or suite,
        path=attributes.get("file", "").replace("\\", "/"),
        line=int(line) if line.isascii() and line.isdigit() and len(line) < 9 else 0,
        result="passed",
        seconds=_seconds(attributes.get("time", "")),
    )


def _seconds(text: str) -> float:
    """A duration; some writers put commas between thousands. What is no number is not told."""
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds >= 0 else 0.0
