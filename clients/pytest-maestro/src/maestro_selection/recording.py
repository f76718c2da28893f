"""A recording: what every test of a repository did when it last ran, in one file.

A recording tells, for one state of a repository, what was executed, opened and read by every test, by every
fixture's set-up and tear-down, by the import of every module and by the session around them. It is what
`pytest --maestro-record` writes and what a selection starts from; it holds no source text and no values of
environment variables.

Recording without installing the distribution into a project's environment (a benchmark, a locked image)::

    PYTHONPATH=clients/pytest-maestro/src python -m pytest -p pytest_maestro.plugin \
        --maestro-record --maestro-recording FILE ...

The file is gzip over lines of JSON: the header (format, version, number of states, commit), a line for each
state, a line for each file table that any of them has, and the number of lines. `read` refuses what is
truncated, foreign or newer with a `RecordingError`.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

from maestro_selection import coding
from maestro_selection.records import (
    CALL,
    PHASES,
    SETUP,
    TEARDOWN,
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
    bitmap,
    numbers,
    span,
)

__all__ = [
    "CALL",
    "FORMAT",
    "OUTCOMES_KEPT",
    "PHASES",
    "SETUP",
    "TEARDOWN",
    "VERSION",
    "Distribution",
    "Fixture",
    "Note",
    "Outcome",
    "Process",
    "Recording",
    "RecordingError",
    "Step",
    "Tables",
    "Test",
    "Trace",
    "bitmap",
    "merge",
    "numbers",
    "read",
    "span",
    "write",
]

FORMAT = "maestro-recording"
VERSION = 2
OUTCOMES_KEPT = 20
LIMIT = 2 << 30
"""Bytes that a recording may unpack to, unless the caller says otherwise."""

Source = Union[str, "os.PathLike[str]", bytes]
_Readers = Mapping[str, "frozenset[tuple[str, int]]"]


class RecordingError(Exception):
    """A recording that cannot be used: truncated, foreign, newer, or that does not fit.

    Parameters
    ----------
    message : str
        What was wrong and where.
    hint : str
        What to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


_MAKE = "One is made by pytest --maestro-record."
_AGAIN = "Record again: pytest --maestro-record."


def read(source: Source, limit: int = LIMIT) -> Recording:
    """Read a recording from a file or from its bytes.

    Raises
    ------
    RecordingError
        When there is none, or it is truncated, damaged, foreign, newer, or unpacks to over `limit` bytes.
    """
    name = "the recording" if isinstance(source, bytes) else os.fspath(source)
    lines = _lines(_unpacked(_packed(source, name), name, limit), name)
    header = _header(lines[0], name)
    try:
        count = header["states"]
        tables = lines[1 + count : -1]
        states = [coding.Reading(json.loads(line), tables).recording() for line in lines[1 : 1 + count]]
        ended = json.loads(lines[-1])["end"] == len(lines) - 1 and len(states) == count
        first = states[0]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RecordingError(f"{name} is damaged: {type(error).__name__}: {error}.", _AGAIN) from error
    if not ended:
        raise RecordingError(f"{name} is damaged: its parts do not add up.", _AGAIN)
    return replace(first, earlier=tuple(states[1:]))


