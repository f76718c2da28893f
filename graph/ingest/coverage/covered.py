"""What any coverage report comes to: lines executed by file, of one test or of a whole run."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique

from graph.errors import RecordingError

LARGEST = 512 << 20
"""Bytes of a report that are read."""
MOST_LINES = 20_000_000
"""Executed lines that one report may tell of."""
LAST_LINE = 10_000_000
"""A line number beyond which no source file goes; a report that names one is damaged."""


@unique
class Format(StrEnum):
    """The formats that are read."""

    LCOV = "lcov"
    COBERTURA = "cobertura"
    JACOCO = "jacoco"
    GO_COVER = "go-cover"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Case:
    """A test as a report names it: `holder` is its class or suite. Seconds are 0 where they are not told."""

    name: str
    holder: str = ""
    path: str = ""
    line: int = 0
    result: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes
    ----------
    lines : dict of test to dict of path to set of int
        Executed lines (1-based). The test is empty where the report tells of a whole run.
    cases : tuple of Case
        Tests with their outcomes, where it tells these.
    notes : tuple of str
        What it did not tell, in sentences.
    """

    format: Format
    lines: Mapping[str, Mapping[str, frozenset[int]]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()


class Gathering:
    """Executed lines while a report is read, held to its limits."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.count = 0

    def add(self, test: str, path: str, line: int, where: str) -> None:
        """A line was executed; RecordingError where it cannot be one."""
        if not 1 <= line <= LAST_LINE:
            raise RecordingError(
                f"The {self.format} report names line {line} of {path} ({where}).", "It is damaged."
            )
        self.count += 1
        if self.count > MOST_LINES:
            raise RecordingError(
                f"The {self.format} report tells of more than {MOST_LINES:,} executed lines.",
                "Make one report a part of the tests.",
            )
        self.lines.setdefault(test, {}).setdefault(path, set()).add(line)

    def report(self, cases: tuple[Case, ...] = (), notes: tuple[str, ...] = ()) -> Report:
        """What was gathered; RecordingError where that is nothing."""
        if not self.lines and not cases:
            raise RecordingError(
                f"The {self.format} report tells of no executed line.", "Was anything measured in that run?"
            )
        held = {
            test: {path: frozenset(found) for path, found in files.items()}
            for test, files in self.lines.items()
        }
        return Report(self.format, held, cases, notes)


def text_of(data: bytes, format: Format) -> str:
    """A report's text; RecordingError where it is none or too large."""
    if len(data) > LARGEST:
        raise RecordingError(
            f"The {format} report is larger than {LARGEST >> 20} MB.", "Make one report a part of the tests."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"The {format} report is not UTF-8 text (byte {error.start}).", "It is damaged."
        ) from error


def number(text: str, format: Format, where: str, fault: str = "is no number") -> int:
    """A whole number; RecordingError says where there is none."""
    digits = text.strip()
    # Longer ones are no line and no count, and turning them into a number takes time.
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise RecordingError(f"{digits[:40]!r} {fault} ({format} report, {where}).", "It is damaged.")
    return int(digits)


class Places:
    """Finds the file of a repository that a report means.

    Reports write absolute paths of the machine that made them, paths from some folder, or package names. A
    path means the one file that ends so; where several do, or none, it means nothing and is told.
    """

    def __init__(self, paths: frozenset[str]) -> None:
        self._paths = paths
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(paths):
            self._by_name.setdefault(posixpath.basename(path), []).append(path)
        self._known: dict[str, str] = {}

    def find(self, written: str) -> str:
        """The repository's path; empty where it is not told which."""
        if written not in self._known:
            self._known[written] = self._sought(written.replace("\\", "/"))
        return self._known[written]

    def _sought(self, written: str) -> str:
        clean = posixpath.normpath(written).lstrip("/") if written else ""
        if clean in self._paths and not written.startswith("/"):
            return clean
        # The end that fits best: of /build/src/app/main.go that is src/app/main.go.
        best: list[str] = []
        length = 0
        parts = clean.split("/")[::-1]
        for path in self._by_name.get(posixpath.basename(clean), ()):
            own = path.split("/")[::-1]
            same = 0
            while same < min(len(own), len(parts)) and own[same] == parts[same]:
                same += 1
            if same < len(own) and same < len(parts):
                continue  # neither path is the end of the other
            if same > length:
                best, length = [path], same
            elif same == length:
                best.append(path)
        return best[0] if len(best) == 1 else ""
