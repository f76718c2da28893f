"""A tree of Python files to facts: engine and own resolver, alone and together, fresh and after edits."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import pytest

from graph.errors import EngineError
from graph.facts import Batch, Scope
from graph.ingest.python import engine, reader
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Tier

SCOPE = Scope("t", "r")


class File(NamedTuple):
    path: str
    blob: str
    size: int
    language: str


class Tree:
    """Files in memory, read into one cache; counts what the engine is asked."""

    def __init__(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache = cache
        self.asked: list[list[str]] = []
        report = engine.Engine.report

        def counted(found, root, files, search, **more):
            self.asked.append(sorted(files))
            return report(found, root, files, search, **more)

        monkeypatch.setattr(engine.Engine, "report", counted)

    def read(self, files: Mapping[str, str | bytes], engine: bool = True) -> Batch:
        data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        ids = {path: sha1(content).hexdigest() for path, content in data.items()}
        contents = {ids[path]: content for path, content in data.items()}
        sources = [File(path, ids[path], len(data[path]), "python") for path in data]
        return reader.read(SCOPE, sources, contents.__getitem__, self.cache, engine=engine)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(tmp_path / "cache", monkeypatch)


def calls(batch: Batch, form: Form | None = Form.PLAIN) -> set[tuple[str, str]]:
    """(caller, callee) as path::qualname, without the scope."""
    found = set()
    for edge in batch.edges:
        if edge.kind is EdgeKind.CALLS and (form is None or edge.form is form):
            keys = [member.key.removeprefix("t/r:") for member in edge.members]
            found |= {(keys[0], key) for key in keys[1:]}
    return found


def diagnoses(batch: Batch) -> set[tuple[str, str]]:
    """(path, code) of every diagnosis."""
    keys = (node.key for node in batch.nodes.values() if node.kind is NodeKind.DIAGNOSIS)
    return {tuple(key.removeprefix("t/r:").rsplit("!", 1)) for key in keys}


CHAIN = {
    "make.py": "class A:\n    def go(self):\n        return 1\n\n\n"
    "class B:\n    def go(self):\n        return 2\n\n\n"
    "def make():\n    return A()\n",
    "mid.py": "from make import make\n\n\ndef mid():\n    return make()\n",
    "use.py": "from mid import mid\n\n\ndef use():\n    return mid().go()\n",
}


def test_new_body_moves_a_call_two_modules_away(tree: Tree) -> None:
    first = calls(tree.read(CHAIN))
    assert ("use.py::use", "make.py::A.go") in first
    edited = CHAIN | {"make.py": CHAIN["make.py"].replace("return A()", "return B()")}
    second = calls(tree.read(edited))
    assert ("use.py::use", "make.py::B.go") in second
    assert ("use.py::use", "make.py::A.go") not in second
    assert tree.asked == [sorted(CHAIN), ["make.py"], sorted(CHAIN)]


def test_function_handed_over_by_name_moves_a_call_too(tree: Tree) -> None:
    files = {
        "make.py": "def one(x):\n    return x\n\n\ndef two(x):\n    return x\n\n\n"
        "def make():\n    chosen = one\n    return chosen\n",
        "use.py": "from make import make\n\n\ndef use():\n    return make()(1)\n",
    }
    tree.read(files)
    edited = files | {"make.py": files["make.py"].replace("chosen = one", "chosen = two")}
    second = calls(tree.read(edited), None)
    assert ("use.py::use", "make.py::two") in second
    assert ("use.py::use", "make.py::one") not in second


def test_edit_that_keeps_the_interface_is_read_alone_and_right(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.read(CHAIN)
    text = "from mid import mid\n\n\ndef use():\n    found = mid()\n    return found.go()\n"
    edited = CHAIN | {"use.py": text}
    incremental = tree.read(edited)
    assert tree.asked == [sorted(CHAIN), ["use.py"]]
    fresh = Tree(tmp_path / "other", monkeypatch).read(edited)
    assert set(map(repr, incremental)) == set(map(repr, fresh))


def test_what_a_file_offers_anew_is_not_read_alone_first(tree: Tree) -> None:
    """Whoever may import a renamed function is read again in any case: the engine is started once."""
    tree.read(CHAIN)
    renamed = calls(tree.read({path: text.replace("mid()", "middle()") for path, text in CHAIN.items()}))
    assert ("mid.py::middle", "make.py::make") in renamed
    assert tree.asked == [sorted(CHAIN), sorted(CHAIN)]


def test_unchanged_tree_asks_the_engine_nothing(tree: Tree) -> None:
    first = tree.read(CHAIN)
    second = tree.read(CHAIN)
    assert len(tree.asked) == 1
    assert set(map(repr, first)) == set(map(repr, second))


def test_both_sides_of_a_change_are_remembered(tree: Tree) -> None:
    edited = CHAIN | {"make.py": CHAIN["make.py"].replace("return A()", "return B()")}
    tree.read(CHAIN)
    tree.read(edited)
    asked = len(tree.asked)
    assert ("use.py::use", "make.py::A.go") in calls(tree.read(CHAIN))
    assert ("use.py::use", "make.py::B.go") in calls(tree.read(edited))
    assert len(tree.asked) == asked


def test_new_file_reads_everything(tree: Tree) -> None:
    tree.read(CHAIN)
    tree.read(CHAIN | {"more.py": "import make\n\nmake.make()\n"})
    assert len(tree.asked[-1]) == 4


def test_a_tests_parameter_has_its_fixtures_type(tree: Tree) -> None:
    batch = tree.read(
        {
            "app.py": "class App:\n    def run(self):\n        return 1\n"
            "    def client(self):\n        return Client(self)\n\n\n"
            "class Client:\n    def __init__(self, app):\n        self.app = app\n"
            "    def get(self):\n        return 1\n",
            "tests/conftest.py": "import pytest\nfrom app import App\n\n\n"
            "@pytest.fixture\ndef app():\n    yield App()\n\n\n"
            "@pytest.fixture(scope='session')\ndef client(app):\n    return app.client()\n",
            "tests/test_app.py": "def test_run(client, app, number=1):\n"
            "    app.run()\n    assert client.get() == 1\n",
        }
    )
    found = {
        (edge.members[0].key, member.key): edge.tier
        for edge in batch.edges
        if edge.kind is EdgeKind.CALLS
        for member in edge.members[1:]
    }
    for callee in ("App.run", "Client.get"):
        assert found["t/r:tests/test_app.py::test_run", f"t/r:app.py::{callee}"] is Tier.HIERARCHY
    assert found["t/r:tests/conftest.py::client", "t/r:app.py::App.client"] is Tier.HIERARCHY


def test_engine_that_fails_is_said_and_our_reader_answers(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(cls):
        raise EngineError("The type engine pyrefly is not installed.")

    monkeypatch.setattr(engine.Engine, "find", classmethod(fail))
    batch = tree.read(CHAIN)
    assert ("mid.py::mid", "make.py::make") in calls(batch)
    assert {code for _, code in diagnoses(batch)} == {"engine.failed"}
    assert not any(edge.provenance.resolver is Resolver.PYREFLY for edge in batch.edges)


def test_no_engine_asks_nothing_and_says_nothing(tree: Tree) -> None:
    batch = tree.read(CHAIN, engine=False)
    assert ("mid.py::mid", "make.py::make") in calls(batch)
    assert tree.asked == []
    assert not diagnoses(batch)


def test_file_that_the_engine_cannot_be_shown_is_read_by_ours(tree: Tree) -> None:
    odd = "odd\udcff.py"
    other = "def h():\n    pass\n\n\nh()\n"
    batch = tree.read({odd: "def f():\n    g()\n\n\ndef g():\n    pass\n", "a.py": other})
    assert (f"{odd}::f", f"{odd}::g") in calls(batch)
    assert (odd, "engine.silent") in diagnoses(batch)


def test_broken_file_stays_with_a_diagnosis(tree: Tree) -> None:
    good = "def f():\n    return g()\n\n\ndef g():\n    return 1\n"
    batch = tree.read({"bad.py": "def f(:\n", "good.py": good})
    assert any(path == "bad.py" for path, _ in diagnoses(batch))
    assert ("good.py::f", "good.py::g") in calls(batch)


def test_paths_that_lead_outside_are_not_written(tree: Tree, tmp_path: Path) -> None:
    tree.read({"../evil.py": "x = 1\n", "a/../../evil.py": "x = 1\n", "ok.py": "x = 1\n"})
    assert not list(tmp_path.rglob("evil.py"))


def test_globs_in_names_are_names(tree: Tree) -> None:
    names = ("a[1]", "b*", "c{d}", "e?", 'q"', "n\nl")
    files = {f"{name}.py": "def f():\n    pass\n\n\nf()\n" for name in names}
    batch = tree.read(files)
    assert not diagnoses(batch)
    assert {path for path, _ in calls(batch)} == {f"{path}::<module>" for path in files}


def test_columns_of_text_beyond_ascii_meet(tree: Tree) -> None:
    batch = tree.read({"é.py": "def größe(): return 1\n\n\ndef f():\n    '😀'; return größe()\n"})
    edge = next(edge for edge in batch.edges if edge.kind is EdgeKind.CALLS)
    assert edge.provenance.resolver is Resolver.PYREFLY
    assert calls(batch) == {("é.py::f", "é.py::größe")}


def test_encoding_that_a_file_declares_is_kept(tree: Tree) -> None:
    text = "# coding: latin-1\ndef f():\n    'é'; return g()\n\n\ndef g():\n    return 1\n"
    batch = tree.read({"a.py": text.encode("latin-1")})
    assert calls(batch) == {("a.py::f", "a.py::g")}
    found = {edge.provenance.resolver for edge in batch.edges if edge.kind is EdgeKind.CALLS}
    assert found == {Resolver.PYREFLY}


def test_virtual_only_where_something_overrides(tree: Tree) -> None:
    text = (
        "class A:\n    def f(self):\n        self.g()\n        self.h()\n"
        "    def g(self): ...\n    def h(self): ...\n"
        "class B(A):\n    def g(self): ...\n"
    )
    virtual = {
        edge.members[1].key.rpartition(".")[2]: dict(edge.props)["virtual"]
        for edge in tree.read({"a.py": text}).edges
        if edge.kind is EdgeKind.CALLS
    }
    assert virtual == {"g": True, "h": False}


def test_receiver_narrows_the_overrides(tree: Tree) -> None:
    text = (
        "class A:\n    def g(self): ...\nclass B(A): ...\nclass C(A):\n    def g(self): ...\n"
        "class D(B):\n    def g(self): ...\n"
        "def f(b: B):\n    b.g()\n"
    )
    batch = tree.read({"a.py": text})
    assert calls(batch) == {("a.py::f", "a.py::A.g"), ("a.py::f", "a.py::D.g")}
    edges = [edge for edge in batch.edges if edge.kind is EdgeKind.CALLS]
    assert not any(dict(edge.props)["virtual"] for edge in edges)
