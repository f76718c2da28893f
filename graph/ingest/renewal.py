"""Makes and renews a mirror: objects first, then names, then the word that it is done."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import msgspec
import pygit2
from filelock import FileLock

from graph import drafts
from graph.errors import DiskError
from graph.ingest.clone import Clone, Refs, locate, read_refs
from graph.ingest.objects import import_objects

FORMAT = 1
"""Version of the mirror's layout; a mirror of another version is renewed from its clone."""

_HEX = re.compile(r"[0-9a-f]{40}")
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_STATE = "maestro.json"
_UNBORN = "refs/heads/unborn"


class State(msgspec.Struct, frozen=True):
    """What a mirror says of itself. `mark` digests all that a renewal depends on."""

    format: int
    mark: str
    source: str
    partial: bool
    shallow: tuple[str, ...]


def read_state(directory: Path) -> State | None:
    """What the mirror in a folder says of itself; None where there is none, or of another format."""
    try:
        state = msgspec.json.decode((directory / _STATE).read_bytes(), type=State)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    return state if state.format == FORMAT else None


def renew(source: Path, directory: Path) -> None:
    """Bring the mirror in `directory` to where the clone stands; nothing to do where no name moved.

    Raises
    ------
    RepositoryError
        Not a clone, or one that cannot be read.
    DiskError
        The mirror cannot be written.
    """
    clone = locate(source)
    state = read_state(directory)
    if state and state.mark == _fingerprint(clone, read_refs(clone)):
        return
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{directory}.lock"):
            _renew(clone, directory)
    except OSError as error:
        raise DiskError(
            f"The mirror at {directory} cannot be written: {error.strerror or error}.",
            "Make room, or choose another data directory.",
        ) from error


def _fingerprint(clone: Clone, refs: Refs) -> str:
    """What a renewal depends on: names and where objects lie. Objects follow from the names."""
    parts = [str(FORMAT), str(clone.root), str(clone.folder), *map(str, clone.objects), str(clone.partial)]
    parts += [refs.head, *(f"{ident} {name}" for name, ident in sorted(refs.ids.items())), *refs.shallow]
    return blake2b("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _renew(clone: Clone, directory: Path) -> None:
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        (directory / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    refs = read_refs(clone)
    import_objects(clone.objects, directory / "objects")
    _replace(directory / "config", _CONFIG)
    if refs.shallow:
        _replace(directory / "shallow", "".join(f"{ident}\n" for ident in refs.shallow))
    else:
        (directory / "shallow").unlink(missing_ok=True)
    if not (directory / "HEAD").exists():
        _replace(directory / "HEAD", f"ref: {_UNBORN}\n")
    _replace(directory / "packed-refs", _format_refs(refs, directory))
    _replace(directory / "HEAD", _format_head(refs) + "\n")
    source = str(clone.root).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    state = State(FORMAT, _fingerprint(clone, refs), source, clone.partial, refs.shallow)
    _replace(directory / _STATE, msgspec.json.encode(state).decode())


def _format_refs(refs: Refs, directory: Path) -> str:
    """`packed-refs`, without names that git would refuse and names of objects that are not there."""
    odb = pygit2.Odb(str(directory / "objects"))
    lines = [
        f"{ident} {name}\n"
        for name, ident in sorted(refs.ids.items())
        if pygit2.reference_is_valid_name(name) and odb.exists(pygit2.Oid(hex=ident))
    ]
    return "# pack-refs with: sorted \n" + "".join(lines)


def _format_head(refs: Refs) -> str:
    if _HEX.fullmatch(refs.head):
        return refs.head
    return f"ref: {refs.head if pygit2.reference_is_valid_name(refs.head) else _UNBORN}"


def _replace(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    with drafts.draft(path) as out:
        out.write(text.encode("utf-8", "surrogateescape"))
