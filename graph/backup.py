"""Backups: all facts of all repositories as plain files, taken while others read and write.

    manifest.json         written last: what a backup without it is worth is not known
    facts/0001.gz         a repository's runs, nodes and hyperedges, a JSON array a line
    files/0001/           what its folder holds that cannot be had from the facts: mirror, recordings

Facts never change, and each says from which run to which it is valid. What was valid at a head is therefore
the same however long it takes to read it, and whatever is written meanwhile: that makes a backup
consistent on any server, without holding anybody up. Array files and caches are left out: they are
built from the facts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph import drafts, migrations, packing
from graph.cypher import EDGE_VALUES, Filling
from graph.descriptions import WAS
from graph.drafts import DraftFolder
from graph.errors import InputError, StoreBusyError
from graph.facts import Scope
from graph.lease import disk_error
from graph.progress import Progress, silent
from graph.schema import EDGES, NODES, NodeKind
from graph.store import Store
from graph.upkeep import chunks
from graph.workspace import Workspace

FORMAT = "maestro-backup"
VERSION = 1
MANIFEST = "manifest.json"
KEPT = ("clone", "recordings", "mirror.git")
"""What is taken of a repository's folder."""

_TRIES = 3
_STEM = "backup"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup holds."""

    folder: Path
    repositories: tuple[Scope, ...]
    facts: int
    nodes: int
    bytes: int


async def save(store: Store, workspace: Workspace, folder: Path, progress: Progress = silent) -> Saved:
    """Write a backup of every repository into a new or empty folder.

    Raises
    ------
    InputError
        The folder holds something, is no folder, or lies inside of the data directory.
    DiskError
        Nothing can be written there, or the disk is full; what was written is removed again.
    """
    made, mark = _claim(workspace, folder)
    try:
        return await _saved(store, workspace, folder, progress)
    except BaseException as failure:
        for entry in list(folder.iterdir()) if folder.is_dir() else ():
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(failure, OSError):
            raise disk_error(folder, failure) from failure
        raise
    finally:
        mark.close()


def _claim(workspace: Workspace, folder: Path) -> tuple[bool, DraftFolder]:
    """Make the folder, for this user only: whether it is new, and what marks it as being written.

    A backup that broke off still bears its mark, which nobody holds: what there is of it goes.
    """
    if folder.resolve().is_relative_to(workspace.root.resolve()):
        raise InputError(
            f"{folder} is inside of the data directory {workspace.root}.", "Keep backups somewhere else."
        )
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / MANIFEST).exists() and drafts.sweep(folder, _STEM):
            drafts.sweep(folder)
            for name in ("facts", "files"):
                shutil.rmtree(folder / name, ignore_errors=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty.", "Name a new folder, or an empty one.")
        return new, DraftFolder(folder, _STEM)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder} is not a folder.", "Name a new folder, or an empty one.") from error
    except OSError as error:
        raise disk_error(folder, error) from error


async def _saved(store: Store, workspace: Workspace, folder: Path, progress: Progress) -> Saved:
    standings = [each for each in await store.repositories() if each.heads]
    (folder / "facts").mkdir(mode=0o700)
    (folder / "files").mkdir(mode=0o700)
    entries: list[dict[str, Any]] = []
    nodes = edges = 0
    for number, standing in enumerate(standings, 1):
        scope = standing.scope
        progress(f"saving {scope.repository}", number - 1, len(standings))
        place = folder / "facts" / f"{number:04}.gz"
        counted = await _facts(store, scope, place)
        nodes, edges = nodes + counted["nodes"], edges + counted["edges"]
        _copy(workspace.of(scope), folder / "files" / f"{number:04}")
        entries.append({"tenant": scope.tenant, "name": scope.repository, "place": f"{number:04}", **counted})
    files = {name: (size, digest) for name, size, digest in _digests(folder)}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made": int(time.time()),
        "schema": migrations.migrations()[-1].number,
        "server": store.server,
        "repositories": entries,
        "files": files,
    }
    _write_last(folder, json.dumps(manifest, indent=1))
    return Saved(
        folder,
        tuple(each.scope for each in standings),
        edges,
        nodes,
        sum(size for size, _ in files.values()),
    )


async def _facts(store: Store, scope: Scope, place: Path) -> dict[str, int]:
    """Write a repository's facts; again from the start where it was pruned meanwhile."""
    for _ in range(_TRIES):
        (state,) = await store.read("runs/standing", key=scope.key)
        with gzip.open(place, "wb", compresslevel=1) as out:
            counted = {"nodes": 0, "edges": 0}
            async for line in _lines(store, scope, state):
                out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
                if line[0] in counted:
                    counted[line[0]] += 1
        again = await store.read("runs/standing", key=scope.key)
        if again and again[0]["horizon"] == state["horizon"]:
            return {"head": state["head"], "nodes": counted["nodes"], "edges": counted["edges"]}
    raise StoreBusyError(f"{scope.repository} was pruned each time that it was read.", "Try again later.")


