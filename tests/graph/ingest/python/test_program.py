"""Module names found in a tree, and definitions by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.facts import Scope
from graph.ingest.python import syntax
from graph.ingest.python.classes import merge
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target
from graph.ingest.python.roots import Roots


def program(files: dict[str, str]) -> Program:
    records = {path: syntax.parse(path, text.encode()) for path, text in files.items()}
    return Program(Scope("t", "r"), records, dict.fromkeys(files, "0" * 40))


def keys(held: Program, dotted: str, importer: str = "") -> list[str]:
    return [held.key(target).removeprefix("t/r:") for target in held.lookup(dotted, importer)]


LAYOUTS = {
    "flat": ("pkg/mod.py", "pkg.mod", ["pkg/__init__.py"]),
    "src": ("src/pkg/mod.py", "pkg.mod", ["src/pkg/__init__.py"]),
    "lib": ("lib/pkg/sub/mod.py", "pkg.sub.mod", ["lib/pkg/__init__.py", "lib/pkg/sub/__init__.py"]),
    "package itself": ("pkg/__init__.py", "pkg", []),
    "namespace under src": ("src/company/tool/mod.py", "company.tool.mod", []),
    "directory without init inside a package": ("pkg/data/mod.py", "pkg.data.mod", ["pkg/__init__.py"]),
    "tests without init": ("tests/unit/test_a.py", "tests.unit.test_a", []),
    "tests with init": (
        "tests/unit/test_a.py",
        "tests.unit.test_a",
        ["tests/__init__.py", "tests/unit/__init__.py"],
    ),
    "script": ("setup.py", "setup", []),
    "directory that is no identifier": ("my-tool/run.py", "run", []),
    "monorepo": ("services/api/app/main.py", "app.main", ["services/api/app/__init__.py"]),
    "stub": ("pkg/fast.pyi", "pkg.fast", ["pkg/__init__.py"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_roots_are_found(layout):
    path, name, others = LAYOUTS[layout]
    roots = Roots([path, *others])
    assert roots.name(path) == name
    assert roots.find(name, path) == roots.stem(path)


def test_the_nearest_of_several_packages_of_one_name_is_meant():
    held = program(
        {
            "a/app/__init__.py": "def f(): pass\n",
            "b/app/__init__.py": "def f(): pass\n",
            "a/tests/test_a.py": "from app import f\nf()\n",
            "b/tests/test_b.py": "from app import f\nf()\n",
        }
    )
    assert held.resolve("a/tests/test_a.py", 0, "f")[0].path == "a/app/__init__.py"
    assert held.resolve("b/tests/test_b.py", 0, "f")[0].path == "b/app/__init__.py"


def test_a_folder_is_no_library_of_its_name():
    held = program(
        {
            "docker/run.py": "x = 1\n",
            "docs/json.py": "def loads(): pass\n",
            "platform/tool.py": "x = 1\n",
            "app/main.py": "import docker, json, platform\nfrom docker import Client\n",
            "app/__init__.py": "",
        }
    )
    assert held.external("app/main.py", 0, "json.loads") == "json.loads"
    assert held.external("app/main.py", 0, "Client") == "docker.Client"
    assert held.external("app/main.py", 0, "platform") == "platform"


def test_conftest_and_neighbours_of_a_test_are_importable_by_their_bare_names():
    held = program(
        {
            "tests/conftest.py": "def help(): pass\n",
            "tests/test_a.py": "from conftest import help\nimport test_b\n",
            "tests/test_b.py": "",
        }
    )
    assert held.resolve("tests/test_a.py", 0, "help") == (Target("tests/conftest.py", 1),)
    assert held.resolve("tests/test_a.py", 0, "test_b") == (Target("tests/test_b.py", 0),)


def test_lookup_follows_reexports_classes_and_submodules():
    held = program(
        {
            "p/__init__.py": "from .a import A as B\nfrom . import a\nalias = B\n",
            "p/a.py": "class Base:\n    def f(self): pass\nclass A(Base):\n    x = 1\n",
        }
    )
    assert keys(held, "p.B") == ["p/a.py::A"]
    assert keys(held, "p.B.f") == ["p/a.py::Base.f"]
    assert keys(held, "p.a.A.x") == ["p/a.py::A.x"]
    assert keys(held, "p.alias") == ["p/__init__.py::alias"]
    assert keys(held, "p.a") == ["p/a.py::<module>"]
    assert keys(held, "p.nothing") == []
    assert keys(held, "os.path") == []
    assert held.digest("p/a.py") == "0" * 40


def test_classes_tell_bases_order_and_attributes():
    held = program(
        {
            "m.py": (
                "import unittest\n"
                "class A: x = 1\n"
                "class B(A): pass\n"
                "class C(A): x = 2\n"
                "class D(B, C, unittest.TestCase): pass\n"
            )
        }
    )
    (d,) = held.lookup("m.D")
    assert [held.definition(item).qualname for item in held.mro(d)] == ["D", "B", "C", "A"]
    assert [held.definition(item).qualname for item in held.attribute(d, "x")] == ["C.x"]
    assert held.external_bases(d) == ("unittest.TestCase",)


def test_bases_that_contradict_or_circle_still_have_an_order():
    held = program(
        {
            "m.py": (
                "class X(Y): pass\nclass Y(X): pass\nclass A: pass\nclass B(A): pass\n"
                "class C(A, B): pass\nclass S(S): pass\n"
            )
        }
    )
    assert len(held.mro(held.lookup("m.C")[0])) == 3
    assert held.mro(held.lookup("m.X")[0])[0] == held.lookup("m.X")[0]
    assert held.mro(held.lookup("m.S")[0]) == held.lookup("m.S")


def test_functions_that_return_each_other_end():
    text = "".join(f"def f{n}(): return f{(n + 1) % 60}()\n" for n in range(60))
    text += (
        "class A:\n    @property\n    def p(self): return self.p.p\n    def m(self): return self.m().m()\n"
    )
    text += "def g(): A().p.q(); A().m().m(); f0().x()\n"
    held = program({"m.py": text})
    assert held.values("m.py", held.lookup("m.g")[0].place, "f0()") == ()


@given(st.lists(st.lists(st.integers(0, 6), max_size=4, unique=True), min_size=1, max_size=4))
def test_c3_keeps_every_order_or_refuses(lines):
    targets = [[Target("m", item) for item in line] for line in lines]
    merged = merge([list(line) for line in targets])
    if merged is not None:
        assert sorted(merged) == sorted({item for line in targets for item in line})
        for line in targets:
            places = [merged.index(item) for item in line]
            assert places == sorted(places)


@given(
    st.lists(st.text("ab_/", min_size=1, max_size=8).map(lambda text: text.strip("/") + ".py"), max_size=8)
)
def test_every_path_has_a_name(paths):
    usable = [path for path in dict.fromkeys(paths) if path != ".py" and "//" not in path]
    roots = Roots(usable)
    for path in usable:
        assert roots.name(path)
        assert roots.files[roots.stem(path)]


@pytest.mark.parametrize(
    ("paths", "order"),
    [
        (["src/pkg/__init__.py", "setup.py", "docs/conf.py"], ["src", ""]),
        # `tests` may come from either: the repository's own stays first.
        (
            ["tests/test_a.py", "tests/test_b.py", "ex/app/__init__.py", "ex/tests/__init__.py"],
            ["", "ex"],
        ),
        (["a/src/x/__init__.py", "b/src/y/__init__.py", "m.py", "n.py", "o.py"], ["a/src", "b/src", ""]),
    ],
)
def test_roots_inside_of_others_come_first_where_that_moves_no_import(paths, order):
    assert Roots(paths).list() == order


@given(st.lists(st.lists(st.sampled_from(["a", "b", "src", "t"]), min_size=1, max_size=4), max_size=12))
def test_no_import_moves_by_the_order_of_roots(folders):
    paths = [
        "/".join([*folder, name]) for folder in folders for name in ("__init__.py", "m.py")[len(folder) % 2 :]
    ]
    roots = Roots(dict.fromkeys([*paths, "setup.py"]))
    listed, plain = roots.list(), sorted(roots.bases, key=lambda root: (-roots.bases[root], root))
    assert sorted(listed) == sorted(plain)
    for name, supplied in roots._tops.items():
        suppliers = [root for root in plain if root in supplied]
        assert sorted(suppliers, key=listed.index) == suppliers, name
