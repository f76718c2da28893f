"""Recordings of test runs as the plugin would write them, made up by hand for tests of what reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from maestro_selection import tables
from maestro_selection.recording import Fixture, Outcome, Recording, Step, Test, Trace, bitmap, packed

Lines = Mapping[str, Iterable[int]]


def blob(text: str) -> str:
    """The id that git gives a file."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def trace(
    lines: Lines = MappingProxyType({}), opened: Iterable[str] = (), imported: Iterable[str] = ()
) -> Trace:
    return Trace(
        {path: bitmap(numbers) for path, numbers in lines.items()},
        frozenset(opened),
        frozenset(),
        frozenset(),
        frozenset(imported),
    )


def ran(
    node: str,
    lines: Lines,
    opened: Iterable[str] = (),
    result: str = "passed",
    seconds: float = 0.1,
    commit: str = "",
) -> Test:
    path, _, below = node.partition("::")
    function, _, parameters = below.partition("[")
    return Test(
        node=node,
        path=path,
        function=function.replace("::", "."),
        parameters=parameters.removesuffix("]"),
        outcomes=(Outcome(result, commit, seconds),),
        steps=(Step("call", "", trace(lines, opened)),),
    )


def recording(
    files: Mapping[str, str],
    tests: Iterable[Test],
    *,
    commit: str = "",
    roots: Iterable[str] = (),
    recorded: float = 1.0,
    imports: Mapping[str, Trace] | None = None,
    fixtures: Mapping[str, Fixture] = MappingProxyType({}),
) -> Recording:
    """A recording of these files and tests; each Python file was imported in full if nothing else is said."""
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    whole = {path: trace({path: _at_import(path, text)}) for path, text in python.items()}
    return Recording(
        roots=tuple(roots),
        commit=commit,
        recorded=recorded,
        python="3.11.0",
        implementation="cpython",
        platform="linux",
        files={path: blob(text) for path, text in files.items()},
        tables={path: tables.read(path, text).to_json() for path, text in python.items()},
        tests={test.node: test for test in tests},
        fixtures=dict(fixtures),
        imports=whole if imports is None else dict(imports),
    )


def _at_import(path: str, text: str) -> list[int]:
    """Lines of statements that run when a file is imported."""
    table = tables.read(path, text)
    return [
        line
        for statement in table.statements
        if table.at_import(statement.scope)
        for line in range(statement.first, statement.last + 1)
    ]


def data(made: Recording) -> bytes:
    return packed(made)


def at(made: Recording, **changes: object) -> Recording:
    return replace(made, **changes)  # type: ignore[arg-type]