def _packed(source: Source, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except FileNotFoundError as error:
        raise RecordingError(f"There is no recording at {name}.", _MAKE) from error
    except OSError as error:
        raise RecordingError(f"{name} cannot be read: {error.strerror}.") from error


def _unpacked(packed: bytes, name: str, limit: int) -> bytes:
    if packed[:2] != b"\x1f\x8b":
        raise RecordingError(f"{name} is not a recording.", _MAKE)
    unpacking = zlib.decompressobj(wbits=31)
    try:
        text = unpacking.decompress(packed, limit)
    except zlib.error as error:
        raise RecordingError(f"{name} is damaged: {error}.", _AGAIN) from error
    if unpacking.unconsumed_tail:
        raise RecordingError(f"{name} unpacks to more than {limit} bytes.", "It is refused for its size.")
    if not unpacking.eof:
        raise RecordingError(f"{name} is truncated.", _AGAIN)
    if unpacking.unused_data:
        raise RecordingError(f"{name} is damaged: something follows its end.", _AGAIN)
    return text


def _lines(text: bytes, name: str) -> list[str]:
    try:
        return text.decode("ascii").splitlines() or [""]
    except UnicodeDecodeError as error:
        raise RecordingError(f"{name} is not a recording.", _MAKE) from error


def _header(line: str, name: str) -> dict[str, Any]:
    try:
        header = json.loads(line)
        foreign = header["format"] != FORMAT
        version, states = int(header["version"]), int(header["states"])
    except (ValueError, LookupError, TypeError, RecursionError):
        foreign, version, states = True, 0, 0
    if foreign:
        raise RecordingError(f"{name} is not a recording.", _MAKE)
    if version > VERSION:
        raise RecordingError(
            f"{name} has version {version}, and this program reads up to {VERSION}.",
            "Install a newer pytest-maestro, or record again with this one.",
        )
    return {"version": version, "states": states}


def write(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write a recording in one step: a reader finds the old file or the new one, never a part.

    Raises
    ------
    RecordingError
        When the place cannot be written to.
    """
    place = Path(path)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(beside, "wb") as file:
                file.write(packed(recording))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise RecordingError(f"The recording cannot be written to {place}: {error.strerror}.") from error


def packed(recording: Recording) -> bytes:
    """The bytes of a recording's file; the same for the same recording."""
    states = list(recording.states())
    header = {"format": FORMAT, "version": VERSION, "states": len(states), "commit": recording.commit}
    lines = [coding.dense(header)]
    tables: dict[str, int] = {}
    lines += [coding.Writing(state, tables).line() for state in states]
    lines += tables
    lines.append(coding.dense({"end": len(lines)}))
    return gzip.compress("\n".join(lines).encode("ascii"), 6, mtime=0)


def merge(recordings: Iterable[Recording]) -> Recording:
    """One recording of several: shards of one state become one, other states are kept as `earlier`.

    Where two shards of one state tell differently of a test, both are believed: their steps are joined.

    Raises
    ------
    RecordingError
        When there is none, or when two are of different repositories.
    """
    given = sorted(
        (replace(state, earlier=()) for each in recordings for state in each.states()),
        key=lambda state: state.recorded,
        reverse=True,
    )
    if not given:
        raise RecordingError("There is nothing to merge.", "Name at least one recording.")
    states: list[Recording] = []
    for state in given:
        if state.roots and states and states[0].roots and not set(state.roots) & set(states[0].roots):
            raise RecordingError(
                f"The recordings are of different repositories: {states[0].commit} and {state.commit}.",
                "Merge those of one repository only.",
            )
        same = next((place for place, held in enumerate(states) if held.same_state(state)), None)
        if same is None:
            states.append(state)
        else:
            states[same] = _joined(states[same], state)
    return replace(states[0], earlier=tuple(states[1:]))


def _joined(newer: Recording, older: Recording) -> Recording:
    tests = dict(older.tests)
    for node, test in newer.tests.items():
        tests[node] = _joined_test(tests[node], test) if node in tests else test
    return replace(
        newer,
        dirty=newer.dirty or older.dirty,
        files={**older.files, **newer.files},
        tables={**older.tables, **newer.tables},
        tests=tests,
        fixtures={**older.fixtures, **newer.fixtures},
        imports=_joined_traces(older.imports, newer.imports),
        collections=_joined_traces(older.collections, newer.collections),
        session=older.session | newer.session,
        notes=tuple(dict.fromkeys((*older.notes, *newer.notes))),
        readers=_joined_readers(older.readers, newer.readers),
        # Where one does not tell, nothing is known of both.
        modules=newer.modules | older.modules if newer.modules and older.modules else frozenset(),
    )


def _joined_test(older: Test, newer: Test) -> Test:
    return replace(
        newer,
        fixtures=tuple(dict.fromkeys((*older.fixtures, *newer.fixtures))),
        outcomes=(*older.outcomes, *newer.outcomes)[-OUTCOMES_KEPT:],
        steps=tuple(dict.fromkeys((*older.steps, *newer.steps))),
    )


def _joined_readers(older: _Readers, newer: _Readers) -> _Readers:
    none: frozenset[tuple[str, int]] = frozenset()
    return {path: older.get(path, none) | newer.get(path, none) for path in {**older, **newer}}


def _joined_traces(older: Mapping[str, Trace], newer: Mapping[str, Trace]) -> dict[str, Trace]:
    joined = dict(older)
    for path, trace in newer.items():
        joined[path] = joined[path] | trace if path in joined else trace
    return joined
