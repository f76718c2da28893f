"""Reading beside the store: the same facts, nothing left of what is given up, errors told as they are."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from graph import claims
from graph.errors import RepositoryError, StoreBusyError, StoreError
from graph.facts import Hyperedge, Scope
from graph.indexing import CODE_FAMILIES, index
from graph.ingest.git import Mirror
from graph.reading import Reading, reading_ahead
from graph.resolution import resolve
from graph.store import Store
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

FILES = {
    "pkg/__init__.py": "",
    "pkg/core.py": "LIMIT = 3\n\n\ndef double(x):\n    return 2 * x\n\n\n"
    "def quadruple(x):\n    return double(double(x))\n",
    "pkg/use.py": "from pkg.core import LIMIT, quadruple\n\n\ndef run():\n    return quadruple(LIMIT)\n",
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef three():\n    return 3\n",
    "tests/test_use.py": "from pkg.use import run\n\n\ndef test_run(three):\n    assert run() == 4 * three\n",
}


def committed(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    git = ["git", "-C", str(path), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "All"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return committed(tmp_path / "clone", FILES)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


@pytest.fixture
def scope() -> Scope:
    return Scope(f"t{uuid.uuid4().hex[:8]}", "small")


async def held(store, scope) -> set[str]:
    head = await store.head(scope)
    return {
        fact.digest()
        for family in CODE_FAMILIES
        async for fact, _ in store.export(scope, family, head.number)
        if isinstance(fact, Hyperedge)
    }


def fresh(workspace, scope, engine=False) -> set[str]:
    mirror = Mirror.open(workspace.mirror(scope))
    found = resolve(workspace, mirror, scope, mirror.head().tree, engine=engine)
    return {edge.digest() for edge in found.batch.edges}


def free(workspace, scope) -> bool:
    try:
        with workspace.writing(scope):
            return True
    except StoreBusyError:
        return False


def engines() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "pyrefly" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("engine", [True, False])
async def test_what_is_read_ahead_is_written_whole_and_once(store, workspace, scope, clone, engine) -> None:
    with reading_ahead(workspace, scope, clone, engine=engine) as reading:
        assert not free(workspace, scope)
        report = await index(
            store, workspace, scope, clone, engine=engine, with_history=False, reading=reading
        )
        assert free(workspace, scope)  # the next run need not wait for this block to end
    assert report.created == report.edges == sum((await store.counts(scope)).edges.values())
    assert await held(store, scope) == fresh(workspace, scope, engine)
    again = await index(store, workspace, scope, clone, engine=engine, with_history=False)
    assert again.unchanged


class Slow:
    """A reading that takes its time once its first facts are told."""

    def __init__(self, reading: Reading, seconds: float) -> None:
        self._reading, self._seconds = reading, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reading, name)

    def resolution(self) -> asyncio.Task[Any]:
        async def late() -> Any:
            await asyncio.sleep(self._seconds)
            return await self._reading.resolution()

        return asyncio.create_task(late())


async def test_a_run_keeps_its_place_while_there_is_nothing_to_write(
    store, store_settings, workspace, scope, clone, monkeypatch
) -> None:
    monkeypatch.setattr(claims, "SECONDS", 2)
    with reading_ahead(workspace, scope, clone, engine=False) as reading:
        slow = Slow(reading, 5)
        running = asyncio.create_task(
            index(store, workspace, scope, clone, engine=False, with_history=False, reading=slow)
        )
        await asyncio.sleep(4)
        async with Store.open(store_settings) as other:
            with pytest.raises(StoreBusyError):
                await other.begin(scope, commit="c", tree="t", families=("code",))
        report = await running
    assert report.created == report.edges


async def test_nothing_is_read_ahead_of_what_was_indexed(store, workspace, scope, clone) -> None:
    await index(store, workspace, scope, clone, engine=False, with_history=False)
    with reading_ahead(workspace, scope, clone, engine=False) as reading:
        assert reading is None
        assert free(workspace, scope)


async def test_parts_are_of_what_is_read(workspace, scope, clone) -> None:
    with reading_ahead(workspace, scope, clone, engine=False) as reading:
        told = [fact async for part in reading.parts() for fact in part]
        whole = (await reading.resolution()).batch
    assert len(told) > 20
    assert set(told) <= {*whole.nodes.values(), *whole.edges}


async def test_arrays_that_were_lost_are_built_from_the_store_though_it_was_read_ahead(
    store, workspace, scope, clone
) -> None:
    first = await index(store, workspace, scope, clone, engine=False, with_history=False)
    workspace.arrays(scope, "code").unlink()
    with reading_ahead(workspace, scope, clone, engine=False) as reading:
        again = await index(store, workspace, scope, clone, engine=False, with_history=False, reading=reading)
    assert again.unchanged and again.head == first.head


@pytest.mark.parametrize("phase", ["linking", "asking the type engine", "merging what both say"])
async def test_reading_that_is_given_up_leaves_nothing(workspace, scope, clone, phase) -> None:
    """As ctrl-C gives it up: the exception goes through the block while the thread is at work."""
    there, others = Event(), engines()

    def heard(told: str, done: int, total: int) -> None:
        if told == phase:
            there.set()

    with (
        pytest.raises(KeyboardInterrupt),
        reading_ahead(workspace, scope, clone, progress=heard) as reading,
    ):
        assert there.wait(120)
        begun = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 30
    assert not reading._thread.is_alive()
    assert set(engines()) <= set(others)
    assert free(workspace, scope)


async def test_a_run_that_breaks_off_while_it_is_read_is_not_seen_and_begun_again(
    store, workspace, scope, clone
) -> None:
    def broken(phase: str, done: int, total: int) -> None:
        if phase == "following frameworks":
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        reading_ahead(workspace, scope, clone, engine=False, progress=broken) as reading,
    ):
        await index(store, workspace, scope, clone, engine=False, reading=reading)
    assert await store.head(scope) is None
    assert not any((await store.counts(scope)).edges.values())
    await index(store, workspace, scope, clone, engine=False, with_history=False)
    assert await held(store, scope) == fresh(workspace, scope)


async def test_what_was_written_before_a_kill_is_gone_on_with(store, workspace, scope, clone) -> None:
    class KilledError(BaseException):
        pass

    written, write = Event(), store.write

    async def writing(*given) -> None:
        await write(*given)
        written.set()

    async def kept(run) -> None:
        raise StoreError("A process that was killed sweeps nothing.")

    def killed(phase: str, done: int, total: int) -> None:
        if phase == "following frameworks":
            assert written.wait(120)
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "abandon", kept)
        patch.setattr(store, "write", writing)
        with pytest.raises(KilledError):
            await index(store, workspace, scope, clone, engine=False, progress=killed)
    assert await store.head(scope) is None
    assert sum((await store.counts(scope)).edges.values()) > 0
    await index(store, workspace, scope, clone, engine=False, with_history=False)
    assert await held(store, scope) == fresh(workspace, scope)


async def test_a_clone_with_nothing_to_read_is_told_and_not_listed(store, workspace, scope, tmp_path) -> None:
    clone = committed(tmp_path / "other", {"notes.txt": "nothing to read\n"})
    with (
        pytest.raises(RepositoryError, match="nothing to read"),
        reading_ahead(workspace, scope, clone) as reading,
    ):
        await index(store, workspace, scope, clone, reading=reading)
    assert scope not in {standing.scope for standing in await store.repositories()}
    assert free(workspace, scope)


async def test_no_clone_is_told_as_that(store, workspace, scope, tmp_path) -> None:
    with (
        pytest.raises(RepositoryError),
        reading_ahead(workspace, scope, tmp_path) as reading,
    ):
        await index(store, workspace, scope, tmp_path, reading=reading)


async def test_a_store_that_fails_ends_the_reading(store, workspace, scope, clone, monkeypatch) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise StoreError("The server is gone.")

    let = Event()

    def slow(phase: str, done: int, total: int) -> None:
        if phase == "following frameworks":
            let.wait(0.05)

    monkeypatch.setattr(store, "write", failing)
    with (
        pytest.raises(StoreError, match="gone"),
        reading_ahead(workspace, scope, clone, engine=False, progress=slow) as reading,
    ):
        await index(store, workspace, scope, clone, engine=False, reading=reading)
    assert not reading._thread.is_alive()
    assert await store.head(scope) is None
    monkeypatch.undo()
    await index(store, workspace, scope, clone, engine=False, with_history=False)
    assert await held(store, scope) == fresh(workspace, scope)


async def test_a_second_reading_is_refused_by_name(workspace, scope, clone) -> None:
    with (
        reading_ahead(workspace, scope, clone, engine=False),
        pytest.raises(StoreBusyError, match="small"),
        reading_ahead(workspace, scope, clone),
    ):
        pass


async def test_what_progress_raises_is_raised_where_it_is_waited_for(workspace, scope, clone) -> None:
    def refusing(phase: str, done: int, total: int) -> None:
        raise ValueError("no")

    workspace.prepare(scope)
    mirror = Mirror.refresh(clone, workspace.mirror(scope))
    with Reading(workspace, scope, lambda: (mirror, mirror.head()), progress=refusing) as reading:
        with pytest.raises(ValueError, match="no"):
            await reading.found()
        with pytest.raises(ValueError, match="no"):
            await reading.resolution()
