"""The statements: every file keeps what its header promises, and both servers understand it."""

from __future__ import annotations

import re

import pytest
from neo4j import GraphDatabase

from graph import cypher, embedded
from graph.cypher import EDGE_VALUES, Filling, Shape
from graph.errors import SchemaError
from graph.java import DATABASE
from graph.schema import EDGES, NODES, EdgeKind, NodeKind

ALIAS = re.compile(r"\bAS (\w+)|\bRETURN (\w+)\b(?! AS)|, (\w+)(?=\s*(?:,|$))", re.MULTILINE)


GIVEN = {
    **{name: [] for name in ("keys", "rows", "ids", "heads", "kinds")},
    **dict.fromkeys(("head", "run", "horizon", "number", "ticket", "lease"), 1),
    "done": True,
}
"""Parameters that are not texts."""


def fillings(statement: cypher.Statement) -> list[Filling]:
    """Ways to fill the places of a statement: every kind, and every shape for one of them."""
    nodes = [s.kind for s in NODES.values() if s.live] if "node" in statement.needs else [None]
    if "edge" not in statement.needs:
        return [Filling(node) for node in nodes]
    edges = [s for s in EDGES.values() if s.live]
    found = [Filling(spec.roles[0].kinds[0], spec.kind, Shape.ROLE) for spec in edges]
    return found + [Filling(NodeKind.SYMBOL, EdgeKind.CALLS, shape) for shape in Shape]


@pytest.mark.parametrize("name", cypher.names())
def test_header_agrees_with_the_statement(name) -> None:
    statement = cypher.load(name)
    assert statement.purpose.endswith(".")
    last = re.split(r"\b(?:RETURN)\b", statement.body)[-1]
    returned = re.split(r"\bORDER BY\b", last)[0]
    for column in statement.columns:
        assert re.search(rf"\b{column}\b", returned), f"{name} does not return {column}"


@pytest.mark.parametrize("name", cypher.names())
def test_places_are_filled_from_the_schema_alone(name) -> None:
    statement = cypher.load(name)
    for filling in fillings(statement):
        assert "{{" not in statement.text(filling).replace("{{", "", 0) or "}}" not in statement.text(filling)
    if statement.needs:
        with pytest.raises(SchemaError, match="was not told"):
            statement.text()


def test_every_statement_is_understood_by_the_server(server) -> None:
    settings = server.settings
    seat = None if settings.uri else embedded.join(settings)
    uri, auth = (
        (settings.uri, (settings.user, settings.password))
        if seat is None
        else (seat.uri, (seat.user, seat.secret))
    )
    database = settings.database or None if seat is None else DATABASE
    try:
        with GraphDatabase.driver(uri, auth=auth) as driver, driver.session(database=database) as session:
            for name in cypher.names():
                statement = cypher.load(name)
                for filling in fillings(statement):
                    params = {param: GIVEN.get(param, "x") for param in statement.params}
                    session.run(f"EXPLAIN {statement.text(filling)}", params).consume()
    finally:
        if seat is not None:
            embedded.leave(settings, seat)


def test_parameters_other_than_the_declared_are_refused() -> None:
    statement = cypher.load("facts/retire")
    statement.check({"ids": [], "run": 1, "ending": ""})
    for wrong in ({"ids": []}, {"ids": [], "run": 1, "ending": "", "ruin": 2}):
        with pytest.raises(SchemaError, match="takes ending, ids, run"):
            statement.check(wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MATCH (n) RETURN n", "no purpose"),
        ("// Does.\nMATCH (n) RETURN n", "no purpose, params"),
        ("// Does.\n// params: none\n// columns: n\n", "no purpose"),
        ("// Does.\n// params: $a\n// columns: n\nMATCH (n) RETURN n", "declares a, but uses nothing"),
        (
            "// Does.\n// params: none\n// columns: n\nMATCH (n {k: $k}) RETURN n",
            "declares nothing, but uses k",
        ),
        ("// Does.\n// params: none\n// columns: n\nMATCH (n:{{label}}) RETURN n", "unknown places label"),
    ],
)
def test_file_that_breaks_its_word_is_refused(text, said) -> None:
    with pytest.raises(SchemaError, match=said):
        cypher.parse("topic/name", text)


def test_dollar_in_a_string_is_no_parameter() -> None:
    statement = cypher.parse("a/b", "// Does.\n// params: none\n// columns: n\nRETURN 'costs $five' AS n")
    assert statement.params == frozenset() and statement.columns == ("n",)


def test_unknown_statement_is_refused() -> None:
    with pytest.raises(SchemaError, match="There is no statement"):
        cypher.load("facts/nothing")


def test_row_of_a_hyperedge_ends_with_its_members() -> None:
    text = cypher.load("facts/create_edges").text(Filling(NodeKind.SYMBOL, EdgeKind.CALLS, Shape.PLACED))
    props = EDGES[EdgeKind.CALLS].props
    assert f"UNWIND r[{len(EDGE_VALUES) + len(props)}] AS m" in text
    assert "`role`: m[1], `place`: m[2]}" in text
