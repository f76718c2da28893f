"""The servers that the tests run on: the embedded one, a Neo4j made from its Maven artifacts, or a given one.

MAESTRO_TEST_SERVER is `embedded` (default) or `neo4j`. MAESTRO_TEST_NEO4J_URI, with _USER, _PASSWORD and
_DATABASE beside it, names a running Neo4j; it must be empty or marked as a test's. MAESTRO_NEO4J_URI, which
is the product's, is never looked at.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from filelock import FileLock
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from graph import embedded, lease
from graph.errors import PolicyError, StoreUnavailableError
from graph.settings import StoreSettings

HERE = Path(__file__).parent
CACHE = platformdirs.user_cache_path("maestro-tests")
MARK = "MaestroTests"
START_SECONDS = 120.0
MAVEN_SECONDS = 900.0


def wanted(environment: Mapping[str, str]) -> str:
    """Which server is asked for: "embedded", "neo4j" (made here) or "given"."""
    given = bool(environment.get("MAESTRO_TEST_NEO4J_URI"))
    name = environment.get("MAESTRO_TEST_SERVER") or ("neo4j" if given else "embedded")
    if name not in ("embedded", "neo4j"):
        raise PolicyError(f"MAESTRO_TEST_SERVER is {name!r}.", "It is `embedded` or `neo4j`.")
    return "given" if name == "neo4j" and given else name


def given_settings(environment: Mapping[str, str], data: Path) -> StoreSettings:
    """Settings of the Neo4j that the environment names, after a look that it is nobody else's."""
    settings = StoreSettings(
        data_dir=data,
        uri=environment["MAESTRO_TEST_NEO4J_URI"],
        user=environment.get("MAESTRO_TEST_NEO4J_USER", "neo4j"),
        password=environment.get("MAESTRO_TEST_NEO4J_PASSWORD", ""),
        database=environment.get("MAESTRO_TEST_NEO4J_DATABASE", ""),
    )
    mark(settings)
    return settings


def mark(settings: StoreSettings) -> None:
    """Mark an empty database as a test's; PolicyError where it is neither empty nor marked."""
    assert settings.uri is not None
    with GraphDatabase.driver(settings.uri, auth=(settings.user, settings.password)) as driver:
        held, marks = (
            driver.execute_query(text, database_=settings.database or None).records[0].value()
            for text in ("MATCH (n) RETURN count(n)", f"MATCH (n:{MARK}) RETURN count(n)")
        )
        if held and not marks:
            raise PolicyError(
                f"The database at {settings.uri} holds {held} nodes and no mark of a test.",
                "Give the tests an empty database of their own.",
            )
        if not marks:
            driver.execute_query(
                f"CREATE (:{MARK} {{why: 'tests may delete all this'}})", database_=settings.database or None
            )


class Embedded:
    """An embedded server with a data directory of its own."""

    killable = True

    def __init__(self, data: Path, heap: str = "768m", idle: float = 300.0) -> None:
        self.settings = StoreSettings(data, heap=heap, idle_seconds=idle)

    def start(self) -> None:
        """Nothing to do: whoever opens a store starts it."""

    def kill(self) -> None:
        """kill -9 the server, not its watcher."""
        found = lease.load(self.settings.data_dir)
        if found is not None and found.server.alive():
            os.kill(found.server.pid, signal.SIGKILL)
            while found.server.alive():
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it in order."""
        embedded.stop(self.settings)


class Neo4j:
    """A Neo4j from its Maven artifacts, with a home of its own."""

    killable = True

    def __init__(self, home: Path, heap: str = "768m") -> None:
        self._home = home
        self._heap = heap
        self._password = secrets.token_urlsafe(12)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()
        self.settings = StoreSettings(
            home / "none", uri=f"bolt://127.0.0.1:{self._port}", password=self._password, retry_seconds=2.0
        )

    def start(self) -> None:
        """Start it, anew after a kill, and wait until it takes the log-in."""
        self._home.mkdir(parents=True, exist_ok=True)
        jars = neo4j_jars()
        with (self._home / "launcher.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "java",
                    f"-Xmx{self._heap}",
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-cp",
                    f"{jars}/*",
                    str(HERE / "Neo4jUnderTest.java"),
                    str(self._home),
                    str(self._port),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._log_in()

    def _log_in(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._process is not None
            try:
                with socket.create_connection(("127.0.0.1", self._port), 1.0):
                    pass
                if self._answers(self._password):
                    return
                self._set_password()
            except (DriverError, Neo4jError, OSError) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._home / "launcher.log").read_text(errors="replace")[-2000:]
                    raise StoreUnavailableError(
                        f"The Neo4j under test did not start: {error}\n{said}"
                    ) from error
                time.sleep(0.3)

    def _answers(self, password: str) -> bool:
        try:
            with GraphDatabase.driver(self.settings.uri, auth=("neo4j", password)) as driver:
                driver.execute_query("RETURN 1")
            return True
        except AuthError:
            return False

    def _set_password(self) -> None:
        with GraphDatabase.driver(self.settings.uri, auth=("neo4j", "neo4j")) as driver:
            driver.execute_query(
                "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $new", new=self._password, database_="system"
            )

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop it in order: it ends with its input."""
        if self._process is None or self._process.poll() is not None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


class Given:
    """A running Neo4j that somebody else looks after: it cannot be killed to see what happens."""

    killable = False

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """It stays."""


def neo4j_jars() -> Path:
    """The folder of Neo4j's jars, fetched once by Maven into the user's cache."""
    pom = HERE / "pom.xml"
    version = pom.read_text("utf-8").partition("<artifactId>neo4j</artifactId>")[2].split("version>")[1][:-2]
    folder = CACHE / f"neo4j-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "neo4j.lock", timeout=MAVEN_SECONDS):
        if folder.is_dir():
            return folder
        for tool in ("mvn", "java"):
            if shutil.which(tool) is None:
                raise StoreUnavailableError(f"MAESTRO_TEST_SERVER=neo4j needs {tool}, which is not here.")
        draft = CACHE / f"draft-{secrets.token_hex(4)}"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
        done = subprocess.run(
            ["mvn", "-B", "-q", "-f", str(pom), *goal],
            capture_output=True,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise StoreUnavailableError(
                f"Maven could not fetch Neo4j:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        draft.rename(folder)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make(environment: Mapping[str, str], place: Path) -> Embedded | Neo4j | Given:
    """The server that is asked for, not yet started."""
    name = wanted(environment)
    if name == "given":
        return Given(given_settings(environment, place))
    return Neo4j(place) if name == "neo4j" else Embedded(place)
