"""Names by what is remembered of them."""

from __future__ import annotations

import pytest

from graph.errors import InputError
from graph.facts import Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.queries.search import Fit, search
from graph.schema import NodeKind, Sort

SCOPE = Scope("local", "toy")
NAMES = [
    "get",
    "Get",
    "getter",
    "get_active_transport",
    "HTTPParser",
    "parseHTTPHeaders",
    "target",
    "Engine.get",
    "Engine.dispose",
    "zzz",
]


@pytest.fixture
def incidence() -> Incidence:
    facts = [file_node(SCOPE, path, "python") for path in ("src/app/get.py", "src/app/engine.py")]
    facts += [symbol_node(SCOPE, "src/app/engine.py", name, Sort.FUNCTION) for name in ["<module>", *NAMES]]
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t")


def names(incidence: Incidence, asked: str, **how: object) -> list[tuple[str, Fit]]:
    return [(hit.node.label.rpartition("::")[2], hit.fit) for hit in search(incidence, asked, **how)]


def test_best_fits_come_first(incidence: Incidence) -> None:
    assert names(incidence, "get") == [
        ("Engine.get", Fit.SAME),
        ("get", Fit.SAME),
        ("Get", Fit.FOLDED),
        ("getter", Fit.BEGINNING),
        ("src/app/get.py", Fit.BEGINNING),
        ("get_active_transport", Fit.BEGINNING),
        ("target", Fit.INSIDE),
    ]


@pytest.mark.parametrize(
    ("asked", "name", "fit"),
    [
        ("gat", "get_active_transport", Fit.WORDS),
        ("gAT", "get_active_transport", Fit.WORDS),
        ("act_trans", "get_active_transport", Fit.WORDS),
        ("trans", "get_active_transport", Fit.WORDS),
        ("hp", "HTTPParser", Fit.WORDS),
        ("httpP", "HTTPParser", Fit.BEGINNING),
        ("pHH", "parseHTTPHeaders", Fit.WORDS),
        ("ransp", "get_active_transport", Fit.INSIDE),
        ("gaport", "get_active_transport", Fit.LETTERS),
        ("HTTPPARSER", "HTTPParser", Fit.FOLDED),
        ("Engine.dis", "Engine.dispose", Fit.BEGINNING),
        ("engine.py::get", "get", Fit.SAME),
        ("app.engine.zzz", "zzz", Fit.SAME),
    ],
)
def test_a_name_is_found_by_its_parts(incidence: Incidence, asked: str, name: str, fit: Fit) -> None:
    assert (name, fit) in names(incidence, asked)


@pytest.mark.parametrize(
    ("asked", "fit"), [("get.py", Fit.FOLDED), ("src/app/get.py", Fit.FOLDED), ("app/ge", Fit.INSIDE)]
)
def test_files_are_found_by_their_paths(incidence: Incidence, asked: str, fit: Fit) -> None:
    assert names(incidence, asked, kinds=(NodeKind.FILE,)) == [("src/app/get.py", fit)]


def test_a_limit_is_kept_and_strange_input_finds_nothing(incidence: Incidence) -> None:
    assert len(names(incidence, "e", limit=3)) == 3
    for asked in ("\0", "((", "[a", "\\", "é"):
        assert names(incidence, asked) == []
    assert names(incidence, "<module>") == []
    assert names(incidence, "get", kinds=()) == []


@pytest.mark.parametrize("asked", ["", "  ", "x" * 257])
def test_nothing_and_too_much_are_refused(incidence: Incidence, asked: str) -> None:
    with pytest.raises(InputError, match="characters"):
        search(incidence, asked)
