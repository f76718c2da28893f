"""A change as a typed value: two sides of a repository's history, or a diff on one of them.

Nothing is compared here (`graph.comparison`) and nothing is written to a store to be judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from graph.errors import NotFoundError
from graph.facts import Scope
from graph.ingest.git import EMPTY_TREE, FileChange, Mirror
from graph.patch import patch_tree


class Side(NamedTuple):
    """One side of a change. `commit` is empty where no commit has that tree: a diff's result."""

    commit: str
    tree: str

    def __str__(self) -> str:
        return self.commit[:12] or f"tree {self.tree[:12]}"


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two trees of a repository, as it was asked for.

    `unread` are files that a diff says changed without telling how (binary, links, submodules);
    `files` then says nothing of their content.
    """

    scope: Scope
    asked: str
    base: Side
    head: Side
    files: tuple[FileChange, ...]
    unread: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that differs on either side, sorted."""
        found = {path for change in self.files for path in (change.old_path, change.new_path) if path}
        return tuple(sorted(found.union(self.unread)))


def read_revisions(mirror: Mirror, scope: Scope, asked: str) -> Change:
    """The change of `A..B`, of `A...B` (from where B left A to B), or of one commit against its first parent.

    As in git, a side that is left out is HEAD.

    Raises
    ------
    NotFoundError
        A revision is not there, or `A...B` have no commit in common.
    """
    left, dots, right = asked.partition("..")
    if not dots:
        return _one_commit(mirror, scope, asked)
    symmetric = right.startswith(".")
    base, head = mirror.resolve(left or "HEAD"), mirror.resolve(right.removeprefix(".") or "HEAD")
    if symmetric:
        common = mirror.merge_base(base.id, head.id)
        if common is None:
            raise NotFoundError(
                f"{left or 'HEAD'} and {right[1:] or 'HEAD'} have no commit in common.",
                "Write A..B to compare them as they are"
                + ("; the clone is shallow, so git fetch --unshallow may help." if mirror.shallow else "."),
            )
        base = mirror.commit(common)
    sides = Side(base.id, base.tree), Side(head.id, head.tree)
    return Change(scope, asked, *sides, tuple(mirror.changes(base.tree, head.tree)))


def _one_commit(mirror: Mirror, scope: Scope, asked: str) -> Change:
    head = mirror.resolve(asked)
    if not head.parents and head.id in mirror.boundary:
        raise NotFoundError(
            f"The clone is shallow and ends at {asked}: what it changed is not known.",
            "Run git fetch --unshallow in the clone, or compare two revisions that are there.",
        )
    parent = mirror.commit(head.parents[0]) if head.parents else None
    base = Side(parent.id, parent.tree) if parent else Side("", EMPTY_TREE)
    files = mirror.changes(parent.tree if parent else None, head.tree)
    return Change(scope, asked, base, Side(head.id, head.tree), tuple(files))


def read_patch(mirror: Mirror, scope: Scope, data: bytes, rev: str = "HEAD") -> Change:
    """The change that a diff makes on a revision; its tree is written to the mirror alone.

    Raises
    ------
    DiffError
        The bytes are no diff, or it does not apply to that revision.
    """
    base = mirror.resolve(rev)
    patched = patch_tree(mirror, base.tree, data)
    files = mirror.changes(base.tree, patched.tree) if patched.tree != base.tree else []
    sides = Side(base.id, base.tree), Side("", patched.tree)
    return Change(scope, f"a diff on {rev}", *sides, tuple(files), patched.unread)
