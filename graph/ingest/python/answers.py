"""The type engine's answers in the program's own terms: definitions instead of positions.

Answers of one file are a value that can be kept: targets are named by path, qualified name and
ordinal, which an edit elsewhere does not move.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple

import msgspec

from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.records import Definition, Site, Target
from graph.ingest.python.report import Known, Place, Report, Use
from graph.ingest.python.rewriting import Insertion, Origin, characters
from graph.schema import Sort


class Named(NamedTuple):
    """A definition by name."""

    path: str
    qualname: str
    ordinal: int


class Answer(msgspec.Struct, array_like=True, gc=False):
    """What the engine says of one expression; `targets` index `Answers.names`."""

    caller: int
    """Place of the definition that it stands in."""
    decorator: bool
    site: Site
    """1-based lines, 0-based columns in characters."""
    kind: str
    detail: str
    targets: tuple[tuple[int, str, bool, bool, int], ...]
    """(name, how, dispatched, dunder, receiver's name or -1), as in `report.Aim`."""
    external: bool
    reason: str


class Answers(msgspec.Struct, array_like=True):
    """All answers of one file."""

    names: list[Named]
    answers: list[Answer]
    types: list[tuple[Site, tuple[int, ...]]] = []
    """Expressions of the repository's types: the classes they are instances of, as in `names`; `~place` where
    it is the class itself."""
    interface: str = ""
    """What other files' answers may rest on (see `memory.interface`)."""


class Places:
    """Where the definitions of a program are named, to meet the engine's report."""

    def __init__(
        self, records: Mapping[str, ModuleRecord], lines: Callable[[str], list[bytes] | None]
    ) -> None:
        self._records = records
        self._lines = lines
        self._found: dict[str, dict[tuple[int, int], int]] = {}
        self._marks: dict[str, dict[int, int]] = {}
        self._places: dict[Place, Target | None] = {}
        self.unmatched: set[Place] = set()

    def target(self, place: Place) -> Target | None:
        """The definition whose name stands at a place."""
        if place not in self._places:
            self._places[place] = self._look(place)
        return self._places[place]

    def site(self, path: str, site: Site) -> Site:
        """A span with byte columns as one with columns in characters."""
        lines = self._lines(path)
        if lines is None:
            return site
        return Site(
            site.line,
            characters(lines[site.line - 1], site.column) if site.line <= len(lines) else site.column,
            site.end_line,
            characters(lines[site.end_line - 1], site.end_column)
            if site.end_line <= len(lines)
            else site.end_column,
        )

    def _look(self, place: Place) -> Target | None:
        record = self._records.get(place.path)
        if record is None:
            return None
        if place.path not in self._found:
            self._index(place.path, record)
        line, column, _, _ = self.site(place.path, Site(place.line, place.column, place.line, place.column))
        index = self._found[place.path].get((line, column), -1)
        if index < 0:  # a header of several lines, or a form that counts columns otherwise
            index = self._marks[place.path].get(line, -1)
        if index < 0:
            self.unmatched.add(place)
            return None
        return Target(place.path, index)

    def _index(self, path: str, record: ModuleRecord) -> None:
        found: dict[tuple[int, int], int] = {}
        marks: dict[int, int] = {}
        for index, definition in enumerate(record.definitions):
            if definition.sort in (Sort.FUNCTION, Sort.METHOD, Sort.CLASS):
                found[definition.mark, definition.name_column] = index
                marks[definition.mark] = -1 if definition.mark in marks else index
        self._found[path] = found
        self._marks[path] = marks


def collect(
    report: Report,
    wanted: Container[str],
    records: Mapping[str, ModuleRecord],
    places: Places,
    insertions: Callable[[str], list[Insertion]],
) -> Iterator[tuple[str, Answers]]:
    """The answers of each file that is wanted, from a report."""
    types = dict(report.types(wanted))
    for path, uses in report.uses(wanted):
        if path in records:
            origin = Origin(insertions(path))
            yield path, _of_file(path, uses, types.get(path, []), records, places, origin)


def _of_file(
    path: str,
    uses: list[Use],
    types: list[tuple[Site, tuple[Known, ...]]],
    records: Mapping[str, ModuleRecord],
    places: Places,
    origin: Origin,
) -> Answers:
    names: dict[Target, int] = {}
    answers: list[Answer] = []

    def name(target: Target) -> int:
        return names.setdefault(target, len(names))

    for use in uses:
        site = origin.site(use.site)
        if site is None:
            continue
        caller = places.target(use.caller) if use.caller is not None else Target(path, 0)
        targets = []
        for aim in use.aims:
            target = places.target(aim.place)
            if target is not None:
                klass = places.target(aim.receiver) if aim.receiver is not None else None
                receiver = -1 if klass is None else name(klass)
                targets.append((name(target), aim.how, aim.dispatched, aim.dunder, receiver))
        answers.append(
            Answer(
                caller.place if caller is not None else 0,
                use.decorator,
                places.site(path, site),
                use.kind,
                use.detail,
                tuple(targets),
                use.external,
                use.reason,
            )
        )
    typed = []
    for span, classes in types:
        site = origin.site(span)
        found = tuple(
            ~name(target) if kind.itself else name(target)
            for kind in classes
            if (target := places.target(kind.place)) is not None
        )
        if site is not None and found:
            typed.append((places.site(path, site), found))
    named = [_named(records, target) for target in names]
    return Answers(named, answers, typed)


def _named(records: Mapping[str, ModuleRecord], target: Target) -> Named:
    definition: Definition = records[target.path].definitions[target.place]
    return Named(target.path, definition.qualname, definition.ordinal)


class Directory:
    """Definitions by name, to turn kept answers back into targets."""

    def __init__(self, records: Mapping[str, ModuleRecord]) -> None:
        self._records = records
        self._files: dict[str, dict[tuple[str, int], int]] = {}

    def target(self, path: str, qualname: str, ordinal: int) -> Target | None:
        """The definition of that name; None where it is gone."""
        if path not in self._files:
            record = self._records.get(path)
            definitions = record.definitions if record is not None else []
            self._files[path] = {(d.qualname, d.ordinal): place for place, d in enumerate(definitions)}
        place = self._files[path].get((qualname, ordinal))
        return None if place is None else Target(path, place)
