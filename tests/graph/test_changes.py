"""A change as it is asked for, and the names by which a symbol is meant."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from graph.changes import EMPTY_TREE, Change, dotted, read_patch, read_revisions, select
from graph.errors import AmbiguousError, DiffError, NotFoundError
from graph.facts import Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.schema import EdgeKind, NodeKind, Resolver, Sort

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


def incidence() -> Incidence:
    facts: list[Node | Hyperedge] = []
    files = {
        "src/pkg/__init__.py": [("<module>", Sort.MODULE, 1, 3, 0)],
        "src/pkg/mod.py": [
            ("<module>", Sort.MODULE, 1, 40, 0),
            ("C", Sort.CLASS, 2, 20, 0),
            ("C.f", Sort.METHOD, 4, 8, 0),
            ("C.f", Sort.METHOD, 10, 12, 1),
            ("C.x", Sort.ATTRIBUTE, 3, 3, 0),
            ("g", Sort.FUNCTION, 22, 30, 0),
        ],
        "src/pkg/other.py": [("<module>", Sort.MODULE, 1, 9, 0), ("g", Sort.FUNCTION, 1, 9, 0)],
    }
    for path, symbols in files.items():
        facts.append(file_node(SCOPE, path, "python"))
        members = [Member("file", NodeKind.FILE, SCOPE.file(path))]
        for name, sort, first, last, ordinal in symbols:
            facts.append(symbol_node(SCOPE, path, name, sort, ordinal))
            key = SCOPE.symbol(path, name, ordinal)
            members.append(Member("symbol", NodeKind.SYMBOL, key, first, last, first, "0" * 32))
        facts.append(
            Hyperedge(EdgeKind.CONTAINS, SCOPE, tuple(members), Provenance(path, "", Resolver.SYNTAX))
        )
    facts.append(
        Node(NodeKind.TEST, SCOPE.test("tests/test_a.py", "TestX::test_y"), (("path", "tests/test_a.py"),))
    )
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t")


GRAPH = incidence()


def chosen(asked: str) -> list[str]:
    prefix = SCOPE.file("")
    return sorted(GRAPH.keys[node].removeprefix(prefix) for node in select(GRAPH, asked))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("src/pkg/mod.py:5", ["src/pkg/mod.py::C.f"]),
        ("./src/pkg/mod.py:3", ["src/pkg/mod.py::C.x"]),
        ("src/pkg/mod.py:2", ["src/pkg/mod.py::C"]),
        ("src/pkg/mod.py:21", ["src/pkg/mod.py::<module>"]),
        ("src/pkg/mod.py::C", ["src/pkg/mod.py::C"]),
        ("mod.py::g", ["src/pkg/mod.py::g"]),
        ("pkg.mod.C.f", ["src/pkg/mod.py::C.f", "src/pkg/mod.py::C.f#1"]),
        ("src.pkg.mod.C", ["src/pkg/mod.py::C"]),
        ("C.f", ["src/pkg/mod.py::C.f", "src/pkg/mod.py::C.f#1"]),
        ("f", ["src/pkg/mod.py::C.f", "src/pkg/mod.py::C.f#1"]),
        ("src/pkg/mod.py::C.f#1", ["src/pkg/mod.py::C.f#1"]),
        ("pkg.mod", ["src/pkg/mod.py::<module>"]),
        ("pkg", ["src/pkg/__init__.py::<module>"]),
        ("pkg.mod.g", ["src/pkg/mod.py::g"]),
        ("t/r:src/pkg/mod.py::g", ["src/pkg/mod.py::g"]),
        ("src/pkg/other.py", ["src/pkg/other.py::<module>", "src/pkg/other.py::g"]),
        ("tests/test_a.py::TestX::test_y", ["tests/test_a.py::TestX::test_y"]),
    ],
)
def test_names_of_every_kind(asked: str, meant: list[str]):
    assert chosen(asked) == meant


def test_a_name_that_fits_several_shows_them():
    with pytest.raises(AmbiguousError) as caught:
        select(GRAPH, "g")
    assert caught.value.candidates == ("src/pkg/mod.py::g", "src/pkg/other.py::g")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("src/pkg/mod.py:99", "last line"),
        ("mod.py:3", "src/pkg/mod.py"),
        ("gg", "Did you mean"),
        ("", ""),
        ("::", ""),
    ],
)
def test_what_is_not_there_says_what_is_near(asked: str, hint: str):
    with pytest.raises(NotFoundError) as caught:
        select(GRAPH, asked)
    assert hint in caught.value.hint


def test_dotted_names():
    node = GRAPH.find(NodeKind.SYMBOL, SCOPE.symbol("src/pkg/__init__.py", "<module>"))
    assert dotted(GRAPH, node) == "src.pkg"
