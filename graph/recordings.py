"""Recordings of test runs that a repository keeps: taken in by content, judged by commit, merged.

A recording is kept as the file it came as, named by the SHA-256 of its bytes, beside a small note of
what it is. What all of them say together is merged once and kept too; it is made again where it is
missing or damaged, never trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from maestro_selection import recording as recordings
from maestro_selection.recording import Recording
from maestro_selection.recording import RecordingError as Unreadable

from graph.errors import CorruptError, RecordingError
from graph.facts import Scope
from graph.ingest.git import Commit, Mirror
from graph.ingest.notebook import replace_file
from graph.workspace import Workspace

LIMIT = 256 << 20
"""Bytes of a recording's file that are taken."""
_OPENED = 2 << 30
"""Bytes that it may unpack to."""
_SHARED = 0.5
"""Share of a recording's files that this repository must know, where neither commits nor roots tell."""
_SUFFIX = ".recording"


RECORDING = "recording"
"""Format of what `pytest --maestro-record` writes; reports of other runners have names of their own."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A recording or report that was taken in. `commit` is empty where it was made outside git."""

    digest: str
    format: str = RECORDING
    commit: str
    dirty: bool
    recorded: float
    tests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a recording is from a commit: commits that only the one, or only the other, has.

    Both are -1 where the recording's commit is not known here.
    """

    ahead: int
    behind: int

    def __str__(self) -> str:
        if self.ahead < 0:
            return "of a commit that is not in this clone"
        if not self.ahead and not self.behind:
            return "of this very commit"
        parts = [f"{_commits(self.behind)} behind"] if self.behind else []
        parts += [f"{_commits(self.ahead)} on another line"] if self.ahead else []
        return ", ".join(parts)


def _commits(count: int) -> str:
    return "1 commit" if count == 1 else f"{count:,} commits"


def read_file(path: Path) -> bytes:
    """The bytes of a recording's file; RecordingError where it cannot be read or is too large."""
    try:
        if path.stat().st_size > LIMIT:
            raise RecordingError(
                f"The recording {path} is larger than {LIMIT >> 20} MB.", "Record fewer tests in each file."
            )
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(
            f"The recording {path} cannot be read: {error.strerror}.",
            "Make one with: pytest --maestro-record",
        ) from error


def parse(data: bytes, name: str = "The recording") -> Recording:
    """A recording of its bytes.

    Raises
    ------
    RecordingError
        It is truncated, foreign, newer than this Maestro, or too large.
    """
    if len(data) > LIMIT:
        raise RecordingError(f"{name} is larger than {LIMIT >> 20} MB.", "Record fewer tests in each file.")
    try:
        return recordings.read(data, _OPENED)
    except Unreadable as error:
        message = error.message.replace("the recording", name, 1)
        raise RecordingError(message[:1].upper() + message[1:], error.hint) from error


def check_repository(recording: Recording, mirror: Mirror, head: Commit, name: str) -> None:
    """Refuse a recording of another repository.

    It is of this one where its commit is here, or a root commit of it is, or, where neither can be told
    (no git, a shallow clone), where most of its files are.

    Raises
    ------
    RecordingError
        It belongs to another repository.
    """
    for state in recording.states():
        if state.commit and mirror.has(state.commit):
            continue
        roots = mirror.roots(head.id)
        if roots.intersection(state.roots):
            continue
        told = bool(roots and state.roots) and not mirror.shallow
        blobs = set(state.files.values())
        if not told and blobs and sum(map(mirror.has, blobs)) >= _SHARED * len(blobs):
            continue
        made = f" made at commit {state.commit[:12]}" if state.commit else ""
        raise RecordingError(
            f"The recording {name}{made} belongs to another repository than the clone {mirror.source}.",
            "Record in a clone of this repository, or name the clone that it was recorded in.",
        )


def distance(recording: Recording | Kept, mirror: Mirror, head: str) -> Distance:
    """How far a recording's own state is from a commit."""
    if not recording.commit or not head or not mirror.has(recording.commit):
        return Distance(-1, -1)
    return Distance(*mirror.distance(recording.commit, head))


