"""Taking recordings in: kept, merged, and said as runtime facts at a head of their own.

The runtime family stands beside the code: an index run of the code leaves it as it is, and taking a
recording in leaves the code alone. Its facts carry the commit that they were seen at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from maestro_selection.recording import Recording

from graph import recordings
from graph.delta import Delta, carried, difference
from graph.errors import RecordingError
from graph.facts import Batch, Scope
from graph.incidence import Incidence
from graph.indexing import current_arrays, write
from graph.ingest import recordings as reading
from graph.ingest.coverage import facts, reports
from graph.ingest.coverage.covered import Places, Report
from graph.ingest.git import Commit, Mirror
from graph.offload import Offload, at_once
from graph.progress import Progress, silent
from graph.readback import read_node
from graph.recordings import Distance, Kept
from graph.schema import EdgeKind
from graph.store import Store
from graph.workspace import Workspace

FAMILY = "runtime"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Given:
    """A recording or report as it was handed over, read and found to be of this repository."""

    name: str
    data: bytes
    note: Kept
    distance: Distance


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking recordings in came to. `notes` are sentences on what could not be placed."""

    given: tuple[tuple[str, Kept, Distance], ...]
    recordings: int
    tests: int
    edges: int
    created: int
    retired: int
    head: int
    notes: tuple[str, ...]


def read_given(paths: Sequence[Path], mirror: Mirror, head: Commit) -> list[Given]:
    """Recordings and reports of these files, each checked to be of the mirror's repository.

    Raises
    ------
    RecordingError
        One cannot be read or used, or belongs to another repository: none is taken then.
    """
    return [accept(recordings.read_file(path), str(path), mirror, head) for path in paths]


def accept(data: bytes, name: str, mirror: Mirror, head: Commit) -> Given:
    """A recording, checked to be of the mirror's repository, or a report, which is taken to be of `head`."""
    if not data.startswith(_GZIP):
        report = reports.read(data, name)
        check_report(report, mirror, head, name)
        note = Kept(
            digest=hashlib.sha256(data).hexdigest(),
            format=report.format.value,
            commit=head.id,
            dirty=False,
            recorded=float(head.at),
            tests=len(report.cases) or len(report.lines),
            bytes=len(data),
        )
        return Given(name, data, note, Distance(0, 0))
    recording = recordings.parse(data, f"The recording {name}")
    recordings.check_repository(recording, mirror, head, name)
    if not any(state.tests for state in recording.states()):
        raise RecordingError(f"The recording {name} tells of no test.", "Was it made by a run of tests?")
    note = recordings.describe(data, recording)
    return Given(name, data, note, recordings.distance(recording, mirror, head.id))


def check_report(report: Report, mirror: Mirror, head: Commit, name: str) -> None:
    """Refuse a report of which no file is in the repository: it belongs to another."""
    places = Places(mirror.paths(head.tree))
    named = {path for files in report.lines.values() for path in files}
    if named and not any(places.find(path) for path in named):
        raise RecordingError(
            f"The {report.format} report {name} names no file of this repository: {sorted(named)[0]}, ...",
            "Name the clone that it was made in, or make it with paths from the repository's root.",
        )


async def take_in(
    store: Store,
    workspace: Workspace,
    scope: Scope,
    mirror: Mirror,
    commit: Commit,
    given: Sequence[Given],
    progress: Progress = silent,
    offload: Offload = at_once,
) -> Taken:
    """Keep recordings and bring the runtime facts to what all kept ones say together.

    Parameters
    ----------
    commit : Commit
        Where the code stands; runtime facts carry the commits that they were seen at besides.
    offload : Offload
        How what takes long is computed.
    """
    with workspace.writing(scope):
        workspace.prepare(scope)
        progress("taking recordings in", 0, len(given))
        for each in given:
            recordings.keep(workspace, scope, each.data, each.note)
        code = await current_arrays(store, workspace, scope)
        arrays = await current_arrays(store, workspace, scope, FAMILY)
        said = await offload(lambda: _said(workspace, scope, mirror, code))
        number, delta, edges = await _write(
            store, workspace, scope, commit, arrays, said.batch, progress, offload
        )
    return Taken(
        given=tuple((each.name, each.note, each.distance) for each in given),
        recordings=len(recordings.kept(workspace, scope)),
        tests=said.tests,
        edges=edges,
        created=len(delta.created),
        retired=len(delta.retired),
        head=number,
        notes=said.notes,
    )


