"""Restoring a backup into a data directory and store that do not hold its repositories."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graph import migrations, packing, writing
from graph.backup import FORMAT, KEPT, MANIFEST, VERSION, Saved, digest_of
from graph.bolt import Line, Row, Transaction
from graph.claims import Claim
from graph.cypher import EDGE_VALUES, Filling
from graph.descriptions import WAS, keeping
from graph.errors import CorruptError, DiskError, InputError, NotFoundError, SchemaError
from graph.facts import Hyperedge, Scope
from graph.lease import disk_error
from graph.progress import Progress, silent
from graph.schema import EDGES, EdgeKind, NodeKind
from graph.store import Store
from graph.upkeep import chunks
from graph.workspace import Workspace

_AT_ONCE = 20_000
"""Hyperedges that are taken in before they are written."""
_HINT = "Take another backup."
_MARK = "restoring"
"""A file in a repository's folder while it is restored: what stands beside it may be taken away."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A repository in a backup."""

    scope: Scope
    place: str
    nodes: int
    edges: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was found whole."""

    folder: Path
    entries: tuple[Entry, ...]
    bytes: int

    @classmethod
    def open(cls, folder: Path) -> Backup:
        """Look at a backup and read every byte of it.

        Raises
        ------
        NotFoundError
            There is no backup, or it was broken off.
        CorruptError
            Something of it is missing, cut off or altered.
        SchemaError
            It is of a newer Maestro.
        """
        manifest = _manifest(folder)
        try:
            files = {str(name): (int(size), str(said)) for name, (size, said) in manifest["files"].items()}
            entries = tuple(
                Entry(Scope(row["tenant"], row["name"]), str(row["place"]), row["nodes"], row["edges"])
                for row in manifest["repositories"]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptError(f"{folder / MANIFEST} lacks what it must say: {error}.", _HINT) from error
        for name, (size, said) in files.items():
            path = folder / name
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or path.is_symlink():
                raise CorruptError(f"The backup {folder} names a file outside of itself: {name}.", _HINT)
            if not path.is_file() or path.stat().st_size != size or digest_of(path) != said:
                raise CorruptError(f"The backup's file {path} is missing, cut off or altered.", _HINT)
        for entry in entries:
            packing.check_scope(entry.scope)
            if f"facts/{entry.place}.gz" not in files:
                raise CorruptError(f"The backup {folder} lacks the facts of {entry.scope}.", _HINT)
        return cls(folder, entries, sum(size for size, _ in files.values()))


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        known = manifest["format"] == FORMAT
        version, schema = int(manifest["version"]), int(manifest["schema"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"{folder} is not a backup, or one that was broken off.", "`maestro backup DIR` makes one."
        ) from error
    except OSError as error:
        raise CorruptError(f"{folder / MANIFEST} cannot be read: {error.strerror}.", _HINT) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{folder / MANIFEST} is damaged: {error}.", _HINT) from error
    if not known:
        raise NotFoundError(f"{folder} is not a backup of Maestro's.", "`maestro backup DIR` makes one.")
    if version > VERSION or schema > migrations.migrations()[-1].number:
        raise SchemaError(
            f"The backup {folder} is of a newer Maestro: format {version}, schema {schema}.",
            "Upgrade this Maestro.",
        )
    found: dict[str, Any] = manifest
    return found


async def restore(store: Store, workspace: Workspace, folder: Path, progress: Progress = silent) -> Saved:
    """Put back all repositories of a backup; nobody sees one before all of it is there.

    Raises
    ------
    InputError
        The store or the data directory holds one of them already.
    DiskError
        There is not room enough.
    NotFoundError, CorruptError, SchemaError
        See `Backup.open`; nothing was touched then.
    """
    progress("reading the backup", 0, 0)
    backup = Backup.open(folder)
    await _refuse_held(store, workspace, backup)
    workspace.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(workspace.root).free
    if free < 2 * backup.bytes:
        raise DiskError(
            f"The backup needs about {2 * backup.bytes >> 20} MB in {workspace.root}; {free >> 20} are free.",
            "Make room, or set MAESTRO_DATA to a folder on another disk.",
        )
    for number, entry in enumerate(backup.entries):
        progress(f"restoring {entry.scope.repository}", number, len(backup.entries))
        await _restored(store, workspace, backup, entry)
    scopes = tuple(entry.scope for entry in backup.entries)
    counts = sum(entry.edges for entry in backup.entries), sum(entry.nodes for entry in backup.entries)
    return Saved(folder, scopes, *counts, backup.bytes)


async def _refuse_held(store: Store, workspace: Workspace, backup: Backup) -> None:
    heads = {each.scope: each.head for each in await store.repositories()}
    for entry in backup.entries:
        kept = workspace.of(entry.scope)
        if heads.get(entry.scope, 0) > 0:
            raise InputError(
                f"{entry.scope.repository} is in the store already.",
                "Restore into an empty store and data directory: set MAESTRO_DATA to a new folder.",
            )
        files = (each for each in kept.rglob("*") if each.is_file() and each.suffix != ".lock")
        if not (kept / _MARK).exists() and any(files):
            raise InputError(f"{kept} holds files already.", "Move that folder out of the way.")


async def _restored(store: Store, workspace: Workspace, backup: Backup, entry: Entry) -> None:
    """One repository. Where that fails, what was put back of it is taken away again."""
    scope = entry.scope
    if any(each.scope == scope for each in await store.repositories()):
        await store.forget(scope)  # a restoration that broke off: it has no head
    workspace.prepare(scope)
    with workspace.writing(scope):
        mark = workspace.of(scope) / _MARK
        _clear(workspace, scope)
        try:
            mark.touch(mode=0o600)
            _copy_files(backup.folder / "files" / entry.place, workspace.of(scope))
            async with store.claimed(scope) as (line, claim):
                await _Restoration(line, claim, backup, entry).run()
            mark.unlink()
        except BaseException as failure:
            _clear(workspace, scope)
            try:
                await store.forget(scope)
            except Exception as second:
                # What went wrong first is what people must see; nothing of this is visible without a head.
                failure.add_note(f"What was put back could not be taken away: {second}")
            if isinstance(failure, OSError):
                raise disk_error(workspace.of(scope), failure) from failure
            raise


def _clear(workspace: Workspace, scope: Scope) -> None:
    for name in (*KEPT, _MARK):
        place = workspace.of(scope) / name
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _copy_files(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copyfile)


@dataclass(frozen=True, slots=True)
class _Restoration:
    """The facts of one repository on their way into the store."""

    line: Line
    claim: Claim
    backup: Backup
    entry: Entry

    async def run(self) -> None:
        """Nodes, then hyperedges by the run they were written in, then runs, then the head."""
        scope = self.entry.scope
        state, runs, columns = self._head_of_file()
        await self._begin(runs)
        rows = [(NodeKind(label), key, props) for label, key, props in self._rows("nodes")]
        nodes = [packing.read_node(*row) for row in rows]
        if len(nodes) != self.entry.nodes:
            raise self._damaged(f"it holds {len(nodes)} nodes where {self.entry.nodes} are due")
        await writing.write_nodes(writing.Place(self.line, self.claim, scope, 0), nodes, silent)
        await self._describe(rows)
        edges = 0
        waiting: list[tuple[Hyperedge, int, int | None]] = []
        for kind, born, ended, values, members in self._rows("edges"):
            waiting.append((self._edge(EdgeKind(kind), columns[kind], values, members), born, ended))
            edges += 1
            if len(waiting) >= _AT_ONCE:
                await self._write(waiting)
                waiting = []
        await self._write(waiting)
        if edges != self.entry.edges:
            raise self._damaged(f"it holds {edges} facts where {self.entry.edges} are due")
        await self._finish(state, runs)

    async def _describe(self, rows: list[tuple[NodeKind, str, Row]]) -> None:
        """What described nodes at earlier heads."""
        for kind in NodeKind:
            said = [
                [key, keeping(self.entry.scope, key, props[WAS])]
                for label, key, props in rows
                if label is kind and WAS in props
            ]
            for batch in chunks(said, packing.ROWS):
                await self._do("facts/update_nodes", Filling(kind), rows=batch)

    def _path(self) -> Path:
        return self.backup.folder / "facts" / f"{self.entry.place}.gz"

    def _lines(self) -> Iterator[list[Any]]:
        try:
            with gzip.open(self._path(), "rb") as file:
                for line in file:
                    yield json.loads(line)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> CorruptError:
        return CorruptError(f"The backup's file {self._path()} cannot be used: {why}.", _HINT)

    def _rows(self, word: str) -> Iterator[list[Any]]:
        return (line[1:] for line in self._lines() if line[0] == word)

    def _head_of_file(self) -> tuple[Row, list[Row], dict[str, list[str]]]:
        """What stands before the facts: the repository, its runs, and the columns of each kind."""
        state: Row = {}
        runs: list[Row] = []
        columns: dict[str, list[str]] = {}
        for word, *rest in self._lines():
            if word == "repository":
                (state,) = rest
            elif word == "run":
                runs += rest
            elif word == "columns":
                columns[rest[0]] = rest[1]
            else:
                break
        if not state or not runs:
            raise self._damaged("it says nothing of the repository")
        return state, runs, columns

    def _edge(
        self, kind: EdgeKind, columns: list[str], values: list[Any], members: list[list[Any]]
    ) -> Hyperedge:
        """A hyperedge, its properties by name: a kind may have gained some since the backup."""
        said = dict(zip(columns, values, strict=True))
        known = (*EDGE_VALUES, *EDGES[kind].props)
        if any(value is not None and name not in known for name, value in said.items()):
            raise self._damaged(f"a {kind} has properties that this Maestro does not know")
        edge = packing.read_edge(kind, self.entry.scope, [said.get(name) for name in known], members)
        if edge.digest() != said["digest"]:
            raise self._damaged(f"the {kind} {said['digest']} is not what its digest says")
        return edge

    async def _begin(self, runs: list[Row]) -> None:
        scope, run = self.entry.scope, runs[0]
        await self._do(
            "runs/start",
            key=scope.key,
            name=scope.repository,
            run_key=scope.run(run["number"]),
            number=run["number"],
            commit=run["commit"],
            tree=run["tree"],
            family=run["family"],
            resolver=run["resolver"],
        )

    async def _write(self, waiting: list[tuple[Hyperedge, int, int | None]]) -> None:
        """Write hyperedges, each valid from the run it was, and retire those that had ended."""
        scope = self.entry.scope
        births: dict[int, list[Hyperedge]] = {}
        ends: dict[tuple[EdgeKind, int], list[str]] = {}
        for edge, born, ended in waiting:
            births.setdefault(born, []).append(edge)
            if ended is not None:
                inner = packing.stored_id(scope, edge.digest(), born)
                ends.setdefault((edge.kind, ended), []).append(inner)
        for born, edges in sorted(births.items()):
            await writing.write_edges(writing.Place(self.line, self.claim, scope, born), edges, silent)
        for (kind, ended), ids in ends.items():
            ending = {"run": ended, "ending": packing.one_run(scope, ended)}
            for batch in chunks(ids, packing.ROWS):
                rows = await self._do("facts/retire", Filling(edge=kind), ids=batch, **ending)
                if rows[0]["retired"] != len(batch):
                    raise self._damaged(f"{len(batch)} {kind} were to end at run {ended}, and did not")

    async def _finish(self, state: Row, runs: list[Row]) -> None:
        scope = self.entry.scope
        for run in runs:
            await self._do("runs/restore_run", key=scope.run(run["number"]), **run)
        rows = await self._do("runs/restore", key=scope.key, **state)
        if not rows or rows[0]["head"] != state["head"]:
            raise self._damaged("the repository came to stand elsewhere meanwhile")

    async def _do(self, statement: str, filling: Filling = Filling(), **params: Any) -> list[Row]:  # noqa: B008
        async def work(transaction: Transaction) -> list[Row]:
            await self.claim.renew(transaction)
            return await transaction.rows(statement, filling, params)

        return await self.line.write(work)
