"""Random edits of a repository, indexed as they come, against a fresh index; see `benchmarks.sequences`."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from benchmarks.edits import EDITS, Edited
from benchmarks.sequences import Course, differences, fresh
from graph.facts import Scope
from graph.indexing import index
from graph.schema import EdgeKind, NodeKind
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

SEQUENCES = int(os.environ.get("MAESTRO_TEST_SEQUENCES", "4"))
SEED = int(os.environ.get("MAESTRO_TEST_SEQUENCE_SEED", "1"))
ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "graph" / "queries").glob("*.py")), ROOT / "tests" / "graph" / "test_patch.py"]


@pytest.fixture
def clone(tmp_path: Path) -> Edited:
    """A few modules of our own, with a past of three commits."""
    upstream = Edited(tmp_path / "upstream")
    upstream.path.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(upstream.path)], check=True)
    for count in (3, 6, len(FILES)):
        for file in FILES[:count]:
            upstream.write(f"pkg/{file.name}", file.read_text("utf-8"))
        upstream.commit(f"{count} files")
    subprocess.run(["git", "clone", "-q", str(upstream.path), str(tmp_path / "clone")], check=True)
    return Edited(tmp_path / "clone")


@pytest.mark.parametrize("engine", [False, True])
async def test_random_sequences_of_edits_equal_a_fresh_index(store, tmp_path, clone, engine) -> None:
    scope = Scope(f"t{uuid.uuid4().hex[:8]}", "edited")
    begin = clone.git("rev-parse", "HEAD")
    course = Course(clone, Workspace(tmp_path / "data"), scope, SEED, 3, engine, begin)
    for number in range(1, (SEQUENCES if not engine else max(1, SEQUENCES // 4)) + 1):
        assert await course.play(store, number) == [], (number, course.log)


async def test_a_wrong_index_is_told_from_a_fresh_one(store, tmp_path, clone) -> None:
    scope = Scope(f"t{uuid.uuid4().hex[:8]}", "edited")
    workspace = Workspace(tmp_path / "data")
    await index(store, workspace, scope, clone.path, engine=False)
    batch = fresh(clone.path, scope, False)
    assert await differences(store, workspace, scope, batch, random.Random(1)) == []
    lost = next(edge for edge in batch.edges if edge.kind is EdgeKind.CALLS)
    batch.edges.remove(lost)
    apart = await differences(store, workspace, scope, batch, random.Random(1))
    assert any(line.startswith("store: holds Calls") for line in apart)
    assert any(line.startswith("arrays: holds Calls") for line in apart)
    batch.edges.append(lost)
    symbol = next(node for node in batch.nodes.values() if node.kind is NodeKind.SYMBOL)
    batch.nodes[f"{symbol.kind} {symbol.key}"] = symbol._replace(
        props=(*symbol.props[:3], ("sort", "constant"))
    )
    assert await differences(store, workspace, scope, batch, random.Random(1))


def test_every_edit_finds_something_to_do_and_the_same_seed_does_the_same(tmp_path, clone) -> None:
    other = Edited(tmp_path / "other")
    shutil.copytree(clone.path, other.path)
    begin = clone.git("rev-parse", "HEAD")
    for made, _ in EDITS:
        said = []
        for each in (clone, other):
            each.reset(begin)
            tries = (made(each, random.Random(f"{SEED} {attempt}")) for attempt in range(30))
            said.append(next((what for what in tries if what), ""))
        assert said[0] == said[1]
        assert said[0] or made.__name__ == "mended", made.__name__
        same = [each.git("diff", "--no-renames", "HEAD") for each in (clone, other)]
        assert same[0] == same[1]
