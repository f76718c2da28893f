"""The command line of the embedded server: an ArcadeDB from the `arcadedb-embedded` wheel, with its Java."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graph.errors import MaestroError, StoreUnavailableError

USER = "root"
DATABASE = "maestro"

_DISTRIBUTION = "arcadedb-embedded"
ARCHIVE = "maestro.jsa"
"""The file with the server's classes, ready to be mapped, in the wheel's folder."""
FLAGS = (
    # Measured on a celery-sized load: the first compiler alone takes half the processor time of
    # both, and the serial collector no threads of its own.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    # No collection of everything just because classes are loaded.
    "-XX:MetaspaceSize=128m",
    # Pages of 2 MB where the system has them: a tenth of a load went into finding small ones.
    *(["-XX:+UseTransparentHugePages"] if sys.platform == "linux" else []),
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)
_YOUNG = 192
"""Megabytes for what is young, at most. Twice as much is collected half as often, but the system takes long
to hand out memory that nobody used before: a load took a twentieth more."""
OPTIONS = {
    "server.mode": "production",
    "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
    "server.defaultDatabases": f"{DATABASE}[{USER}]",
    "serverMetrics": "false",
    # One file and one index a kind, whatever the number of processors: a look-up asks them all.
    "typeDefaultBuckets": "1",
    "indexDefaultPageSize": str(1 << 20),
    # To find room for a record the server looks through all that a page holds: half its own page size took a
    # twentieth off a load.
    "bucketDefaultPageSize": str(1 << 15),
    # A node with more relationships than the first number keeps further ones in as many lists as the second
    # says. To delete one, the server looks through its list and through what was there before the lists: with
    # its own numbers, 4096 and 16, emptying a hub of 100,000 took twice the time.
    "graph.supernodeThreshold": "1024",
    "graph.supernodeStripes": "64",
    "backup.enabled": "false",
    "opencypher.loadCsv.allowFileUrls": "false",
    "opencypher.loadCsv.allowRemoteUrls": "false",
    "support.autoRegister": "false",
}


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where the wheel's Java runtime and jars are."""

    home: Path
    java: Path
    jars: tuple[Path, ...]
    version: str
    archive: Path | None = None
    """What `graph.class_archive` made of the jars; None where it was not made."""

    @property
    def class_path(self) -> str:
        """The jars as Java takes them."""
        return os.pathsep.join(map(str, self.jars))


def find_wheel() -> Wheel:
    """Find the installed wheel; StoreUnavailableError where this platform has none."""
    found = importlib.util.find_spec("arcadedb_embedded")
    try:
        number = version(_DISTRIBUTION)
    except PackageNotFoundError:
        number = ""
    if found is None or not found.submodule_search_locations or not number:
        raise _missing("is not installed")
    home = Path(next(iter(found.submodule_search_locations)))
    java, jars = home / "jre" / "bin" / "java", tuple(sorted((home / "jars").glob("*.jar")))
    if os.name == "nt":
        java = java.with_suffix(".exe")
    if not java.exists() or not jars:
        raise _missing(f"in {home} lacks its Java runtime or its jars")
    archive = home / ARCHIVE
    return Wheel(home, java, jars, number, archive if archive.exists() else None)


def made_or_told(make: Callable[[Wheel], object]) -> int:
    """Make something of the installed wheel, or say why not: an exit code."""
    try:
        make(find_wheel())
    except MaestroError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return 1
    return 0


def _missing(what: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"The embedded server's package {_DISTRIBUTION} {what}.",
        "It is made for Linux with glibc 2.34 or later, macOS on ARM and Windows on x86-64. Elsewhere set "
        "MAESTRO_NEO4J_URI to a Neo4j server, 5.26 or later.",
    )


@dataclass(frozen=True, slots=True)
class Order:
    """What one start of the server needs to know."""

    home: Path
    """The server's own directory: databases, configuration, logs."""
    password_file: Path
    host: str
    bolt: int
    http: int
    heap: str
    statement_seconds: float


def command(wheel: Wheel, order: Order) -> list[str]:
    """The command line. It names the file with the password, never the password."""
    options = OPTIONS | {
        "server.rootPath": str(order.home),
        "server.rootPasswordPath": str(order.password_file),
        "bolt.host": order.host,
        "bolt.port": str(order.bolt),
        "server.httpIncomingHost": order.host,
        "server.httpIncomingPort": str(order.http),
        "command.timeout": str(int(order.statement_seconds * 1000)),
    }
    flags = [*FLAGS, *_heap(order.heap)]
    if wheel.archive is not None:
        # One that does not fit (other jars, another Java) is passed over.
        flags += ["-Xshare:auto", f"-XX:SharedArchiveFile={wheel.archive}"]
    return [
        str(wheel.java),
        *flags,
        *(f"-Darcadedb.{name}={value}" for name, value in options.items()),
        "-cp",
        wheel.class_path,
        "com.arcadedb.server.ArcadeDBServer",
    ]


def _heap(largest: str) -> list[str]:
    """Flags for the heap: room enough for the young that a load's rows are dead before they are looked at.

    Left to itself Java begins with a share of the machine's memory and collects what is young three times
    as often, each time taking rows that the server is still at for old ones.
    """
    size = int(largest[:-1]) << (10 if largest[-1] == "g" else 0)
    young = min(_YOUNG, size * 3 // 8)
    return [f"-Xmx{largest}", f"-Xms{min(size, young * 3 // 2)}m", f"-Xmn{young}m"]
