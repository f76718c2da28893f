"""Maestro's own bare mirror of a clone, and what is read from it.

Only pygit2 reads it, no git program is ever started, and the caller's clone is never opened as a
repository: `clone` looks at its files, `objects` brings its objects over, `renewal` puts them in
place. No hook, filter, file-system monitor, external diff, alias or included configuration of the
clone is read, let alone run. Paths are text as `paths` describes.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, RepositoryOpenFlag, SortMode

from graph.errors import AmbiguousError, CorruptError, DiskError, InputError, NotFoundError, RepositoryError
from graph.ingest import renames, renewal, trees
from graph.ingest.paths import component_bytes
from graph.ingest.people import read_credit

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Id of git's tree without entries: what a first commit is compared with."""
MAX_TREES = 8192
"""Tree objects kept parsed."""

_TREE = re.compile(rb"tree [0-9a-f]{40}")
_PARENT = re.compile(rb"^parent ([0-9a-f]{40})$", re.MULTILINE)
_HEX = re.compile(r"[0-9a-f]{40}")


def _harden() -> None:
    """Keep the library from reading any configuration but the mirror's, which Maestro wrote."""
    for level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
    # The mirror is ours whoever owns the volume it lies on, and holds nothing that is obeyed.
    pygit2.settings.owner_validation = False


_harden()


class Commit(NamedTuple):
    """A commit; `at` is its committer's time in Unix seconds, `summary` the first line of its message."""

    id: str
    tree: str
    parents: tuple[str, ...]
    at: int
    summary: str


class Entry(NamedTuple):
    """What stands at a path of a tree.

    `kind` is file, symlink or submodule; `size` in bytes, -1 where the clone lacks the object (a
    partial clone) and 0 for a submodule, whose `blob` is a commit of another repository.
    """

    path: str
    blob: str
    size: int
    kind: str
    executable: bool = False


class FileChange(NamedTuple):
    """How a path differs between two trees.

    `status` is added, deleted, modified or renamed; the side that is not there has an empty path
    and blob. `similarity` is in percent, 100 unless renamed with edits. `kind` as in `Entry`.
    """

    status: str
    old_path: str
    new_path: str
    old_blob: str
    new_blob: str
    similarity: int
    kind: str = "file"


_KINDS = {trees.FILE: "file", trees.SYMLINK: "symlink", trees.SUBMODULE: "submodule"}


