"""A change as a typed value: two sides of a repository's history, or a diff on one of them.

Nothing is compared here (`graph.comparison`) and nothing is written to a store to be judged.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from graph.errors import AmbiguousError, NotFoundError
from graph.facts import Scope
from graph.incidence import Incidence
from graph.ingest.git import EMPTY_TREE, FileChange, Mirror
from graph.patch import patch_tree
from graph.schema import NodeKind, Sort, code_of

MODULE = "<module>"
"""Qualified name of the symbol that stands for a module's own statements."""


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


def select(incidence: Incidence, asked: str) -> list[int]:
    """The nodes meant by `FILE:LINE`, `FILE`, `FILE::qualified.name` or a symbol's name.

    A line means the innermost symbol there; a file all of its symbols. A name may be a key, a
    test's id, a dotted path (`celery.app.base.Celery`), a qualified name, the end of one of
    these, or a bare name: the first of these that fits something. Definitions that share a file
    and a qualified name (a property and its setter) are meant together.

    Raises
    ------
    NotFoundError
        Nothing fits; the hint shows near names.
    AmbiguousError
        A name fits several symbols; `candidates` lists them as `path::qualified name`.
    """
    path, colon, line = asked.rpartition(":")
    if colon and line.isdecimal() and not path.endswith(":"):
        return [_at_line(incidence, path, int(line))]
    file = incidence.find(NodeKind.FILE, incidence.scope.file(asked.removeprefix("./")))
    if file >= 0:
        held: list[int] = np.flatnonzero((incidence.file == file) & incidence.alive).tolist()
        return held or [file]
    for key in (asked, incidence.scope.file(asked.removeprefix("./"))):
        for kind in (NodeKind.SYMBOL, NodeKind.TEST):
            node = incidence.find(kind, key)
            if node >= 0:
                return [node]
    return _named(incidence, asked)


def _at_line(incidence: Incidence, path: str, line: int) -> int:
    file = incidence.find(NodeKind.FILE, incidence.scope.file(path.removeprefix("./")))
    if file < 0:
        raise NotFoundError(f"There is no file {path!r} in {incidence.scope}.", _near_paths(incidence, path))
    held = np.flatnonzero((incidence.file == file) & incidence.alive)
    first, last = incidence.line, incidence.end
    inside: list[int] = held[(first[held] <= line) & (line <= last[held])].tolist()
    if inside:
        # The innermost begins last; of those that begin together it ends first.
        return max(inside, key=lambda i: (first[i], -last[i], incidence.mark[i]))
    end = int(last[held].max(initial=0))
    modules = held[incidence.sort[held] == code_of(Sort.MODULE)]
    if len(modules) and 1 <= line <= end:
        return int(modules[0])
    raise NotFoundError(f"{path} has no symbol at line {line}.", f"Its last line of code is {end}.")


def _near_paths(incidence: Incidence, path: str) -> str:
    paths = [incidence.path(node) for node in incidence.nodes_of(NodeKind.FILE).tolist()]
    name = path.rpartition("/")[2]
    near = [known for known in paths if known.rpartition("/")[2] == name][:5]
    return _did_you_mean(near or difflib.get_close_matches(path, paths, n=5))


def _did_you_mean(near: list[str]) -> str:
    if not near:
        return "Paths count from the repository's root; maestro search finds names."
    return f"Did you mean {', '.join(near)}?"


def dotted(incidence: Incidence, node: int) -> str:
    """Where a symbol stands as imports would name it from the repository's root: `src.pkg.mod.Class.f`."""
    module = incidence.path(node).rpartition(".")[0].removesuffix("/__init__").replace("/", ".")
    qualname = incidence.qualname(node)
    return module if qualname == MODULE else f"{module}.{qualname}"


def _named(incidence: Incidence, asked: str) -> list[int]:
    path, inside, qualname = asked.rpartition("::")
    wanted = qualname.rpartition(".")[2]
    nodes = _bearers(incidence, wanted)
    if inside:
        nodes = [i for i in nodes if incidence.path(i) == path or incidence.path(i).endswith("/" + path)]
    ways: tuple[Callable[[int], bool], ...] = (
        lambda node: dotted(incidence, node) == qualname,
        lambda node: incidence.qualname(node) == qualname,
        lambda node: f".{dotted(incidence, node)}".endswith("." + qualname),
    )
    for fits in ways:
        found = [node for node in nodes if fits(node)]
        if found:
            return _only(incidence, asked, found)
    names = sorted({*incidence.names} - {MODULE})
    near = difflib.get_close_matches(wanted, names, n=5) if len(wanted) < 200 else []
    raise NotFoundError(f"There is no symbol {asked!r} in {incidence.scope}.", _did_you_mean(near))


def _bearers(incidence: Incidence, name: str) -> list[int]:
    """Symbols of a name, and modules whose file or package has it."""
    places = [place for place, known in enumerate(incidence.names) if known == name]
    symbols = incidence.nodes_of(NodeKind.SYMBOL)
    found: list[int] = symbols[np.isin(incidence.name_id[symbols], places)].tolist()
    modules: list[int] = symbols[incidence.sort[symbols] == code_of(Sort.MODULE)].tolist()
    return found + [node for node in modules if dotted(incidence, node).rpartition(".")[2] == name]


def _only(incidence: Incidence, asked: str, found: list[int]) -> list[int]:
    """All of them where they are the definitions of one name of one file."""
    labels = dict.fromkeys(f"{incidence.path(node)}::{incidence.qualname(node)}" for node in found)
    if len(labels) == 1:
        return found
    shown = sorted(labels, key=lambda label: (len(label), label))
    raise AmbiguousError(
        f"{asked!r} fits {len(shown)} symbols of {incidence.scope}: {', '.join(shown[:5])}"
        + (", ..." if len(shown) > 5 else "."),
        "Write the path too, as PATH::NAME.",
        tuple(shown),
    )
