"""A recording's state as lines of text, and back; the file around it is `maestro_selection.recording`'s."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from maestro_selection.records import (
    PHASES,
    Distribution,
    Fixture,
    Note,
    Outcome,
    Process,
    Recording,
    Step,
    Tables,
    Test,
    Trace,
)


def dense(value: object) -> str:
    """JSON without spaces, in ASCII."""
    return json.dumps(value, separators=(",", ":"))


class Writing:
    """One state on its way to a file: paths, sets of lines and traces are numbered, each written once.

    Tables are numbered in `shared`, over all states of the file: a file that did not change between two
    states has its table written once.
    """

    def __init__(self, recording: Recording, shared: dict[str, int]) -> None:
        self.recording = recording
        self.shared = shared
        self.paths: dict[str, int] = {}
        self.sets: dict[int, int] = {}
        self.traces: dict[Trace, int] = {}
        self.same: dict[int, int] = {}

    def line(self) -> str:
        """The state's line."""
        held = self.recording
        body: dict[str, Any] = {
            "roots": held.roots,
            "commit": held.commit,
            "dirty": held.dirty,
            "recorded": held.recorded,
            "python": [held.python, held.implementation, held.platform],
            "distributions": {
                name: [each.version, each.modules, each.requires, each.plugin]
                for name, each in held.distributions.items()
            },
            "files": dict(held.files),
            "fixtures": {
                key: [each.name, each.path, each.function, each.scope] for key, each in held.fixtures.items()
            },
            "tests": [self._test(test) for test in held.tests.values()],
            "imports": {path: self._trace(trace) for path, trace in held.imports.items()},
            "collections": {path: self._trace(trace) for path, trace in held.collections.items()},
            "session": self._trace(held.session),
            "notes": [[note.kind, note.path, note.text, note.test] for note in held.notes],
            "modules": sorted(held.modules),
            "readers": {path: sorted(readers) for path, readers in sorted(held.readers.items())},
            "tables": {path: self._table(path) for path in held.tables},
        }
        body["traces"] = [self._parts(trace) for trace in list(self.traces)]
        body["sets"] = [format(bits, "x") for bits in self.sets]
        body["paths"] = list(self.paths)
        return dense(body)

    def _table(self, path: str) -> int:
        tables = self.recording.tables
        text = tables.raw(path) if isinstance(tables, Tables) else dense(tables[path])
        return self.shared.setdefault(text, len(self.shared))

    def _test(self, test: Test) -> list[Any]:
        return [
            test.node,
            test.path,
            test.function,
            test.parameters,
            test.fixtures,
            [[each.result, each.state, each.seconds] for each in test.outcomes],
            [[PHASES.index(step.phase), step.fixture, self._trace(step.trace)] for step in test.steps],
        ]

    def _trace(self, trace: Trace) -> int:
        number = self.same.get(id(trace))
        if number is None:
            number = self.same[id(trace)] = self.traces.setdefault(trace, len(self.traces))
        return number

    def _path(self, path: str) -> int:
        return self.paths.setdefault(path, len(self.paths))

    def _parts(self, trace: Trace) -> list[Any]:
        return [
            [
                number
                for path, bits in sorted(trace.lines.items())
                for number in (self._path(path), self.sets.setdefault(bits, len(self.sets)))
            ],
            [self._path(path) for path in sorted(trace.opened)],
            [self._path(path) for path in sorted(trace.listed)],
            sorted(trace.variables),
            [self._path(path) for path in sorted(trace.imported)],
            sorted([each.program, each.followed] for each in trace.processes),
            [self._path(path) for path in sorted(trace.sought)],
        ]


class Reading:
    """One state on its way from a file."""

    def __init__(self, body: dict[str, Any], tables: Sequence[str]) -> None:
        self.body = body
        self.tables = tables
        self.paths = [_text(path) for path in body["paths"]]
        self.sets = [int(_text(bits), 16) for bits in body["sets"]]
        self.traces = [self._trace(parts) for parts in body["traces"]]

    def recording(self) -> Recording:
        """The state; raises LookupError, TypeError or ValueError where the lines do not hold one."""
        body = self.body
        python, implementation, platform = body["python"]
        tests = [self._test(parts) for parts in body["tests"]]
        return Recording(
            roots=tuple(map(_text, body["roots"])),
            commit=_text(body["commit"]),
            dirty=bool(body["dirty"]),
            recorded=float(body["recorded"]),
            python=_text(python),
            implementation=_text(implementation),
            platform=_text(platform),
            distributions={
                name: Distribution(_text(version), tuple(modules), tuple(requires), bool(plugin))
                for name, (version, modules, requires, plugin) in body["distributions"].items()
            },
            files={path: _text(blob) for path, blob in body["files"].items()},
            tables=Tables({path: self.tables[number] for path, number in body["tables"].items()}),
            tests={test.node: test for test in tests},
            fixtures={key: Fixture(*map(_text, parts)) for key, parts in body["fixtures"].items()},
            imports={path: self.traces[number] for path, number in body["imports"].items()},
            collections={path: self.traces[number] for path, number in body["collections"].items()},
            session=self.traces[body["session"]],
            notes=tuple(Note(*map(_text, parts)) for parts in body["notes"]),
            modules=frozenset(map(_text, body.get("modules", ()))),
            readers={
                path: frozenset((_text(file), int(line)) for file, line in readers)
                for path, readers in body.get("readers", {}).items()
            },
        )

    def _test(self, parts: list[Any]) -> Test:
        node, path, function, parameters, fixtures, outcomes, steps = parts
        return Test(
            _text(node),
            _text(path),
            _text(function),
            _text(parameters),
            tuple(fixtures),
            tuple(
                Outcome(_text(result), _text(state), float(seconds)) for result, state, seconds in outcomes
            ),
            tuple(Step(PHASES[phase], _text(fixture), self.traces[trace]) for phase, fixture, trace in steps),
        )

    def _trace(self, parts: list[Any]) -> Trace:
        # Version 1 does not tell what was sought.
        lines, opened, listed, variables, imported, processes, *sought = parts
        pairs = iter(lines)
        return Trace(
            {self.paths[path]: self.sets[bits] for path, bits in zip(pairs, pairs)},
            frozenset(self.paths[path] for path in opened),
            frozenset(self.paths[path] for path in listed),
            frozenset(map(_text, variables)),
            frozenset(self.paths[path] for path in imported),
            frozenset(Process(_text(program), bool(followed)) for program, followed in processes),
            frozenset(self.paths[path] for paths in sought for path in paths),
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
