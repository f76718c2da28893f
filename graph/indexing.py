"""A run of the indexer: resolve a tree, write what moved, flip the head, renew the arrays."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from graph import past
from graph.delta import Delta, carried, difference, none
from graph.facts import Batch, Hyperedge, Node, Scope
from graph.foundation import Foundation, give_up
from graph.incidence import Incidence
from graph.ingest import history
from graph.ingest.git import Commit, Mirror
from graph.memory import uncollected
from graph.progress import Progress, silent
from graph.reading import Reading, find_commit
from graph.renewal import pays
from graph.residence import Residence, moved
from graph.resolution import Resolution, content_of, fingerprint, holds, open_arrays, resolve
from graph.schema import EdgeKind
from graph.store import Run, Store
from graph.workspace import Workspace

CODE_FAMILIES = ("code", "owners")
HISTORY_FAMILIES = ("history",)
HISTORY_COMMITS = 3_000
"""Commits that a store keeps by default: enough to know authors and habits, at a tenth of the cost
of a long-lived repository's whole history."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an index run did. Counts are of hyperedges unless they say otherwise."""

    scope: Scope
    commit: Commit
    head: int
    unchanged: bool
    sources: int
    coverage: str
    nodes: int
    edges: int
    created: int
    retired: int
    diagnoses: tuple[tuple[str, str, str], ...]
    """(path, code, message) of files that were not, or not wholly, read."""
    commits_read: int
    history_complete: bool
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class HistoryOutcome:
    """What the second phase came to; `moved` says whether it wrote anything."""

    read: int
    complete: bool
    notes: tuple[str, ...]
    head: int
    moved: bool


async def index(
    store: Store,
    workspace: Workspace,
    scope: Scope,
    source: Path,
    *,
    rev: str = "HEAD",
    full: bool = False,
    engine: bool = True,
    with_history: bool = True,
    progress: Progress = silent,
    residence: Residence | None = None,
    reading: Reading | None = None,
) -> IndexReport:
    """Index a revision of a clone; a repository's head moves only when everything was written.

    Parameters
    ----------
    source : Path
        A clone on this machine. It is copied to a mirror; nothing in it is run.
    rev : str
        The revision to index, `HEAD` by default.
    full : bool
        Resolve and compare everything again, even where nothing changed.
    residence : Residence, optional
        What a Maestro that stays up keeps of the trees it read: an edit is then a small matter.
    reading : Reading, optional
        What `reading.reading_ahead` began to read, given the same workspace, scope, source, revision, engine
        and residence.

    Raises
    ------
    RepositoryError, NotFoundError
        Where the clone or the revision cannot be read.
    StoreBusyError
        Where another writer holds this repository.
    """
    begun = time.monotonic()
    workspace.prepare(scope)
    with uncollected(kept=True), workspace.writing(scope) if reading is None else reading.held:
        if reading is None:
            progress("reading the repository", 0, 0)
            mirror, commit = find_commit(source, workspace.mirror(scope), rev)
        else:
            mirror, commit = await reading.found()
        resident = None if full else residence
        indexed = await _index_code(
            store, workspace, mirror, scope, commit, full, engine, progress, resident, reading
        )
        resolution, delta, head, arrays = indexed
        if reading is not None:
            reading.end()  # where it was not needed, it is not to stand in the way of what follows
        past = None
        if with_history:
            past = await _index_history(store, workspace, mirror, scope, commit, progress)
    return IndexReport(
        scope=scope,
        commit=commit,
        head=past.head if past else head,
        unchanged=resolution is None and not (past and past.moved),
        sources=resolution.sources if resolution else 0,
        coverage=resolution.coverage if resolution else "",
        nodes=arrays.node_count,
        edges=arrays.edge_count,
        created=len(delta.created),
        retired=len(delta.retired),
        diagnoses=_diagnoses(resolution.batch) if resolution else (),
        commits_read=past.read if past else 0,
        history_complete=bool(past and past.complete),
        notes=_notes(mirror, commit, past.notes if past else ()),
        seconds=time.monotonic() - begun,
    )


