"""Index runs: only what moved is written, a run that did not finish changes nothing."""

from __future__ import annotations

import random
import subprocess
import uuid
from pathlib import Path

import pytest

from graph.errors import RepositoryError, StoreBusyError
from graph.facts import Hyperedge, Scope
from graph.indexing import CODE_FAMILIES, current_arrays, index, rebuild_arrays
from graph.ingest.git import Mirror
from graph.resolution import resolve
from graph.schema import EdgeKind, NodeKind
from graph.store import Store
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

FILES = {
    "pkg/__init__.py": "",
    "pkg/core.py": "LIMIT = 3\n\n\ndef double(x):\n    return 2 * x\n\n\n"
    "def quadruple(x):\n    return double(double(x))\n",
    "pkg/use.py": "from pkg.core import LIMIT, quadruple\n\n\ndef run():\n    return quadruple(LIMIT)\n",
    "tests/test_use.py": "from pkg.use import run\n\n\ndef test_run():\n    assert run() == 12\n",
}


class Clone:
    """A small clone on disk, edited and committed through git itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commit(FILES)

    def git(self, *words: str) -> str:
        name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *name, *words], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            place = self.path / name
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


@pytest.fixture
def scope() -> Scope:
    return Scope(f"t{uuid.uuid4().hex[:8]}", "small")


async def held(store: Store, scope: Scope) -> set[str]:
    """Digests of the valid hyperedges, as the store tells them."""
    head = await store.head(scope, "code")
    found = set()
    for family in CODE_FAMILIES:
        async for fact, _ in store.export(scope, family, head.number):
            if isinstance(fact, Hyperedge):
                found.add(fact.digest())
    return found


def fresh(workspace: Workspace, scope: Scope, engine: bool) -> set[str]:
    mirror = Mirror.open(workspace.mirror(scope))
    return {
        edge.digest()
        for edge in resolve(workspace, mirror, scope, mirror.head().tree, engine=engine).batch.edges
    }


@pytest.mark.parametrize("engine", [True, False])
async def test_second_run_on_an_unchanged_clone_writes_nothing(
    store, workspace, scope, clone, engine
) -> None:
    first = await index(store, workspace, scope, clone.path, engine=engine)
    second = await index(store, workspace, scope, clone.path, engine=engine)
    assert first.created > 0 and not first.unchanged
    assert second.unchanged and second.created == second.retired == 0 and second.head == first.head


async def test_edit_writes_what_moved_and_equals_a_fresh_index(store, workspace, scope, clone) -> None:
    first = await index(store, workspace, scope, clone.path)
    clone.commit({"pkg/core.py": FILES["pkg/core.py"].replace("2 * x", "x + x")})
    report = await index(store, workspace, scope, clone.path)
    assert 0 < report.created < first.created / 2
    assert await held(store, scope) == fresh(workspace, scope, True)


async def test_edit_that_no_reader_reads_moves_the_head_alone(store, workspace, scope, clone) -> None:
    first = await index(store, workspace, scope, clone.path, with_history=False)
    facts = await held(store, scope)
    commit = clone.commit({"NOTES.txt": "for people\n"})
    report = await index(store, workspace, scope, clone.path, with_history=False)
    assert report.created == report.retired == 0 and report.head > first.head
    assert (await store.head(scope, "code")).commit == commit
    arrays = await current_arrays(store, workspace, scope)
    assert (arrays.commit, arrays.head) == (commit, report.head)
    assert await held(store, scope) == facts == fresh(workspace, scope, True)


async def test_random_edits_equal_a_fresh_index(store, workspace, scope, clone) -> None:
    chance = random.Random(7)
    await index(store, workspace, scope, clone.path, engine=False)
    names = ["pkg/core.py", "pkg/use.py", "tests/test_use.py", "pkg/more.py"]
    for step in range(8):
        name = chance.choice(names)
        place = clone.path / name
        if place.exists() and chance.random() < 0.2 and name != "pkg/core.py":
            clone.commit({name: None})
        else:
            text = place.read_text() if place.exists() else "from pkg.core import double\n"
            clone.commit({name: text + f"\n\ndef added_{step}(x):\n    return double(x) + {step}\n"})
        await index(store, workspace, scope, clone.path, engine=False, with_history=step % 2 == 0)
        assert await held(store, scope) == fresh(workspace, scope, False)


async def test_arrays_are_rebuilt_from_the_store_and_say_the_same(store, workspace, scope, clone) -> None:
    await index(store, workspace, scope, clone.path)
    path = workspace.arrays(scope, "code")
    before = await current_arrays(store, workspace, scope)
    digests = {fact.digest() for fact in before.facts() if isinstance(fact, Hyperedge)}
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    after = await current_arrays(store, workspace, scope)
    assert {fact.digest() for fact in after.facts() if isinstance(fact, Hyperedge)} == digests
    path.unlink()
    again = await rebuild_arrays(store, workspace, scope, "code")
    assert {fact.digest() for fact in again.facts() if isinstance(fact, Hyperedge)} == digests
    assert (again.head, again.commit, again.tree) == (before.head, before.commit, before.tree)


async def test_run_that_breaks_off_leaves_the_old_graph(store, workspace, scope, clone) -> None:
    await index(store, workspace, scope, clone.path)
    head, facts = await store.head(scope, "code"), await held(store, scope)
    clone.commit({"pkg/core.py": FILES["pkg/core.py"].replace("double", "twice")})

    def cancel(phase: str, done: int, total: int) -> None:
        if phase.startswith("writing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await index(store, workspace, scope, clone.path, progress=cancel)
    assert await store.head(scope, "code") == head
    assert await held(store, scope) == facts
    report = await index(store, workspace, scope, clone.path)
    assert not report.unchanged
    assert await held(store, scope) == fresh(workspace, scope, True)


async def test_second_writer_is_refused_by_name(store, workspace, scope, clone) -> None:
    workspace.prepare(scope)
    with workspace.writing(scope), pytest.raises(StoreBusyError, match="small"):
        await index(store, workspace, scope, clone.path)


async def test_repository_without_a_supported_file_is_an_error(store, workspace, scope, tmp_path) -> None:
    clone = Clone(tmp_path / "other")
    clone.commit(dict.fromkeys(FILES, None) | {"notes.txt": "nothing to read\n"})
    with pytest.raises(RepositoryError):
        await index(store, workspace, scope, clone.path)
    assert await store.head(scope, "code") is None


async def test_clone_without_commits_is_told_as_that(store, workspace, scope, tmp_path) -> None:
    path = tmp_path / "unborn"
    path.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=path, check=True)
    with pytest.raises(RepositoryError, match="no commit"):
        await index(store, workspace, scope, path)


async def test_entry_points_are_stored_with_the_file_that_names_them(store, workspace, scope, clone) -> None:
    text = '[project]\nname = "pkg"\n[project.scripts]\npkg = "pkg.use:run"\n'
    clone.commit({"pyproject.toml": text})
    await index(store, workspace, scope, clone.path)
    arrays = await current_arrays(store, workspace, scope)
    file = arrays.find(NodeKind.FILE, scope.file("pyproject.toml"))
    registers = arrays.edges_of(EdgeKind.REGISTERS).tolist()
    assert any(file in arrays.in_role(edge, "registry") for edge in registers)


async def test_file_that_does_not_parse_is_kept_with_its_diagnosis(store, workspace, scope, clone) -> None:
    clone.commit({"pkg/broken.py": "def broken(:\n    pass\n"})
    report = await index(store, workspace, scope, clone.path)
    assert [(path, code) for path, code, _ in report.diagnoses if path == "pkg/broken.py"]
    arrays = await current_arrays(store, workspace, scope)
    assert any(arrays.path(node) == "pkg/broken.py" for node in range(arrays.node_count))