def describe(data: bytes, recording: Recording) -> Kept:
    """What a recording is, in a note."""
    return Kept(
        digest=hashlib.sha256(data).hexdigest(),
        commit=recording.commit,
        dirty=recording.dirty,
        recorded=recording.recorded,
        tests=len({node for state in recording.states() for node in state.tests}),
        bytes=len(data),
    )


def keep(workspace: Workspace, scope: Scope, data: bytes, note: Kept) -> None:
    """Keep the bytes of a recording or report, in one step; what is kept already stays as it is."""
    folder = workspace.recordings(scope)
    if not (folder / f"{note.digest}.json").exists():
        replace_file(folder / f"{note.digest}{_SUFFIX}", data, durable=True)
        replace_file(folder / f"{note.digest}.json", msgspec.json.encode(note), durable=True)


def kept(workspace: Workspace, scope: Scope) -> list[Kept]:
    """The recordings and reports of a repository, newest first. What is half there is left out."""
    folder = workspace.recordings(scope)
    found = []
    for place in folder.glob("*.json"):
        if not place.with_suffix(_SUFFIX).exists():
            continue
        try:
            found.append(msgspec.json.decode(place.read_bytes(), type=Kept))
        except (OSError, msgspec.DecodeError) as error:
            raise CorruptError(
                f"The note {place} of a recording is damaged.", "Remove it, and take the recording in again."
            ) from error
    return sorted(found, key=lambda each: (-each.recorded, each.digest))


def load(workspace: Workspace, scope: Scope) -> Recording | None:
    """All recordings of a repository as one; None where there is none.

    Raises
    ------
    CorruptError
        One of them is damaged.
    """
    notes = [note for note in kept(workspace, scope) if note.format == RECORDING]
    if not notes:
        return None
    folder = workspace.recordings(scope)
    if len(notes) == 1:
        return _open(folder / f"{notes[0].digest}{_SUFFIX}")
    merged = folder / f"{mark(notes)}.merged"
    if merged.exists():
        try:
            return recordings.read(merged.read_bytes(), _OPENED)
        except Unreadable:
            merged.unlink(missing_ok=True)
    whole = recordings.merge(_open(folder / f"{each.digest}{_SUFFIX}") for each in notes)
    for old in folder.glob("*.merged"):
        old.unlink(missing_ok=True)
    replace_file(merged, recordings.packed(whole))
    return whole


def mark(notes: Iterable[Kept]) -> str:
    """Digest of a set of recordings: whoever holds what was merged of them sees that it is the same."""
    return hashlib.sha256("\n".join(sorted(each.digest for each in notes)).encode()).hexdigest()[:40]


def content(workspace: Workspace, scope: Scope, note: Kept) -> bytes:
    """The bytes of what is kept; CorruptError where they are not what was taken in."""
    return _bytes(workspace.recordings(scope) / f"{note.digest}{_SUFFIX}")


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != path.name.removesuffix(_SUFFIX):
        raise CorruptError(
            f"The recording {path} is damaged.", "Remove it, and take it in again: maestro index --recording."
        )
    return data


def _open(path: Path) -> Recording:
    try:
        return recordings.read(_bytes(path), _OPENED)
    except Unreadable as error:
        raise CorruptError(f"The recording {path} cannot be used: {error.message}", error.hint) from error


def superseded(workspace: Workspace, scope: Scope, keep_states: int) -> list[Kept]:
    """Recordings that tell of no test for which there are not `keep_states` newer ones that do."""
    folder = workspace.recordings(scope)
    newer: dict[str, int] = {}
    idle = []
    for note in kept(workspace, scope):
        if note.format != RECORDING:
            continue
        nodes = {node for state in _open(folder / f"{note.digest}{_SUFFIX}").states() for node in state.tests}
        if all(newer.get(node, 0) >= keep_states for node in nodes):
            idle.append(note)
        for node in nodes:
            newer[node] = newer.get(node, 0) + 1
    return idle


def forget(workspace: Workspace, scope: Scope, notes: Iterable[Kept]) -> int:
    """Remove recordings; bytes that this freed."""
    folder = workspace.recordings(scope)
    freed = 0
    for note in notes:
        (folder / f"{note.digest}.json").unlink(missing_ok=True)
        (folder / f"{note.digest}{_SUFFIX}").unlink(missing_ok=True)
        freed += note.bytes
    return freed
