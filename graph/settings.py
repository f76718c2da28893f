"""Where the store is and how its server is run: one frozen value, read from the environment elsewhere."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from graph.errors import InputError, PolicyError

_HEAP = re.compile(r"[1-9]\d{0,5}[mg]")
_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the store. Without `uri` the embedded server keeps its data in `data_dir`."""

    data_dir: Path
    uri: str | None = None
    """Bolt address of a Neo4j server; None for the embedded one."""
    user: str = "neo4j"
    password: str = field(default="", repr=False)
    database: str = ""
    """Name of the database; empty for the server's default (the embedded one's is `maestro`)."""
    heap: str = "1g"
    """Largest Java heap of the embedded server, as `-Xmx` takes it."""
    idle_seconds: float = 300.0
    """How long the embedded server stays after its last client has left; 0 stops it at once."""
    start_seconds: float = 60.0
    """How long the embedded server may take to start."""
    statement_seconds: float = 120.0
    """How long one statement may run on the embedded server."""
    retry_seconds: float = 10.0
    """How long a transaction is tried again while a server is away or its records are contended."""
    host: str = "127.0.0.1"
    """Listening address of the embedded server; loopback only."""
    port: int = 0
    """Bolt port of the embedded server; 0 picks a free one."""
    free_bytes: int = 64 << 20
    """Disk space that must be left for the embedded server to be started."""

    def check(self) -> None:
        """Refuse what cannot work or must not: PolicyError, InputError."""
        if self.uri is not None:
            scheme = self.uri.partition("://")[0]
            if scheme not in _SCHEMES or not self.uri.partition("://")[2]:
                raise InputError(
                    f"The store's address {self.uri!r} is not a Bolt address.",
                    f"Give one that begins with {', '.join(s + '://' for s in _SCHEMES)}.",
                )
            return
        if not _loopback(self.host):
            raise PolicyError(
                f"The embedded server was to listen on {self.host!r}, which others can reach.",
                "It listens on loopback only (127.0.0.1 or ::1): use a Neo4j server for a shared store.",
            )
        if not _HEAP.fullmatch(self.heap):
            raise InputError(f"The Java heap {self.heap!r} is not a size.", "Write it like 512m or 2g.")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
