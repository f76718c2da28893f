"""What people type, and what they mean by it."""

from __future__ import annotations

import pytest

from graph.errors import AmbiguousError, NotFoundError
from graph.facts import Fact, Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.queries.nodes import find, view
from graph.schema import EdgeKind, NodeKind, Resolver, Sort

SCOPE = Scope("local", "toy")
TREE = {
    "src/pkg/__init__.py": [("<module>", 1, 3, 0), ("VERSION", 2, 2, 0)],
    "src/pkg/app.py": [
        ("<module>", 1, 40, 0),
        ("App", 3, 30, 0),
        ("App.name", 5, 7, 0),
        ("App.name", 8, 11, 1),
        ("App.run", 12, 20, 0),
        ("App.run.<locals>.inner", 14, 16, 0),
        ("App.stop", 21, 22, 0),
        ("run", 32, 38, 0),
    ],
    "src/pkg/cli.py": [
        ("<module>", 1, 9, 0),
        ("Runner", 1, 9, 0),
        ("Runner.run", 2, 7, 0),
        ("Runner.stop", 8, 9, 0),
    ],
    "tests/app.py": [("<module>", 1, 5, 0), ("test_run", 2, 4, 0)],
}


@pytest.fixture
def incidence() -> Incidence:
    facts: list[Fact] = [file_node(SCOPE, "empty.py", "python")]
    for path, symbols in TREE.items():
        members = [Member("file", NodeKind.FILE, SCOPE.file(path))]
        facts.append(file_node(SCOPE, path, "python"))
        for qualname, line, end, ordinal in symbols:
            sort = Sort.MODULE if qualname == "<module>" else Sort.FUNCTION
            node = symbol_node(SCOPE, path, qualname, sort, ordinal)
            facts.append(node)
            members.append(Member("symbol", NodeKind.SYMBOL, node.key, line, end, line, "0" * 32))
        origin = Provenance(path, "", Resolver.SYNTAX)
        facts.append(Hyperedge(EdgeKind.CONTAINS, SCOPE, tuple(members), origin))
    test = (("name", "test_run[1]"), ("path", "tests/app.py"))
    facts.append(Node(NodeKind.TEST, SCOPE.test("tests/app.py", "test_run[1]"), test))
    facts.append(Node(NodeKind.OWNER, "local/@org/team", (("name", "@org/team"),)))
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t")


def labels(incidence: Incidence, asked: str) -> list[str]:
    return sorted(view(incidence, node).label for node in find(incidence, asked))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("local/toy:src/pkg/app.py::App.run", "src/pkg/app.py::App.run"),
        ("src/pkg/app.py::App.run", "src/pkg/app.py::App.run"),
        ("./src/pkg/app.py::App.run", "src/pkg/app.py::App.run"),
        ("app.py::App.run", "src/pkg/app.py::App.run"),
        ("pkg.app.App.run", "src/pkg/app.py::App.run"),
        ("src.pkg.app.App.run", "src/pkg/app.py::App.run"),
        ("App.run", "src/pkg/app.py::App.run"),
        ("app.run", "src/pkg/app.py::run"),
        ("src/pkg/app.py::run", "src/pkg/app.py::run"),
        ("inner", "src/pkg/app.py::App.run.<locals>.inner"),
        ("runner", "src/pkg/cli.py::Runner"),
        ("VERSION", "src/pkg/__init__.py::VERSION"),
        ("pkg.VERSION", "src/pkg/__init__.py::VERSION"),
        ("pkg.app", "src/pkg/app.py::<module>"),
        ("src.pkg", "src/pkg/__init__.py::<module>"),
        ("cli", "src/pkg/cli.py::<module>"),
        ("src/pkg/app.py:15", "src/pkg/app.py::App.run.<locals>.inner"),
        ("src/pkg/app.py:13", "src/pkg/app.py::App.run"),
        ("src/pkg/app.py:31", "src/pkg/app.py::<module>"),
        ("cli.py:1", "src/pkg/cli.py::Runner"),
        ("pkg/app.py:8", "src/pkg/app.py::App.name#1"),
        ("tests/app.py::test_run[1]", "tests/app.py::test_run[1]"),
        ("empty.py", "empty.py"),
        (" App.run ", "src/pkg/app.py::App.run"),
    ],
)
def test_one_thing_is_meant(incidence: Incidence, asked: str, meant: str) -> None:
    assert labels(incidence, asked) == [meant]


def test_a_property_and_its_setter_are_meant_together(incidence: Incidence) -> None:
    assert labels(incidence, "App.name") == ["src/pkg/app.py::App.name", "src/pkg/app.py::App.name#1"]


@pytest.mark.parametrize("asked", ["src/pkg/cli.py", "cli.py", "pkg/cli.py"])
def test_a_file_means_all_its_symbols(incidence: Incidence, asked: str) -> None:
    assert labels(incidence, asked) == [
        "src/pkg/cli.py::<module>",
        "src/pkg/cli.py::Runner",
        "src/pkg/cli.py::Runner.run",
        "src/pkg/cli.py::Runner.stop",
    ]


@pytest.mark.parametrize(
    ("asked", "candidates"),
    [
        ("app.py", ("tests/app.py", "src/pkg/app.py")),
        ("app.py:3", ("tests/app.py", "src/pkg/app.py")),
        ("stop", ("src/pkg/app.py::App.stop", "src/pkg/cli.py::Runner.stop")),
        ("STOP", ("src/pkg/app.py::App.stop", "src/pkg/cli.py::Runner.stop")),
    ],
)
def test_candidates_are_shown_when_several_fit(
    incidence: Incidence, asked: str, candidates: tuple[str, ...]
) -> None:
    with pytest.raises(AmbiguousError) as raised:
        find(incidence, asked)
    assert set(raised.value.candidates) == set(candidates)
    assert candidates[0] in raised.value.message


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("Runnr", "Runner"),
        ("App.rum", "run"),
        ("src/pkg/ap.py", "src/pkg/app.py"),
        ("lib/cli.py:3", "src/pkg/cli.py"),
        ("src/pkg/app.py:99", "last line of code is 40"),
        ("empty.py:1", "last line of code is 0"),
        ("zzzzzzzz", "maestro search"),
        ("", "maestro search"),
        ("::", "maestro search"),
        ("x" * 5000, "maestro search"),
        (":5", "maestro search"),
        ("src/pkg/app.py:99999999999999999999", "40"),
    ],
)
def test_near_names_are_shown_when_nothing_fits(incidence: Incidence, asked: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        find(incidence, asked)
    assert hint in raised.value.hint


def test_owners_and_files_have_labels_of_their_own(incidence: Incidence) -> None:
    owner = view(incidence, incidence.find(NodeKind.OWNER, "local/@org/team"))
    assert (owner.label, owner.name, owner.line) == ("@org/team", "@org/team", 0)
    assert view(incidence, incidence.find(NodeKind.FILE, SCOPE.file("empty.py"))).name == "empty.py"
