"""Git's tree objects, read and written as bytes: listing, comparing and editing.

The format is git's own (`mode name NUL 20-byte id`, sorted with folders as if their name ended in
a slash). Reading it here rather than through a checkout means that names no file system would
take, crafted ones included, are data like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple, TypeAlias

from graph.errors import CorruptError, InputError, NotFoundError, RepositoryError
from graph.ingest.paths import component_bytes, component_text, is_tame

FOLDER, FILE, EXECUTABLE, SYMLINK, SUBMODULE = 0o040000, 0o100644, 0o100755, 0o120000, 0o160000
MAX_ENTRIES = 1_000_000
"""Entries of one tree that are followed: a few crafted objects can spell a tree without end."""
MAX_DEPTH = 1_000
MAX_EDIT_DEPTH = 200

_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]*)\0(.{20})", re.DOTALL)

Row = tuple[int, bytes]
"""Mode and 20-byte id."""
Folder = dict[bytes, Row]
"""Entries of one tree object, by name."""
Edits: TypeAlias = "dict[bytes, bytes | Edits | None]"
"""What becomes of names of a folder: new content, edits below it, or nothing (it goes)."""
Load = Callable[[bytes], Folder]
"""Reads the tree object of a 20-byte id."""


class Leaf(NamedTuple):
    """Something in a tree that is no folder."""

    path: str
    mode: int
    id: bytes


class Difference(NamedTuple):
    """A path whose entry differs between two trees; a missing side is None."""

    path: str
    old: Row | None
    new: Row | None


def parse_tree(data: bytes) -> Folder:
    """Entries of a tree object. Of entries of one name (only crafted trees have them) the first counts."""
    rows = _ENTRY.findall(data)
    # Entries have no gaps between them exactly if their lengths add up.
    if sum(map(len, chain.from_iterable(rows))) + 2 * len(rows) != len(data):
        raise CorruptError("A tree object of the repository is malformed.", "Run `git fsck` in the clone.")
    return {name: (int(mode, 8), ident) for mode, name, ident in reversed(rows)}


def kind_of(mode: int) -> int:
    """The mode with everything but the kind of entry taken off: FOLDER, FILE, SYMLINK or SUBMODULE."""
    kind = mode & 0o170000
    return FILE if kind == 0o100000 else kind


def _too_many() -> RepositoryError:
    return RepositoryError(
        f"A tree of the repository spells out more than {MAX_ENTRIES:,} files or {MAX_DEPTH:,} levels.",
        "It was made to exhaust whoever reads it, or is too large to be indexed as one repository.",
    )


def list_leaves(load: Load, root: bytes) -> Iterator[Leaf]:
    """Everything in a tree that is no folder, in no promised order."""
    waiting = [("", root, 0)]
    count = 0
    while waiting:
        prefix, tree, depth = waiting.pop()
        folder = load(tree)
        count += len(folder)
        if count > MAX_ENTRIES or depth > MAX_DEPTH:
            raise _too_many()
        for name, (mode, ident) in folder.items():
            path = prefix + component_text(name)
            if kind_of(mode) == FOLDER:
                waiting.append((path + "/", ident, depth + 1))
            else:
                yield Leaf(path, mode, ident)


def compare(load: Load, old: bytes | None, new: bytes | None) -> Iterator[Difference]:
    """Paths whose entries differ, folders opened only where their ids differ."""
    waiting = [("", old, new, 0)]
    count = 0
    while waiting:
        prefix, left_id, right_id, depth = waiting.pop()
        left = load(left_id) if left_id else {}
        right = load(right_id) if right_id else {}
        differing = [name for name, row in right.items() if left.get(name) != row]
        differing += left.keys() - right.keys()
        count += len(differing)
        if count > MAX_ENTRIES or depth > MAX_DEPTH:
            raise _too_many()
        for name in differing:
            a, b = left.get(name), right.get(name)
            tree_a, tree_b = _folder_id(a), _folder_id(b)
            path = prefix + component_text(name)
            if tree_a or tree_b:
                waiting.append((path + "/", tree_a, tree_b, depth + 1))
            a, b = None if tree_a else a, None if tree_b else b
            if a or b:
                yield Difference(path, a, b)


def _folder_id(row: Row | None) -> bytes | None:
    return row[1] if row and kind_of(row[0]) == FOLDER else None


class Editor:
    """Writes a tree that differs from another in some files.

    Parameters
    ----------
    load : callable
        Reads a tree object.
    write : callable
        Stores an object, given its type (`tree` or `blob`) and data, and returns its 20-byte id.
    """

    def __init__(self, load: Load, write: Callable[[str, bytes], bytes]) -> None:
        self._load = load
        self._write = write

    def edit(self, root: bytes, edits: Mapping[str, bytes | None]) -> bytes:
        """The id of `root` with these files' content replaced, or the file taken out for None.

        A file keeps its mode; a new one is a plain file. Folders that become empty go.

        Raises
        ------
        NotFoundError
            A file to take out is not there.
        InputError
            A path leads outside or into `.git`, or through a file.
        """
        for path in edits:
            _check_path(path)
        # What goes, goes first: a file may make place for a folder of its name, or the other way.
        for part in (
            {path: data for path, data in edits.items() if data is None},
            {path: data for path, data in edits.items() if data is not None},
        ):
            if part:
                root = self._apply(root, _nest(part), "") or self._write("tree", b"")
        return root

    def _apply(self, tree: bytes | None, edits: Edits, prefix: str) -> bytes | None:
        """The id of a folder with the edits made; None where nothing is left in it."""
        folder = dict(self._load(tree)) if tree else {}
        for name, edit in edits.items():
            row = folder.get(name)
            path = prefix + component_text(name)
            if isinstance(edit, dict):
                if row and kind_of(row[0]) != FOLDER:
                    raise InputError(f"{path} is a file, not a folder.", "Check the diff's base revision.")
                ident = self._apply(row[1] if row else None, edit, path + "/")
                folder.pop(name, None)
                if ident:
                    folder[name] = (FOLDER, ident)
            elif edit is None:
                if row is None or kind_of(row[0]) == FOLDER:
                    message = f"There is no file {path} to delete."
                    raise NotFoundError(message, "Check the diff's base revision.")
                del folder[name]
            else:
                if row and kind_of(row[0]) == FOLDER:
                    raise InputError(f"{path} is a folder, not a file.", "Check the diff's base revision.")
                mode = row[0] if row and kind_of(row[0]) == FILE else FILE
                folder[name] = (mode, self._write("blob", edit))
        return self._write("tree", format_tree(folder)) if folder else None


def _nest(edits: Mapping[str, bytes | None]) -> Edits:
    """Edits by path to edits by component."""
    nested: Edits = {}
    for path, data in edits.items():
        *folders, name = (component_bytes(part) for part in path.split("/"))
        place = nested
        for part in folders:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InputError(f"{path} lies below another file of the same change.", "Check the diff.")
            place = inner
        if name in place:
            raise InputError(f"{path} is a file and a folder in the same change.", "Check the diff.")
        place[name] = data
    return nested


def _check_path(path: str) -> None:
    parts = path.split("/")
    if (
        not path
        or len(parts) > MAX_EDIT_DEPTH
        or any(p in ("", ".", "..") for p in parts)
        or not is_tame(path)
    ):
        raise InputError(
            f"{path!r} does not lie below the repository's root.", "Check the names in the diff."
        )
    if any(component_text(component_bytes(part)) != part for part in parts):
        raise InputError(f"{path!r} is not a name that can be written.", "Names like `.git` are refused.")


def format_tree(folder: Folder) -> bytes:
    """A tree object's data, sorted as git sorts."""
    rows = sorted(folder.items(), key=lambda item: item[0] + b"/" if item[1][0] == FOLDER else item[0])
    return b"".join(b"%o %s\0%s" % (mode, name, ident) for name, (mode, ident) in rows)