class _Said(NamedTuple):
    """What all kept recordings and reports say together."""

    batch: Batch
    tests: int
    notes: tuple[str, ...]


def _said(workspace: Workspace, scope: Scope, mirror: Mirror, code: Incidence | None) -> _Said:
    batch, tests = Batch(), 0
    notes: list[str] = []
    whole = recordings.load(workspace, scope)
    if whole is not None:
        observed = reading.read(scope, whole, mirror.blob)
        batch.add(observed.batch)
        tests += observed.tests
        notes += _notes(whole, observed.unplaced)
    known = None
    for note in recordings.kept(workspace, scope):
        if note.format == recordings.RECORDING:
            continue
        if not mirror.has(note.commit):
            notes.append(f"The {note.format} report of {note.commit[:12]} is left out: that commit is gone.")
            continue
        known = known or _known_tests(code)
        report = reports.read(recordings.content(workspace, scope, note), f"The {note.format} report")
        files = {entry.path: entry.blob for entry in mirror.files(mirror.commit(note.commit).tree)}
        placed = facts.read(scope, report, note.commit, files, mirror.blob, known)
        batch.add(placed.batch)
        tests += placed.tests
        notes += report.notes
        if placed.unplaced:
            shown = ", ".join(placed.unplaced[:3]) + (" …" if len(placed.unplaced) > 3 else "")
            notes.append(f"The {note.format} report names {len(placed.unplaced)} things not found: {shown}.")
    return _Said(_known(batch, code), tests, tuple(notes))


def _known_tests(code: Incidence | None) -> facts.Known:
    """Tests of the code by the names that runners and reports use."""
    names: dict[str, str] = {}
    symbols: dict[str, str] = {}
    if code is None:
        return facts.Known(names, symbols)
    for edge in code.edges_of(EdgeKind.REALISES).tolist():
        found = code.in_role(edge, "symbol")
        if not found:  # it says what ran before the tests of a module or class
            continue
        (test,), (symbol, *_) = code.in_role(edge, "test"), found
        key, path, below = code.keys[test], code.path(test), code.qualname(test)
        symbols[key] = code.keys[symbol]
        dotted = f"{path.rpartition('.')[0]}::{below}".replace("/", ".").replace("::", ".")
        names[f"{path}::{below}"] = names[dotted] = key
    return facts.Known(names, symbols)


def _known(batch: Batch, code: Incidence | None) -> Batch:
    """The same facts, with nodes described as the code describes them where it knows them."""
    if code is None:
        return batch
    for name, node in batch.nodes.items():
        at = code.find(node.kind, node.key)
        if at >= 0:
            batch.nodes[name] = read_node(code, at)
    return batch


async def _write(
    store: Store,
    workspace: Workspace,
    scope: Scope,
    commit: Commit,
    arrays: Incidence | None,
    batch: Batch,
    progress: Progress,
    offload: Offload,
) -> tuple[int, Delta, int]:
    run_number = 0 if arrays is None else arrays.head
    preview, _ = await offload(lambda: difference(arrays, batch, run_number + 1))
    if arrays is not None and not preview.created and not preview.retired:
        return arrays.head, preview, arrays.edge_count
    run = await store.begin(scope, commit=commit.id, tree=commit.tree, families=(FAMILY,))
    delta, births = await offload(lambda: difference(arrays, batch, run.number))
    await write(store, run, delta, progress)
    built = await offload(
        lambda: carried(
            arrays,
            batch,
            delta,
            births,
            scope=scope,
            head=run.number,
            commit=commit.id,
            tree=commit.tree,
        )
    )
    await store.flip(run, built.counted())
    built.save(workspace.arrays(scope, FAMILY))
    return run.number, delta, built.edge_count


def _notes(whole: Recording, unplaced: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if unplaced:
        shown = ", ".join(unplaced[:3]) + (" …" if len(unplaced) > 3 else "")
        notes.append(
            f"{len(unplaced)} executed files were edited and never committed, or are not here: {shown}. What "
            "ran in them is in the recording, not in the graph."
        )
    lost = {note.text for state in whole.states() for note in state.notes}
    if lost:
        notes.append(f"The recordings could not see {len(lost)} things; selections widen by them.")
    return tuple(notes)
