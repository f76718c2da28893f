"""Backups while others write, restored elsewhere; and everything that cannot be one."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from example_facts import contains, retired, step, symbols

from graph import backup, past, restoration
from graph.drafts import DraftFolder
from graph.errors import CorruptError, DiskError, InputError, NotFoundError, SchemaError
from graph.facts import Hyperedge, Scope
from graph.store import Store
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
RUNS = 3


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


async def write(store: Store, scope: Scope, number: int) -> None:
    """One run more, with lines that move."""
    run = await store.begin(scope, commit=f"{number:040x}", tree="t" * 40, families=("code",), resolver="r")
    nodes, edges = step(scope, 5, number, 12)
    file, holding = contains(scope, symbols(scope, 40), number)
    await store.write(run, [*nodes, file], [*edges, holding])
    ended = retired(scope, 5, number, 12)
    if number > 1:
        ended.append(contains(scope, symbols(scope, 40), number - 1)[1])
    await store.retire(run, [(edge.kind, f"{edge.digest()}@{number - 1}") for edge in ended])
    await store.flip(run)


@pytest.fixture
def store(lone_store):
    return lone_store


@pytest.fixture
async def scope(store, workspace):
    """A repository with a few runs, one pruned, and files of its own."""
    made = Scope(f"t{uuid.uuid4().hex[:8]}", "kept")
    for number in range(1, RUNS + 1):
        await write(store, made, number)
    await store.prune(made, keep=2)
    workspace.prepare(made)
    (workspace.of(made) / "clone").write_text("/somewhere")
    objects = workspace.mirror(made) / "objects" / "pack"
    objects.mkdir(parents=True)
    (objects / "pack-1.pack").write_bytes(os.urandom(5000))
    (workspace.mirror(made) / "packed-refs").write_text("refs\n")
    (workspace.mirror(made) / "HEAD.lock").write_text("")
    (workspace.recordings(made) / "one.maestro").write_bytes(b"recorded")
    (workspace.cache(made) / "big").write_bytes(b"not kept")
    return made


async def told(store: Store, scope: Scope) -> dict[int, dict[str, int]]:
    """At every head that can be told: the digests, and the runs they are valid from."""
    found = {}
    for head in await past.heads(store, scope):
        if not await past.pruned(store, scope, head.number):
            found[head.number] = {
                fact.digest(): born
                async for fact, born in store.export(scope, "code", head.number)
                if isinstance(fact, Hyperedge)
            }
    return found


async def moved(store: Store, folder: Path, scope: Scope, workspace: Workspace) -> Workspace:
    """Forget a repository and restore it from a backup into another data directory."""
    await store.forget(scope)
    other = Workspace(workspace.root.parent / "other")
    await restoration.restore(store, other, folder)
    return other


async def test_what_was_saved_is_restored_as_it_was(store, workspace, scope, tmp_path) -> None:
    before, heads = await told(store, scope), await past.heads(store, scope)
    counts, horizon = await store.counts(scope), await past.horizon(store, scope)
    saved = await backup.save(store, workspace, tmp_path / "backup")
    assert saved.repositories == (scope,) and saved.facts == sum(counts.edges.values())
    assert (tmp_path / "backup").stat().st_mode & 0o77 == 0
    other = await moved(store, tmp_path / "backup", scope, workspace)
    assert await told(store, scope) == before
    assert await past.heads(store, scope) == heads
    assert await past.horizon(store, scope) == horizon == 1
    assert (await store.counts(scope)).edges == counts.edges
    assert await store.dangling(scope) == []
    names = {
        path.relative_to(other.of(scope)).as_posix() for path in other.of(scope).rglob("*") if path.is_file()
    }
    assert names - {"writer.lock"} == {
        "clone", "mirror.git/packed-refs", "mirror.git/objects/pack/pack-1.pack", "recordings/one.maestro",
    }  # fmt: skip
    await write(store, scope, RUNS + 1)
    assert (await store.head(scope)).number == RUNS + 1, "the restored repository cannot be written"


async def test_a_backup_is_of_one_head_whatever_is_written(store, workspace, scope, tmp_path) -> None:
    before = await told(store, scope)
    begun = await store.begin(scope, commit="c" * 40, tree="t" * 40, families=("code",))
    nodes, edges = step(scope, 5, RUNS + 1, 12)
    await store.write(begun, nodes, edges)
    await store.retire(
        begun, [(edge.kind, f"{edge.digest()}@{RUNS}") for edge in retired(scope, 5, RUNS + 1, 12)]
    )

    async def finish() -> None:
        await store.flip(begun)

    await asyncio.gather(backup.save(store, workspace, tmp_path / "backup"), finish())
    await moved(store, tmp_path / "backup", scope, workspace)
    after = await told(store, scope)
    assert {number: after[number] for number in before} == before


async def test_a_backup_goes_where_nothing_is(store, workspace, scope, tmp_path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        await backup.save(store, workspace, full)
    with pytest.raises(InputError, match="not a folder"):
        await backup.save(store, workspace, full / "mine")
    with pytest.raises(InputError, match="inside of the data directory"):
        await backup.save(store, workspace, workspace.root / "backup")
    assert (full / "mine").read_text() == "mine"
    with pytest.raises(DiskError):
        await backup.save(store, workspace, Path("/proc/backup"))


async def test_a_repository_that_is_there_is_not_overwritten(store, workspace, scope, tmp_path) -> None:
    await backup.save(store, workspace, tmp_path / "backup")
    with pytest.raises(InputError, match="in the store already"):
        await restoration.restore(store, Workspace(tmp_path / "other"), tmp_path / "backup")
    await store.forget(scope)
    with pytest.raises(InputError, match="holds files already"):
        await restoration.restore(store, workspace, tmp_path / "backup")
    assert await store.repositories() == []


def manifest(folder: Path, **said: object) -> None:
    place = folder / backup.MANIFEST
    place.write_text(json.dumps(json.loads(place.read_text()) | said))


def altered(folder: Path, change) -> None:
    """Alter the facts, and let the manifest say that this is what they are."""
    place = folder / "facts" / "0001.gz"
    place.write_bytes(change(place.read_bytes()))
    said = json.loads((folder / backup.MANIFEST).read_text())["files"]
    manifest(folder, files=said | {"facts/0001.gz": [place.stat().st_size, backup.digest_of(place)]})


def told_otherwise(data: bytes) -> bytes:
    lines = gzip.decompress(data).splitlines(keepends=True)
    at = next(place for place, line in enumerate(lines) if line.startswith(b'["edges","Calls"'))
    lines[at] = lines[at].replace(b'"exact"', b'"typed"')
    return gzip.compress(b"".join(lines))


def shorter(data: bytes) -> bytes:
    return gzip.compress(b"".join(gzip.decompress(data).splitlines(keepends=True)[:-1]))


FAULTS = {
    "no folder": (NotFoundError, shutil.rmtree),
    "no manifest": (NotFoundError, lambda folder: (folder / backup.MANIFEST).unlink()),
    "a foreign manifest": (NotFoundError, lambda folder: manifest(folder, format="zip")),
    "no JSON": (CorruptError, lambda folder: (folder / backup.MANIFEST).write_text("{")),
    "JSON of another shape": (CorruptError, lambda folder: (folder / backup.MANIFEST).write_text("[]")),
    "a manifest that says little": (CorruptError, lambda folder: manifest(folder, files=[1])),
    "a newer format": (SchemaError, lambda folder: manifest(folder, version=backup.VERSION + 1)),
    "a newer schema": (SchemaError, lambda folder: manifest(folder, schema=10_000)),
    "a file less": (CorruptError, lambda folder: (folder / "files/0001/clone").unlink()),
    "a file cut off": (CorruptError, lambda folder: os.truncate(folder / "facts/0001.gz", 20)),
    "a byte altered": (CorruptError, lambda folder: (folder / "files/0001/clone").write_text("/elsewhere")),
    "a path that leads outside": (CorruptError, lambda folder: manifest(folder, files={"../x": [1, "a"]})),
    "facts that are not listed": (CorruptError, lambda folder: manifest(folder, files={})),
    "facts of another digest": (CorruptError, lambda folder: altered(folder, told_otherwise)),
    "facts cut off": (CorruptError, lambda folder: altered(folder, lambda data: data[:-30])),
    "a node less": (CorruptError, lambda folder: altered(folder, shorter)),
    "no facts": (CorruptError, lambda folder: altered(folder, lambda data: gzip.compress(b""))),
    "nonsense": (CorruptError, lambda folder: altered(folder, lambda data: gzip.compress(b"nonsense\n"))),
}


async def test_what_is_no_whole_backup_leaves_nothing(store, workspace, scope, tmp_path) -> None:
    await backup.save(store, workspace, tmp_path / "backup")
    await store.forget(scope)
    other = Workspace(tmp_path / "other")
    for fault, (error, break_it) in FAULTS.items():
        folder = tmp_path / "broken"
        shutil.copytree(tmp_path / "backup", folder)
        break_it(folder)
        with pytest.raises(error) as caught:
            await restoration.restore(store, other, folder)
        assert caught.value.hint, fault
        assert await store.repositories() == [], fault
        left = [path for path in other.root.rglob("*") if path.is_file() and path.suffix != ".lock"]
        assert left == [], fault
        shutil.rmtree(folder, ignore_errors=True)
    await restoration.restore(store, other, tmp_path / "backup")
    assert (await store.head(scope)).number == RUNS


async def test_a_restoration_that_broke_off_is_begun_again(
    store, workspace, scope, tmp_path, monkeypatch
) -> None:
    before = await told(store, scope)
    await backup.save(store, workspace, tmp_path / "backup")
    await store.forget(scope)
    other = Workspace(tmp_path / "other")
    with monkeypatch.context() as patched:  # as kill -9 would: nothing is taken away again
        patched.setattr(restoration._Restoration, "_finish", None)
        patched.setattr(Store, "forget", None)
        patched.setattr("graph.restoration.shutil.rmtree", lambda *_, **__: None)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(TypeError):
            await restoration.restore(store, other, tmp_path / "backup")
    assert await store.head(scope) is None, "half a repository is visible"
    await restoration.restore(store, other, tmp_path / "backup")
    assert await told(store, scope) == before


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files stands in for a full disk")
def test_a_full_disk_is_said_and_leaves_no_backup(tmp_path) -> None:
    data = tmp_path / "data" / "repositories" / "t" / "r" / "mirror.git"
    data.mkdir(parents=True)
    (data / "big").write_bytes(os.urandom(3_000_000))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "DiskError" in done.stdout
    assert not (tmp_path / "backup").exists()


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from graph import backup
from graph.errors import MaestroError
from graph.facts import Scope
from graph.upkeep import Standing
from graph.workspace import Workspace

class Held:
    server = "none"
    async def repositories(self):
        return [Standing(Scope("t", "r"), 1, {"code": 1}, "c", None)]

async def facts(store, scope, place):
    place.write_bytes(b"")
    return {"head": 1, "nodes": 0, "edges": 0}

backup._facts = facts
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
root = Path(sys.argv[1])
try:
    asyncio.run(backup.save(Held(), Workspace(root / "data"), root / "backup"))
except MaestroError as error:
    print(type(error).__name__, error)
"""


async def test_a_backup_that_was_killed_is_begun_again(store, workspace, scope, tmp_path) -> None:
    folder = tmp_path / "backup"
    (folder / "facts").mkdir(parents=True)
    (folder / "facts" / "0001.gz").write_bytes(b"half")
    with DraftFolder(folder, "backup"), pytest.raises(InputError, match="not empty"):  # its writer lives
        await backup.save(store, workspace, folder)
    assert (folder / "facts" / "0001.gz").read_bytes() == b"half"
    (folder / ".backup.x.draft").mkdir()  # as a process leaves it that was killed
    (folder / ".manifest.json.x.draft").write_bytes(b"half")
    await backup.save(store, workspace, folder)
    assert restoration.Backup.open(folder).entries
    assert sorted(each.name for each in folder.iterdir()) == ["facts", "files", "manifest.json"]
    (folder / ".backup.x.draft").mkdir()  # killed when all was there: it is whole, and stays
    with pytest.raises(InputError, match="not empty"):
        await backup.save(store, workspace, folder)
    assert restoration.Backup.open(folder).entries


async def test_a_disk_that_is_full_when_a_backup_is_named(
    store, workspace, scope, tmp_path, monkeypatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(DiskError, match="full"):
        await backup.save(store, workspace, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
