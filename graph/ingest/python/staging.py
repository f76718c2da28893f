"""What the type engine is shown of each file: fixtures without their decorators, and their types."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from graph.ingest.python.module import ASYNC, GENERATOR, ModuleRecord
from graph.ingest.python.records import Target
from graph.ingest.python.rewriting import Header
from graph.ingest.python.slack import ends
from graph.ingest.python.view import SUPPORT, Shown

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

Parameters = Mapping[Target, Mapping[str, tuple[Target, ...]]]
"""By test or fixture: parameter name to the fixtures that may be handed to it, the likeliest first."""


class Stage(NamedTuple):
    """Files to show by path, and the lines of the support module that give fixtures their types."""

    files: dict[str, Shown]
    values: list[str]


def stage(program: Program, blobs: Mapping[str, str], parameters: Parameters) -> Stage:
    """Decide what the engine is shown.

    Parameters
    ----------
    program : Program
    blobs : mapping of str to str
        Blob ids of the files to show, by path.
    parameters : mapping
        Which parameters are handed which fixtures.
    """
    values = _Values(program)
    files = {}
    for path, blob in blobs.items():
        record = program.records[path]
        headers = _headers(path, record, program, parameters, values)
        files[path] = Shown(blob, tuple(sorted(headers, key=lambda header: header.line)), ends(record))
    return Stage(files, values.lines())


def _headers(
    path: str, record: ModuleRecord, program: Program, parameters: Parameters, values: _Values
) -> list[Header]:
    if record.frameworks is None:
        return []
    fixtures = {mark.place: mark.decorator for mark in record.frameworks.fixtures}
    properties: dict[int, set[str]] = {}
    foreign = _foreign(record, program)
    for decoration in record.frameworks.decorations:
        name = decoration.value
        if isinstance(name, str) and name.endswith("property") and name.partition(".")[0] in foreign:
            properties.setdefault(decoration.place, set()).add(name)
    headers = []
    handed = {place for place in range(len(record.definitions)) if Target(path, place) in parameters}
    for place in fixtures.keys() | properties.keys() | handed:
        definition = record.definitions[place]
        expressions = {}
        for name, found in parameters.get(Target(path, place), {}).items():
            expression = values.expression(found[0]) if found else ""
            if expression:
                expressions[name] = expression
        blanked = frozenset({fixtures[place]} if place in fixtures else ())
        header = Header(
            definition.line, definition.mark, expressions, blanked, frozenset(properties.get(place, ()))
        )
        if header.parameters or header.blanked or header.properties:
            headers.append(header)
    return headers


def _foreign(record: ModuleRecord, program: Program) -> set[str]:
    """Names that a file imports from neither the repository nor the standard library."""
    found = set()
    for item in record.uses.imports:
        top = item.module.partition(".")[0]
        if item.level == 0 and top not in sys.stdlib_module_names and not program.paths_of(top):
            found.add(item.alias or item.name or top)
    return found


class _Values:
    """Names in the support module, one a fixture; stable, whatever other fixtures there are."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lines: dict[Target, str] = {}

    def expression(self, fixture: Target) -> str:
        """What evaluates to what the fixture makes; empty where the fixture cannot be named."""
        if fixture not in self._lines:
            self._lines[fixture] = self._line(fixture)
        return f"{SUPPORT}.{_name(fixture, self._program)}" if self._lines[fixture] else ""

    def lines(self) -> list[str]:
        """The support module's own lines."""
        return sorted(line for line in self._lines.values() if line)

    def _line(self, fixture: Target) -> str:
        qualname = self._program.records[fixture.path].definitions[fixture.place].qualname
        if "<" in qualname:
            return ""
        module = self._program.module_of(fixture.path)
        if next(iter(self._program.paths_of(module)), "") != fixture.path:
            module = fixture.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        if not all(part.isidentifier() for part in module.split(".")):
            return ""
        name = _name(fixture, self._program)
        return f"import {module} as m{name}; {name} = {self._hands_over(fixture)}(m{name}.{qualname})"

    def _hands_over(self, fixture: Target) -> str:
        """How its function makes what it makes: a name of the support module's preamble."""
        for function in self._program.records[fixture.path].uses.functions:
            if function.place == fixture.place:
                generator, coroutine = function.flags & GENERATOR, function.flags & ASYNC
                if generator:
                    return "sent" if coroutine else "yielded"
                return "awaited" if coroutine else "returned"
        return "returned"


def _name(fixture: Target, program: Program) -> str:
    definition = program.records[fixture.path].definitions[fixture.place]
    text = f"{fixture.path}::{definition.qualname}#{definition.ordinal}"
    return f"v{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
