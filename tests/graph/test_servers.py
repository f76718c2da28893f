"""The tests' own manners: they touch no database that is somebody's."""

from __future__ import annotations

import pytest
import servers_under_test as servers
from neo4j import GraphDatabase

from graph.errors import PolicyError


def test_which_server_is_asked_for() -> None:
    uri = {"MAESTRO_TEST_NEO4J_URI": "bolt://x"}
    assert servers.wanted({}) == "embedded"
    assert servers.wanted({"MAESTRO_NEO4J_URI": "bolt://somebody"}) == "embedded"
    assert servers.wanted({"MAESTRO_TEST_SERVER": "neo4j"}) == "neo4j"
    assert servers.wanted(uri) == servers.wanted(uri | {"MAESTRO_TEST_SERVER": "neo4j"}) == "given"
    assert servers.wanted(uri | {"MAESTRO_TEST_SERVER": "embedded"}) == "embedded"
    with pytest.raises(PolicyError, match="MAESTRO_TEST_SERVER"):
        servers.wanted({"MAESTRO_TEST_SERVER": "oracle"})


def test_database_with_foreign_nodes_is_refused_and_an_empty_one_marked(own_server) -> None:
    if not own_server.settings.uri:
        pytest.skip("the embedded server has no address to be given by")
    settings = own_server.settings
    with GraphDatabase.driver(settings.uri, auth=(settings.user, settings.password)) as driver:
        driver.execute_query("CREATE (:Customer {name: 'Ada'})")
        with pytest.raises(PolicyError, match="holds 1 nodes and no mark"):
            servers.mark(settings)
        driver.execute_query("MATCH (n) DELETE n")
        servers.mark(settings)
        driver.execute_query("CREATE (:Customer {name: 'Ada'})")
        servers.mark(settings)


def test_pom_names_no_host() -> None:
    text = (servers.HERE / "pom.xml").read_text()
    assert "<repositor" not in text and text.count("://") == 1