async def _lines(store: Store, scope: Scope, state: dict[str, Any]) -> AsyncIterator[list[Any]]:
    yield ["repository", {**state, "heads": list(state["heads"])}]
    prefix, head = packing.all_runs(scope), state["head"]
    for row in await store.read("runs/records", prefix=prefix, head=head):
        yield ["run", row]
    kinds = [spec.kind for spec in EDGES.values() if spec.live]
    for kind in kinds:
        yield ["columns", kind.value, [*EDGE_VALUES, *EDGES[kind].props]]
    named: dict[str, set[str]] = {}
    params = {"prefix": prefix, "head": head}
    asked = [("facts/kept_edges", Filling(edge=kind), params) for kind in kinds]
    async with store.reading(asked) as rows:
        async for place, page in rows:
            for born, ended, values, members in page:
                for member in members:
                    named.setdefault(member[1], set()).add(member[2])
                yield ["edges", kinds[place].value, born, ended, values, members]
    for label, keys in sorted(named.items()):
        node = NodeKind(label)
        for batch in chunks(sorted(keys), packing.ROWS):
            for row in await store.read("facts/known_nodes", Filling(node), keys=batch):
                props = {name: row["props"].get(name) for name in (*NODES[node].props, WAS)}
                yield ["nodes", label, row["key"], {k: v for k, v in props.items() if v is not None}]


def _copy(source: Path, target: Path) -> None:
    """Copy what is kept of a repository's folder. Of a mirror its objects come last: nothing is ever taken
    from them, so that whatever the copied references name is among them."""
    for _ in range(_TRIES):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        try:
            for name in KEPT:
                if (source / name).is_file():
                    shutil.copyfile(source / name, target / name)
                elif (source / name).is_dir():
                    _copy_tree(source / name, target / name, ("objects",))
                    if (source / name / "objects").is_dir():
                        _copy_tree(source / name / "objects", target / name / "objects", ())
            return
        except FileNotFoundError:  # packed anew since it was listed
            continue
    raise StoreBusyError(f"{source} kept changing while it was copied.", "Try again later.")


def _copy_tree(source: Path, target: Path, later: tuple[str, ...]) -> None:
    def left_out(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == source
        return [
            name
            for name in names
            if name.endswith((".lock", drafts.SUFFIX)) or name.startswith("tmp_") or (top and name in later)
        ]

    try:
        shutil.copytree(
            source, target, ignore=left_out, copy_function=shutil.copyfile, symlinks=True, dirs_exist_ok=True
        )
    except shutil.Error as error:
        missing = [row for row in error.args[0] if "No such file" in str(row[2])]
        raise (FileNotFoundError if missing else OSError)(str(error.args[0][0])) from error


def _digests(folder: Path) -> Iterator[tuple[str, int, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path.stat().st_size, digest_of(path)


def digest_of(path: Path) -> str:
    """16-byte BLAKE2b of a file, as hexadecimal characters."""
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _write_last(folder: Path, text: str) -> None:
    """Make everything durable, then say that the backup is whole."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with _opened(path) as handle:
                os.fsync(handle)
    with drafts.draft(folder / MANIFEST, durable=True) as out:
        out.write(text.encode())


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR)
    try:
        yield handle
    finally:
        os.close(handle)