async def _index_code(
    store: Store,
    workspace: Workspace,
    mirror: Mirror,
    scope: Scope,
    commit: Commit,
    full: bool,
    engine: bool,
    progress: Progress,
    residence: Residence | None,
    reading: Reading | None,
) -> tuple[Resolution | None, Delta, int, Incidence]:
    head = await store.head(scope)
    arrays = await current_arrays(store, workspace, scope)
    same = (
        head is not None
        and arrays is not None
        and arrays.tree == commit.tree
        and arrays.resolver == fingerprint(engine)
        and head.commit == commit.id
    )
    if same and not full and arrays is not None and head is not None:
        return None, none(), head.number, arrays
    begin = partial(
        store.begin,
        scope,
        commit=commit.id,
        tree=commit.tree,
        families=CODE_FAMILIES,
        resolver=fingerprint(engine),
    )
    if arrays is None:
        beside = Reading(
            workspace, scope, lambda: (mirror, commit), engine=engine, progress=progress, residence=residence
        )
        with beside if reading is None else nullcontext(reading) as begun:
            resolution, delta, run, built = await Foundation(store, begin).lay(
                begun, fingerprint(engine), progress
            )
    else:
        content = content_of(mirror, scope, commit.tree)
        if not full and holds(mirror, arrays, content, engine):
            return await _move_head(store, workspace, scope, commit, arrays)
        if reading is not None:
            resolution = await reading.resolution()
        else:
            resolution = resolve(
                workspace, mirror, scope, commit.tree, engine=engine, progress=progress, residence=residence
            )
        run = await begin()
        delta, births = _delta(arrays, resolution, run, engine)
        await write(store, run, delta, progress)
        built = carried(
            arrays,
            resolution.batch,
            delta,
            births,
            scope=scope,
            head=run.number,
            commit=commit.id,
            tree=commit.tree,
            resolver=fingerprint(engine),
            anew=full,
        )
    await store.flip(run, built.counted())
    built.save(workspace.arrays(scope, "code"))
    return resolution, delta, run.number, built


def _delta(
    arrays: Incidence | None, resolution: Resolution, run: Run, engine: bool
) -> tuple[Delta, list[int]]:
    """What moved: by the step from the tree that the arrays hold where it is known, else by comparing all."""
    step = resolution.step
    held = (arrays.tree, arrays.resolver) if arrays is not None else None
    if step is not None and arrays is not None and held == (step.tree, fingerprint(engine)):
        delta = moved(arrays, step, resolution.batch)
        if delta is not None and pays(arrays, len(delta.created) + len(delta.ended)):
            return delta, []
    return difference(arrays, resolution.batch, run.number)


async def _move_head(
    store: Store, workspace: Workspace, scope: Scope, commit: Commit, arrays: Incidence
) -> tuple[None, Delta, int, Incidence]:
    """A commit that touches nothing a reader reads: the same facts, at a new head."""
    run = await store.begin(
        scope, commit=commit.id, tree=commit.tree, families=CODE_FAMILIES, resolver=arrays.resolver
    )
    carried_on = replace(arrays, head=run.number, commit=commit.id, tree=commit.tree)
    await store.flip(run, carried_on.counted())
    carried_on.save(workspace.arrays(scope, "code"), durable=False)
    return None, none(), run.number, carried_on


async def write(store: Store, run: Run, delta: Delta, progress: Progress) -> None:
    """Write what a run creates and retires; a run that cannot go on gives its place back at once."""
    try:
        await store.write(run, delta.nodes, delta.created, progress)
        await store.retire(run, delta.retired)
    except BaseException as failure:
        await give_up(store, run, failure)
        raise


