"""The prepared copy of a tree that the type engine reads; it never sees the caller's files.

Kept between runs: only files that changed are written again. Only regular files are ever
written, each inside the view's own folder, whatever the tree calls them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from graph.errors import DiskError
from graph.ingest.python import slack
from graph.ingest.python.engine import readable
from graph.ingest.python.rewriting import Header, Insertion, rewrite, transcode

SUPPORT = "__maestro_fixtures__"
"""Module on the engine's search path that the rewritten files import."""

UNKNOWN = f"{SUPPORT}.anything"
VERSION = 3

PREAMBLE = """\
from typing import Any, AsyncIterable, Awaitable, Callable, Iterable, TypeVar

_T = TypeVar("_T")


def returned(fixture: Callable[..., _T]) -> _T: ...
def yielded(fixture: Callable[..., Iterable[_T]]) -> _T: ...
def awaited(fixture: Callable[..., Awaitable[_T]]) -> _T: ...
def sent(fixture: Callable[..., AsyncIterable[_T]]) -> _T: ...


anything: Any
"""
"""What a fixture makes, by how its function hands it over. Not overloads of one function: an argument
of partly unknown type would make the choice between them unknown."""


class Shown(NamedTuple):
    """A file to show: the blob its text comes from, and the headers to show otherwise."""

    blob: str
    headers: tuple[Header, ...] = ()
    functions: slack.Ends = ()
    """Where there is to be room (see slack.py); it decides nothing that the engine says."""

    def digest(self) -> str:
        """What decides the text that the engine sees."""
        if not self.headers:
            return self.blob
        parts = [
            (h.line, h.mark, sorted(h.parameters.items()), sorted(h.blanked), sorted(h.properties))
            for h in self.headers
        ]
        digest = blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8)
        return f"{self.blob}-{digest.hexdigest()}"


class _Written(msgspec.Struct, array_like=True):
    digest: str
    size: int
    insertions: list[tuple[int, int, int]]
    comments: list[int]
    """Lines that are ours (see slack.py)."""
    places: dict[str, int]
    """Where these end, by the function before."""


class _Manifest(msgspec.Struct, array_like=True):
    version: int
    files: dict[str, _Written]


class View:
    """A folder that holds the copy, its manifest and the support module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "tree"
        self.support = folder / "support"
        self._files: dict[str, _Written] = {}

    def write(
        self, files: Mapping[str, Shown], read: Callable[[str], bytes], values: Iterable[str]
    ) -> dict[str, str]:
        """Make the copy hold exactly these files.

        Parameters
        ----------
        files : mapping of str to Shown
            What to show, by path in the repository.
        read : callable
            The bytes of a blob by its id; called for files that changed only.
        values : iterable of str
            Lines of the support module after its preamble.

        Returns
        -------
        dict
            Files that the engine cannot be shown, and why.

        Raises
        ------
        DiskError
            When the copy cannot be written.
        """
        left = refused(files)
        try:
            self._load()
            stale = [path for path in self._files if path not in files or path in left]
            self._remove(stale)
            for path, shown in files.items():
                if path not in left and not self._holds(path, shown) and not self._put(path, shown, read):
                    left[path] = "its text cannot be decoded"
            self.support.mkdir(parents=True, exist_ok=True)
            said = "\n".join((PREAMBLE, *values, "")).encode()
            support = self.support / f"{SUPPORT}.py"
            if not support.exists() or support.read_bytes() != said:
                _replace(support, said)
            manifest = _Manifest(VERSION, self._files)
            _replace(self._folder / "view.msgpack", msgspec.msgpack.encode(manifest))
        except OSError as error:
            raise DiskError(
                f"The copy for the type engine cannot be written to {self._folder}: {error.strerror}.",
                "Make room on that disk, or point MAESTRO_DATA at another one.",
            ) from error
        return left

    def insertions(self, path: str) -> list[Insertion]:
        """What was put into a file besides its own text."""
        written = self._files.get(path)
        return [Insertion(*place) for place in written.insertions] if written else []

    def comments(self, path: str) -> list[int]:
        """Lines of a file, as it is shown, that are comments of ours."""
        written = self._files.get(path)
        return written.comments if written is not None else []

    def shown(self) -> dict[str, str]:
        """What the copy on disk holds now: path to digest of what is shown."""
        self._load()
        return {path: written.digest for path, written in self._files.items()}

    def paths(self) -> Sequence[str]:
        """Files that the copy holds."""
        return sorted(self._files)

    def _load(self) -> None:
        try:
            manifest = msgspec.msgpack.decode((self._folder / "view.msgpack").read_bytes(), type=_Manifest)
        except FileNotFoundError:
            manifest = None
        except msgspec.MsgspecError:
            manifest = None  # damaged: written anew from the blobs
        if manifest is None or manifest.version != VERSION:
            shutil.rmtree(self.root, ignore_errors=True)
            manifest = _Manifest(VERSION, {})
        self._files = manifest.files
        self.root.mkdir(parents=True, exist_ok=True)

    def _holds(self, path: str, shown: Shown) -> bool:
        written = self._files.get(path)
        if written is None or written.digest != shown.digest():
            return False
        try:
            return os.lstat(self.root / path).st_size == written.size
        except OSError:
            return False

    def _put(self, path: str, shown: Shown, read: Callable[[str], bytes]) -> bool:
        text = transcode(read(shown.blob))
        if text is None:
            self._remove([path] if path in self._files else [])
            return False
        rewritten = rewrite(text, shown.headers, imported=SUPPORT, unknown=UNKNOWN)
        before = self._files.get(path)
        spread = slack.spread(rewritten.text, shown.functions, before.places if before is not None else {})
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, spread.text)
        places = [(place.line, place.column, place.length) for place in rewritten.insertions]
        written = _Written(shown.digest(), len(spread.text), places, spread.lines, spread.places)
        self._files[path] = written
        return True

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            del self._files[path]
            (self.root / path).unlink(missing_ok=True)
            for parent in (self.root / path).parents:
                if parent == self.root:
                    break
                try:
                    parent.rmdir()
                except OSError:
                    break  # it holds other files


def refused(files: Mapping[str, Shown]) -> dict[str, str]:
    """Files that the engine cannot be shown by their paths, and why."""
    return {path: reason for path in files if (reason := _refusal(path, files))}


def _refusal(path: str, files: Mapping[str, Shown]) -> str:
    """Why the engine cannot be shown a file of that path; empty where it can."""
    if not readable(path):
        return "its name is not UTF-8"
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        return "its path could lead outside the repository"
    if path.endswith(".pyi") and path[:-1] in files:
        return "it is a stub beside its source, which is read instead"
    return ""


def _replace(file: Path, data: bytes) -> None:
    """Write a file in one step, so that a reader sees the old or the new one."""
    temporary = file.with_name(f".{os.getpid()}.new")
    temporary.write_bytes(data)
    temporary.replace(file)
