"""What every test may ask for: a store on the server under test, and a repository of its own in it.

One server serves the whole session. Tests keep apart by scope: each has a tenant of its own, and asserts
nothing about the whole database.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import servers_under_test as servers

from graph.facts import Scope
from graph.settings import StoreSettings
from graph.store import Store


def pytest_configure() -> None:
    """Hear ctrl-C: a shell starts what it puts in the background deaf to it, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Say which server the tests run on."""
    return f"store: {servers.wanted(os.environ)}"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The database driver knows asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.Embedded | servers.Neo4j | servers.Given]:
    """The session's server; that it cannot be had is a failure, never a skip."""
    made = servers.make(os.environ, tmp_path_factory.mktemp("store"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def store_settings(server: servers.Embedded | servers.Neo4j | servers.Given) -> StoreSettings:
    """How to reach the session's server."""
    return server.settings


@pytest.fixture
async def store(store_settings: StoreSettings) -> AsyncIterator[Store]:
    """An open store of the current schema."""
    async with Store.open(store_settings) as opened:
        await opened.migrate()
        yield opened


@pytest.fixture
def scope() -> Scope:
    """A repository that no other test has."""
    return Scope(f"t{uuid.uuid4().hex[:10]}", "small")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[servers.Embedded | servers.Neo4j]:
    """A server of the kind under test that this test may kill."""
    made = servers.make(os.environ, tmp_path / "own")
    if not made.killable:
        pytest.skip("MAESTRO_TEST_NEO4J_URI names a server that is not ours to kill")
    try:
        made.start()
        yield made
    finally:
        made.stop()
