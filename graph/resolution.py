"""From a git tree to its facts: walk, read, resolve. A pure function of the tree, plus caches.

Both sides of a change and the index itself go through here, so that they are resolved alike.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from graph.errors import CorruptError, RepositoryError
from graph.facts import Batch, Fact, Scope, file_node
from graph.incidence import Incidence
from graph.ingest import owners, walk
from graph.ingest.git import EMPTY_TREE, Mirror
from graph.ingest.python import configuration, reader
from graph.ingest.python.linkage import Linkage, Taking
from graph.progress import Progress, silent
from graph.residence import Residence, Step
from graph.workspace import Workspace

SIDES_KEPT = 24
"""Resolved trees kept on disk a repository; the least recently used go first."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The facts of one tree, and what was not read."""

    tree: str
    batch: Batch
    sources: int
    coverage: str
    """What was read and what has no reader yet, in a sentence."""
    step: Step | None = None
    """How the facts follow from those of the tree read before, where that is known."""


def resolve(
    workspace: Workspace,
    mirror: Mirror,
    scope: Scope,
    tree: str,
    *,
    engine: bool = True,
    progress: Progress = silent,
    residence: Residence | None = None,
    taking: Taking | None = None,
) -> Resolution:
    """Read one tree of a repository into facts; runs nothing of the repository.

    Parameters
    ----------
    residence : Residence, optional
        What a Maestro that stays up keeps of the tree that it read before; it changes no fact.
    taking : callable, optional
        Is given facts as soon as they are known (see `linkage.Taking`).

    Raises
    ------
    RepositoryError
        When no file of the tree is supported: an empty extraction is never a success.
    """
    found = walk.walk(mirror, tree, scope)
    settings = _settings(mirror, tree, found)
    cache = workspace.cache(scope)
    before = residence.python.linkage(scope, cache) if residence is not None else None
    batch = reader.read(
        scope,
        found.sources,
        mirror.blob,
        cache,
        settings={path: mirror.blob(blob) for path, blob in settings},
        engine=engine,
        progress=progress,
        resident=residence.python if residence is not None else None,
        taking=taking,
    )
    rest: list[Fact] = [file_node(scope, path, found.languages[path]) for path, _ in settings]
    rest += found.diagnoses
    rest += owners.read_owners(mirror, tree, scope, found.languages)
    step = None
    if residence is not None:
        step = _step(residence, scope, before, residence.python.linkage(scope, cache), rest)
        residence.keep(scope, tree, rest)
    batch.add(rest)
    return Resolution(tree, batch, len(found.sources), found.coverage(), step)


def _step(
    residence: Residence, scope: Scope, before: Linkage | None, after: Linkage | None, rest: list[Fact]
) -> Step | None:
    tree = residence.step(scope, rest)
    if tree is None or before is None or after is None or after.moved is None:
        return None
    went = [edge for path in after.moved for edge in before.edges(path)]
    came = [edge for path in after.moved for edge in after.edges(path)]
    return Step(tree, went, came)


def fingerprint(engine: bool = True) -> str:
    """Short digest of everything besides the tree that decides what facts come out.

    A store or an array file written under another fingerprint is resolved anew.
    """
    return hashlib.blake2b(reader.version(engine).encode(), digest_size=6).hexdigest()


def side(
    workspace: Workspace,
    mirror: Mirror,
    scope: Scope,
    tree: str,
    commit: str,
    *,
    engine: bool = True,
    progress: Progress = silent,
    residence: Residence | None = None,
) -> tuple[Incidence, str]:
    """The arrays of any tree, and how they were had: "indexed", "kept" or "resolved".

    The indexed head is used where all that readers read is the same; else a file kept from an
    earlier question; else the tree is resolved now, by the same resolver, and kept.
    """
    head = open_arrays(workspace.arrays(scope, "code"))
    content = content_of(mirror, scope, tree)
    if head is not None and holds(mirror, head, content, engine):
        return head, "indexed"
    path = workspace.sides(scope) / f"{content}-{fingerprint(engine)}.arrays"
    kept = open_arrays(path)
    if kept is not None:
        os.utime(path)
        return kept, "kept"
    batch = _facts_of_side(workspace, mirror, scope, tree, engine, progress, residence)
    built = Incidence.build(
        batch, scope=scope, head=0, commit=commit, tree=tree, resolver=fingerprint(engine), previous=head
    )
    built.save(path)
    _forget_oldest(path.parent)
    return built, "resolved"


def holds(mirror: Mirror, arrays: Incidence, content: str, engine: bool) -> bool:
    """Whether arrays were resolved, by the resolvers of today, from a tree with this content."""
    same = arrays.resolver == fingerprint(engine)
    return same and content_of(mirror, arrays.scope, arrays.tree) == content


def content_of(mirror: Mirror, scope: Scope, tree: str) -> str:
    """Digest of all in a tree that its facts follow from: an edit of a picture leaves it alone.

    Counted are sources with a reader, files that configure tests and packages, and CODEOWNERS
    with, since its rules name folders, every path.
    """
    if tree == EMPTY_TREE:
        return tree
    try:
        found = walk.walk(mirror, tree, scope)
    except RepositoryError:
        return tree
    rules = owners.find_codeowners(mirror, tree)
    words = [f"{source.path}\0{source.blob}" for source in found.sources]
    for path in sorted(found.languages):
        if rules is not None:
            words.append(path)
    words += [f"{path}\0{blob}" for path, blob in _settings(mirror, tree, found)]
    words.append(rules[0].blob if rules else "")
    return hashlib.blake2b("\n".join(words).encode(), digest_size=20).hexdigest()


def _settings(mirror: Mirror, tree: str, found: walk.Walk) -> list[tuple[str, str]]:
    """Path and blob of the files that configure tests and entry points; oversized ones are left out."""
    entries = [mirror.entry(tree, path) for path in sorted(found.languages) if configuration.wanted(path)]
    return [(entry.path, entry.blob) for entry in entries if entry and 0 <= entry.size <= walk.MAX_SIZE]


def _facts_of_side(
    workspace: Workspace,
    mirror: Mirror,
    scope: Scope,
    tree: str,
    engine: bool,
    progress: Progress,
    residence: Residence | None,
) -> Batch:
    """Facts of one side. A side may hold nothing to read (a first commit's other side, say)."""
    if tree == EMPTY_TREE:
        return Batch()
    try:
        return resolve(
            workspace, mirror, scope, tree, engine=engine, progress=progress, residence=residence
        ).batch
    except RepositoryError:
        if any(entry.path.endswith(".py") for entry in mirror.files(tree)):
            raise
        return Batch()


def open_arrays(path: Path) -> Incidence | None:
    """The array file at a path; None where there is none or it is damaged (it is then removed)."""
    if not path.exists():
        return None
    try:
        return Incidence.open(path)
    except CorruptError:
        path.unlink(missing_ok=True)
        return None


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.arrays"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[SIDES_KEPT:]:
        file.unlink(missing_ok=True)