class Mirror:
    """A bare mirror; made by `refresh`, read by everything else. Safe to open in many processes."""

    def __init__(self, directory: Path) -> None:
        state = renewal.read_state(directory)
        if state is None:
            raise NotFoundError(f"There is no mirror at {directory}.", "Index the repository first.")
        self.directory = directory
        self.source = Path(state.source)
        self.partial = state.partial
        self.boundary = frozenset(state.shallow)
        """Commits whose parents a shallow clone does not have."""
        try:
            flags = RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE
            self._repository = pygit2.Repository(str(directory), flags)
            self._odb = self._repository.odb
        except pygit2.GitError as error:
            raise CorruptError(
                f"The mirror at {directory} is damaged: {error}.", "Delete it; it is made again."
            ) from error
        self._load = lru_cache(maxsize=MAX_TREES)(self._read_tree)

    @staticmethod
    def open(directory: Path) -> Mirror:
        """Open a mirror that `refresh` made.

        Raises
        ------
        NotFoundError
            There is none.
        CorruptError
            There is one, damaged.
        """
        return Mirror(directory)

    @staticmethod
    def refresh(source: Path, directory: Path) -> Mirror:
        """Make or renew, in `directory`, the mirror of the clone that `source` is or lies in.

        Objects come first and names after them, so that a reader sees the old state or the new.
        Where no name moved, nothing is done.

        Raises
        ------
        RepositoryError
            Not a clone, or one of an unsupported format. One without commits gives an empty mirror.
        DiskError
            The mirror cannot be written.
        """
        renewal.renew(source, directory)
        return Mirror(directory)

    @property
    def shallow(self) -> bool:
        """Whether the clone's history was cut off (`git clone --depth`)."""
        return bool(self.boundary)

    def _raw(self, ident: str | bytes, kind: ObjectType) -> bytes:
        name = ident if isinstance(ident, str) else ident.hex()
        try:
            found, data = self._odb.read(pygit2.Oid(hex=name))
        except (KeyError, ValueError) as error:
            raise self._missing(name) from error
        except pygit2.GitError as error:
            raise CorruptError(
                f"Object {name} of {self.source} is damaged.", "Run `git fsck` there."
            ) from error
        if found != kind:
            raise InputError(f"Object {name} is not a {kind.name.lower()}.", "Check the revision or path.")
        return bytes(data)

    def _missing(self, name: str) -> RepositoryError:
        if self.partial:
            return RepositoryError(
                f"{self.source} is a partial clone and lacks object {name}.",
                "Run `git fetch --refetch --no-filter` in it, or clone again without --filter.",
            )
        return RepositoryError(
            f"{self.source} lacks object {name}.", "Run `git fsck` in the clone, or clone it again."
        )

    def _read_tree(self, ident: bytes) -> trees.Folder:
        return trees.parse_tree(self._raw(ident, ObjectType.TREE))

    def resolve(self, rev: str) -> Commit:
        """The commit that a name means: a branch, tag, (short) id, `HEAD~2`, `origin/x`.

        Raises
        ------
        NotFoundError
            Nothing has that name; the hint shows near ones.
        AmbiguousError
            A short id that several objects share.
        InputError
            It names something that is no commit.
        """
        try:
            found = self._repository.revparse_single(rev)
        except (KeyError, pygit2.InvalidSpecError, pygit2.GitError, ValueError) as error:
            if "ambiguous" in str(error).lower():
                raise AmbiguousError(
                    f"{rev} is short for several objects.", "Write more of the id."
                ) from error
            raise NotFoundError(f"There is no revision {rev!r} in {self.source}.", self._near(rev)) from error
        try:
            return self.commit(str(found.peel(pygit2.Commit).id))
        except (pygit2.InvalidSpecError, pygit2.GitError, KeyError) as error:
            raise InputError(f"{rev} is not a commit.", "Name a branch, a tag or a commit.") from error

    def _near(self, rev: str) -> str:
        names = self.names()
        stem = re.split(r"[~^@:]", rev, maxsplit=1)[0]
        near = difflib.get_close_matches(stem, names, n=5, cutoff=0.5) if stem not in names else []
        if not near and stem not in names:
            near = [name for name in names if stem and stem.lower() in name.lower()][:5]
        if self.shallow:
            return "The clone is shallow: `git fetch --unshallow` brings the rest of its history."
        if near and stem != "HEAD":
            return f"Did you mean {', '.join(near)}?"
        return "Name a branch, a tag or a commit; run `git fetch` if it was pushed by somebody else."

    def names(self) -> list[str]:
        """Names of branches and tags, as people write them."""
        pattern = re.compile(r"refs/(?:heads|tags|remotes)/(.*)")
        return [match[1] for name in self._repository.references if (match := pattern.match(name))]

    def head(self) -> Commit:
        """The commit that is checked out in the clone.

        Raises
        ------
        RepositoryError
            The branch has no commit yet.
        """
        if self._repository.head_is_unborn:
            raise RepositoryError(
                f"{self.source} has no commit on its current branch.", "Commit something first."
            )
        return self.commit(str(self._repository.head.target))

    def commit(self, ident: str) -> Commit:
        """The commit of a full id. Parents beyond the end of a shallow clone are left out."""
        head, message = split_commit(self._raw(ident, ObjectType.COMMIT))
        parents = () if ident in self.boundary else commit_parents(head)
        credit = read_credit(head, message)
        return Commit(ident, commit_tree(head), parents, credit.at, credit.subject)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits by their full ids; None where they have none."""
        found = self._repository.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return str(found) if found else None

    def distance(self, one: str, other: str) -> tuple[int, int]:
        """Commits that only the first reaches, and that only the second does, by their full ids."""
        ahead, behind = self._repository.ahead_behind(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return int(ahead), int(behind)

    def between(self, base: str, head: str, limit: int) -> list[str]:
        """Commits that `head` reaches and `base` does not, newest first, `limit` at most, by full ids.

        An empty `base` reaches nothing. In a partial clone they end where its objects do.
        """
        found: list[str] = []
        try:
            walk = self._repository.walk(pygit2.Oid(hex=head), SortMode.TIME)
            if base:
                walk.hide(pygit2.Oid(hex=base))
            found.extend(str(commit.id) for commit in islice(walk, limit))
        except (KeyError, pygit2.GitError):
            if not self.partial:
                raise self._missing(head) from None
        return found

    def roots(self, ident: str) -> frozenset[str]:
        """Commits without parents that one reaches; where a shallow clone ends there are none to see."""
        try:
            walk = self._repository.walk(pygit2.Oid(hex=ident), SortMode.NONE)
            found = {str(commit.id) for commit in walk if not commit.parent_ids}
        except (KeyError, pygit2.GitError):
            if not self.partial:
                raise self._missing(ident) from None
            return frozenset()
        return frozenset(found - self.boundary)

    def raw_commit(self, ident: str) -> bytes:
        """A commit object's data."""
        return self._raw(ident, ObjectType.COMMIT)

    def has(self, ident: str) -> bool:
        """Whether the mirror holds the object of a full id."""
        return bool(_HEX.fullmatch(ident)) and self._odb.exists(pygit2.Oid(hex=ident))

    def files(self, tree: str) -> list[Entry]:
        """Everything in a tree but folders, by path. Links and submodules are listed, never followed."""
        found = []
        sizes: dict[bytes, int] = {}
        for path, mode, ident in trees.list_leaves(self._load, bytes.fromhex(tree)):
            if ident not in sizes:
                sizes[ident] = self._entry_size(mode, ident)
            found.append(_entry(path, mode, ident, sizes[ident]))
        found.sort()
        return found

    def entry(self, tree: str, path: str) -> Entry | None:
        """What stands at one path of a tree; None where nothing does, or a folder."""
        ident = bytes.fromhex(tree)
        *folders, name = (component_bytes(part) for part in path.split("/"))
        for folder in folders:
            row = self._load(ident).get(folder)
            if row is None or trees.kind_of(row[0]) != trees.FOLDER:
                return None
            ident = row[1]
        row = self._load(ident).get(name)
        if row is None or trees.kind_of(row[0]) == trees.FOLDER:
            return None
        return _entry(path, *row, self._entry_size(*row))

    def _entry_size(self, mode: int, ident: bytes) -> int:
        return 0 if trees.kind_of(mode) == trees.SUBMODULE else self.size(ident)

    def submodules(self, tree: str) -> tuple[str, ...]:
        """Paths at which a tree names a commit of another repository."""
        leaves = trees.list_leaves(self._load, bytes.fromhex(tree))
        return tuple(sorted(leaf.path for leaf in leaves if trees.kind_of(leaf.mode) == trees.SUBMODULE))

    def size(self, ident: str | bytes) -> int:
        """Size of an object in bytes, without loading it; -1 where the mirror lacks it."""
        oid = pygit2.Oid(hex=ident) if isinstance(ident, str) else pygit2.Oid(raw=ident)
        try:
            return int(self._odb.read_header(oid)[1])
        except KeyError:
            return -1
        except pygit2.GitError as error:
            raise CorruptError(
                f"Object {oid} of {self.source} is damaged.", "Run `git fsck` there."
            ) from error

    def blob(self, ident: str | bytes) -> bytes:
        """Content of a file.

        Raises
        ------
        RepositoryError
            The clone lacks it (a partial clone).
        """
        return self._raw(ident, ObjectType.BLOB)

    def paths(self, tree: str) -> frozenset[str]:
        """Paths of the plain files of a tree."""
        leaves = trees.list_leaves(self._load, bytes.fromhex(tree))
        return frozenset(leaf.path for leaf in leaves if trees.kind_of(leaf.mode) == trees.FILE)

    def count_commits(self, ident: str, seconds: float) -> int:
        """How many commits one reaches, itself included, or as many as were counted in that time."""
        end = time.monotonic() + seconds
        count = 0
        try:
            for _ in self._repository.walk(pygit2.Oid(hex=ident), SortMode.NONE):
                count += 1
                if count % 1000 == 0 and time.monotonic() > end:
                    break
        except (KeyError, pygit2.GitError):
            # A partial clone ends where its objects do: the count is what there is.
            if not self.partial:
                raise self._missing(ident) from None
        return count

    def differences(self, old_tree: str | None, new_tree: str | None) -> list[trees.Difference]:
        """Paths whose entries differ, in no promised order; None is an empty tree. Reads no file."""
        old = bytes.fromhex(old_tree) if old_tree else None
        new = bytes.fromhex(new_tree) if new_tree else None
        return list(trees.compare(self._load, old, new))

    def changes(self, old_tree: str | None, new_tree: str | None) -> list[FileChange]:
        """How two trees differ, renames found by equal, then by similar content; sorted by path."""
        found: list[FileChange] = []
        deleted: dict[str, bytes] = {}
        added: dict[str, bytes] = {}
        for path, old, new in self.differences(old_tree, new_tree):
            if old and new and trees.kind_of(old[0]) == trees.kind_of(new[0]):
                ids = old[1].hex(), new[1].hex()
                found.append(FileChange("modified", path, path, *ids, 100, _kind(new[0])))
                continue
            for row, files, status in ((old, deleted, "deleted"), (new, added, "added")):
                if row and trees.kind_of(row[0]) == trees.FILE:
                    files[path] = row[1]
                elif row:
                    found.append(_one_sided(status, path, row[1], _kind(row[0])))
        for old_path, new_path, percent in self.renames(deleted, added):
            blobs = deleted.pop(old_path).hex(), added.pop(new_path).hex()
            found.append(FileChange("renamed", old_path, new_path, *blobs, percent))
        found.extend(_one_sided("deleted", path, ident, "file") for path, ident in deleted.items())
        found.extend(_one_sided("added", path, ident, "file") for path, ident in added.items())
        return sorted(found, key=lambda change: (change.new_path or change.old_path, change.status))

    def renames(
        self, deleted: Mapping[str, bytes], added: Mapping[str, bytes], *, by_content: bool = True
    ) -> list[renames.Rename]:
        """Pair deleted with added files (path to 20-byte blob id)."""
        found = renames.match_equal(deleted, added)
        if not by_content:
            return found
        olds, news = {r.old for r in found}, {r.new for r in found}
        rest_old = {path: ident for path, ident in deleted.items() if path not in olds}
        rest_new = {path: ident for path, ident in added.items() if path not in news}
        return found + renames.match_similar(rest_old, rest_new, self.size, self.blob)

    def tree_with(self, tree: str, edits: Mapping[str, bytes | None]) -> str:
        """The id of a tree with these files' content replaced (None: the file goes).

        New objects are written to the mirror; see `trees.Editor.edit` for the errors.
        """
        return trees.Editor(self._load, self._write).edit(bytes.fromhex(tree), edits).hex()

    def _write(self, kind: str, data: bytes) -> bytes:
        try:
            return bytes(self._odb.write(ObjectType.TREE if kind == "tree" else ObjectType.BLOB, data).raw)
        except pygit2.GitError as error:
            raise DiskError(
                f"The mirror at {self.directory} cannot be written: {error}.", "Make room on its disk."
            ) from error


def _kind(mode: int) -> str:
    return _KINDS.get(trees.kind_of(mode), "file")


def _entry(path: str, mode: int, ident: bytes, size: int) -> Entry:
    kind = _kind(mode)
    return Entry(path, ident.hex(), size, kind, mode & 0o111 != 0 and kind == "file")


def _one_sided(status: str, path: str, ident: bytes, kind: str) -> FileChange:
    if status == "deleted":
        return FileChange(status, path, "", ident.hex(), "", 100, kind)
    return FileChange(status, "", path, "", ident.hex(), 100, kind)


def split_commit(data: bytes) -> tuple[bytes, bytes]:
    """Header and message of a commit object."""
    head, _, message = data.partition(b"\n\n")
    return head, message


def commit_tree(head: bytes) -> str:
    """The tree that a commit's header names."""
    line = head.partition(b"\n")[0]
    if not _TREE.fullmatch(line):
        raise CorruptError("A commit object of the repository names no tree.", "Run `git fsck` in the clone.")
    return line[5:].decode()


def commit_parents(head: bytes) -> tuple[str, ...]:
    """The parents that a commit's header names, first parent first."""
    return tuple(ident.decode() for ident in _PARENT.findall(head))
