"""What every test may ask for: a store on the server under test, and a repository of its own in it.

One server serves the whole session (each worker's, where several run). Tests keep apart by scope: each has a
tenant of its own, and asserts nothing about the whole database.

What asks for no server is the same on every server: it runs with the embedded one, and on a Neo4j only what
touches the store runs. A test that opens a store without asking for a server fails, so that none is left out.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
import servers_under_test as servers

from graph import blank
from graph.bolt import Line
from graph.facts import Scope
from graph.settings import StoreSettings
from graph.store import Store

SERVERS = frozenset({"server", "lone_server", "own_server", "service_environment"})
"""Fixtures that lead to the server under test; what asks for none of them touches no store."""
APART = "apart"
"""Mark of tests that open a store which is the same whichever server the tests run on."""

# How long an example takes says how busy the machine is: what must be quick has a test of its own.
hypothesis.settings.register_profile("maestro", deadline=None)
hypothesis.settings.load_profile("maestro")


LONGEST = ("test_faults", "test_crash_drill", "test_upgrade", "test_selecting_soundly", "test_recording_runs")
"""Files whose tests kill servers, or run a project's tests many times."""


def pytest_configure() -> None:
    """Hear ctrl-C: a shell starts what it puts in the background deaf to it, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Say which server the tests run on, and which tests."""
    name = servers.wanted(os.environ)
    return f"store: {name}" + (", running only what touches the store" if name != "embedded" else "")


def touches(item: pytest.Item) -> bool:
    """Whether a test asks for the server under test."""
    return not SERVERS.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that workers end together; on a Neo4j, leave out what touches no
    store: it runs with the embedded server.
    """
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    if servers.wanted(os.environ) == "embedded":
        return
    config.hook.pytest_deselected(items=[item for item in items if not touches(item)])
    items[:] = [item for item in items if touches(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let no test open a store unless it asks for a server: it would be left out on Neo4j."""
    with pytest.MonkeyPatch.context() as patch:
        if not touches(item) and item.get_closest_marker(APART) is None:
            patch.setattr(Line, "open", _refuse)
        return (yield)


async def _refuse(*_: object) -> None:
    known = ", ".join(sorted(SERVERS))
    pytest.fail(f"It opens a store, but asks for none of {known} (see tests/conftest.py).")


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


@pytest.fixture(scope="module")
def lone_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.Embedded | servers.Neo4j | servers.Given]:
    """A server for one file of tests, which may ask what all of it holds, and forget it."""
    made = servers.make(os.environ, tmp_path_factory.mktemp("lone"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def lone_store(lone_server: servers.Embedded | servers.Neo4j | servers.Given) -> AsyncIterator[Store]:
    """An open store of the current schema on that server, with nothing in it."""
    async with Store.open(lone_server.settings) as opened:
        await opened.migrate()
        for each in await opened.repositories():
            await opened.forget(each.scope)
        yield opened


@pytest.fixture
def nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database is at hand for new data directories: a server's schema is made by migrating."""
    monkeypatch.setattr(blank, "find", lambda wheel: None)


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
