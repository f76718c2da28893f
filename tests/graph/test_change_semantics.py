"""What a change reaches, end to end: tiny packages before and after, through the whole pipeline.

All cases (see cases/) lie side by side in one repository, each in a package of its own name, so that both
sides are resolved once with the type engine and once without it. A case says which symbols and
tests its change must touch (start from or reach by a default cone), and which it must not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pygit2
import pytest

from graph.changes import read_revisions
from graph.comparison import Comparison, Reason, Start
from graph.facts import Scope
from graph.ingest.git import Mirror
from graph.judgement import Judgement, judge
from graph.overlay import Version
from graph.queries.impact import impact
from graph.workspace import Workspace

SCOPE = Scope("t", "r")
WHO = pygit2.Signature("x", "x@y", 1_700_000_000, 0)


@dataclass(frozen=True)
class Case:
    """One file of cases/: a title, then sections that `--- word [path]` begins.

    `before` and `after` hold a file each, `gone` takes one away. `hit` and `miss` are labels
    (`file::qualified name`, of symbols and tests alike) that the change must and must not touch.
    `starts` are labels with their reasons; where it is given, nothing else may start. `quiet` are
    the files in which nothing that runs differs.
    """

    before: dict[str, str]
    after: dict[str, str | None]
    hit: set[str]
    miss: set[str]
    starts: dict[str, str] | None
    quiet: set[str]


def read_case(text: str) -> Case:
    _, *sections = re.split(r"^--- (.+)\n", text, flags=re.MULTILINE)
    bodies = dict(zip(sections[::2], sections[1::2], strict=True))
    files = [(*header.split(" "), body) for header, body in bodies.items() if " " in header]
    starts = bodies.get("starts")
    return Case(
        {path: body for word, path, body in files if word == "before"},
        {path: None if word == "gone" else body for word, path, body in files if word != "before"},
        set(bodies.get("hit", "").split()),
        set(bodies.get("miss", "").split()),
        None if starts is None else dict(line.split(" = ") for line in starts.splitlines()),
        set(bodies.get("quiet", "").split()),
    )


CASES = {
    path.stem: read_case(path.read_text()) for path in sorted(Path(__file__).with_name("cases").glob("*.txt"))
}


@dataclass(frozen=True)
class World:
    """Both sides of all cases, judged once."""

    judgement: Judgement

    def starts(self, case: str) -> dict[str, Start]:
        prefix = SCOPE.file(f"{case}/")
        found = self.judgement.comparison.starts
        return {start.key.removeprefix(prefix): start for start in found if start.key.startswith(prefix)}

    def touched(self, case: str) -> set[str]:
        """Labels of what the case's starts are or reach, in whatever case; tests and symbols alike."""
        graph = self.judgement.graph
        nodes = [graph.find(start.kind, start.key) for start in self.starts(case).values()]
        cone = impact(graph, np.array(nodes, np.int32))
        keys = {item.node.key for item in (*cone.items, *cone.tests)} | {graph.keys[node] for node in nodes}
        prefix = SCOPE.file(f"{case}/")
        return {key.removeprefix(prefix) for key in keys}

    @property
    def comparison(self) -> Comparison:
        return self.judgement.comparison


def files_of(case: str, texts: Mapping[str, str | None]) -> dict[str, bytes | None]:
    return {f"{case}/{path}": None if text is None else text.encode() for path, text in texts.items()}


def commit(repository: pygit2.Repository, files: Mapping[str, bytes]) -> None:
    index = pygit2.Index()
    for path, data in files.items():
        index.add(pygit2.IndexEntry(path, repository.create_blob(data), pygit2.enums.FileMode.BLOB))
    parents = [] if repository.head_is_unborn else [repository.head.target]
    tree = index.write_tree(repository)
    repository.create_commit("refs/heads/main", WHO, WHO, "c", tree, parents)


def made(directory: Path, cases: Mapping[str, Case], engine: bool) -> World:
    repository = pygit2.init_repository(str(directory / "clone"), initial_head="main")
    before: dict[str, bytes | None] = {}
    after: dict[str, bytes | None] = {}
    for name, case in cases.items():
        before |= {f"{name}/__init__.py": b""} | files_of(name, case.before)
        after |= files_of(name, case.after)
    commit(repository, {path: data for path, data in before.items() if data is not None})
    commit(repository, {path: data for path, data in (before | after).items() if data is not None})
    mirror = Mirror.refresh(directory / "clone", directory / "mirror")
    change = read_revisions(mirror, SCOPE, "HEAD")
    return World(judge(Workspace(directory / "data"), mirror, change, engine=engine))


@pytest.fixture(scope="module", params=[False, True], ids=["own", "engine"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return made(tmp_path_factory.mktemp("world"), CASES, request.param)


@pytest.mark.parametrize("name", CASES)
def test_what_must_be_touched_is(world: World, name: str):
    missing = CASES[name].hit - world.touched(name)
    assert not missing


@pytest.mark.parametrize("name", CASES)
def test_what_must_not_be_touched_is_not(world: World, name: str):
    wrong = CASES[name].miss & world.touched(name)
    assert not wrong


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.starts is not None])
def test_starts_and_their_reasons(world: World, name: str):
    found = {label: ", ".join(start.reasons) for label, start in world.starts(name).items()}
    assert found == CASES[name].starts


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.quiet])
def test_files_in_which_nothing_that_runs_differs(world: World, name: str):
    quiet = {path.partition("/")[2] for path in world.comparison.quiet if path.startswith(f"{name}/")}
    assert quiet == CASES[name].quiet


def test_a_file_that_does_not_parse_is_named(world: World):
    assert world.comparison.unparsed == ("broken/a.py",)


def test_a_moved_file_is_named_and_its_contents_are_one(world: World):
    assert ("moved/old.py", "moved/new.py") in world.comparison.moved_files
    graph = world.judgement.graph
    assert all(not key.startswith(SCOPE.file("moved/old.py")) for key in graph.keys)


def test_edges_that_moved_are_told(world: World):
    moved = world.starts("inference")["use.py::use"].moved
    assert [(edge.target.rpartition("::")[2], edge.version) for edge in moved] == [
        ("A.run", Version.BASE),
        ("B.run", Version.HEAD),
    ]


def test_renamed_symbols_know_each_other(world: World):
    starts = world.starts("renamed")
    assert starts["a.py::f"].other.endswith("a.py::h")
    assert starts["a.py::h"].other.endswith("a.py::f")
    assert starts["a.py::f"].reasons == (Reason.RENAMED,)