async def current_arrays(
    store: Store, workspace: Workspace, scope: Scope, family: str = "code"
) -> Incidence | None:
    """The arrays of a repository at the store's head; None where the family was never indexed.

    A damaged or missing file is rebuilt from the store. One of an earlier head is renewed by what the runs
    since have moved, where the store vouches for it, and rebuilt otherwise.
    """
    head = await store.head(scope, family)
    if head is None:
        workspace.arrays(scope, family).unlink(missing_ok=True)
        return None
    path = workspace.arrays(scope, family)
    arrays = open_arrays(path)
    if arrays is not None and arrays.head == head.number and arrays.commit == head.commit:
        return arrays
    if arrays is not None and arrays.scope == scope:
        renewed = await past.caught_up(store, arrays, head, family)
        if renewed is not None:
            renewed.save(path, durable=False)
            return renewed
    return await rebuild_arrays(store, workspace, scope, family)


async def rebuild_arrays(store: Store, workspace: Workspace, scope: Scope, family: str) -> Incidence | None:
    """Write the arrays of a family anew from what the store holds at its head."""
    head = await store.head(scope, family)
    if head is None:
        return None
    with uncollected():
        batch, births = Batch(), []
        families = CODE_FAMILIES if family == "code" else (family,)
        for name in families:
            async for page in store.pages(scope, name, head.number):
                batch.add(fact for fact, _ in page)
                births += [birth for fact, birth in page if isinstance(fact, Hyperedge)]
        built = Incidence.build(
            batch,
            scope=scope,
            head=head.number,
            commit=head.commit,
            tree=head.tree,
            resolver=head.resolver,
            births=births,
        )
    if await past.pruned(store, scope, head.number, family):
        # A run ended and what it retired was pruned while this was read: some of it may be missing.
        return await rebuild_arrays(store, workspace, scope, family)
    built.save(workspace.arrays(scope, family))
    return built


async def _index_history(
    store: Store,
    workspace: Workspace,
    mirror: Mirror,
    scope: Scope,
    commit: Commit,
    progress: Progress,
) -> HistoryOutcome:
    """The second phase: commits, authors, renames and files that change together."""
    arrays = await current_arrays(store, workspace, scope, "history")
    found = history.read_history(
        mirror,
        commit.id,
        scope,
        since=arrays.commit if arrays is not None else None,
        budget_commits=HISTORY_COMMITS,
        progress=progress,
    )
    if arrays is not None and arrays.commit == commit.id and not found.facts.edges:
        return HistoryOutcome(found.read, found.complete, found.notes, arrays.head, moved=False)
    batch = _joined(arrays, found)
    run = await store.begin(scope, commit=commit.id, tree=commit.tree, families=HISTORY_FAMILIES)
    delta, births = difference(arrays, batch, run.number)
    await write(store, run, delta, progress)
    built = carried(
        arrays, batch, delta, births, scope=scope, head=run.number, commit=commit.id, tree=commit.tree
    )
    await store.flip(run, built.counted())
    built.save(workspace.arrays(scope, "history"))
    return HistoryOutcome(found.read, found.complete, found.notes, run.number, moved=True)


def _joined(arrays: Incidence | None, found: history.HistoryRead) -> Batch:
    """History read so far and now: commits stay, what is counted over them is replaced."""
    batch = Batch()
    if arrays is not None:
        batch.add(
            fact for fact in arrays.facts() if isinstance(fact, Node) or fact.kind not in found.replaces
        )
    batch.add(found.facts)
    return batch


def _diagnoses(batch: Batch) -> tuple[tuple[str, str, str], ...]:
    found = []
    for edge in batch.edges:
        if edge.kind is EdgeKind.DIAGNOSED:
            file, diagnosis = edge.members[0], edge.members[1]
            props = dict(batch.nodes[f"{diagnosis.kind} {diagnosis.key}"].props)
            path = file.key.partition(":")[2]
            found.append((path, str(props.get("code", "")), str(props.get("message", ""))))
    return tuple(sorted(found))


def _notes(mirror: Mirror, commit: Commit, past: tuple[str, ...]) -> tuple[str, ...]:
    """What people should know of the clone; where history was read it has said so of a shallow one."""
    notes = []
    if mirror.shallow and not past:
        notes.append("This is a shallow clone: history ends where the clone does.")
    modules = mirror.submodules(commit.tree)
    if modules:
        notes.append(f"Submodules are not followed: {', '.join(modules[:5])}.")
    return (*notes, *past)
