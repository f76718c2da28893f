"""A change as it is asked for, and the names by which a symbol is meant."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from graph.changes import EMPTY_TREE, Change, read_patch, read_revisions
from graph.errors import DiffError, NotFoundError
from graph.facts import Scope
from graph.ingest.git import Mirror

SCOPE = Scope("t", "r")
WHO = pygit2.Signature("x", "x@y", 1_700_000_000, 0)


def commit(
    repository: pygit2.Repository, ref: str | None, files: dict[str, bytes], parents: list[str]
) -> str:
    builder = repository.TreeBuilder()
    for name, data in files.items():
        builder.insert(name, repository.create_blob(data), pygit2.enums.FileMode.BLOB)
    return str(repository.create_commit(ref, WHO, WHO, "c", builder.write(), parents))


@pytest.fixture
def line(tmp_path: Path) -> tuple[Mirror, list[str]]:
    """One - two - three on main, and a side branch from two."""
    repository = pygit2.init_repository(str(tmp_path / "clone"), initial_head="main")
    ids = [commit(repository, "refs/heads/main", {"a.py": b"1\n"}, [])]
    ids.append(commit(repository, "refs/heads/main", {"a.py": b"2\n"}, [ids[0]]))
    ids.append(commit(repository, "refs/heads/main", {"a.py": b"2\n", "b.py": b"3\n"}, [ids[1]]))
    ids.append(commit(repository, "refs/heads/side", {"a.py": b"4\n"}, [ids[1]]))
    ids.append(commit(repository, "refs/heads/alone", {"z.py": b"5\n"}, []))
    return Mirror.refresh(tmp_path / "clone", tmp_path / "mirror"), ids


def told(change: Change) -> tuple[str, str, tuple[str, ...]]:
    return change.base.commit, change.head.commit, change.paths


def test_two_dots_compare_as_they_are(line):
    mirror, ids = line
    assert told(read_revisions(mirror, SCOPE, "main..side")) == (ids[2], ids[3], ("a.py", "b.py"))
    assert told(read_revisions(mirror, SCOPE, "side..")) == (ids[3], ids[2], ("a.py", "b.py"))


def test_three_dots_compare_from_where_they_parted(line):
    mirror, ids = line
    assert told(read_revisions(mirror, SCOPE, "main...side")) == (ids[1], ids[3], ("a.py",))
    with pytest.raises(NotFoundError, match="no commit in common"):
        read_revisions(mirror, SCOPE, "main...alone")


def test_one_revision_is_what_it_changed(line):
    mirror, ids = line
    assert told(read_revisions(mirror, SCOPE, "main~1")) == (ids[0], ids[1], ("a.py",))
    first = read_revisions(mirror, SCOPE, ids[0])
    assert (first.base.commit, first.base.tree, first.paths) == ("", EMPTY_TREE, ("a.py",))


def test_the_same_revision_twice_changes_nothing(line):
    mirror, _ = line
    assert read_revisions(mirror, SCOPE, "main..main").files == ()


@pytest.mark.parametrize("asked", ["nope", "main..nope", "nope...main"])
def test_a_revision_that_is_not_there(line, asked: str):
    with pytest.raises(NotFoundError, match="nope"):
        read_revisions(line[0], SCOPE, asked)


def test_a_diff_on_a_revision(line):
    mirror, ids = line
    diff = b"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-2\n+22\n"
    change = read_patch(mirror, SCOPE, diff)
    assert told(change) == (ids[2], "", ("a.py",))
    assert mirror.blob(change.files[0].new_blob) == b"22\n"
    with pytest.raises(DiffError, match="Hunk 1 of"):
        read_patch(mirror, SCOPE, diff, "main~2")
    assert read_patch(mirror, SCOPE, b"").files == ()
